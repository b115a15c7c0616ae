"""What the customer has: bonuses that can be spent, that expire soon, that are owed.

A household's members have those of its head.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select

from campaigns.audience import Test
from campaigns.conditions.compare import number
from campaigns.conditions.view import Condition, View
from core.tables import Customer, Hold, Lot

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
HOLD = Hold.__table__  # type: ignore[attr-defined]
LOT = Lot.__table__  # type: ignore[attr-defined]

HOLDER = func.coalesce(CUSTOMER.c.household_id, CUSTOMER.c.id)


def balance(view: View, test: Test) -> Condition:
    """What can be spent: see `core.ledger.book.Book.available`; in some accounts, what lies there."""
    usable = _usable(view)
    if test.where:
        return number(_sum(LOT.c.remaining > 0, usable, *_accounts(test)), test, view.kept(test))
    owed_or_usable = case((LOT.c.remaining < 0, LOT.c.remaining), (usable, LOT.c.remaining), else_=0)
    left = (
        select((func.coalesce(func.sum(owed_or_usable), 0) - _held(view)).label("points"))
        .where(LOT.c.customer_id == HOLDER, LOT.c.remaining != 0)
        .correlate(CUSTOMER)
        .subquery("left")
    )
    spendable = select(case((left.c.points < 0, 0), else_=left.c.points)).correlate(CUSTOMER)
    return number(spendable.scalar_subquery(), test, view.kept(test))


def debt(view: View, test: Test) -> Condition:
    """What is owed, as a positive number."""
    return number(-_sum(LOT.c.remaining < 0), test, view.kept(test))


def expiring(view: View, test: Test) -> Condition:
    """What can be spent now and ends within some days, today's included."""
    assert test.within is not None
    ends = (LOT.c.expires_at > view.now) & (LOT.c.expires_on <= view.days_ahead(test.within.days))
    soon = _sum(LOT.c.remaining > 0, LOT.c.active_from <= view.now, ends, *_accounts(test))
    return number(soon, test, view.kept(test))


def _usable(view: View) -> Condition:
    expires = LOT.c.expires_at.is_(None) | (LOT.c.expires_at > view.now)
    return and_(LOT.c.active_from <= view.now, expires)


def _accounts(test: Test) -> list[Condition]:
    return [LOT.c.account.in_(names) for _, names in test.where]


def _sum(*lots: Condition) -> ColumnElement[Any]:
    """What remains of the customer's open lots of which all this is so."""
    mine = LOT.c.customer_id == HOLDER
    total = select(func.coalesce(func.sum(LOT.c.remaining), 0)).where(mine, LOT.c.remaining != 0, *lots)
    return total.correlate(CUSTOMER).scalar_subquery()


def _held(view: View) -> ColumnElement[Any]:
    """Set aside for carts at tills."""
    waits = (HOLD.c.at <= view.now) & (HOLD.c.expires_at > view.now)
    held = select(func.coalesce(func.sum(HOLD.c.points), 0)).where(
        HOLD.c.customer_id == HOLDER, HOLD.c.state == "open", waits
    )
    return held.correlate(CUSTOMER).scalar_subquery()
