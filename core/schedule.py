"""When something is looked at: `every day at 10:00`, or a cron line, by the clock of one zone.

A daylight-saving change neither skips nor repeats: a wall time that does not exist moves forward by as much
as the clocks do, a wall time that comes twice is taken once. What runs every hour or minute counts elapsed
time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import Annotated, ClassVar, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, WithJsonSchema

from core.explain import complaint, expected
from core.unit import Unit
from core.units import at_local, read_time

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_GROUPS = {"day": range(7), "weekday": range(5), "weekend": (5, 6)}
_AT = re.compile(r"every ([a-z, ]+?) at (\S+)")
_EACH = re.compile(r"every (?:(\d{1,4}) )?(minute|hour)s?")
_LIKE_CRON = re.compile(r"[\d*]")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SHORT_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# 29 February may be eight years away (1896 to 1904, 2096 to 2104).
_FARTHEST_DAYS = 8 * 366 + 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CronFields:
    """A cron line, its fields spelled out. `weekdays` count from Monday = 0.

    When both days are restricted, either will do (POSIX crontab).
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_hour: bool
    either_day: bool

    def on(self, day: date) -> bool:
        """Whether the line names this day."""
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.weekday() in self.weekdays
        return (by_date or by_weekday) if self.either_day else (by_date and by_weekday)


@dataclass(frozen=True, slots=True)
class Schedule(Unit):
    """One of: some weekdays at one time, every so many minutes, or a cron line."""

    text: str
    weekdays: frozenset[int] = frozenset()
    at: time | None = None
    minutes: int = 0
    cron: CronFields | None = None

    called: ClassVar[str] = "a schedule"
    example: ClassVar[str] = "every day at 10:00"
    pattern: ClassVar[str] = r"^every "

    @classmethod
    def parse(cls, text: str) -> Self:
        """`every day at 10:00`, `every monday and friday at 9:30`, `every hour`, `every 15 minutes`."""
        words = " ".join(text.lower().split())
        if found := _EACH.fullmatch(words):
            minutes = int(found[1] or 1) * (60 if found[2] == "hour" else 1)
            if not minutes:
                raise ValueError(text)
            return cls(text=words, minutes=minutes)
        found = _AT.fullmatch(words)
        if not found:
            raise ValueError(text)
        days, at = _weekdays(found[1]), read_time(found[2])
        if found[2].startswith("24") and len(days) < len(WEEKDAYS):
            # It would be taken for the midnight before: a whole day early.
            raise complaint("24:00 is the end of its day", "write 00:00, and the day after")
        return cls(text=words, weekdays=days, at=at)

    @classmethod
    def parse_cron(cls, line: str) -> Self:
        """`0 10 * * *`: minute, hour, day of the month, month, day of the week."""
        words = line.lower().split()
        if len(words) != 5:
            raise ValueError(line)
        minutes, hours, days, months = (
            _cron_field(words[0], 0, 59),
            _cron_field(words[1], 0, 23),
            _cron_field(words[2], 1, 31),
            _cron_field(words[3], 1, 12, _MONTHS, first_name=1),
        )
        weekdays = {(number - 1) % 7 for number in _cron_field(words[4], 0, 7, _SHORT_DAYS)}
        fields = CronFields(
            minutes=tuple(minutes),
            hours=tuple(hours),
            days=frozenset(days),
            months=frozenset(months),
            weekdays=frozenset(weekdays),
            any_hour=words[1] == "*",
            either_day=not words[2].startswith("*") and not words[4].startswith("*"),
        )
        if not any(fields.on(date(2096, 1, 1) + timedelta(days=n)) for n in range(_FARTHEST_DAYS)):
            raise complaint(f"'{line}' names a day that never comes", "write for example '0 10 * * *'")
        return cls(text=" ".join(words), cron=fields)

    def __str__(self) -> str:
        return self.text


def _weekdays(text: str) -> frozenset[int]:
    days: set[int] = set()
    for name in re.split(r",\s*|\s+and\s+", text.strip()):
        days.update(_GROUPS[name] if name in _GROUPS else (_weekday(name),))
    return frozenset(days)


