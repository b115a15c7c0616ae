"""A new accrual."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import ColumnElement, FromClause, Table, and_, case, exists, func, literal, true

from core.db import UtcDateTime, json_text
from core.tables import Lot
from core.units import Series
from triggers.base import EVENT, EventTrigger, Fact, Look, Parameters, whole_number
from triggers.ledger import OPERATION, RECEIPT, store_name, to_survivor, with_receipt
from triggers.marks import Points, ReasonName

LOT: Table = Lot.__table__  # type: ignore[attr-defined]
UNDONE = OPERATION.alias("undone")
PURCHASE = "purchase"


class BonusAccruedParameters(Parameters):
    """Which accruals are worth a message."""

    at_least: Points = Field(
        default_factory=lambda: Points(0), description="bonuses of the accrual, whole units"
    )
    reason: Series[ReasonName] = Field(
        default=(),
        description="`purchase`, or the name of a rule of an act such as `welcome`; `adjustment`, "
        "`transfer`, `returned`; all if left out",
    )


class BonusAccrued(EventTrigger[BonusAccruedParameters]):
    """The customer was given bonuses, by a purchase or a rule; of a household, the member who earned them.

    What a return took back was not given: what is left must still be enough. Bonuses that are spent already
    were given all the same.
    """

    name: ClassVar[str] = "bonus_accrued"
    event: ClassVar[str] = "bonus_accrued"
    Parameters = BonusAccruedParameters
    facts = {
        "amount": Fact("points", "how much was given, less what was taken back"),
        "reason": Fact("text", "`purchase`, or the name of the rule"),
        "starts_on": Fact("local_date", "from when it can be spent"),
        "expires_on": Fact("date", "the last day on which it can be spent; none if it never expires"),
        "receipt": Fact("text", "the number of the receipt that earned it; none if a rule gave it"),
        "total": Fact("money", "what that purchase came to"),
        "store": Fact("text", "the name of its store, or its code"),
    }

    def told(self, events: FromClause) -> FromClause:
        """The buyer, or whom the rule gave it to; a member's bonuses lie in the account of the household."""
        # A receipt names its operation: only a gift is looked up by its key, among all operations ever.
        gift = OPERATION.c.key == case((RECEIPT.c.id.is_(None), EVENT.c.subject))
        booked = with_receipt(events).outerjoin(OPERATION, gift)
        operation = func.coalesce(RECEIPT.c.operation_id, OPERATION.c.id)
        lot = and_(LOT.c.operation_id == operation, LOT.c.slot == json_text(EVENT.c.data, "slot"))
        given_to = [whole_number(OPERATION.c.data, name) for name in ("customer", "customer_id")]
        whom = func.coalesce(RECEIPT.c.customer_id, *given_to, EVENT.c.customer_id)
        return to_survivor(booked.outerjoin(LOT, lot), whom)

    def condition(self, parameters: BonusAccruedParameters, look: Look) -> ColumnElement[bool]:
        """Large enough, for a reason that is meant, and not taken back."""
        least = max(1, look.program.to_points(parameters.at_least))
        meant = json_text(EVENT.c.data, "reason").in_(parameters.reason) if parameters.reason else true()
        taken = exists().where(
            UNDONE.c.key == literal("taken_back:") + EVENT.c.subject,
            UNDONE.c.recorded_at <= literal(look.at, UtcDateTime),
        )
        return and_(_amount() >= least, meant, ~taken)

    def stored_facts(self, look: Look) -> Mapping[str, ColumnElement[Any]]:
        """From the event, with what its lot and its receipt have become."""
        return {
            "amount": _amount(),
            "reason": json_text(EVENT.c.data, "reason"),
            "starts_on": json_text(EVENT.c.data, "starts_at"),
            "expires_on": json_text(EVENT.c.data, "expires_on"),
            "receipt": RECEIPT.c.external_id,
            "total": RECEIPT.c.total,
            "store": store_name(),
        }


def _amount() -> ColumnElement[int]:
    """Points given in the end. A return leaves the lots of a closed book alone, but not its receipt."""
    given = func.coalesce(LOT.c.amount, whole_number(EVENT.c.data, "amount"))
    earned = RECEIPT.c.earned_points
    by_goods = and_(json_text(EVENT.c.data, "reason") == PURCHASE, RECEIPT.c.id.is_not(None))
    return case((and_(by_goods, earned < given), earned), else_=given)


TRIGGER = BonusAccrued()
