"""`earn` in program.yaml: the rules by which purchases and acts bring bonuses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, GetJsonSchemaHandler, Tag, WithJsonSchema
from pydantic_core import CoreSchema

from core.explain import complaint, expected
from core.program.goods import Exclusion, Goods
from core.program.lifetime import Lasts, Starts
from core.program.points import BASE
from core.program.when import When
from core.source import Model
from core.unit import Unit
from core.units import Allowance, Amount, Day, Duration, Listed, Percent, Series, Some, amount, percent

Act = Literal[
    "registered", "birthday", "tier_up", "review", "rating", "survey", "profile", "referral", "referred",
    "promo_code",
]  # fmt: skip
# `once`: as long as anybody lives.
ONCE = Allowance(1, Duration(days=36_525))


class Band(Model):
    """From this much paid on (whole money), so many bonuses."""

    from_: Amount = Field(alias="from", examples=[500])
    points: Amount = Field(examples=[25])


class RateBand(Model):
    """From this much paid on (whole money), such a percentage."""

    from_: Amount = Field(alias="from", examples=[500])
    percent: Percent = Field(examples=["5%"])


def _listed_or_one(value: object) -> str:
    return "bands" if isinstance(value, (list, tuple)) else "one"


_by_list = Discriminator(_listed_or_one)
# A percentage, or one by how much is paid.
Rates = Annotated[Annotated[Some[RateBand], Tag("bands")] | Annotated[Percent, Tag("one")], _by_list]
# A number of bonuses, or one by how much is paid.
Gifts = Annotated[Annotated[Some[Band], Tag("bands")] | Annotated[Amount, Tag("one")], _by_list]


@dataclass(frozen=True, slots=True)
class Cap(Unit):
    """The most that something may bring: a share of what is paid (`20%`), or whole bonuses."""

    share: Decimal | None = None
    points: Decimal | None = None

    called: ClassVar[str] = "a percentage or a number of bonuses"
    example: ClassVar[str] = "20%"
    pattern: ClassVar[str] = r"^\d+(\.\d+)? ?%$"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`20%`."""
        return cls(share=percent(text))

    @classmethod
    def read(cls, value: object) -> Self:
        """Also a number."""
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            return cls(points=amount(value))
        return super(Cap, cls).read(value)

    def __str__(self) -> str:
        return f"{self.points}" if self.share is None else f"{(self.share * 100).normalize():f}%"

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """A percentage, or a number."""
        text = super(Cap, cls).__get_pydantic_json_schema__(schema, handler)
        return {"anyOf": [text, {"type": "number", "minimum": 0}]}


def _factor(value: object) -> Decimal:
    number = amount(value)
    if number <= 1:
        raise expected("more than 1", value, "write for example 'multiply: 2'")
    return number


def _limit(value: object) -> Allowance:
    if value == "once":
        return ONCE
    allowance = Allowance.read(value)
    if allowance.window.seconds:
        raise complaint(f"expected whole days, got '{allowance.window}'", "write for example '3 per 30 days'")
    return allowance


Factor = Annotated[
    Decimal, BeforeValidator(_factor), WithJsonSchema({"type": "number", "exclusiveMinimum": 1})
]
# How often for one customer: `once`, `3 per 30 days`; calendar days of the program.
Limit = Annotated[
    Allowance,
    BeforeValidator(_limit),
    WithJsonSchema({
        "type": "string", "pattern": r"^(once|\d+ per (\d+ )?(day|week)s?)$", "examples": ["3 per 30 days"],
    }),
]  # fmt: skip


class Rule(Model):
    """One way to earn.

    What it gives is exactly one of: the percentage of the customer's level (`by: tier`), a percentage
    (`earn`), a fixed number (`give`), both also by how much was paid, or a multiple of what percentages gave
    (`multiply`). `on` makes it a grant for an act, everything else is about a purchase.
    """

    rule: str = Field(min_length=1, examples=["base"])
    by: Literal["tier"] | None = None
    earn: Rates | None = None
    give: Gifts | None = None
    per: Literal["receipt", "line", "unit"] = "receipt"
    multiply: Factor | None = None
    on: Act | None = None
    goods: Goods | None = None
    when: When = When()
    code: str | None = Field(None, min_length=3, max_length=40)
    codes: Literal["coupons"] | None = None
    uses_at_most: int | None = Field(None, ge=1)
    per_customer: int | None = Field(None, ge=1)
    code_returns: bool = False
    fields: Series[str] = ()
    after: Literal["registration", "purchase"] | None = None
    from_: Day | None = Field(None, alias="from")
    until: Day | None = None
    account: str = BASE
    starts: Starts | None = None
    lasts: Lasts | None = None
    at_most: Amount | None = None
    limit: Limit | None = None
    group: str | None = Field(None, min_length=1)
    excludes: Series[str] = ()

    @cached_property
    def sized(self) -> bool:
        """Whether it asks how much was bought."""
        return bool(self.starts_from or self.when.said & {"lines", "units", "total"})

    @property
    def starts_from(self) -> Decimal:
        """How much (whole money) must be paid before it gives anything: where the lowest band begins."""
        bands = [it for it in (self.give, self.earn) if isinstance(it, tuple)]
        return bands[0][0].from_ if bands else Decimal(0)

    @property
    def is_percentage(self) -> bool:
        """Whether it earns a percentage of what is paid."""
        return self.by is not None or self.earn is not None

    @property
    def needs_code(self) -> bool:
        """Whether it holds only with a promo code or a coupon."""
        return self.code is not None or self.codes is not None


