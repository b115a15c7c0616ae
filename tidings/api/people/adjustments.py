"""Bonuses given and taken by hand, over the API."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from core.ledger.adjustments import Adjustment, adjust
from core.program.lifetime import Lasts
from tidings.api.access import Here, asks
from tidings.api.bodies import Amount, Body, Identifier
from tidings.api.idempotency import Once
from tidings.api.people.common import Author, Reason, done_or_refused, number_of, points_of, status_of

routes = APIRouter(prefix="/adjustments", tags=["Adjustments"])

FIELDS = {
    "unknown_customer": "customer", "conflict": "id", "bad_amount": "points", "unknown_account": "account",
    "insufficient_balance": "points", "no_author": "author", "no_reason": "reason",
}  # fmt: skip


def _lifetime(value: object) -> object:
    if value is not None:
        try:
            Lasts.parse(str(value))
        except ValueError:
            raise ValueError(
                "is no lifetime; write for example '30 days', 'forever' or 'until 12-31'"
            ) from None
    return value


class AdjustmentIn(Body):
    """Bonuses to give (above zero) or to take (below). Sent again with the same `id` it changes nothing."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "id": "ticket-5521", "customer": "10042", "points": "50", "author": "maria",
            "reason": "goodwill for a late delivery",
        }]}
    )  # fmt: skip

    id: Identifier = Field(description="Of the adjustment, in your system.")
    customer: Identifier = Field(description="The customer's external id.")
    points: Amount = Field(description="Whole bonuses; below zero takes them.")
    author: Author
    reason: Reason
    account: str | None = Field(None, max_length=100, description="One bonus account; else the usual order.")
    lasts: Annotated[str | None, BeforeValidator(_lifetime)] = Field(
        None, description="A lifetime of their own: `30 days`, `forever`; else that of the account."
    )
    owing: bool = Field(False, description="Take more than there is: the rest becomes a debt.")


class AdjustmentOut(BaseModel):
    """The balance after an adjustment."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "customer": "10042", "points": "50", "balance": "485.1", "available": "485.1",
        }]}
    )  # fmt: skip

    customer: str
    points: str
    balance: str
    available: str


@routes.post(
    "",
    **asks(
        "adjustments:write", "unknown_customer", "conflict", "bad_amount", "unknown_account",
        "insufficient_balance", "no_author", "no_reason", "busy", answer=AdjustmentOut, created=True,
    ),
)  # fmt: skip
def post(here: Here, once: Once, body: AdjustmentIn) -> Response:
    """Give or take bonuses by hand: 201. The same again: 200 with the same answer."""
    points = points_of(here.program, Decimal(body.points), "points")
    lasts = Lasts.parse(body.lasts) if body.lasts else None
    wanted = Adjustment(
        body.id, body.customer, points, body.author, body.reason, body.account, lasts, body.owing
    )
    with once.recording() as done:
        outcome = done_or_refused(
            adjust(done.connection, here.program, wanted, here.now(), live=True), FIELDS
        )
        answer = AdjustmentOut.model_validate(outcome.answer)
        return done(status_of(outcome), answer, number_of(done.connection, body.customer))
