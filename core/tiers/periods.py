"""When a level is looked at, and what counts then.

Days are the program's, from midnight to midnight. A level falls only at a *check*: the midnight at which a
day begins. Rolling: a purchase carries a level for the period and the grace after its own day, and so does
reaching the level; what a check counts changes only when a purchase is left behind. Calendar: there is one
check for each period, as many days of grace after its end.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from core.program import Program
from core.tiers.record import Record
from core.units import midnight

MONTHS = {"month": 1, "quarter": 3, "year": 12}


class Periods(Protocol):
    """How a program measures."""

    def opens(self, day: date) -> date:
        """The first day that counts on `day` towards moving up."""
        ...

    def first_check(self, since: date) -> date:
        """The first day at whose beginning a level reached on `since` may be lost."""
        ...

    def last_check(self, day: date) -> date:
        """The last day up to `day` that has a check for somebody."""
        ...

    def counted(self, record: Record, check: date) -> int:
        """The amount of the measure that carries a level over a check."""
        ...

    def checks(self, record: Record, since: date, after: date) -> Iterator[date]:
        """The checks after a day of a level reached on `since`, from the earliest; those at which nothing can
        have changed since the one before may be left out.
        """
        ...

    def span(self, check: date) -> tuple[date, date]:
        """The days [start, end) whose purchases alone carry a level over a check if they are enough."""
        ...

    def reached_before(self, check: date) -> date:
        """A level reached before this day may be lost at the check."""
        ...

    def horizon(self, day: date) -> date:
        """The earliest day whose purchases matter for anything from `day` on."""
        ...

    def target(self, record: Record, check: date, at: datetime) -> int:
        """What counts already of the amount that, with purchases from `at` on, must carry over a check."""
        ...

    def carrying(self, check: date, today: date) -> tuple[date, date]:
        """The first and the last day whose purchases count together with that for the check."""
        ...


def periods(program: Program) -> Periods:
    """The program's way of measuring."""
    rules, over = program.tiers, program.tiers.over
    return _periods(program.zone, rules.measure, over.days, over.calendar, rules.grace.days)


@lru_cache(maxsize=64)
def _periods(zone: ZoneInfo, measure: str, days: int, calendar: str, grace: int) -> Periods:
    if calendar:
        return Calendar(zone, measure, MONTHS[calendar], grace)
    return Rolling(zone, measure, days, grace)


def period_began(program: Program, at: datetime) -> datetime:
    """From when purchases count at a time towards a higher level."""
    return midnight(periods(program).opens(program.day_of(at)), program.zone)


class Rolling:
    """So many days back from today."""

    def __init__(self, zone: ZoneInfo, measure: str, days: int, grace: int) -> None:
        self._zone, self._measure = zone, measure
        self._days, self._kept = timedelta(days=days), timedelta(days=days + grace)

    def opens(self, day: date) -> date:
        """As many days before as the period has."""
        return day - self._days

    def first_check(self, since: date) -> date:
        """The day after the period and its grace."""
        return since + self._kept + timedelta(days=1)

    def last_check(self, day: date) -> date:
        """Every day has one."""
        return day

    def counted(self, record: Record, check: date) -> int:
        """What was done in the period and the grace before."""
        return record.before(
            self._measure, midnight(check - self._kept, self._zone), midnight(check, self._zone)
        )

    def checks(self, record: Record, since: date, after: date) -> Iterator[date]:
        """The first one, and then each day on which a purchase no longer counts."""
        check = max(self.first_check(since), after + timedelta(days=1))
        yield check
        place = bisect_left(record.times, midnight(check - self._kept, self._zone))
        for at in record.times[place:]:
            left = self.first_check(at.astimezone(self._zone).date())
            if left > check:
                check = left
                yield check

    def span(self, check: date) -> tuple[date, date]:
        """All that counts."""
        return check - self._kept, check

    def reached_before(self, check: date) -> date:
        """The period and its grace ago."""
        return check - self._kept

    def horizon(self, day: date) -> date:
        """What a check of the day counts."""
        return day - self._kept

    def target(self, record: Record, check: date, at: datetime) -> int:
        """What is still counted then."""
        return self.counted(record, check)

    def carrying(self, check: date, today: date) -> tuple[date, date]:
        """What a check counts."""
        return check - self._kept, check - timedelta(days=1)


class Calendar:
    """A year, a quarter or a month."""

    def __init__(self, zone: ZoneInfo, measure: str, months: int, grace: int) -> None:
        self._zone, self._measure, self._months = zone, measure, months
        self._grace = timedelta(days=grace)

    def opens(self, day: date) -> date:
        """The first day of the period."""
        return date(day.year, (day.month - 1) // self._months * self._months + 1, 1)

    def _next(self, opening: date) -> date:
        months = opening.month - 1 + self._months
        return date(opening.year + months // 12, months % 12 + 1, 1)

    def first_check(self, since: date) -> date:
        """The grace after the end of the period."""
        return self._next(self.opens(since)) + self._grace

    def last_check(self, day: date) -> date:
        """The grace after the last period that has ended so long ago."""
        return self.opens(day - self._grace) + self._grace

    def counted(self, record: Record, check: date) -> int:
        """What was done in the period that has ended, or since then in another one if that is more."""
        opening = self._ended(check)
        sums = []
        while opening < check:
            closing = self._next(opening)
            sums.append(self._between(record, opening, min(closing, check)))
            opening = closing
        return max(sums)

    def _ended(self, check: date) -> date:
        """The first day of the period that a check is about."""
        return self.opens(check - self._grace - timedelta(days=1))

    def _between(self, record: Record, start: date, end: date) -> int:
        return record.before(self._measure, midnight(start, self._zone), midnight(end, self._zone))

    def checks(self, record: Record, since: date, after: date) -> Iterator[date]:
        """One for each period."""
        opening = max(self.opens(since), self._ended(self.last_check(after)))
        while True:
            opening = self._next(opening)
            if opening + self._grace > after:
                yield opening + self._grace

    def span(self, check: date) -> tuple[date, date]:
        """The period that has ended."""
        return self._ended(check), self._next(self._ended(check))

    def reached_before(self, check: date) -> date:
        """The end of that period."""
        return self._next(self._ended(check))

    def horizon(self, day: date) -> date:
        """The period that the last check was about."""
        return self._ended(self.last_check(day))

    def target(self, record: Record, check: date, at: datetime) -> int:
        """What was done in the period to which the next purchases belong."""
        opening = self._going_on(check, at.astimezone(self._zone).date())
        return self._between(record, opening, self._next(opening))

    def carrying(self, check: date, today: date) -> tuple[date, date]:
        """That period, as far as it lies before the check."""
        opening = self._going_on(check, today)
        return opening, min(self._next(opening), check) - timedelta(days=1)

    def _going_on(self, check: date, today: date) -> date:
        """The first day of the period that a purchase would count for at the check."""
        return max(self._ended(check), self.opens(today))
