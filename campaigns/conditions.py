"""What an audience means in SQL: one condition on `customer`, whatever its nesting."""

import operator
from calendar import isleap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy import cast as sql_cast

from campaigns.audience import And, Node, Not, Or, Segment, Test
from campaigns.fields import field_named
from campaigns.tables import Message
from core.customers.consent import MARKETING
from core.db import UtcDateTime, json_number, json_text
from core.program import Program
from core.tables import (
    Address,
    Consent,
    Customer,
    CustomerStats,
    Lot,
    Product,
    Receipt,
    ReceiptLine,
    Suppression,
)
from core.units import Duration

ADDRESS = Address.__table__  # type: ignore[attr-defined]
CONSENT = Consent.__table__  # type: ignore[attr-defined]
CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
LINE = ReceiptLine.__table__  # type: ignore[attr-defined]
LOT = Lot.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
PRODUCT = Product.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
STATS = CustomerStats.__table__  # type: ignore[attr-defined]
SUPPRESSION = Suppression.__table__  # type: ignore[attr-defined]

Condition = ColumnElement[bool]
COMPARE: dict[str, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    "at_least": operator.ge,
    "at_most": operator.le,
    "more_than": operator.gt,
    "less_than": operator.lt,
}
WENT_OUT = ("sent", "delivered", "unknown")


@dataclass(frozen=True, slots=True)
class Audience:
    """Turns audiences into conditions. `kinds`: channel → kind of its addresses."""

    program: Program
    segments: Mapping[str, Node]
    at: datetime
    kinds: Mapping[str, str]

    def condition(self, node: Node) -> Condition:
        """The customers whom the node describes, as a condition on `customer`."""
        match node:
            case And(parts):
                return and_(true(), *(self.condition(part) for part in parts))
            case Or(parts):
                return or_(false(), *(self.condition(part) for part in parts))
            case Not(part):
                # NULL must not fall through both a test and its opposite.
                return not_(func.coalesce(self.condition(part), false()))
            case Segment(name):
                return self.condition(self.segments[name])
            case Test():
                return self._test(node)

    def _test(self, test: Test) -> Condition:
        if test.field.startswith("attributes."):
            return _attribute(test.field.removeprefix("attributes."), test)
        return FIELDS[test.field](self, test)

    def ago(self, span: Duration) -> ColumnElement[Any]:
        """The time that lies so far back."""
        return literal(span.ago(self.at, self.program.zone), UtcDateTime)

    def amount(self, test: Test) -> Callable[[Decimal], int]:
        """How the numbers of a test are kept: points, minor units, or as they are."""
        unit = field_named(test.field).unit  # type: ignore[union-attr]
        return {"points": self.program.to_points, "money": self.program.to_money}.get(unit, int)


def _each(test: Test) -> tuple[Any, ...]:
    """The values of `one_of`, the two ends of `between`."""
    assert isinstance(test.value, tuple)
    return test.value


def _one(test: Test) -> Any:
    """The value of any other operator: a number, a text, a length of time."""
    return test.value


def _text(column: ColumnElement[Any], test: Test) -> Condition:
    if test.op == "one_of":
        return column.in_([text for value in _each(test) for text in _stored(value)])
    if test.op == "contains":
        # LIKE heeds capitals on one database and not on the other; this does on both.
        return func.replace(column, str(test.value), "") != column
    raise ValueError(f"{test.field} has no operator {test.op}")


def _stored(value: object) -> tuple[str, ...]:
    # A JSON truth value reads as true on PostgreSQL and as 1 on SQLite.
    return (("true", "1") if value else ("false", "0")) if isinstance(value, bool) else (str(value),)


def _attribute(name: str, test: Test) -> Condition:
    if test.op in ("one_of", "contains"):
        return _text(sql_cast(json_text(CUSTOMER.c.attributes, name), String), test)
    return _number(json_number(CUSTOMER.c.attributes, literal(name, String)), test, float)


def _number(column: ColumnElement[Any], test: Test, kept: Callable[[Decimal], Any]) -> Condition:
    if test.op == "between":
        low, high = _each(test)
        return column.between(kept(low), kept(high))
    if test.op == "one_of":
        return column.in_([kept(value) for value in _each(test)])
    return COMPARE[test.op](column, kept(_one(test)))


def _profile(name: str) -> Callable[[Audience, Test], Condition]:
    return lambda audience, test: _text(CUSTOMER.c[name], test)


def _moment(audience: Audience, column: ColumnElement[Any], test: Test) -> Condition:
    limit = audience.ago(_one(test))
    return column >= limit if test.op == "within" else column < limit


def _registered(audience: Audience, test: Test) -> Condition:
    return _moment(audience, CUSTOMER.c.registered_at, test)


def _statistic(name: str) -> ColumnElement[Any]:
    return select(STATS.c[name]).where(STATS.c.customer_id == CUSTOMER.c.id).scalar_subquery()


def _purchase_time(name: str) -> Callable[[Audience, Test], Condition]:
    return lambda audience, test: _moment(audience, _statistic(name), test)


