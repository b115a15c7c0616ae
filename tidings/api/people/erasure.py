"""Erasing a person over the API."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from core.customers.erasure import erase, would_go
from core.ledger.lots import Refusal
from tidings import erasure
from tidings.api.access import Here, asks
from tidings.api.lookup import CustomerPath
from tidings.api.people.common import Author, done_or_refused
from tidings.api.problems import refused

routes = APIRouter(prefix="/customers", tags=["Erasure"])


class ErasureOut(BaseModel):
    """What became of the customer: the number that stands in the books instead of theirs."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "customer": "erased-5c1f0e7a9b3d4f60a1b2c3d4e5f60718", "written_off": "485.1", "balance": "0",
        }]}
    )  # fmt: skip

    customer: str
    written_off: str
    balance: str


class WouldGoOut(BaseModel):
    """How many of what an erasure would remove or empty."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"goes": {"profiles": 1, "addresses": 2}}]})

    goes: dict[str, int]


@routes.delete("/{external_id}", **asks("customers:erase", "unknown_customer", "head_of_household", "busy"))
def forget(
    here: Here,
    external_id: CustomerPath,
    author: Annotated[Author, Query()] = "api",
    keep_bonuses: Annotated[
        bool, Query(description="Leave what remains in the books instead of writing it off.")
    ] = False,
) -> ErasureOut:
    """Forget a person. Asked again, the answer is the first one.

    The books stay, under a number that says nothing; profile, addresses, contents of messages and notes go.
    It is not undone, and the number is not taken up again.
    """
    request = erasure.request_of(
        here.workspace.addresses, external_id, author=author, keep_bonuses=keep_bonuses
    )
    with here.recording() as connection:
        outcome = done_or_refused(erase(connection, here.program, request, here.now()))
    erasure.tidy(here.database)
    return ErasureOut.model_validate(outcome.answer)


@routes.get("/{external_id}/erasure", **asks("customers:erase", "unknown_customer", "head_of_household"))
def look(here: Here, external_id: CustomerPath) -> WouldGoOut:
    """What an erasure would take; nothing changes."""
    request = erasure.request_of(here.workspace.addresses, external_id)
    with here.database.read() as connection:
        found = would_go(connection, request)
    if isinstance(found, Refusal):
        raise refused(found)
    return WouldGoOut(goes=found)
