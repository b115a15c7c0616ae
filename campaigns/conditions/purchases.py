"""What the customer bought and brought back."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select

from campaigns.audience import Test
from campaigns.conditions.compare import COMPARE, each, moment, number, one, text
from campaigns.conditions.view import Condition, Meaning, View
from campaigns.fields import GOODS
from core.events import EVENT
from core.purchases.favourites import RECEIPTS_AT_MOST
from core.tables import Customer, CustomerStats, Product, Receipt, ReceiptLine

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
LINE = ReceiptLine.__table__  # type: ignore[attr-defined]
PRODUCT = Product.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
STATS = CustomerStats.__table__  # type: ignore[attr-defined]

Column = ColumnElement[Any]


def purchase_time(name: str) -> Meaning:
    """A time that is kept with each receipt."""
    return lambda view, test: moment(view, _statistic(STATS.c[name]), test)


def spent(view: View, test: Test) -> Condition:
    """Minor units on receipts."""
    return _total(view, test, func.coalesce(func.sum(RECEIPT.c.total), 0), STATS.c.spent)


def purchases(view: View, test: Test) -> Condition:
    """Receipts."""
    return _total(view, test, func.count(), STATS.c.purchases)


def _total(view: View, test: Test, total: Column, statistic: Column) -> Condition:
    if _in_all(test):
        return number(func.coalesce(_statistic(statistic), 0), test, view.kept(test))
    return number(_receipts(view, test, total).scalar_subquery(), test, view.kept(test))


def average_receipt(view: View, test: Test) -> Condition:
    """Without a division: so much on each receipt comes to so much on all of them."""
    kept = view.kept(test)

    def holds(money: Column, count: Column) -> Condition:
        if test.op == "between":
            low, high = each(test)
            return and_(count > 0, money >= count * kept(low), money <= count * kept(high))
        return and_(count > 0, COMPARE[test.op](money, count * kept(one(test))))

    if _in_all(test):
        return _statistic(holds(STATS.c.spent, STATS.c.purchases))
    return _receipts(view, test, holds(func.sum(RECEIPT.c.total), func.count())).scalar_subquery()


def bought(view: View, test: Test) -> Condition:
    """Receipts with such goods on a line that was not brought back."""
    goods = [_of(name, names) for name, names in test.where if name in GOODS]
    if not goods:
        return number(_receipts(view, test, func.count()).scalar_subquery(), test, int)
    counted = _receipts(view, test, func.count(LINE.c.receipt_id.distinct()))
    lines = counted.join(LINE, LINE.c.receipt_id == RECEIPT.c.id).where(*goods, _kept(view, RECEIPT.c))
    return number(lines.scalar_subquery(), test, int)


def _of(name: str, names: tuple[str, ...]) -> Condition:
    """Goods as they were when bought; what had no such word then, as the catalogue has them now."""
    if name == "sku":
        return LINE.c.sku.in_(names)  # type: ignore[no-any-return]
    now = select(PRODUCT.c.sku).where(PRODUCT.c[name].in_(names))
    return or_(LINE.c[name].in_(names), and_(LINE.c[name].is_(None), LINE.c.sku.in_(now)))


def _kept(view: View, receipt: Any) -> Condition:
    """Not brought back by the time of the look; a line remembers how much came back, its events when."""
    later = exists().where(
        EVENT.c.customer_id == receipt.customer_id, EVENT.c.kind == "return",
        EVENT.c.subject == receipt.external_id, EVENT.c.at > view.now,
    )  # fmt: skip
    return or_(LINE.c.returned < LINE.c.quantity, later)


def favourite_category(view: View, test: Test) -> Condition:
    """As `core.purchases.favourites` has it."""
    last = _last_receipts(view)
    liked = (
        select(LINE.c.category)
        .join(last, last.c.id == LINE.c.receipt_id)
        .where(LINE.c.category.is_not(None), _kept(view, last.c))
        .group_by(LINE.c.category)
        .order_by(func.count(last.c.id.distinct()).desc(), func.sum(LINE.c.total).desc(),
                  LINE.c.category.desc())
    )  # fmt: skip
    return text(liked.limit(1).correlate(CUSTOMER).scalar_subquery(), test)


def favourite_store(view: View, test: Test) -> Condition:
    """By receipts, then by money."""
    last = _last_receipts(view)
    liked = (
        select(last.c.store)
        .where(last.c.store.is_not(None))
        .group_by(last.c.store)
        .order_by(func.count().desc(), func.sum(last.c.total).desc(), last.c.store.desc())
    )
    return text(liked.limit(1).correlate(CUSTOMER).scalar_subquery(), test)


def returned(view: View, test: Test) -> Condition:
    """Returns, of whole receipts and of parts, as far as they were known at the time of the look."""
    known = or_(EVENT.c.recorded_at <= view.now, EVENT.c.live == false())
    mine = [EVENT.c.customer_id == CUSTOMER.c.id, EVENT.c.kind == "return", EVENT.c.at <= view.now, known]
    if test.within is not None:
        mine.append(EVENT.c.at >= view.ago(test.within))
    times = select(func.count()).select_from(EVENT).where(*mine).correlate(CUSTOMER)
    return number(times.scalar_subquery(), test, int)


# --- receipts


def _in_all(test: Test) -> bool:
    return test.within is None and not test.where


def _statistic(column: Column) -> Column:
    kept = select(column).select_from(STATS).where(STATS.c.customer_id == CUSTOMER.c.id)
    return kept.correlate(CUSTOMER).scalar_subquery()


def _receipts(view: View, test: Test, column: Column) -> Select[Any]:
    """Something of the customer's receipts in the time and the stores that the test names."""
    mine = _not_returned(view)
    if test.within is not None:
        mine.append(RECEIPT.c.at >= view.ago(test.within))
    mine += [RECEIPT.c.store.in_(names) for name, names in test.where if name == "store"]
    return select(column).select_from(RECEIPT).where(*mine).correlate(CUSTOMER)


def _not_returned(view: View) -> list[Condition]:
    return [
        RECEIPT.c.customer_id == CUSTOMER.c.id, RECEIPT.c.at <= view.now, RECEIPT.c.returned_at.is_(None)
    ]  # fmt: skip


def _last_receipts(view: View) -> Any:
    last = select(RECEIPT).where(*_not_returned(view))
    newest = last.order_by(RECEIPT.c.at.desc(), RECEIPT.c.id.desc()).limit(RECEIPTS_AT_MOST)
    return newest.correlate(CUSTOMER).subquery("last")
