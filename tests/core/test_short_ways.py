"""What thousands of receipts ask for goes a short way, and comes to the same as the long one."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import money
from core.db.encoding import encoder, quickly
from core.ledger.lots import OpenLot
from core.ledger.purse import Purse
from core.program.points import PointRules

LONG = encoder()
SHORT = quickly(LONG)
WORTHS = ["1", "0.01", "0.1", "0.3", "0.07", "2.5", "3", "1.15"]
AT = datetime(2026, 3, 1, tzinfo=UTC)
plain = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = st.recursive(plain, lambda it: st.lists(it) | st.dictionaries(st.text(), it), max_leaves=8)


@given(values)
def test_a_value_is_read_back_the_same_from_the_shorter_json(value: Any) -> None:
    assert json.loads(SHORT(value)) == json.loads(LONG(value))


@pytest.mark.parametrize("value", [float("nan"), [1, {"a": float("inf")}], datetime.now(UTC), {"a": {1, 2}}])
def test_what_json_cannot_hold_is_refused_as_before(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as long:
        LONG(value)
    with pytest.raises(long.type, match=str(long.value).partition(":")[0]):
        SHORT(value)


@pytest.mark.parametrize("value", [2**70, {1: "a"}, "\ud800", ("a", None), {"a": None}])
def test_what_only_the_library_writes_is_written(value: Any) -> None:
    assert json.loads(SHORT(value)) == json.loads(LONG(value))


@given(st.integers(-(10**15), 10**15), st.integers(0, 6))
def test_an_amount_is_said_as_its_decimal_is(units: int, scale: int) -> None:
    assert money.said(units, scale) == str(money.from_units(units, scale))


@given(st.integers(0, 10**12), st.sampled_from(WORTHS), st.integers(0, 4), st.sampled_from([0, 2, 3]))
def test_points_and_money_are_exchanged_in_whole_numbers_as_in_decimals(
    amount: int, worth: str, scale: int, money_scale: int
) -> None:
    rules: Any = PointRules()
    rules.points = SimpleNamespace(worth=Decimal(worth), scale=scale, rounding="down")
    rules.money_scale = money_scale
    minor = int((money.from_units(amount, scale) * Decimal(worth)).scaleb(money_scale) // 1)
    in_points = rules.money_in_points(Decimal(amount))
    assert rules.points_in_money(amount) == minor
    assert rules.points_in_money(-amount) == -minor
    assert rules.points_for(amount) == int(in_points.to_integral_value(money.ROUNDINGS["down"]))
    fewest = rules.points_that_pay(amount)
    assert fewest <= amount
    assert rules.points_in_money(fewest) == minor
    assert not fewest or rules.points_in_money(fewest - 1) < minor


acts = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.booleans()), max_size=30)


@given(acts)
def test_lots_are_spent_in_the_same_order_whenever_they_are_put_in_it(steps: Any) -> None:
    """Each step gives a lot so many points (perhaps none are left), and somebody may spend after it."""
    lots = [OpenLot(1, "purchase", 9, 0, AT, None, _end(n), "base", f"{n}") for n in range(6)]
    purse = Purse(lambda _: 0)
    for number, left, spends in steps:
        lots[number].remaining = left
        purse.note(lots[number])
        if spends:
            assert [*purse.first()] == [*Purse(lambda _: 0, lots).first()]


def _end(number: int) -> datetime | None:
    return AT + timedelta(days=(7, 3, 3, 9, 1)[number]) if number < 5 else None
