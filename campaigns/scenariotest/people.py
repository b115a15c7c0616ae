"""Customers of a test: who they are when it begins, and what may be told of them later."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from campaigns.ruletest import Line
from core.source import Model
from core.units import Amount, Day, Listed, Series, WallTime, Zone

Wallet = Literal["apple", "google"]


class Bonuses(Model):
    """One lot that a customer begins with: it expires at the end of that day, or never."""

    amount: Amount = Field(examples=[500])
    expires: Day | None = None
    starts: Day | None = None


class Basket(Model):
    """What is bought: its lines, or one line of so much; `pay` are bonuses that pay for a part of it.

    `receipt` is a name by which it can be returned.
    """

    total: Amount | None = None
    lines: Listed[Line] = ()
    store: str | None = None
    pay: Amount | None = None
    codes: Series[str] = ()
    receipt: str | None = None

    @property
    def all_lines(self) -> tuple[Line, ...]:
        """The lines, also where only the total is told."""
        return self.lines if self.total is None else (Line(total=self.total),)


class Purchase(Basket):
    """One receipt before the test begins."""

    at: WallTime = Field(examples=["2026-02-01 12:00"])


def _basket(value: object) -> object:
    return value if isinstance(value, Mapping) else {"total": value}


_BASKET_SCHEMA = {
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "object"}],
    "description": "Money of one line, or {lines: [{total: 100, category: coffee}], store: kyiv-1}.",
}
Bought = Annotated[Basket, BeforeValidator(_basket), WithJsonSchema(_BASKET_SCHEMA)]


class Received(Model):
    """A message that the customer had got before the test began: it counts in allowances.

    With `occasion` the customer has entered for it, and does not enter again.
    """

    scenario: str
    at: WallTime = Field(examples=["2026-02-20 10:00"])
    channel: str
    step: str | None = None
    occasion: str | None = None


class Profile(Model):
    """What stands in a profile."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None
    birthday: Day | None = None
    gender: str | None = None
    city: str | None = None
    locale: str | None = None
    time_zone: Zone | None = None
    card: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)


class Person(Profile):
    """A customer as they are when the test begins; `consent` names channels.

    `bonuses` come on top of what `receipts` bring; with `receipts_earn: false` they are all there is.
    `arm` and `variants` (step → message) decide what is drawn otherwise. `fails` names channels on which
    sending fails, `unconfirmed` those that never say that a message arrived.
    """

    push: str | None = None
    telegram: str | None = None
    tier: str | None = None
    tier_since: WallTime | None = None
    invited: str | None = None
    registered: WallTime | None = None
    consent: Series[str] = ()
    suppressed: Series[str] = ()
    bonuses: Listed[Bonuses] = Field((), examples=["[{amount: 100, expires: 2026-03-15}]"])
    receipts: Listed[Purchase] = Field((), examples=["[{at: 2026-03-01 10:00, total: 500}]"])
    receipts_earn: bool = True
    wallet: Series[Wallet] = ()
    received: Listed[Received] = ()
    arm: Literal["holdout", "treatment"] | None = None
    variants: dict[str, str] = Field(default_factory=dict)
    fails: Series[str] = ()
    unconfirmed: Series[str] = ()
