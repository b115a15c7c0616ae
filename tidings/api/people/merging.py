"""Duplicates over the API: found, and merged."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from core.customers.merging import Merge, duplicates, merge
from tidings.api.access import Here, asks
from tidings.api.bodies import Body, Identifier
from tidings.api.idempotency import Once
from tidings.api.lookup import CustomerPath
from tidings.api.people.common import Author, Reason, done_or_refused, number_of, status_of

routes = APIRouter(tags=["Duplicates"])


class MergeIn(Body):
    """A second profile of the same person."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"duplicate": "10077", "author": "maria", "reason": "the same phone"}]
        }
    )

    duplicate: Identifier = Field(description="The external id of the profile that goes.")
    author: Author
    reason: Reason


class MergeOut(BaseModel):
    """What the survivor has now; `points` went over to them."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "duplicate": "10077", "survivor": "10042", "points": "12.5", "balance": "497.6", "tier": "silver",
        }]}
    )  # fmt: skip

    duplicate: str
    survivor: str
    points: str
    balance: str
    tier: str | None


class AlikeOut(BaseModel):
    """Customers who may be one person: `by` is what they have in common (phone, email, card)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"by": "phone", "customers": ["10042", "10077"]}]}
    )

    by: str
    customers: list[str]


@routes.post(
    "/customers/{external_id}/merge",
    **asks(
        "customers:merge", "unknown_customer", "same_customer", "already_merged", "two_households",
        "no_author", "no_reason", "busy", answer=MergeOut, created=True,
    ),
)  # fmt: skip
def post(here: Here, once: Once, external_id: CustomerPath, body: MergeIn) -> Response:
    """Merge a duplicate into this customer: 201. Merged already: 200 with the first answer.

    Bonuses, receipts and choices go over; the duplicate's number, card and phone lead here from now on.
    Merging is not undone.
    """
    wanted = Merge(body.duplicate, external_id, body.author, body.reason)
    with once.recording() as done:
        outcome = done_or_refused(merge(done.connection, here.program, wanted, here.now(), live=True))
        answer = MergeOut.model_validate(outcome.answer)
        return done(status_of(outcome), answer, number_of(done.connection, external_id))


@routes.get("/duplicates", **asks("customers:merge"))
def candidates(
    here: Here, limit: Annotated[int, Query(ge=1, le=1000, description="How many groups.")] = 100
) -> list[AlikeOut]:
    """Customers with the same phone, email or card number, the earliest registered of each group first."""
    with here.database.read() as connection:
        found = duplicates(connection, limit)
    return [AlikeOut(by=it.by, customers=list(it.customers)) for it in found]
