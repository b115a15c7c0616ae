"""What these endpoints share: amounts, answers, whom an answer is about."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection

from core.customers.holders import people
from core.ledger.lots import Refusal
from core.money import to_units
from core.program import Program
from core.purchases.receipts import Outcome, Recorded
from tidings.api.problems import refuse, refused

Author = Annotated[str, Field(min_length=1, max_length=100, description="Who answers for it.")]
Reason = Annotated[str, Field(min_length=1, max_length=500, description="Why, in a few words.")]


def points_of(program: Program, amount: Decimal, field: str) -> int:
    """Whole bonuses at the program's scale; 422 if digits would be lost."""
    try:
        return to_units(amount, program.points.scale)
    except ValueError as error:
        raise refuse("invalid", f"{field}: {error}", field) from None


def done_or_refused(outcome: Outcome, fields: dict[str, str] | None = None) -> Recorded:
    """What was recorded; a problem if it was refused."""
    if isinstance(outcome, Refusal):
        raise refused(outcome, fields)
    return outcome


def number_of(connection: Connection, external_id: str) -> int | None:
    """The customer's own number, under which an answer is forgotten with them."""
    person = people(connection, [external_id]).get(external_id)
    return person.id if person else None


def status_of(outcome: Recorded) -> int:
    """201 the first time, 200 when it is repeated."""
    return 200 if outcome.repeated else 201
