"""Bonuses about to expire."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Select,
    String,
    and_,
    case,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy import cast as sql_cast

from core.db import Id, UtcDateTime, days_between, facts
from core.tables import Lot
from core.units import Days, Series
from triggers.base import CUSTOMER, PRESENT, Due, Fact, Kind, Look, Parameters, Trigger
from triggers.marks import Points

LOT = Lot.__table__  # type: ignore[attr-defined]


class _Soon:
    """Columns of what is summed up of the lots. Spelled out, they are the same at every look, and what is
    said with them is made once.
    """

    customer_id: ColumnElement[int] = literal_column("soon.customer_id", Id)
    expires_on: ColumnElement[date] = literal_column("soon.expires_on", Date())
    expiring: ColumnElement[int] = literal_column("soon.expiring", BigInteger())
    occasion: ColumnElement[str] = literal_column("soon.occasion", String())


_DAY = sql_cast(_Soon.expires_on, String)
_CUSTOMER_ID, _SUBJECT = _Soon.customer_id.label("customer_id"), _DAY.label("subject")
_OCCASION = _Soon.occasion.label("occasion")
_BEGINS = sql_cast(LOT.c.expires_on, String) + " / "
_THEIRS = and_(CUSTOMER.c.id == _Soon.customer_id, PRESENT)
# Lots first, customers after: the range of one partial index, then a join for those who are due.
_summed = func.sum(LOT.c.remaining)
_SOON = (
    select(LOT.c.customer_id, LOT.c.expires_on, _summed.label("expiring"))
    .where(LOT.c.remaining > 0)
    .group_by(LOT.c.expires_on, LOT.c.customer_id)  # as the index has them: nothing is sorted
    # Three narrow columns are sorted sooner than all that is staged, and who is due on several days is read
    # once; whoever joins from here on keeps the order. Unless it is limited, SQLite leaves it out.
    .suffix_with(text("ORDER BY lot.customer_id, lot.expires_on LIMIT -1"), dialect="sqlite")
)


class BonusExpiringParameters(Parameters):
    """`at_least` sums what expires on one day; `ahead` is one span or a series."""

    at_least: Points = Field(
        default_factory=lambda: Points(0), description="bonuses expiring on one day, whole units"
    )
    ahead: Series[Days] = Field(description="how long before the expiry day; a series has a step for each")


class BonusExpiring(Trigger[BonusExpiringParameters]):
    """Some bonuses of the customer expire soon.

    With a series each step is open from its day until the next begins; who becomes due late enters the
    step that is open. The last step stays open to the end of the expiry day. What still waits of an earlier
    step is recalled once the customer has entered a nearer one.
    """

    name: ClassVar[str] = "bonus_expiring"
    kind: ClassVar[Kind] = "state"
    plain = True
    in_order = True
    Parameters = BonusExpiringParameters
    facts = {
        "expiring": Fact("points", "how much expires on that day"),
        "expires_on": Fact("date", "the last day on which it can be spent"),
        "days_left": Fact("number", "days from today to that day"),
    }

    def candidates(self, parameters: BonusExpiringParameters, look: Look) -> Select[Any]:
        """One row for each customer and expiry day within the longest span."""
        series = _series(parameters)
        today = look.today
        # The open step is the nearest one whose day has come; said by its last day, nothing is reckoned. Two
        # ask for it, so it is said before they do.
        steps: ColumnElement[str] = case(
            *((LOT.c.expires_on <= today + timedelta(days=days), f"{days} days") for days in reversed(series))
        )
        soon = _soon(parameters, look).add_columns((_BEGINS + steps).label("occasion")).subquery("soon")
        left = days_between(literal(today), _Soon.expires_on)
        return (
            select(
                _CUSTOMER_ID, _OCCASION, _SUBJECT,
                look.zones.c.fired_at.label("at"), self._facts(_Soon.expiring, _DAY, left).label("facts"),
            )
            .select_from(soon).join(CUSTOMER, _THEIRS).join(look.zones, look.zone_of(CUSTOMER))
        )  # fmt: skip

    def perhaps(self, parameters: BonusExpiringParameters, look: Look) -> Sequence[Select[Any]]:
        """Whose bonuses expire, by the index of lots alone."""
        # In a query of its own: on SQLite it ends in an order, behind which nobody can count as far as some.
        return (select(_soon(parameters, look).subquery("soon").c.customer_id),)

    def still_true(self, parameters: BonusExpiringParameters, look: Look, due: Due) -> Select[Any]:
        """Enough is still there, that day is not over, and no nearer step was entered."""
        day = sql_cast(LOT.c.expires_on, String)
        stored = self._facts(_summed, day, days_between(literal(look.today), LOT.c.expires_on))
        return (
            select(due.c.id, stored.label("facts"))
            .join(LOT, and_(LOT.c.customer_id == due.c.customer_id, day == due.c.subject))
            .join(CUSTOMER, and_(CUSTOMER.c.id == due.c.customer_id, PRESENT))
            .where(LOT.c.remaining > 0, LOT.c.active_from <= literal(look.at, UtcDateTime))
            .where(LOT.c.expires_at > literal(look.at, UtcDateTime))
            .where(look.is_newest(due, [due.c.subject + f" / {days} days" for days in _series(parameters)]))
            .group_by(due.c.id, LOT.c.expires_on)
            .having(_summed >= max(1, look.program.to_points(parameters.at_least)))
        )

    @staticmethod
    def _facts(expiring: Any, day: Any, left: Any) -> ColumnElement[Any]:
        return facts(expiring=expiring, expires_on=day, days_left=left)


def _soon(parameters: BonusExpiringParameters, look: Look) -> Select[Any]:
    """What expires within the longest span, by customer and day (customer_id, expires_on, expiring)."""
    return _SOON.where(
        LOT.c.active_from <= literal(look.at, UtcDateTime),
        LOT.c.expires_on >= look.today,
        LOT.c.expires_on <= look.today + timedelta(days=_series(parameters)[0]),
    ).having(_summed >= max(1, look.program.to_points(parameters.at_least)))


def _series(parameters: BonusExpiringParameters) -> list[int]:
    """Its spans in days, the longest first."""
    return sorted({span.days for span in parameters.ahead}, reverse=True)


TRIGGER = BonusExpiring()
