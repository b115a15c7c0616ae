"""Bonuses that customers give to each other, over the API."""

from decimal import Decimal

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from core.ledger.transfers import Transfer, transfer
from tidings.api.access import Here, asks
from tidings.api.bodies import Amount, Body, Identifier
from tidings.api.idempotency import Once
from tidings.api.people.common import Author, done_or_refused, number_of, points_of, status_of

routes = APIRouter(prefix="/transfers", tags=["Transfers"])

FIELDS = {
    "conflict": "id", "bad_amount": "points", "below_the_limit": "points", "over_the_limit": "points",
    "insufficient_balance": "points", "same_account": "receiver",
}  # fmt: skip


class TransferIn(Body):
    """Bonuses from one customer to another. Sent again with the same `id` it changes nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": "gift-7", "sender": "10042", "receiver": "10077", "points": "20"}]
        }
    )

    id: Identifier = Field(description="Of the transfer, in your system.")
    sender: Identifier = Field(description="The external id of who gives.")
    receiver: Identifier = Field(description="The external id of who gets.")
    points: Amount = Field(gt=0, description="Whole bonuses.")
    author: Author | None = None


class TransferOut(BaseModel):
    """What was given, and the sender's balance after it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{
            "sender": "10042", "receiver": "10077", "points": "20", "balance": "465.1", "available": "465.1",
        }]}
    )  # fmt: skip

    sender: str
    receiver: str
    points: str
    balance: str
    available: str


@routes.post(
    "",
    **asks(
        "transfers:write", "unknown_customer", "conflict", "transfers_not_allowed", "same_account",
        "bad_amount", "below_the_limit", "over_the_limit", "insufficient_balance", "busy",
        answer=TransferOut, created=True,
    ),
)  # fmt: skip
def post(here: Here, once: Once, body: TransferIn) -> Response:
    """Give bonuses to another customer: 201. The same again: 200 with the same answer.

    They arrive with the expiry that they had.
    """
    points = points_of(here.program, Decimal(body.points), "points")
    wanted = Transfer(body.id, body.sender, body.receiver, points, body.author)
    with once.recording() as done:
        outcome = done_or_refused(
            transfer(done.connection, here.program, wanted, here.now(), live=True), FIELDS
        )
        answer = TransferOut.model_validate(outcome.answer)
        return done(status_of(outcome), answer, number_of(done.connection, body.sender))
