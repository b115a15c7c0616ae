"""`retention` in program.yaml: how long is kept what need not be kept for ever."""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from core.errors import Problem
from core.explain import complaint
from core.source import Document, Model
from core.unit import Unit
from core.units import DAY_SECONDS, Duration

_AGE = re.compile(r"(\d{1,5})\s+(day|week|month|year)s?")
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}
# Providers report for days, and what is unknown is asked about: nothing may go while it is still at work.
LEAST_DAYS = 30
# What hangs on a message goes with it at the latest.
OF_A_MESSAGE = ("facts", "attempts", "states", "decisions")


@dataclass(frozen=True, slots=True)
class Age(Unit):
    """How long something is kept: calendar months or days of the program's zone; for ever has neither."""

    months: int = 0
    days: int = 0

    called: ClassVar[str] = "how long something is kept"
    example: ClassVar[str] = "13 months' or 'never"
    pattern: ClassVar[str] = r"^(never|\d+ (day|week|month|year)s?)$"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`13 months`, `2 years`, `400 days`; `never` for what is never to go."""
        if text == "never":
            return cls()
        found = _AGE.fullmatch(text)
        if not found:
            raise ValueError(text)
        number, word = int(found[1]), found[2]
        age = cls(months=number * _MONTHS.get(word, 0), days=number * _DAYS.get(word, 0))
        if age.shortest < LEAST_DAYS - 2:
            what = f"'{text}' is too short: what is under way still needs it"
            raise complaint(what, f"write '{LEAST_DAYS} days' or longer")
        return age

    @property
    def for_ever(self) -> bool:
        """Whether it never goes."""
        return not self.months and not self.days

    @property
    def shortest(self) -> int:
        """Days that it lasts at least, whichever months they are; of `never`, 0."""
        return self.days or (self.months * 365 // 12 - 2 if self.months else 0)

    def covers(self, span: Duration | None) -> bool:
        """Whether all of a time back from now is kept; None is all time."""
        if self.for_ever or span is None:
            return self.for_ever
        return span.total_seconds <= self.shortest * DAY_SECONDS

    def outlasts(self, other: "Age") -> bool:
        """Whether it may be kept when the other has gone."""
        if self.for_ever or other.for_ever:
            return self.for_ever and not other.for_ever
        return self.shortest > other.shortest

    def before(self, at: datetime, zone: ZoneInfo) -> datetime | None:
        """What is older than this time may go, UTC; None for `never`."""
        if self.for_ever:
            return None
        local = at.astimezone(zone)
        year, month = divmod(local.year * 12 + local.month - 1 - self.months, 12)
        day = min(local.day, monthrange(max(year, 1), month + 1)[1])
        moved = local.replace(year=max(year, 1), month=month + 1, day=day) - timedelta(days=self.days)
        return moved.astimezone(UTC)

    @classmethod
    def long_enough(cls, span: Duration | None) -> Self:
        """The shortest number of whole months that covers a time; `never` for all time."""
        if span is None:
            return cls()
        days = -(-span.total_seconds // DAY_SECONDS)
        return cls(months=-(-(days + 2) * 12 // 365))

    def __str__(self) -> str:
        if self.for_ever:
            return "never"
        number, word = (self.months, "month") if self.months else (self.days, "day")
        return f"{number} {word}" if number == 1 else f"{number} {word}s"


class Retention(Model):
    """After how long what goes. What is not named here is kept for ever, or mended by itself."""

    messages: Age = Age(months=25)
    facts: Age = Age(months=13)
    attempts: Age = Age(months=13)
    states: Age = Age(months=13)
    feedback: Age = Age(months=25)
    decisions: Age = Age(months=3)
    looks: Age = Age(months=25)
    events: Age = Age(months=25)
    letters: Age = Age(months=13)
    codes: Age = Age(months=3)

    def of(self, kind: str) -> Age:
        """How long one kind is kept; what belongs to a message goes with it at the latest."""
        age: Age = getattr(self, kind)
        if kind in OF_A_MESSAGE and age.outlasts(self.messages):
            return self.messages
        return age


def check_retention(kept: Retention, document: Document) -> Iterator[Problem]:
    """What is said to be kept for longer than the message that it belongs to is not."""
    for kind in OF_A_MESSAGE:
        place, age = ("retention", kind), getattr(kept, kind)
        if place in document.places and age.outlasts(kept.messages):
            what = f"goes with the messages that it belongs to, after {kept.messages}"
            yield document.problem(place, what, f"write '{kept.messages}', or 'messages: {age}'")
