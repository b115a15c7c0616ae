"""Recency, frequency, monetary: where the customer stands among everybody who ever bought.

The customers stand in line by a measure; a fifth is k if at least (k - 1) fifths of the line have less. So
equals are in one fifth, and a fifth begins above the measure of one place in line: that place is looked up
once, then each customer is only compared with it.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select, true

from campaigns.audience import Test
from campaigns.conditions.compare import holds_for
from campaigns.conditions.view import Condition, View
from core.tables import Customer, CustomerStats

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
STATS = CustomerStats.__table__  # type: ignore[attr-defined]
LINE = STATS.alias("line")
OTHER = CUSTOMER.alias("other")
MEASURES = {"rfm.recency": "last_purchase_at", "rfm.frequency": "purchases", "rfm.monetary": "spent"}
FIFTHS = 5


def rfm(_view: View, test: Test) -> Condition:
    """The customers of those fifths of which the test is so."""
    measure = MEASURES[test.field]
    own = select(STATS.c[measure]).where(STATS.c.customer_id == CUSTOMER.c.id, STATS.c.purchases > 0)
    mine = own.correlate(CUSTOMER).scalar_subquery()
    stands = and_(mine.is_not(None), CUSTOMER.c.erased_at.is_(None), CUSTOMER.c.merged_into.is_(None))
    return and_(stands, or_(false(), *(_among(mine, measure, *span) for span in _spans(test))))


def _spans(test: Test) -> Iterator[tuple[int, int]]:
    """The fifths that are meant, as spans without a gap: (first, last)."""
    meant = [fifth for fifth in range(1, FIFTHS + 1) if holds_for(fifth, test)]
    firsts = [fifth for fifth in meant if fifth - 1 not in meant]
    lasts = [fifth for fifth in meant if fifth + 1 not in meant]
    return zip(firsts, lasts, strict=True)


def _among(mine: ColumnElement[Any], measure: str, first: int, last: int) -> Condition:
    above = [mine > _end_of(measure, first - 1)] if first > 1 else []
    upto = [mine <= _end_of(measure, last)] if last < FIFTHS else []
    return and_(true(), *above, *upto)


def _end_of(measure: str, fifths: int) -> ColumnElement[Any]:
    """The measure of the last one in so many fifths of the line."""
    place = (func.count() * fifths + FIFTHS - 1) // FIFTHS - 1
    where = _line(case((func.count() > 0, place), else_=0)).scalar_subquery()
    return _line(LINE.c[measure]).order_by(LINE.c[measure]).limit(1).offset(where).scalar_subquery()


def _line(column: ColumnElement[Any]) -> Select[Any]:
    """Something of everybody who bought and is still there."""
    # Few are gone: they are left out of the line, not everybody else looked up.
    gone = select(OTHER.c.id).where(or_(OTHER.c.erased_at.is_not(None), OTHER.c.merged_into.is_not(None)))
    return select(column).select_from(LINE).where(LINE.c.purchases > 0, LINE.c.customer_id.not_in(gone))
