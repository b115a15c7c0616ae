"""`when` of a rule in program.yaml: the purchases on which it holds."""

from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from core.explain import complaint
from core.program.goods import Goods
from core.source import Model
from core.units import Amount, Days, Series, TimeWindow

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Count = Annotated[int, Field(ge=1)]


class Bounds(Model):
    """How much of something there must be."""

    at_least: Amount | None = None
    more_than: Amount | None = None
    at_most: Amount | None = None
    less_than: Amount | None = None

    def under(self, value: Decimal) -> bool:
        """Whether it is too little."""
        return (self.at_least is not None and value < self.at_least) or (
            self.more_than is not None and value <= self.more_than
        )

    def over(self, value: Decimal) -> bool:
        """Whether it is too much."""
        return (self.at_most is not None and value > self.at_most) or (
            self.less_than is not None and value >= self.less_than
        )

    def __str__(self) -> str:
        said = [f"{name.replace('_', ' ')} {value}" for name, value in self if value is not None]
        return " and ".join(said)


class EachNth(Model):
    """Every so many purchases."""

    every: int = Field(ge=2, examples=[10])


class Spent(Model):
    """Money spent in all (whole units): this purchase `reaches` so much, or `at_least` so much was spent
    before it.
    """

    reaches: Amount | None = None
    at_least: Amount | None = None


class Regular(Model):
    """So many purchases, this one included, within so long, this day included."""

    purchases: int = Field(ge=2, examples=[4])
    in_: Days = Field(alias="in", examples=["4 weeks"])


def _nth(value: object) -> str:
    return "every" if isinstance(value, (dict, EachNth)) else "nth"


Nth = Annotated[Annotated[Series[Count], Tag("nth")] | Annotated[EachNth, Tag("every")], Discriminator(_nth)]


def _one_kind(value: object) -> object:
    if isinstance(value, dict) and len(value) > 1:
        raise complaint("names more than one kind of goods", "write one of category, brand and sku")
    return value


class When(Model):
    """All of it must be so. Lines, units and money are those that the rule is for and that were paid for."""

    lines: Bounds | None = None
    units: Bounds | None = None
    total: Bounds | None = None
    weekday: Series[Weekday] = ()
    time: Series[TimeWindow] = ()
    store: Series[str] = ()
    partner: Series[str] = ()
    tier: Series[str] = ()
    purchase: Nth | None = None
    spent: Spent | None = None
    first_in: Annotated[Goods | None, BeforeValidator(_one_kind)] = None
    regular: Regular | None = None

    @cached_property
    def said(self) -> frozenset[str]:
        """The conditions that are written."""
        return frozenset(name for name in type(self).model_fields if getattr(self, name))
