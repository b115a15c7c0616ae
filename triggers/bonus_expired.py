"""Bonuses that have expired."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import ColumnElement, FromClause, String, Table, cast

from core.tables import Lot
from triggers.base import EVENT, EventTrigger, Fact, Look, Parameters, whole_number
from triggers.ledger import OPERATION, expired, to_survivor
from triggers.marks import Points

LOT: Table = Lot.__table__  # type: ignore[attr-defined]


class BonusExpiredParameters(Parameters):
    """Which losses are worth a message."""

    at_least: Points = Field(
        default_factory=lambda: Points(0), description="bonuses that expired of one lot, whole units"
    )


class BonusExpired(EventTrigger[BonusExpiredParameters]):
    """Bonuses were not spent in time; of a household, told to its head, whose account it is.

    A receipt that comes late may have spent them: what it leaves must still be enough.
    """

    name: ClassVar[str] = "bonus_expired"
    event: ClassVar[str] = "bonus_expired"
    Parameters = BonusExpiredParameters
    facts = {
        "amount": Fact("points", "how much has expired"),
        "expired_on": Fact("date", "the last day on which it could be spent"),
        "reason": Fact("text", "what it had been given for: `purchase`, or the name of a rule"),
    }

    def told(self, events: FromClause) -> FromClause:
        """Whose account the bonuses lay in."""
        operation = events.join(OPERATION, OPERATION.c.key == EVENT.c.subject)
        lot = operation.outerjoin(LOT, LOT.c.id == whole_number(OPERATION.c.data, "lot"))
        return to_survivor(lot, EVENT.c.customer_id)

    def condition(self, parameters: BonusExpiredParameters, look: Look) -> ColumnElement[bool]:
        """Large enough, and nobody had spent it."""
        return expired(look) >= max(1, look.program.to_points(parameters.at_least))

    def stored_facts(self, look: Look) -> Mapping[str, ColumnElement[Any]]:
        """From the lot."""
        return {
            "amount": expired(look),
            "expired_on": cast(LOT.c.expires_on, String),
            "reason": LOT.c.reason,
        }


TRIGGER = BonusExpired()
