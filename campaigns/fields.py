"""What an audience may ask of a customer: the one table that the checks, the schema and the docs are made
from.

A field is data here; what it means in SQL stands in `campaigns.conditions`.
"""

from dataclasses import dataclass
from typing import Literal

from core.customers.profiles import GENDERS

# What a field is compared with. `choice` is one of its `choices`, `flag` is true or false.
Kind = Literal["text", "number", "moment", "anything", "choice", "flag", "percent", "segment", "messages"]
Group = Literal["profile", "levels and bonuses", "purchases", "contact", "people"]

COMPARISONS = ("at_least", "at_most", "more_than", "less_than", "between")
MOMENTS = ("within", "before")
OPERATORS = (*COMPARISONS, *MOMENTS, "contains")
GOODS = ("category", "brand", "sku")


@dataclass(frozen=True, slots=True)
class Part:
    """A key inside a field's mapping that is a number of its own: `recency` of `rfm`."""

    name: str
    about: str
    bounds: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that is known of a customer.

    `operators` are what its mapping may hold besides its `narrowing` keys; a bare value or a list is equality
    where `equality` says so. `needs` is what a mapping must name one of, `counts` that a mapping without an
    operator means "at least one". `unit` tells how a number is kept: points, money or count; `bounds` what it
    may be at least and at most. `refers` is what its values are names of. `apart` are keys that are
    asked for often, and are fields of their own.
    """

    name: str
    kind: Kind
    group: Group
    about: str
    example: str
    operators: tuple[str, ...] = ()
    narrowing: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    equality: bool = False
    counts: bool = False
    unit: Literal["points", "money", "count", ""] = ""
    bounds: tuple[int, int] | None = None
    choices: tuple[str | bool, ...] = ()
    refers: Literal["tier", "channel", "segment", "scenario", ""] = ""
    apart: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Everything that may stand in its mapping."""
        return (*self.operators, *self.narrowing, *(part.name for part in self.parts))

    def part(self, name: str) -> "Field":
        """The part of this name as a field of its own."""
        part = next(it for it in self.parts if it.name == name)
        return Field(
            f"{self.name}.{name}", "number", self.group, part.about, self.example, operators=COMPARISONS,
            equality=True, unit="count", bounds=part.bounds,
        )  # fmt: skip


def _text(name: str, about: str, example: str) -> Field:
    return Field(name, "text", "profile", about, example, operators=("contains",), equality=True)


def _reaction(name: str, about: str, example: str) -> Field:
    return Field(
        name, "number", "contact", about, example, operators=COMPARISONS, narrowing=("scenario", "within"),
        counts=True, unit="count",
    )  # fmt: skip


def _moment(name: str, group: Group, about: str, example: str) -> Field:
    return Field(name, "moment", group, about, example, operators=(*MOMENTS, "between"))


_PROFILE = (
    _text("city", "The city in the profile.", "city: [Kyiv, Lviv]"),
    Field(
        "gender", "text", "profile", "The gender in the profile.", "gender: female", operators=("contains",),
        equality=True, choices=GENDERS,
    ),
    _text("locale", "The customer's own language.", "locale: uk"),
    Field(
        "age", "number", "profile", "Full years since the birthday, on the day of the look.",
        "age: {between: [25, 45]}", operators=COMPARISONS, equality=True, unit="count", bounds=(0, 150),
    ),
    Field(
        "birthday", "number", "profile", "The month (1 to 12) and the day of the month of the birthday.",
        "birthday: {month: [6, 7, 8]}", parts=(
            Part("month", "The month of the birthday.", (1, 12)),
            Part("day", "The day of the month of the birthday.", (1, 31)),
        ),
    ),
    Field(
        "known", "choice", "profile", "What the profile says anything about; a list is any of them.",
        "known: birthday", equality=True,
        choices=("name", "phone", "email", "birthday", "gender", "city", "locale", "card"),
    ),
    _moment("registered", "profile", "When the customer joined.", "registered: {within: 30 days}"),
)  # fmt: skip

