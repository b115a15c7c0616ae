"""Suppressed addresses over the API: listed, and lifted."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from core.customers.addresses import Answerable
from core.customers.suppressions import Which, lift_one, suppressed
from tidings.api.access import Here, asks
from tidings.api.bodies import Body, Moment
from tidings.api.idempotency import Once
from tidings.api.paging import Page, Paged
from tidings.api.people.common import Author, Reason
from tidings.api.problems import refuse, refused
from tidings.suppressions import kinds

routes = APIRouter(prefix="/suppressions", tags=["Suppressions"])
FIELDS = {"unknown_customer": "who", "not_suppressed": "who", "no_author": "author", "no_reason": "reason"}
Channel = Annotated[str, Field(max_length=100, description="A channel of emails or phones.")]


class SuppressionOut(BaseModel):
    """A customer's address that is left alone on a channel."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "customer": "10042", "channel": "email", "address": "olena@example.com", "reason": "complained",
            "since": "2026-03-01T08:15:00Z",
        }]}
    )  # fmt: skip

    customer: str
    channel: str
    address: str
    reason: str
    since: Moment


class LiftIn(Body):
    """An address that may be used again; who says so, and why, is kept."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "channel": "email", "who": "10042", "author": "maria", "reason": "the mailbox is back",
        }]}
    )  # fmt: skip

    channel: Channel
    who: Annotated[str, Field(min_length=1, max_length=254)] = Field(
        description="The address, or the customer's external id or card."
    )
    author: Author
    reason: Reason


class LiftedOut(BaseModel):
    """How many addresses were lifted: of a customer there may be several."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"channel": "email", "lifted": 1}]})

    channel: str
    lifted: int


@routes.get("", **asks("suppressions:read", "wrong_cursor"))
def look(
    here: Here, paged: Paged,
    channel: Annotated[str | None, Query(max_length=100)] = None,
    reason: Annotated[str | None, Query(max_length=100)] = None,
    since: Annotated[Moment | None, Query()] = None,
) -> Page[SuppressionOut]:  # fmt: skip
    """Customers whose address now is suppressed. What nobody has now is kept as a digest, and not shown."""
    if channel is not None:
        _check(channel)
    names = sorted(kinds())
    place = paged.place("suppressions", parts=2)
    after = None if place is None else (place[0], names[min(place[1], len(names) - 1)])
    with here.database.read() as connection:
        which = Which(channel, reason, since)
        rows = suppressed(connection, kinds(), which, limit=paged.most, after=after)
    return paged.page("suppressions", rows, lambda row: (row.address_id, names.index(row.channel)), _shown)


@routes.post(
    "/lift",
    **asks("suppressions:write", "unknown_customer", "not_suppressed", "no_author", "no_reason",
           answer=LiftedOut),
)  # fmt: skip
def lift(here: Here, once: Once, body: LiftIn) -> Response:
    """Let an address be used again. What was recalled meanwhile is not sent any more."""
    _check(body.channel)
    by = Answerable(body.author, body.reason)
    with once.recording() as done:
        lifted = lift_one(
            done.connection, here.workspace.addresses, kinds(), body.channel, body.who, by, here.now()
        )
        if not isinstance(lifted, int):
            raise refused(lifted, FIELDS)
        return done(200, LiftedOut(channel=body.channel, lifted=lifted))


def _check(channel: str) -> None:
    if channel not in kinds():
        there = ", ".join(kinds())
        raise refuse("invalid", f"no channel with addresses to suppress; there are {there}", "channel")


def _shown(row: Any) -> SuppressionOut:
    return SuppressionOut(
        customer=row.external_id, channel=row.channel, address=row.value, reason=row.reason, since=row.at
    )
