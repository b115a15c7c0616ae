"""The movement of bonuses, over the API."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from core.ledger.movement import movement
from tidings import movement_view
from tidings.api.access import Here, asks
from tidings.api.books.figures import FiguresOut
from tidings.api.books.periods import Since, Until, period

routes = APIRouter(prefix="/movement", tags=["Books"])
MARCH = {
    "opening": "1200", "given": "340.5", "spent": "-200", "adjusted": "0", "moved": "0", "repaid": "0",
    "forgiven": "0", "expired": "-40", "erased": "0", "closing": "1300.5",
}  # fmt: skip
PERIOD = {"from": "2026-02-28T22:00:00+00:00", "to": "2026-03-31T21:00:00+00:00"}
EXAMPLE: dict[str, Any] = {
    **PERIOD, "currency": "UAH", "worth": "0.5",
    "accounts": [{"account": "base", **MARCH, "months": [{**PERIOD, **MARCH}]}],
    "given": [
        {"rule": "base", "account": "base", "points": "290.5", "customers": 31},
        {"rule": "welcome", "account": "base", "points": "50", "customers": 1},
    ],
    "outstanding": {
        "at": PERIOD["to"], "points": "1300.5", "amount": "650.25", "customers": 84, "not_started": "25",
        "endings": [
            {"when": "2026-04", "points": "300.5", "amount": "150.25"},
            {"when": "never", "points": "1010", "amount": "505.00"},
            {"when": "owed", "points": "-10", "amount": "-5.00"},
        ],
    },
}  # fmt: skip


class MonthOut(FiguresOut):
    """A calendar month of the program's zone, or the part of it that lies in the period."""

    model_config = ConfigDict(populate_by_name=True)
    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")


class AccountMovementOut(FiguresOut):
    """A bonus account over the whole period, and month by month."""

    account: str
    months: list[MonthOut]


class GivenByOut(BaseModel):
    """What a rule gave in the period, less what was taken back of it, and to how many customers."""

    rule: str
    account: str
    points: str
    customers: int


class EndingOut(BaseModel):
    """Bonuses that end in a month (`2026-05`); `over`: they have ended and are not yet written off; `never`:
    they do not end; `owed`: customers owe them, below zero.
    """

    when: str
    points: str
    amount: str


class OutstandingOut(BaseModel):
    """What stood in the books when the period ended, or stands in them now, by when it ends."""

    at: datetime
    points: str
    amount: str
    customers: int
    not_started: str
    endings: list[EndingOut]


class MovementOut(BaseModel):
    """The movement of bonuses; `worth` is what one was worth then, in money."""

    model_config = ConfigDict(populate_by_name=True, json_schema_extra={"examples": [EXAMPLE]})
    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")
    currency: str
    worth: str
    accounts: list[AccountMovementOut]
    given: list[GivenByOut]
    outstanding: OutstandingOut


@routes.get("", **asks("movement:read"))
def show(here: Here, since: Since, until: Until) -> MovementOut:
    """What was given by which rule, spent and written off, month by month, and what is outstanding."""
    program = here.program
    start, end = period(program, since, until)
    with here.database.read() as connection:
        found = movement(connection, program, start, end, here.now())
    return MovementOut.model_validate(movement_view.as_json(found, program))