def _age(audience: Audience, test: Test) -> Condition:
    today = audience.at.astimezone(audience.program.zone).date()

    def at_least(years: int) -> Condition:
        return cast(Condition, CUSTOMER.c.birthday <= _years_before(today, years))

    def is_between(low: int, high: int) -> Condition:
        return and_(at_least(low), CUSTOMER.c.birthday > _years_before(today, high + 1))

    if test.op == "between":
        low, high = _each(test)
        return is_between(int(low), int(high))
    if test.op == "one_of":
        return or_(*(is_between(int(n), int(n)) for n in _each(test)))
    years = int(_one(test))
    if test.op in ("at_least", "more_than"):
        return at_least(years + (test.op == "more_than"))
    return cast(Condition, CUSTOMER.c.birthday > _years_before(today, years + (test.op == "at_most")))


def _years_before(day: date, years: int) -> date:
    """The latest birthday of who is so old on a day; 29 February is kept on the 28th in other years."""
    year = min(max(day.year - years, MINYEAR), MAXYEAR)
    if (day.month, day.day) == (2, 28) and not isleap(day.year) and isleap(year):
        return date(year, 2, 29)
    try:
        return day.replace(year=year)
    except ValueError:  # 29 February
        return date(year, 2, 28)


def _balance(audience: Audience, test: Test) -> Condition:
    now = literal(audience.at, UtcDateTime)
    usable = (LOT.c.active_from <= now) & (LOT.c.expires_at.is_(None) | (LOT.c.expires_at > now))
    counted = func.sum(case((LOT.c.remaining < 0, LOT.c.remaining), (usable, LOT.c.remaining), else_=0))
    holder = func.coalesce(CUSTOMER.c.household_id, CUSTOMER.c.id)
    balance = select(func.coalesce(counted, 0)).where(LOT.c.customer_id == holder, LOT.c.remaining != 0)
    return _number(balance.scalar_subquery(), test, audience.amount(test))


def _receipts(audience: Audience, test: Test, total: ColumnElement[Any], kept: str) -> Condition:
    if test.within is None:
        return _number(func.coalesce(_statistic(kept), 0), test, audience.amount(test))
    sums = select(func.coalesce(total, 0)).where(
        RECEIPT.c.customer_id == CUSTOMER.c.id, RECEIPT.c.at >= audience.ago(test.within),
        RECEIPT.c.at <= literal(audience.at, UtcDateTime), RECEIPT.c.returned_at.is_(None),
    )  # fmt: skip
    return _number(sums.scalar_subquery(), test, audience.amount(test))


def _spent(audience: Audience, test: Test) -> Condition:
    return _receipts(audience, test, func.sum(RECEIPT.c.total), "spent")


def _purchases(audience: Audience, test: Test) -> Condition:
    return _receipts(audience, test, func.count(), "purchases")


def _bought(audience: Audience, test: Test) -> Condition:
    goods = [PRODUCT.c[name].in_(values) for name, values in test.where]
    bought = (
        select(func.count(LINE.c.receipt_id.distinct()))
        .select_from(
            RECEIPT.join(LINE, LINE.c.receipt_id == RECEIPT.c.id).join(PRODUCT, PRODUCT.c.sku == LINE.c.sku)
        )
        .where(RECEIPT.c.customer_id == CUSTOMER.c.id, RECEIPT.c.returned_at.is_(None), *goods)
        .where(RECEIPT.c.at <= literal(audience.at, UtcDateTime))
    )
    if test.within is not None:
        bought = bought.where(RECEIPT.c.at >= audience.ago(test.within))
    return _number(bought.scalar_subquery(), test, int)


def _reachable(audience: Audience, test: Test) -> Condition:
    return or_(*(_open(audience, str(channel)) for channel in _each(test)))


def _open(audience: Audience, channel: str) -> Condition:
    agreed = exists().where(
        CONSENT.c.customer_id == CUSTOMER.c.id, CONSENT.c.channel == channel,
        CONSENT.c.purpose == MARKETING, CONSENT.c.granted,
    )  # fmt: skip
    blocked = exists().where(SUPPRESSION.c.channel == channel, SUPPRESSION.c.digest == ADDRESS.c.digest)
    address = exists().where(
        ADDRESS.c.customer_id == CUSTOMER.c.id,
        ADDRESS.c.kind == audience.kinds[channel],
        ADDRESS.c.active,
        ~blocked,
    )
    return and_(agreed, address)


def _received(audience: Audience, test: Test) -> Condition:
    sent = [MESSAGE.c.customer_id == CUSTOMER.c.id, MESSAGE.c.state.in_(WENT_OUT)]
    if test.value:
        sent.append(MESSAGE.c.scenario.in_([str(name) for name in test.value]))  # type: ignore[union-attr]
    if test.within is not None:
        sent.append(func.coalesce(MESSAGE.c.accepted_at, MESSAGE.c.changed_at) >= audience.ago(test.within))
    return exists().where(*sent)


FIELDS: dict[str, Callable[[Audience, Test], Condition]] = {
    "tier": _profile("tier"),
    "city": _profile("city"),
    "gender": _profile("gender"),
    "locale": _profile("locale"),
    "age": _age,
    "registered": _registered,
    "first_purchase": _purchase_time("first_purchase_at"),
    "last_purchase": _purchase_time("last_purchase_at"),
    "balance": _balance,
    "spent": _spent,
    "purchases": _purchases,
    "bought": _bought,
    "reachable": _reachable,
    "received": _received,
}