class ReceiptCaps(Model):
    """The most that one receipt (a share of what is paid, or whole bonuses) and one day may earn."""

    receipt: Cap | None = None
    day: Amount | None = None


class Earn(Model):
    """What purchases and acts bring."""

    rules: Listed[Rule] = ()
    exclude: Exclusion = Exclusion()
    at_most: ReceiptCaps = ReceiptCaps()


@dataclass(frozen=True, slots=True)
class Grant:
    """A fixed number of bonuses for an act; `points` at the program's scale.

    `starts` and `lasts` are the rule's own (None: the account's), `limit` how often for one customer,
    `from_` and `until` its first and last day, `tiers` the levels that it is for (() for all). `fields`
    are those of a full profile, `after` is when a friend's coming counts.
    """

    rule: str
    points: int
    account: str = BASE
    starts: Starts | None = None
    lasts: Lasts | None = None
    limit: Allowance | None = None
    from_: date | None = None
    until: date | None = None
    tiers: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    after: Literal["registration", "purchase"] = "purchase"


@dataclass(frozen=True, slots=True)
class Code:
    """What opens a rule: one text for many (`code`), or coupons of one use each (None).

    `uses_at_most` in all and `per_customer` are None where nothing limits them. `returns`: a receipt that
    is returned whole frees its code. `on_purchase`: for a purchase, else for the customer's page.
    """

    rule: str
    code: str | None
    uses_at_most: int | None
    per_customer: int | None
    from_: date | None
    until: date | None
    returns: bool = False
    on_purchase: bool = True


@dataclass(frozen=True, slots=True)
class PurchaseRules:
    """The rules of purchases as they are reckoned: percentages, then multiples of them, then fixed gives.

    `excluding` are those that exclude others, each after those that exclude it.
    """

    percentages: tuple[Rule, ...]
    multipliers: tuple[Rule, ...]
    fixed: tuple[Rule, ...]
    order: tuple[str, ...]
    excluding: tuple[Rule, ...]
    grouped: bool


def exclusion_order(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules that exclude others, excluders first; graphlib.CycleError if they go in a circle."""
    by_name = {rule.rule: rule for rule in rules}
    before: dict[str, list[str]] = {rule.rule: [] for rule in rules}
    for rule in rules:
        for name in rule.excludes:
            before.setdefault(name, []).append(rule.rule)
    ordered = TopologicalSorter(before).static_order()
    return tuple(by_name[name] for name in ordered if name in by_name and by_name[name].excludes)


class EarnRules:
    """What a program says about earning; a part of `core.program.Program`."""

    if TYPE_CHECKING:  # the rest of the program
        earn: Earn

        def to_points(self, amount: Decimal | int | str) -> int: ...  # noqa: D102

    @cached_property
    def purchase_rules(self) -> PurchaseRules:
        """The rules that purchases are reckoned by."""
        rules = [rule for rule in self.earn.rules if rule.on is None]
        fixed = tuple(rule for rule in rules if rule.give is not None)
        return PurchaseRules(
            percentages=tuple(rule for rule in rules if rule.is_percentage),
            multipliers=tuple(rule for rule in rules if rule.multiply is not None),
            fixed=fixed,
            order=tuple(rule.rule for rule in rules),
            excluding=exclusion_order(rules),
            grouped=any(rule.group for rule in rules),
        )

    def rule(self, name: str) -> Rule | None:
        """The rule of this name."""
        return next((rule for rule in self.earn.rules if rule.rule == name), None)

    def grants(self, on: str) -> list[Grant]:
        """What an act (`registered`, `birthday`, …) brings."""
        return [self._grant(rule) for rule in self.earn.rules if rule.on == on]

    def _grant(self, rule: Rule) -> Grant:
        assert isinstance(rule.give, Decimal)
        return Grant(
            rule.rule, self.to_points(rule.give), rule.account, rule.starts, rule.lasts, rule.limit,
            rule.from_, rule.until, rule.when.tier, rule.fields, rule.after or "purchase",
        )  # fmt: skip

    def codes(self) -> list[Code]:
        """The rules that need a promo code or a coupon, and what opens them."""
        return [
            Code(
                it.rule,
                it.code,
                it.uses_at_most,
                it.per_customer,
                it.from_,
                it.until,
                it.code_returns,
                it.on is None,
            )
            for it in self.earn.rules
            if it.needs_code
        ]
