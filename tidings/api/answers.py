"""What tills and shops are answered. Amounts are decimals in whole units, as text."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tidings.api import examples


class Tier(BaseModel):
    """The customer's level, the way to the `next` one, and until when it is kept if nothing more is bought.

    `have` counts towards the next level, `missing` is left to it, `to_keep` must come by `keep_by` to keep
    the level longer: money, points or purchases, as `unit` says. A level without an end has no `until`; there
    is no `keep_by` while what is bought today does not count for it.
    """

    name: str
    earn_percent: str
    discount_percent: str
    since: date | None
    next: str | None
    unit: Literal["money", "points", "purchases"]
    have: str
    missing: str | None
    until: date | None
    to_keep: str | None
    keep_by: date | None
    kept_by: Literal["everybody", "invitation", "purchases"]


class Expiring(BaseModel):
    """What expires on the nearest expiry day."""

    amount: str
    on: date | None


class LotOut(BaseModel):
    """Bonuses of one accrual that are not used up; a debt is negative."""

    reason: str
    amount: str
    remaining: str
    active_from: datetime
    expires_on: date | None


class ConsentOut(BaseModel):
    """A choice in force. `pending`: the customer said yes, and has yet to answer the letter that asks.

    `suppressed` says why the customer's address takes nothing on this channel, whatever they chose; no letter
    goes there either.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CONSENT]})

    channel: str
    purpose: str
    granted: bool
    at: datetime
    source: str | None
    wording: str | None = None
    pending: bool = False
    suppressed: str | None = None


class CardLinks(BaseModel):
    """Where the customer gets their wallet card; whoever has one of these links has the card.

    `page` chooses the wallet by the device, `short` leads to it in fewer characters, for an SMS. `apple` and
    `google` add the card at once; a wallet that the program has not is null.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CARD_LINKS]})

    page: str
    short: str
    apple: str | None
    google: str | None


class CustomerOut(BaseModel):
    """A customer with their bonuses: `balance` is all of them, `available` what may be spent now."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CUSTOMER]})

    external_id: str
    card: str | None
    name: str | None
    phone: str | None
    email: str | None
    birthday: date | None
    gender: str | None
    city: str | None
    locale: str | None
    time_zone: str | None
    attributes: dict[str, Any]
    registered_at: datetime
    balance: str
    available: str
    tier: Tier
    expiring: Expiring
    lots: list[LotOut]
    consents: list[ConsentOut]
    wallet_card: CardLinks | None = Field(
        None, description="The links to their wallet card, if the program has one; `card` is its number."
    )
    warnings: list[str] = []


class GaveOut(BaseModel):
    """What one rule gave, and why."""

    rule: str
    points: str
    why: str


def level_bonus(rules: Sequence[GaveOut], earned: str) -> str:
    """What `rules` gave beyond `earned`, in whole bonuses: for reaching a level."""
    more = sum((Decimal(it.points) for it in rules), Decimal(0)) - Decimal(earned)
    return f"{more.normalize():f}" if rules else "0"


class CorrectedOut(BaseModel):
    """What a late receipt or a return changed of another operation."""

    operation: str
    points: str


class CodeLeftOut(BaseModel):
    """A promo code that did nothing on a receipt, and why."""

    code: str
    why: str


class ReceiptOut(BaseModel):
    """What a receipt brought and cost, in whole bonuses; `tier` is the level after it.

    `earned` is the purchase's own, `level_bonus` what reaching a new level brought besides; `rules` add up to
    both together. Of imported history `available` and `rules` are not known. `corrected`: a receipt
    that came late changed what later operations had done. `codes_left_out`: promo codes that gave nothing and
    stay unused, and those of an offline receipt that could not be used: its goods are gone, so it is taken
    without them.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RECEIPT_OUT]})

    receipt: str
    customer: str
    earned: str
    spent: str
    balance: str
    available: str | None = None
    tier: str | None
    level_bonus: str = "0"
    rules: list[GaveOut] = []
    corrected: list[CorrectedOut] = []
    codes_left_out: list[CodeLeftOut] = []

    @model_validator(mode="after")
    def _tell_level_bonus(self) -> "ReceiptOut":
        self.level_bonus = level_bonus(self.rules, self.earned)
        return self


class ReturnOut(BaseModel):
    """What a return took and gave back; `debt` is what was already spent and is owed.

    `taken_back` is of what the purchase had `earned`, `level_bonus_taken_back` what levels had brought that
    are not reached without these goods. `corrected`: what else came out differently.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RETURN_OUT]})

    receipt: str
    customer: str
    earned: str
    taken_back: str
    level_bonus_taken_back: str = "0"
    debt: str
    given_back: str
    balance: str
    available: str
    tier: str | None
    corrected: list[CorrectedOut] = []


class ErrorOut(BaseModel):
    """A part of the request, and what is wrong with it."""

    field: str
    message: str


class ProblemOut(BaseModel):
    """An error (RFC 9457). `type` is the address of a page that explains it, `code` its word for programs."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PROBLEM]})

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ErrorOut] = []
