"""Comparing a column with what a test says."""

import operator
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, func

from campaigns.audience import Test
from campaigns.conditions.view import Condition, View
from core.units import Duration

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "at_least": operator.ge,
    "at_most": operator.le,
    "more_than": operator.gt,
    "less_than": operator.lt,
}


def each(test: Test) -> tuple[Any, ...]:
    """The values of `one_of`, the two ends of `between`."""
    assert isinstance(test.value, tuple)
    return test.value


def one(test: Test) -> Any:
    """The value of any other operator: a number, a text, a length of time."""
    return test.value


def text(column: ColumnElement[Any], test: Test) -> Condition:
    """Equal to one of some texts, or having one in it."""
    if test.op == "contains":
        # LIKE heeds capitals on one database and not on the other; this does on both.
        return func.replace(column, str(test.value), "") != column
    return column.in_([written(value) for value in each(test)])


def written(value: object) -> str:
    """A value as its file has it: `true`, `5`, `cat`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def number(column: ColumnElement[Any], test: Test, kept: Callable[[Decimal], Any]) -> Condition:
    """A number beside the numbers of a test, which `kept` turns into those of the column."""
    if test.op == "between":
        low, high = each(test)
        return column.between(kept(low), kept(high))
    if test.op == "one_of":
        return column.in_([kept(value) for value in each(test)])
    compared: Condition = COMPARE[test.op](column, kept(one(test)))
    return compared


def holds_for(value: int, test: Test) -> bool:
    """Whether a test of whole numbers is so for one number."""
    if test.op == "between":
        low, high = each(test)
        return bool(low <= value <= high)
    if test.op == "one_of":
        return value in each(test)
    return bool(COMPARE[test.op](value, one(test)))


def moment(view: View, column: ColumnElement[Any], test: Test) -> Condition:
    """A time since or before; a day is the program's. A time that is not known is neither."""
    if test.op == "between":
        first, last = each(test)
        return and_(column >= view.start_of(first), column < view.end_of(last))
    limit = one(test)
    start = view.start_of(limit) if isinstance(limit, date) else view.ago(_length(limit))
    return column >= start if test.op == "within" else column < start


def _length(value: Any) -> Duration:
    assert isinstance(value, Duration)
    return value
