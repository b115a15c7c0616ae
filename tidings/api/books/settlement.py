"""What partners owe each other, over the API."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from core.ledger.settlement import settle
from tidings import settlement_view
from tidings.api.access import Here, asks
from tidings.api.books.figures import FiguresOut
from tidings.api.books.periods import Since, Until, period

routes = APIRouter(prefix="/settlement", tags=["Books"])


class PartyOut(FiguresOut):
    """One party's bonuses over the period."""

    party: str


class DebtOut(BaseModel):
    """What `giver` owes `place`, in bonuses and money."""

    giver: str
    place: str
    points: str
    amount: str


class SettlementOut(BaseModel):
    """A settlement; `nets` is what each party gets, below zero what it pays."""

    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={"examples": [{
            "from": "2026-02-28T22:00:00Z", "to": "2026-03-31T21:00:00Z", "currency": "UAH",
            "parties": [{
                "party": "Cinema", "opening": "0", "given": "10", "spent": "-6", "adjusted": "0",
                "moved": "0", "repaid": "0", "forgiven": "0", "expired": "0", "erased": "0", "closing": "4",
            }],
            "debts": [{"giver": "Cinema", "place": "Books", "points": "6", "amount": "3.00"}],
            "nets": {"Books": "3.00", "Cinema": "-3.00"},
        }]},
    )  # fmt: skip

    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")
    currency: str
    parties: list[PartyOut]
    debts: list[DebtOut]
    nets: dict[str, str]


@routes.get("", **asks("settlement:read"))
def show(here: Here, since: Since, until: Until) -> SettlementOut:
    """What partners owe each other for bonuses that one gave and another took, booked in a period."""
    program = here.program
    start, end = period(program, since, until)
    with here.database.read() as connection:
        found = settle(connection, program, start, end)
    return SettlementOut.model_validate(settlement_view.as_json(found, program))
