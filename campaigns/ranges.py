"""What a comparison leaves of all numbers: enough to see that two of them cannot both be so."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from campaigns.audience import Test
from campaigns.fields import field_named
from core.units import Duration

_ENDLESS = Decimal("Infinity")
Numbers = tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, both included unless open. Days and lengths of time are numbers here too.

    `axis` keeps apart what cannot be compared: days of the calendar and lengths of time back from now.
    """

    low: Decimal = -_ENDLESS
    high: Decimal = _ENDLESS
    low_open: bool = False
    high_open: bool = False
    axis: str = "number"

    def meets(self, other: "Range") -> bool:
        """Whether some number is in both; also when they cannot be compared."""
        if self.axis != other.axis:
            return True
        return not (self.below(other) or other.below(self))

    def below(self, other: "Range") -> bool:
        """Whether all of it lies under the other."""
        if self.axis != other.axis or self.high > other.low:
            return False
        return self.high < other.low or self.high_open or other.low_open

    def covers(self, other: "Range") -> bool:
        """Whether all of the other is in it."""
        if self.axis != other.axis:
            return False
        starts = (self.low, self.low_open) <= (other.low, other.low_open)
        ends = self.high > other.high or (self.high == other.high and (other.high_open or not self.high_open))
        return starts and ends


def range_of(test: Test) -> Range | None:
    """What a comparison leaves; None for texts and lists of values."""
    value = test.value
    if isinstance(value, Duration):
        return _of_length(test.op, Decimal(value.total_seconds))
    if isinstance(value, date):
        return Range(high=Decimal(value.toordinal()), high_open=True, axis="day")
    if isinstance(value, tuple):
        return _of_pair(test.op, value)
    return _whole(test, _of_number(test.op, value)) if isinstance(value, Decimal) else None


def never_both(one: Test, other: Test) -> bool:
    """Whether no number is so for both; numbers in a list are looked at one by one."""
    mine, theirs = [*_ranges(one)], [*_ranges(other)]
    return bool(mine and theirs) and not any(a.meets(b) for a in mine for b in theirs)


def always(inner: Test, outer: Test) -> bool:
    """Whether every number that is so for the first is so for the second."""
    mine, theirs = [*_ranges(inner)], [*_ranges(outer)]
    return bool(mine) and all(any(it.covers(each) for it in theirs) for each in mine)


def _ranges(test: Test) -> Iterator[Range]:
    if test.op == "one_of" and isinstance(test.value, tuple):
        yield from (Range(it, it) for it in test.value if isinstance(it, Decimal))
    elif found := range_of(test):
        yield found


def _of_number(op: str, value: Decimal) -> Range:
    match op:
        case "at_least":
            return Range(low=value)
        case "more_than":
            return Range(low=value, low_open=True)
        case "at_most":
            return Range(high=value)
        case _:
            return Range(high=value, high_open=True)


def _of_pair(op: str, value: tuple[object, ...]) -> Range | None:
    if op != "between":
        return None
    low, high = value
    if isinstance(low, date) and isinstance(high, date):
        return Range(Decimal(low.toordinal()), Decimal(high.toordinal() + 1), high_open=True, axis="day")
    assert isinstance(low, Decimal)
    assert isinstance(high, Decimal)
    return Range(low, high)


def _of_length(op: str, seconds: Decimal) -> Range:
    """How long ago."""
    if op == "within":
        return Range(high=seconds, axis="ago")
    return Range(low=seconds, low_open=True, axis="ago")


def _whole(test: Test, found: Range) -> Range:
    """Of what is counted, more than 5 is at least 6."""
    known = field_named(test.field)
    if known is None or known.unit != "count":
        return found
    if found.low_open:
        found = replace(found, low=found.low + 1, low_open=False)
    if found.high_open:
        found = replace(found, high=found.high - 1, high_open=False)
    return found