_BONUSES = (
    Field(
        "tier", "text", "levels and bonuses", "The level; `at_least` and `at_most` go by their order.",
        "tier: [silver, gold]", operators=("at_least", "at_most", "contains"), equality=True, refers="tier",
    ),
    _moment("tier_since", "levels and bonuses", "Since when the customer has the level.",
            "tier_since: {within: 30 days}"),
    Field(
        "balance", "number", "levels and bonuses",
        "Bonuses that can be spent now: started, less debts and what is held for a cart; never below zero. "
        "`account`: what lies in these bonus accounts.",
        "balance: {at_least: 100}", operators=COMPARISONS, narrowing=("account",), unit="points",
    ),
    Field(
        "debt", "number", "levels and bonuses", "Bonuses owed after returns.", "debt: {more_than: 0}",
        operators=COMPARISONS, unit="points",
    ),
    Field(
        "expiring", "number", "levels and bonuses",
        "Bonuses that can be spent now and whose last day is within so many days from today; without a "
        "comparison, any.",
        "expiring: {within: 14 days, at_least: 100}",
        operators=COMPARISONS, narrowing=("within", "account"), needs=("within",), counts=True, unit="points",
    ),
)  # fmt: skip

_PURCHASES = (
    _moment("first_purchase", "purchases", "The first receipt.", "first_purchase: {within: 90 days}"),
    _moment("last_purchase", "purchases", "The last receipt; `before`: longer ago.",
            "last_purchase: {before: 30 days}"),
    Field(
        "spent", "number", "purchases",
        "Money on receipts, less returns; in all, or within a time, or in some stores.",
        "spent: {at_least: 5000, within: 90 days}",
        operators=COMPARISONS, narrowing=("within", "store"), unit="money",
    ),
    Field(
        "purchases", "number", "purchases", "How many receipts; in all, or within a time, or in some stores.",
        "purchases: {at_least: 8, within: 60 days}",
        operators=COMPARISONS, narrowing=("within", "store"), equality=True, unit="count",
    ),
    Field(
        "average_receipt", "number", "purchases",
        "What a receipt comes to on the average; who has none has no average.",
        "average_receipt: {at_least: 300, within: 90 days}",
        operators=COMPARISONS, narrowing=("within", "store"), unit="money",
    ),
    Field(
        "bought", "number", "purchases",
        "How many receipts had goods of a category, a brand or a SKU, or came from a store; without a "
        "comparison, at least one.",
        "bought: {category: coffee, within: 60 days, at_least: 3}",
        operators=COMPARISONS, narrowing=(*GOODS, "store", "within"), needs=(*GOODS, "store"), counts=True,
        unit="count",
    ),
    Field(
        "favourite_category", "text", "purchases",
        "The category on most of the last 30 receipts; of several, the one on which more was spent.",
        "favourite_category: coffee", equality=True,
    ),
    Field(
        "favourite_store", "text", "purchases",
        "The store of most of the last 30 receipts; of several, the one in which more was spent.",
        "favourite_store: [S1, S2]", equality=True,
    ),
    Field(
        "returned", "number", "purchases",
        "How many times goods came back; without a comparison, at least once.",
        "returned: {within: 90 days, at_least: 2}",
        operators=COMPARISONS, narrowing=("within",), counts=True, equality=True, unit="count",
    ),
    Field(
        "rfm", "number", "purchases",
        "How recently, how often and for how much the customer bought, each from 1 to 5 (5 is best): fifths "
        "of everybody who ever bought.",
        "rfm: {recency: [4, 5], monetary: {at_least: 3}}", parts=(
            Part("recency", "By the last receipt: 5 is the most recent fifth.", (1, 5)),
            Part("frequency", "By the number of receipts: 5 is the fifth with most.", (1, 5)),
            Part("monetary", "By the money spent: 5 is the fifth with most.", (1, 5)),
        ),
    ),
)  # fmt: skip

