"""What the meanings of fields stand on: the program, the time, the channels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, literal

from campaigns.audience import Node, Test
from campaigns.fields import field_named
from core.db import UtcDateTime
from core.program import Program
from core.units import Duration

Condition = ColumnElement[bool]
# What lies beyond is as far as anybody can ask: a calendar has no year 0, and none after 9999.
_FIRST, _LAST = date.min + timedelta(days=2), date.max - timedelta(days=2)


@dataclass(frozen=True)
class View:
    """From where customers are looked at. `kinds`: channel → kind of its addresses."""

    program: Program
    segments: Mapping[str, Node]
    at: datetime
    kinds: Mapping[str, str]

    @property
    def now(self) -> ColumnElement[Any]:
        """The time of the look, as the database keeps times."""
        return literal(self.at, UtcDateTime)

    @property
    def today(self) -> date:
        """The program's day of the look."""
        return self.program.day_of(self.at)

    def ago(self, span: Duration) -> ColumnElement[Any]:
        """The time that lies so far back."""
        try:
            return literal(span.ago(self.at, self.program.zone), UtcDateTime)
        except OverflowError:
            return self.start_of(_FIRST)

    def days_ahead(self, days: int) -> date:
        """The program's day that comes so much later."""
        return self.today + timedelta(days=min(days, (_LAST - self.today).days))

    def start_of(self, day: date) -> ColumnElement[Any]:
        """When a day of the program begins."""
        return literal(self.program.start_of(min(max(day, _FIRST), _LAST)), UtcDateTime)

    def end_of(self, day: date) -> ColumnElement[Any]:
        """When a day of the program is over."""
        return self.start_of(min(day, _LAST) + timedelta(days=1))

    def kept(self, test: Test) -> Callable[[Decimal], int]:
        """How the numbers of a test are kept: points, minor units, or as they are."""
        unit = field_named(test.field).unit  # type: ignore[union-attr]
        return {"points": self.program.to_points, "money": self.program.to_money}.get(unit, int)


# What one test means.
Meaning = Callable[[View, Test], Condition]
