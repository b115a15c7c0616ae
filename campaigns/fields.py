"""What an audience may ask of a customer: the one table that the checks, the schema and the docs are made
from.

A field is data here; what it means in SQL stands beside the gates.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "moment", "anything", "sum", "goods", "channels", "segment", "messages"]

EQUALITY = ("one_of",)
COMPARISONS = ("at_least", "at_most", "more_than", "less_than", "between")
MOMENTS = ("within", "before")
OPERATORS = (*COMPARISONS, *MOMENTS, "contains")

# What the language knows and this release does not act on.
LATER = frozenset({"rfm", "has_card"})


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that is known of a customer.

    `operators` are what its mapping may hold besides its `narrowing` keys; a bare value or a list is equality
    where `equality` says so. `unit` tells how a number is kept: points, money or count; `bounds` what it may
    be at least and at most.
    """

    name: str
    kind: Kind
    about: str
    example: str
    operators: tuple[str, ...] = ()
    narrowing: tuple[str, ...] = ()
    equality: bool = False
    unit: Literal["points", "money", "count", ""] = ""
    bounds: tuple[int, int] | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """Everything that may stand in its mapping."""
        return (*self.operators, *self.narrowing)


def _text(name: str, about: str, example: str) -> Field:
    return Field(name, "text", about, example, operators=("contains",), equality=True)


def _moment(name: str, about: str, example: str) -> Field:
    return Field(name, "moment", about, example, operators=MOMENTS)


_ALL = (
    _text("tier", "The customer's tier.", "tier: [silver, gold]"),
    _text("city", "The city in the profile.", "city: [Kyiv, Lviv]"),
    _text("gender", "The gender in the profile.", "gender: female"),
    _text("locale", "The customer's own language.", "locale: uk"),
    Field(
        "age", "number", "Full years since the birthday, on the day of the look.", "age: {between: [25, 45]}",
        operators=COMPARISONS, equality=True, unit="count", bounds=(0, 150),
    ),
    _moment("registered", "When the customer joined.", "registered: {within: 30 days}"),
    _moment("first_purchase", "The first receipt.", "first_purchase: {within: 90 days}"),
    _moment("last_purchase", "The last receipt; `before`: longer ago.", "last_purchase: {before: 30 days}"),
    Field(
        "balance", "number", "Available bonuses: started, less what is held.", "balance: {at_least: 100}",
        operators=COMPARISONS, unit="points",
    ),
    Field(
        "spent", "sum", "Money on receipts, less returns; over a window, or in all.",
        "spent: {at_least: 5000, within: 90 days}",
        operators=COMPARISONS, narrowing=("within",), unit="money",
    ),
    Field(
        "purchases", "sum", "How many receipts; over a window, or in all.",
        "purchases: {at_least: 8, within: 60 days}",
        operators=COMPARISONS, narrowing=("within",), unit="count",
    ),
    Field(
        "bought", "goods", "How many receipts (at least one) had goods of a category, a brand or a SKU.",
        "bought: {category: coffee, within: 60 days, at_least: 3}",
        operators=("at_least", "at_most"), narrowing=("category", "brand", "sku", "within"), unit="count",
    ),
    Field(
        "reachable", "channels", "Can be written to, with consent, by any of these channels.",
        "reachable: [push, email]", equality=True,
    ),
    Field(
        "segment", "segment", "Belongs to a named audience of segments/; a list is any of them.",
        "segment: loyal", equality=True,
    ),
    Field(
        "received", "messages", "Was sent something by a scenario.",
        "received: {scenario: win-back, within: 30 days}", narrowing=("scenario", "within"),
    ),
)  # fmt: skip

FIELDS: dict[str, Field] = {field.name: field for field in _ALL}

ATTRIBUTE = Field(
    "attributes.*", "anything", "An attribute of the customer, by its own name.", "attributes.pet: cat",
    operators=(*COMPARISONS, "contains"), equality=True,
)  # fmt: skip


def field_named(name: str) -> Field | None:
    """The field that `name` asks for; every `attributes.<name>` is one."""
    prefix, dot, rest = name.partition(".")
    if prefix == "attributes" and dot and rest:
        return ATTRIBUTE
    return FIELDS.get(name)