_CONTACT = (
    Field(
        "reachable", "text", "contact", "Can be written to, with consent, by any of these channels.",
        "reachable: [push, email]", equality=True, refers="channel",
    ),
    Field(
        "consent", "text", "contact", "Agreed to marketing by any of these channels, reachable or not.",
        "consent: sms", equality=True, refers="channel",
    ),
    Field(
        "has_card", "choice", "contact",
        "Has the card in a wallet: `apple`, `google`, `any` of them, or `false` for none.",
        "has_card: apple", equality=True, choices=("apple", "google", "any", False),
    ),
    Field(
        "received", "messages", "contact", "Was sent something by a scenario; a list is any of them.",
        "received: {scenario: win-back, within: 30 days}",
        narrowing=("scenario", "within"), needs=("scenario",), refers="scenario",
        apart=("opened", "clicked"),
    ),
    _reaction(
        "opened", "How many messages the customer opened or followed a link of, as far as it can be told; of "
        "a scenario, or within a time. What a program opened for them does not count.",
        "opened: {within: 90 days, at_least: 2}",
    ),
    _reaction(
        "clicked", "In how many messages the customer followed a link; of a scenario, or within a time.",
        "clicked: {scenario: win-back, within: 30 days}",
    ),
)  # fmt: skip

_PEOPLE = (
    Field(
        "segment", "segment", "people", "Belongs to a named audience of segments/; a list is any of them.",
        "segment: loyal", equality=True, refers="segment",
    ),
    Field(
        "household", "choice", "people",
        "Shares bonuses with others: as the `head`, as a `member`, as `any` of both, or `false` for not.",
        "household: head", equality=True, choices=("head", "member", "any", False),
    ),
    Field("referred", "flag", "people", "Whether somebody brought the customer.", "referred: true",
          equality=True),
    Field(
        "friends", "number", "people", "How many friends the customer brought; in all, or within a time.",
        "friends: {at_least: 2, within: 90 days}",
        operators=COMPARISONS, narrowing=("within",), equality=True, unit="count",
    ),
    Field(
        "customer", "text", "people", "These customers, by their numbers: staff, testers.",
        "customer: [K-1, K-2]", equality=True,
    ),
    Field(
        "sample", "percent", "people",
        "A part of everybody, drawn once: the same people each time, and 10% are among the 20%.",
        "sample: 10%", equality=True,
    ),
)  # fmt: skip

FIELDS: dict[str, Field] = {
    field.name: field for field in (*_PROFILE, *_BONUSES, *_PURCHASES, *_CONTACT, *_PEOPLE)
}

ATTRIBUTE = Field(
    "attributes.*", "anything", "profile",
    "An attribute of the customer, by its own name; a list is equal to any of its items.",
    "attributes.pet: cat", operators=(*COMPARISONS, "contains"), equality=True,
)  # fmt: skip

# Keys of mappings that are neither operators nor parts: what each is, for the docs and the errors.
NARROWING = {
    "within": "a length of time back from now (`expiring`: ahead): `30 days`",
    "account": "a bonus account of the program, or a list",
    "category": "a category of goods, or a list",
    "brand": "a brand, or a list",
    "sku": "an article, or a list",
    "store": "a store's code, or a list",
    "scenario": "a scenario, or a list",
}
# What each operator compares, for the docs.
MEANINGS = {
    "at_least": "so much or more",
    "at_most": "so much or less",
    "more_than": "more than so much",
    "less_than": "less than so much",
    "between": "from the first to the second, both included: numbers, or days such as `2026-03-01`",
    "within": "not longer ago than a length of time: `30 days`",
    "before": "longer ago than a length of time, or before a day such as `2026-03-01`",
    "contains": "has this text in it, capitals as written",
}


def field_named(name: str) -> Field | None:
    """The field that `name` asks for: every `attributes.<name>` is one, and so is a part, `rfm.recency`."""
    prefix, dot, rest = name.partition(".")
    if prefix == "attributes" and dot and rest:
        return ATTRIBUTE
    field = FIELDS.get(prefix)
    if field is None or not dot:
        return field
    return field.part(rest) if rest in {part.name for part in field.parts} else None
