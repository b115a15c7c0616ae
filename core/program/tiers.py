"""`tiers` in program.yaml: the levels, what they are measured by, and what they give."""

import sys
from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from core.explain import complaint
from core.source import Model
from core.unit import Unit
from core.units import Amount, Days, Duration, Percent, Some

Measure = Literal["spend", "points", "purchases", "invitation"]
CALENDAR = ("year", "quarter", "month")
# More than anybody has bought: what is given by hand is not reached.
BEYOND = sys.maxsize


@dataclass(frozen=True, slots=True)
class Period(Unit):
    """Over what a level is measured: so many days back (rolling), or a `year`, `quarter` or `month` of the
    calendar.
    """

    days: int = 0
    calendar: str = ""

    called: ClassVar[str] = "a period"
    example: ClassVar[str] = "365 days' or 'calendar year"
    pattern: ClassVar[str] = r"^(\d+ (day|week)s?|calendar (year|quarter|month))$"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`365 days`, `52 weeks`, `calendar year`, `calendar quarter`, `calendar month`."""
        if text.startswith("calendar "):
            name = text.removeprefix("calendar ").strip()
            if name not in CALENDAR:
                raise ValueError(text)
            return cls(calendar=name)
        length = Duration.parse(text)
        if length.seconds:
            raise complaint(f"expected whole days, got '{length}'", "write for example '365 days'")
        if not length.days:
            raise ValueError(text)
        return cls(days=length.days)

    @classmethod
    def read(cls, value: object) -> Self:
        """Also a length of time made in Python."""
        return cls(days=value.days) if isinstance(value, Duration) else super(Period, cls).read(value)

    def __str__(self) -> str:
        return f"calendar {self.calendar}" if self.calendar else str(Duration(days=self.days))

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Text."""
        return {**super(Period, cls).__get_pydantic_json_schema__(schema, handler),
                "examples": ["365 days", "calendar year"]}  # fmt: skip


class Level(Model):
    """One tier: from where it is reached, which fraction of a receipt it earns, and its fixed discount.

    `from` is whole money, whole bonuses or a number of purchases, as `measure` says; a level that is given by
    invitation has none.
    """

    name: str = Field(min_length=1, examples=["bronze"])
    from_: Amount | None = Field(None, alias="from", examples=[0])
    earn: Percent = Decimal(0)
    discount: Percent = Decimal(0)


class Step(Model):
    """One step of a cumulative discount: from how much money ever spent, and the fraction."""

    from_: Amount = Field(alias="from", examples=[0])
    percent: Percent


class Discount(Model):
    """A discount beside the levels, that grows with all money ever spent."""

    cumulative: Some[Step] = Field(examples=["[{from: 0, percent: 0%}, {from: 5000, percent: 3%}]"])


class Tiers(Model):
    """Levels, from the lowest, and what they are measured by."""

    measure: Measure = "spend"
    over: Period = Period(days=365)
    grace: Days = Duration()
    levels: Some[Level] = Field(examples=["[{name: member, from: 0, earn: 5%}]"])
    discount: Discount | None = None


class TierRules:
    """What a program says about levels; a part of `core.program.Program`.

    An amount of the measure is minor units of money, bonuses at the program's scale, or purchases.
    """

    if TYPE_CHECKING:
        tiers: Tiers
        to_money: Any
        to_points: Any
        from_money: Any
        from_points: Any

    # --- levels

    @cached_property
    def _froms(self) -> list[int]:
        return [self.tier_amount(level) for level in self.tiers.levels]

    def tier_amount(self, level: Level) -> int:
        """From which amount of the measure a level is reached."""
        if level is self.tiers.levels[0]:
            return 0
        if level.from_ is None or self.tiers.measure == "invitation":
            return BEYOND
        return self.measured(level.from_)

    def tier_for(self, amount: int) -> Level:
        """The level that an amount of the measure over the period reaches."""
        return self.tiers.levels[max(0, bisect_right(self._froms, amount) - 1)]

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {level.name: rank for rank, level in reversed([*enumerate(self.tiers.levels)])}

    def rank(self, name: str | None) -> int:
        """0 for the lowest level; -1 for a name that the program does not have."""
        return self._ranks.get(name or "", -1)

    def level(self, name: str | None) -> Level:
        """The level of this name; the lowest for a name that the program does not have."""
        return self.tiers.levels[max(0, self.rank(name))]

    def next_level(self, name: str | None) -> Level | None:
        """The level above; None at the top."""
        above = self.tiers.levels[max(0, self.rank(name)) + 1 :]
        return above[0] if above else None

    def next_amount(self, name: str | None) -> int | None:
        """From which amount the level above is reached; None at the top."""
        above = max(0, self.rank(name)) + 1
        return self._froms[above] if above < len(self._froms) else None

    @property
    def tier_names(self) -> tuple[str, ...]:
        """From the lowest."""
        return tuple(level.name for level in self.tiers.levels)

    # --- amounts

    def measured(self, amount: Decimal) -> int:
        """A whole amount, as people write it, to what is counted; ValueError if digits would be lost."""
        convert = {"spend": self.to_money, "points": self.to_points}.get(self.tiers.measure, _whole)
        return int(convert(amount))

    def in_whole(self, amount: int) -> Decimal:
        """What is counted to the amount that people read."""
        convert = {"spend": self.from_money, "points": self.from_points}.get(self.tiers.measure, Decimal)
        whole: Decimal = convert(amount)
        return whole

    # --- discounts

    @cached_property
    def discount_steps(self) -> tuple[tuple[int, Decimal], ...]:
        """The cumulative discount: from how many minor units ever spent, and the fraction."""
        discount = self.tiers.discount
        return tuple((self.to_money(it.from_), it.percent) for it in discount.cumulative) if discount else ()


def _whole(amount: Decimal) -> int:
    if amount != int(amount):
        raise ValueError("a part of a purchase")
    return int(amount)
