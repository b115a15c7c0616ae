"""The words of the language for amounts, lengths of time, rates and windows.

Each is a frozen value that pydantic reads from text (`"14 days"`) and writes back as the same text, with a
complaint that shows what to write. Days are calendar days in somebody's zone; hours and minutes are elapsed
time.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from core.clock import possible
from core.explain import complaint, expected
from core.unit import Unit

T = TypeVar("T")

DAY_SECONDS = 86_400
# A hundred years: what is longer leads out of the calendar, and nobody means it.
DAYS_AT_MOST = 36_525
TOO_LONG = "longer than a hundred years"
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_DAYS = {"day": 1, "week": 7}
_LENGTH = re.compile(r"(\d{1,18})\s+(\w+?)s?")
# How lengths are abbreviated elsewhere; a bare number is taken for days.
_SHORT_LENGTH = re.compile(r"(\d{1,4})\s*([a-z]*)\.?")
_SHORT = {
    "day": ("", "d", "day", "days"),
    "week": ("w", "wk", "week", "weeks"),
    "hour": ("h", "hr", "hrs", "hour", "hours"),
    "minute": ("m", "min", "mins", "minute", "minutes"),
    "second": ("s", "sec", "secs", "second", "seconds"),
    "month": ("mo", "mon", "month", "months"),
    "year": ("y", "yr", "year", "years"),
}
_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")


# --- lengths of time


@dataclass(frozen=True, slots=True)
class Duration(Unit):
    """Calendar days (`14 days`, `2 weeks`) or elapsed seconds (`2 hours`); one of them is zero."""

    days: int = 0
    seconds: int = 0

    called: ClassVar[str] = "a length of time"
    example: ClassVar[str] = "14 days"
    pattern: ClassVar[str] = r"^\d+ (day|week|hour|minute|second)s?$"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`14 days`, `1 day`, `2 weeks`, `12 hours`, `30 minutes`; a hundred years at most."""
        number, word = _length(text)
        found = cls(days=number * _DAYS[word]) if word in _DAYS else cls(seconds=number * _SECONDS[word])
        if found.total_seconds > DAYS_AT_MOST * DAY_SECONDS:
            raise complaint(TOO_LONG, f"write fewer {word}s")
        return found

    @classmethod
    def meant(cls, value: object) -> str:
        """`12 hours` for `12h`, `3 days` for `3`, `60 days` for `2 months`."""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return ""
        found = _SHORT_LENGTH.fullmatch(str(value).strip().lower())
        word = next((word for word, names in _SHORT.items() if found and found[2] in names), "")
        if not found or not word:
            return ""
        days = {"month": 30, "year": 365}.get(word)
        return str(cls(days=int(found[1]) * days)) if days else _counted(int(found[1]), word)

    def before(self, day: date) -> date:
        """The day that lies this many calendar days before; hours do not move a day."""
        return day - timedelta(days=self.days)

    def after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The UTC time this much later: the same time of day in `zone` for days, elapsed time for hours."""
        return self._moved(moment, zone, 1)

    def ago(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The UTC time this much earlier: the same time of day in `zone` for days, elapsed time for hours."""
        return self._moved(moment, zone, -1)

    def _moved(self, moment: datetime, zone: ZoneInfo, sign: int) -> datetime:
        if not self.days:
            return moment.astimezone(UTC) + timedelta(seconds=sign * self.seconds)
        local = moment.astimezone(zone)
        # The fold goes with the time: from the second 03:30 of an autumn night to the same 03:30, not the
        # first one.
        return (local + timedelta(days=sign * self.days)).astimezone(UTC)

    @property
    def total_seconds(self) -> int:
        """Its usual length, a day being 24 hours: for comparing and sorting, not for reckoning time."""
        return self.days * DAY_SECONDS + self.seconds

    def __bool__(self) -> bool:
        return self.total_seconds > 0

    def __str__(self) -> str:
        if self.days or not self.seconds:
            return _counted(self.days, "day")
        for word in ("hour", "minute"):
            if self.seconds % _SECONDS[word] == 0:
                return _counted(self.seconds // _SECONDS[word], word)
        return _counted(self.seconds, "second")


def _length(text: str) -> tuple[int, str]:
    found = _LENGTH.fullmatch(text.lower())
    if not found or found[2] not in _DAYS | _SECONDS:
        raise ValueError(text)
    return int(found[1]), found[2]


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _calendar_days(value: Duration) -> Duration:
    if value.seconds:
        raise complaint(f"expected whole days, got '{value}'", "write for example '14 days'")
    return value


def _positive(value: Duration) -> Duration:
    if not value:
        raise complaint(f"expected a length of time, got '{value}'", "write for example '14 days'")
    return value


def _then(*checks: Callable[[Any], Any]) -> BeforeValidator:
    def run(value: object) -> object:
        for check in checks:
            value = check(value)
        return value

    return BeforeValidator(run)


# More than nothing: how far back a window looks, how long a message stays good.
Span = Annotated[Duration, _then(Duration.read, _positive)]
# Whole calendar days, zero allowed: how far before a day of the ledger.
Days = Annotated[Duration, _then(Duration.read, _calendar_days)]
# Whole calendar days, one at least: how long somebody has been silent.
SomeDays = Annotated[Duration, _then(Duration.read, _calendar_days, _positive)]


# --- numbers


def amount(value: object) -> Decimal:
    """A number in whole units (points, money): exact, finite, below 10^15."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        number = Decimal(value)
        if number.is_finite() and number.adjusted() < 15:
            return number
    raise expected("a number", value)


def percent(value: object) -> Decimal:
    """`10%` to Decimal('0.1'); from 0% to 100%.

    A bare number is nobody's: 0.5 is half of them to one reader, and one in two hundred to another.
    """
    try:
        number = Decimal(value.removesuffix("%").strip()) if isinstance(value, str) and "%" in value else None
    except InvalidOperation:
        number = None
    if number is None or not 0 <= number <= 100:
        raise expected("a percentage from 0% to 100%", value, _with_a_sign(value))
    return number / 100


def _with_a_sign(value: object) -> str:
    """What to write in place of a number without its sign, or of what is no number."""
    bare = isinstance(value, (int, Decimal)) and not isinstance(value, bool) and 0 <= value <= 100
    if isinstance(value, Decimal) and 0 < value <= 1:
        return f"write '{_percent_text(value)}', or '{value}%' if that is what you mean"
    return f"write '{value if bare else 10}%'"


def _percent_text(value: Decimal) -> str:
    return f"{(value * 100).normalize():f}%"


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise expected("zero or more", value)
    return value


# Any number, and one that is not below zero; whole units, as people write them.
Number = Annotated[Decimal, BeforeValidator(amount), WithJsonSchema({"type": "number"})]
Amount = Annotated[Decimal, _then(amount, _not_negative), WithJsonSchema({"type": "number", "minimum": 0})]
# A fraction: 10% is Decimal('0.1').
Percent = Annotated[
    Decimal,
    BeforeValidator(percent),
    PlainSerializer(_percent_text),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)? ?%$", "examples": ["10%"]}),
]


@dataclass(frozen=True, slots=True)
class Rate(Unit):
    """How many in so many seconds: `100 per second`."""

    count: int
    seconds: int

    called: ClassVar[str] = "a rate"
    example: ClassVar[str] = "100 per second"
    pattern: ClassVar[str] = r"^\d+ per (second|minute|hour|day)$"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`100 per second`, `30 per minute`, `1000 per hour`, `5000 per day`."""
        count, _, word = text.partition(" per ")
        seconds = {**_SECONDS, "day": DAY_SECONDS}.get(word.strip(), 0)
        if not seconds or int(count) < 1:
            raise ValueError(text)
        return cls(int(count), seconds)

    @property
    def per_second(self) -> float:
        """Its speed; for a token bucket."""
        return self.count / self.seconds

    def __str__(self) -> str:
        words = {seconds: word for word, seconds in {**_SECONDS, "day": DAY_SECONDS}.items()}
        return f"{self.count} per {words[self.seconds]}"


@dataclass(frozen=True, slots=True)
class Allowance(Unit):
    """At most so many in a rolling window: `4 per 30 days`; `1 per day` is the same as `1 per 1 day`."""

    count: int
    window: Duration

    called: ClassVar[str] = "an allowance"
    example: ClassVar[str] = "4 per 30 days"
    pattern: ClassVar[str] = r"^\d+ per (\d+ )?(day|week|hour|minute)s?$"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`4 per 30 days`, `1 per day`, `2 per 12 hours`; at least one, in more than no time."""
        count, _, window = text.partition(" per ")
        window = window if window[:1].isdigit() else f"1 {window}"
        allowance = cls(int(count), Duration.parse(window))
        if allowance.count < 1 or not allowance.window:
            raise ValueError(text)
        return allowance

    def __str__(self) -> str:
        return f"{self.count} per {self.window}"


# --- time of day


def at_local(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """The UTC time at which clocks in `zone` show `wall` on `day`.

    A time that a daylight-saving change skips moves forward by as much as the clocks do; of two, it is the
    first.
    """
    return datetime.combine(day, wall.replace(fold=0), tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=8192)
def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins in the zone, aware UTC."""
    return at_local(day, time(0), zone)


def first_moment(day: date, zone: ZoneInfo) -> datetime:
    """The same of a day that somebody named; ValueError if it is in no year of a shop's."""
    possible(datetime.combine(day, time(0), zone))
    return midnight(day, zone)


def read_time(text: str) -> time:
    """`9:30` or `09:30`; ValueError otherwise."""
    found = _TIME.fullmatch(text.strip())
    if not found or (found[1] == "24" and found[2] != "00"):
        raise ValueError(text)
    return time(int(found[1]) % 24, int(found[2]))


@dataclass(frozen=True, slots=True)
class TimeWindow(Unit):
    """A part of every day, `[start, end)` by the wall clock; it may go over midnight: `21:00-09:00`."""

    start: time
    end: time

    called: ClassVar[str] = "a part of the day"
    example: ClassVar[str] = "21:00-09:00"
    pattern: ClassVar[str] = r"^\d{1,2}:\d{2} ?- ?\d{1,2}:\d{2}$"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`21:00-09:00`; start and end differ."""
        start, _, end = text.partition("-")
        window = cls(read_time(start), read_time(end))
        if window.start == window.end:
            raise complaint(
                f"'{text}' begins when it ends", "write for example '21:00-09:00', or leave it out"
            )
        return window

    def contains(self, wall: time) -> bool:
        """Whether the wall clock stands inside; the start belongs to it, the end does not."""
        wall = wall.replace(tzinfo=None, fold=0)
        if self.start < self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end

    def end_after(self, local: datetime) -> datetime:
        """When the window next ends after `local` (aware, in the customer's zone); in the same zone."""
        zone = local.tzinfo
        if not isinstance(zone, ZoneInfo):
            raise ValueError("end_after needs a local time with its ZoneInfo")
        for days in range(3):
            day = local.date() + timedelta(days=days)
            for fold in (0, 1):
                end = datetime.combine(day, self.end.replace(fold=fold), tzinfo=zone).astimezone(UTC)
                if end > local.astimezone(UTC):
                    return end.astimezone(zone)
        raise ValueError("a day is at most 25 hours long")

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


# --- dates, zones, lists


def day(value: object) -> date:
    """`2026-03-15`."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            return date.fromisoformat(value.strip())
    except ValueError:
        pass
    raise expected("a date", value, "write for example '2026-03-15'")


def wall_time(value: object) -> datetime:
    """`2026-03-15 10:00`: a naive local time, whose zone the reader knows."""
    if isinstance(value, datetime) and value.tzinfo is None:
        return value
    try:
        # A date alone is no time: nobody means midnight.
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) and ":" in value else None
    except ValueError:
        moment = None
    if moment is not None and moment.tzinfo is None:
        return moment
    raise expected("a date and time", value, "write for example '2026-03-15 10:00'")


def time_zone(value: object) -> str:
    """A name of the IANA time zone database: `Europe/Kyiv`."""
    try:
        if isinstance(value, str):
            return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise expected("a time zone", value, "write a name such as 'Europe/Kyiv'")


Day = Annotated[date, BeforeValidator(day), WithJsonSchema({"type": "string", "format": "date"})]
WallTime = Annotated[
    datetime,
    BeforeValidator(wall_time),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}[ T]\d{1,2}:\d{2}(:\d{2})?$"}),
]
Zone = Annotated[str, BeforeValidator(time_zone)]


def _series(value: object) -> object:
    return _some(value if isinstance(value, (list, tuple)) else [value])


def _some(value: object) -> object:
    # Not pydantic's min_length: that counts the items that passed, and hides what is wrong with the others.
    if isinstance(value, (list, tuple)) and not value:
        raise complaint("expected at least one, got an empty list")
    return _listed(value)


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _one_or_list(schema: dict[str, Any]) -> None:
    items = schema.pop("items")
    schema.pop("type")
    schema["anyOf"] = [items, {"type": "array", "items": items, "minItems": 1}]


# A list, kept as a tuple.
Listed = Annotated[tuple[T, ...], BeforeValidator(_listed)]
# A list with at least one.
Some = Annotated[tuple[T, ...], BeforeValidator(_some), Field(json_schema_extra={"minItems": 1})]
# One value or a list of them, always a tuple with at least one: `ahead: 3 days`, `ahead: [14 days, 3 days]`.
Series = Annotated[tuple[T, ...], BeforeValidator(_series), Field(json_schema_extra=_one_or_list)]
