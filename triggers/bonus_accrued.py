"""A new accrual."""

from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, select, true

from core.db import facts, json_text
from core.tables import Entry, Operation
from core.units import Amount, Series
from triggers.base import CUSTOMER, EVENT, PRESENT, Due, EventTrigger, Fact, Look, Parameters

ENTRY = Entry.__table__  # type: ignore[attr-defined]
OPERATION = Operation.__table__  # type: ignore[attr-defined]


class BonusAccruedParameters(Parameters):
    """Which accruals are worth a message."""

    at_least: Amount = Field(
        default_factory=lambda: Amount(0), description="bonuses of the accrual, whole units"
    )
    reason: Series[str] = Field(default=(), description="`purchase`, or the name of a rule such as `welcome`")


class BonusAccrued(EventTrigger[BonusAccruedParameters]):
    """The customer was given bonuses, by a purchase or a rule."""

    name: ClassVar[str] = "bonus_accrued"
    event: ClassVar[str] = "bonus_accrued"
    Parameters = BonusAccruedParameters
    facts = {
        "amount": Fact("points", "how much was given"),
        "reason": Fact("text", "`purchase`, or the name of the rule"),
        "starts_on": Fact("local_date", "from when it can be spent"),
        "expires_on": Fact("date", "the last day on which it can be spent; none if it never expires"),
    }

    def condition(self, parameters: BonusAccruedParameters, look: Look) -> ColumnElement[bool]:
        """Large enough, and for a reason that is meant."""
        enough = EVENT.c.data["amount"].as_integer() >= look.program.to_points(parameters.at_least)
        meant = json_text(EVENT.c.data, "reason").in_(parameters.reason) if parameters.reason else true()
        return and_(enough, meant)

    def stored_facts(self) -> ColumnElement[Any]:
        """From the event itself."""
        return facts(
            amount=EVENT.c.data["amount"].as_integer(),
            reason=json_text(EVENT.c.data, "reason"),
            starts_on=json_text(EVENT.c.data, "starts_at"),
            expires_on=json_text(EVENT.c.data, "expires_on"),
        )

    def still_true(self, parameters: BonusAccruedParameters, look: Look, due: Due) -> Select[Any]:
        """The accrual was not taken back by a return. Spending it does not make the news untrue."""
        accrual = ENTRY.alias("accrual")
        reversed_ = (
            exists()
            .where(OPERATION.c.key == due.c.subject, accrual.c.operation_id == OPERATION.c.id)
            .where(accrual.c.kind == "accrual", ENTRY.c.lot_id == accrual.c.lot_id)
            .where(ENTRY.c.kind == "reversal", ENTRY.c.amount < 0)
        )
        # What was spent before the return leaves no reversal on the lot itself, but a debt.
        theirs = literal("return:") + func.substr(due.c.subject, len("receipt:") + 1)
        returned = and_(
            due.c.subject.startswith("receipt:", autoescape=True), exists().where(OPERATION.c.key == theirs)
        )
        return (
            select(due.c.id, due.c.facts)
            .join(CUSTOMER, and_(CUSTOMER.c.id == due.c.customer_id, PRESENT))
            .where(~reversed_, ~returned)
        )


TRIGGER = BonusAccrued()
