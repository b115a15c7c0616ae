"""Levels given by hand and taken back, over the API."""

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from core.tiers import invite
from tidings.api.access import Here, asks
from tidings.api.bodies import Body, Identifier, Name
from tidings.api.idempotency import Once
from tidings.api.people.common import Author, Reason, done_or_refused, number_of, status_of

routes = APIRouter(prefix="/invitations", tags=["Levels"])

FIELDS = {
    "unknown_customer": "customer", "unknown_level": "level", "no_author": "author", "no_reason": "reason",
}  # fmt: skip


class InvitationIn(Body):
    """A level below which a customer does not fall from now on, whatever they buy."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "customer": "10042", "level": "gold", "author": "maria", "reason": "opened the shop with us",
        }]}
    )  # fmt: skip

    customer: Identifier = Field(description="The customer's external id.")
    level: Name | None = Field(description="One of the program's levels; null takes the invitation back.")
    author: Author
    reason: Reason


class InvitationOut(BaseModel):
    """The level that holds the customer by hand (null: none), and the one that they have now."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"customer": "10042", "invited_to": "gold", "tier": "gold"}]}
    )

    customer: str
    invited_to: str | None
    tier: str | None


@routes.post(
    "",
    **asks(
        "levels:write", "unknown_customer", "unknown_level", "no_author", "no_reason", "busy",
        answer=InvitationOut, created=True,
    ),
)  # fmt: skip
def post(here: Here, once: Once, body: InvitationIn) -> Response:
    """Give a level by hand, or take it back with `level: null`: 201. What is so already: 200.

    The level is a floor from now on, without an end: who buys enough climbs above it. Taken back, who held
    it by the invitation alone falls at once to what their purchases reach. A new invitation takes the place
    of the one before. It has no number of its own: send it with an `Idempotency-Key`, so that a late repeat
    does not undo what was decided since.
    """
    with once.recording() as done:
        outcome = done_or_refused(
            invite(
                done.connection, here.program, body.customer, body.level, body.author, body.reason,
                here.now(), live=True,
            ),
            FIELDS,
        )  # fmt: skip
        answer = InvitationOut.model_validate(outcome.answer)
        return done(status_of(outcome), answer, number_of(done.connection, body.customer))
