"""From when and until when bonuses live, as a program or one of its rules says.

Days are the program's calendar days; a lot expires at the end of its last day.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Self

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from core.explain import complaint
from core.fact import fact
from core.unit import Unit
from core.units import Duration


@fact
class Life:
    """From when until when a lot lives; `expires_on` is its last day, `expires_at` the end of it (UTC)."""

    active_from: datetime
    expires_on: date | None
    expires_at: datetime | None


_DAY_OF_MONTH = re.compile(r"(?:on|until) day (\d{1,2}) of the month")
_MONTH_DAY = re.compile(r"(\d{2})-(\d{2})")
_LEAP_YEAR = 2024


@dataclass(frozen=True, slots=True)
class Starts(Unit):
    """When bonuses may first be spent: at once, some days later, or on a day of the month."""

    days: int = 0
    day_of_month: int = 0

    called: ClassVar[str] = "when bonuses start"
    example: ClassVar[str] = "at once' or 'after 14 days' or 'on day 1 of the month"
    pattern: ClassVar[str] = r"^(at once|after \d+ (day|week)s?|on day \d+ of the month)$"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`at once`, `after 14 days`, `on day 1 of the month`."""
        if text == "at once":
            return cls()
        if found := _DAY_OF_MONTH.fullmatch(text):
            return cls(day_of_month=_day_of_month(found[1]))
        if not text.startswith("after "):
            raise ValueError(text)
        return cls(days=_whole_days(text.removeprefix("after ")))

    def on(self, day: date) -> date:
        """The day on which bonuses granted on `day` start."""
        if not self.day_of_month:
            return day + timedelta(days=self.days)
        return _next_day_of_month(day, self.day_of_month)

    @property
    def at_once(self) -> bool:
        """Whether they start at the moment they are granted."""
        return not self.days and not self.day_of_month

    def __str__(self) -> str:
        if self.day_of_month:
            return f"on day {self.day_of_month} of the month"
        return f"after {Duration(days=self.days)}" if self.days else "at once"


@dataclass(frozen=True, slots=True)
class Lasts(Unit):
    """How long bonuses live once they have started: forever, some days, until a date of the year or of the
    month.

    `save_from`: what starts on or after this (month, day) is kept until the next year's date.
    """

    days: int = 0
    month_day: tuple[int, int] | None = None
    save_from: tuple[int, int] | None = None
    day_of_month: int = 0

    called: ClassVar[str] = "how long bonuses last"
    example: ClassVar[str] = "180 days' or 'forever' or 'until 12-31' or 'until day 31 of the month"
    pattern: ClassVar[str] = r"^(forever|\d+ (day|week)s?|until \d\d-\d\d|until day \d+ of the month)$"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`forever`, `180 days`, `until 12-31`, `until day 31 of the month`."""
        if text == "forever":
            return cls()
        if found := _DAY_OF_MONTH.fullmatch(text):
            return cls(day_of_month=_day_of_month(found[1]))
        if text.startswith("until "):
            return cls(month_day=_month_day(text.removeprefix("until ")))
        days = _whole_days(text)
        if not days:
            raise ValueError(text)
        return cls(days=days)

    @classmethod
    def read(cls, value: object) -> Self:
        """Also `{until: 12-31, save_from: 10-01}`."""
        if not isinstance(value, dict):
            return super(Lasts, cls).read(value)
        try:
            if set(value) != {"until", "save_from"}:
                raise ValueError(value)
            return cls(month_day=_month_day(value["until"]), save_from=_month_day(value["save_from"]))
        except (ValueError, TypeError):
            raise complaint(
                "not a lifetime", "write for example '{until: 12-31, save_from: 10-01}'"
            ) from None

    def last_day(self, start: date) -> date | None:
        """The last day of bonuses that start on `start`; None for ever."""
        if self.days:
            return start + timedelta(days=self.days)
        if self.day_of_month:
            return _next_day_of_month(start, self.day_of_month)
        if self.month_day:
            return self._next_month_day(start, self.month_day)
        return None

    def _next_month_day(self, start: date, month_day: tuple[int, int]) -> date:
        end = _date(start.year, month_day)
        if end < start:
            end = _date(start.year + 1, month_day)
        # The save date is the last one before the end: bonuses of the season's tail are not burnt at once.
        if self.save_from:
            saved = _date(end.year, self.save_from)
            saved = saved if saved <= end else _date(end.year - 1, self.save_from)
            if start >= saved:
                return _date(end.year + 1, month_day)
        return end

    def __str__(self) -> str:
        if self.day_of_month:
            return f"until day {self.day_of_month} of the month"
        if self.month_day:
            # Two that differ in what is saved alone are two: programs and lots are told apart by this text.
            return f"until {_text(self.month_day)}" + (
                f", save from {_text(self.save_from)}" if self.save_from else ""
            )
        return str(Duration(days=self.days)) if self.days else "forever"

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Text, or the mapping with a save date."""
        text = super(Lasts, cls).__get_pydantic_json_schema__(schema, handler)
        month_day = {"type": "string", "pattern": r"^\d\d-\d\d$"}
        properties = {"until": month_day, "save_from": month_day}
        saved = {
            "type": "object",
            "properties": properties,
            "required": [*properties],
            "additionalProperties": False,
        }
        return {"anyOf": [text, saved]}


def _whole_days(text: str) -> int:
    length = Duration.parse(text)
    if length.seconds:
        raise ValueError(text)
    return length.days


def _day_of_month(text: str) -> int:
    if not 1 <= int(text) <= 31:
        raise ValueError(text)
    return int(text)


def _month_day(text: str) -> tuple[int, int]:
    found = _MONTH_DAY.fullmatch(text)
    if not found:
        raise ValueError(text)
    day = date(_LEAP_YEAR, int(found[1]), int(found[2]))
    return day.month, day.day


def _text(month_day: tuple[int, int]) -> str:
    return f"{month_day[0]:02}-{month_day[1]:02}"


def _date(year: int, month_day: tuple[int, int]) -> date:
    month, day = month_day
    return date(year, month, min(day, monthrange(year, month)[1]))


def _next_day_of_month(day: date, number: int) -> date:
    """The first day `number` on or after `day`; in a shorter month, its last day."""
    this = _date(day.year, (day.month, number))
    if this >= day:
        return this
    following = date(day.year, day.month, 1) + timedelta(days=31)
    return _date(following.year, (following.month, number))