def _weekday(name: str) -> int:
    # tuple.index raises the ValueError that we would.
    return WEEKDAYS.index(name)


def _cron_field(
    text: str, low: int, high: int, names: tuple[str, ...] = (), first_name: int = 0
) -> list[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            start, end = low, high
        else:
            start = _cron_number(first, names, first_name)
            end = _cron_number(last, names, first_name) if dash else (high if slash else start)
        if not low <= start <= end <= high or (slash and int(step) < 1):
            raise ValueError(text)
        found.update(range(start, end + 1, int(step) if slash else 1))
    return sorted(found)


def _cron_number(text: str, names: tuple[str, ...], first_name: int) -> int:
    return names.index(text) + first_name if text in names else int(text)


def times_between(schedule: Schedule, after: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """Every planned time in `(after, until]`, aware UTC, in order."""
    if schedule.minutes:
        return list(_each(schedule.minutes, after, until))
    first, last = after.astimezone(zone).date(), until.astimezone(zone).date()
    # A day more on each side: a skipped time moves forward, perhaps over midnight.
    days = (first + timedelta(days=n) for n in range(-1, (last - first).days + 2))
    times = {moment for day in days for moment in _on_day(schedule, day, zone)}
    return sorted(moment for moment in times if after < moment <= until)


def next_after(schedule: Schedule, after: datetime, zone: ZoneInfo) -> datetime:
    """The first planned time later than `after`, aware UTC."""
    span = timedelta(minutes=schedule.minutes) if schedule.minutes else timedelta(days=8)
    until = after
    while True:
        start, until = until, until + span
        if times := times_between(schedule, start, until, zone):
            return times[0]


def _each(minutes: int, after: datetime, until: datetime) -> Iterator[datetime]:
    # On one grid from 1970 in UTC, so that every process and every zone agrees on it.
    step = timedelta(minutes=minutes)
    moment = _EPOCH + ((after - _EPOCH) // step + 1) * step
    while moment <= until:
        yield moment
        moment += step


def _on_day(schedule: Schedule, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    cron = schedule.cron
    if schedule.at is not None and day.weekday() in schedule.weekdays:
        yield at_local(day, schedule.at, zone)
    if cron is None or not cron.on(day):
        return
    for hour, minute in product(cron.hours, cron.minutes):
        wall = time(hour, minute)
        yield at_local(day, wall, zone)
        if cron.any_hour:
            # Every hour means every hour that passes, the one that comes twice included.
            yield datetime.combine(day, wall.replace(fold=1), tzinfo=zone).astimezone(UTC)


def _read_cron(value: object) -> Schedule:
    if isinstance(value, Schedule):
        return value
    fix = "write for example '0 10 * * *': minute, hour, day, month, day of the week"
    if not isinstance(value, str):
        raise expected("a cron line", value, fix)
    try:
        return Schedule.parse_cron(value)
    except ValueError as error:
        raise error if type(error) is not ValueError else expected("a cron line", value, fix) from None


def _read_every(value: object) -> object:
    if isinstance(value, str) and not value.lower().startswith("every "):
        value = f"every {value}"
    return Schedule.read(value)


def _read_looked(value: object) -> Schedule:
    # Five words that no `every` begins are a cron line, be it a right or a wrong one.
    if isinstance(value, str) and len(value.split()) == 5 and _LIKE_CRON.match(value.strip()):
        return _read_cron(value)
    return Schedule.read(value)


# `schedule: every day at 10:00`, or `0 10 * * mon-fri`.
Looked = Annotated[
    Schedule,
    BeforeValidator(_read_looked),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(every |[\d*])",
            "description": Schedule.called,
            "examples": [Schedule.example, "0 10 * * mon-fri"],
        }
    ),
]
# `cron: 0 10 * * *`.
Cron = Annotated[
    Schedule, BeforeValidator(_read_cron), WithJsonSchema({"type": "string", "examples": ["0 10 * * *"]})
]
# `every: day at 10:00`: the word "every" is already in the key.
Every = Annotated[
    Schedule,
    BeforeValidator(_read_every),
    WithJsonSchema({"type": "string", "examples": ["monday at 09:30"]}),
]
