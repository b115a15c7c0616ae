"""A long silence."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import ColumnElement, Select, and_, false, func, literal, or_, select

from core.db import UtcDateTime, days_between, facts, looked_up
from core.program import Program
from core.tables import CustomerStats
from core.units import SomeDays
from triggers.base import CUSTOMER, PRESENT, Due, Fact, Kind, Look, Parameters, Trigger, utc_text

STATS = CustomerStats.__table__  # type: ignore[attr-defined]


class InactiveParameters(Parameters):
    """How long a silence, and whose."""

    for_: SomeDays = Field(alias="for", description="days without a purchase")
    at_least_receipts: int = Field(
        default=1, ge=0, description="purchases they had made before; 0 includes none at all"
    )


class Inactive(Trigger[InactiveParameters]):
    """The customer has not bought anything for so long; from the registration if they never did.

    Whoever entered for this silence is left alone until they buy again; whom a gate held back is looked at
    again as long as it lasts, however many looks were missed. A receipt that arrives late moves the beginning
    of a silence: whoever had been silent for so long even by it, when they entered, does not enter again.
    """

    name: ClassVar[str] = "inactive"
    kind: ClassVar[Kind] = "state"
    Parameters = InactiveParameters
    facts = {
        "last_purchase_on": Fact("local_date", "the day of the last purchase, or of the registration"),
        "days_silent": Fact("number", "days since then"),
        "purchases": Fact("number", "purchases they had made"),
    }

    def candidates(self, parameters: InactiveParameters, look: Look) -> Select[Any]:
        """Kept statistics, never the receipts themselves."""
        last = func.coalesce(STATS.c.last_purchase_at, CUSTOMER.c.registered_at)
        since = utc_text(last)
        return (
            select(
                CUSTOMER.c.id.label("customer_id"), since.label("occasion"), since.label("subject"),
                look.zones.c.fired_at.label("at"), self._facts(last).label("facts"),
            )
            .select_from(self._customers(parameters, look))
            .join(look.zones, look.zone_of(CUSTOMER))
            .where(self._silent(parameters, look), PRESENT, ~self._told(parameters, look, last))
        )  # fmt: skip

    def perhaps(self, parameters: InactiveParameters, look: Look) -> Sequence[Select[Any]]:
        """Everybody who is silent, told or not; by the statistics alone."""
        if parameters.at_least_receipts == 0:
            return ()
        if parameters.at_least_receipts > 1:
            return (select(STATS.c.customer_id).where(self._silent(parameters, look)),)
        # Who has a last purchase has bought once: the index alone answers.
        return (select(STATS.c.customer_id).where(STATS.c.last_purchase_at <= _limit(parameters, look)),)

    def still_true(self, parameters: InactiveParameters, look: Look, due: Due) -> Select[Any]:
        """That is still the last purchase."""
        last = func.coalesce(STATS.c.last_purchase_at, CUSTOMER.c.registered_at)
        return (
            select(due.c.id, self._facts(last).label("facts"))
            .select_from(self._customers(parameters, look).join(due, due.c.customer_id == CUSTOMER.c.id))
            .where(self._silent(parameters, look), PRESENT, utc_text(last) == due.c.subject)
        )

    def read(self, stored: Mapping[str, Any], program: Program, at: datetime) -> dict[str, Any]:
        """The days of silence are counted to the day of the message."""
        values = super().read(stored, program, at)
        today = at.astimezone(program.zone).date()
        last = values["last_purchase_on"]
        # None: facts that were kept for another trigger, which the scenario had before.
        return {**values, "days_silent": None if last is None else (today - last).days}

    @staticmethod
    def _customers(parameters: InactiveParameters, look: Look) -> Any:
        never_too = parameters.at_least_receipts == 0
        theirs = and_(STATS.c.customer_id == CUSTOMER.c.id, look.about(STATS.c.customer_id))
        return CUSTOMER.join(STATS, theirs, isouter=never_too)

    @staticmethod
    def _silent(parameters: InactiveParameters, look: Look) -> ColumnElement[bool]:
        limit = _limit(parameters, look)
        if parameters.at_least_receipts == 0:
            return func.coalesce(STATS.c.last_purchase_at, CUSTOMER.c.registered_at) <= limit
        return and_(STATS.c.last_purchase_at <= limit, STATS.c.purchases >= parameters.at_least_receipts)

    @staticmethod
    def _told(parameters: InactiveParameters, look: Look, last: ColumnElement[Any]) -> ColumnElement[bool]:
        """They entered when this silence, as it is known now, was long enough already."""
        if look.entered is None:
            return false()
        silent = days_between(_utc_day(last), _utc_day(look.entered.c.at)) >= parameters.for_.days
        same = or_(look.entered.c.occasion == utc_text(last), silent)
        return looked_up(look.entered.c.customer_id == CUSTOMER.c.id, same)

    @staticmethod
    def _facts(last: Any) -> ColumnElement[Any]:
        return facts(last_purchase_on=utc_text(last), purchases=func.coalesce(STATS.c.purchases, 0))


def _limit(parameters: InactiveParameters, look: Look) -> ColumnElement[datetime]:
    """Who has bought nothing since then has been silent for so long."""
    return literal(parameters.for_.ago(look.at, look.program.zone), UtcDateTime)


def _utc_day(at: Any) -> ColumnElement[str]:
    return func.substr(utc_text(at), 1, 10)


TRIGGER = Inactive()
