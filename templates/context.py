"""What a template may speak of: the same names in messages and on cards.

Points are decimals in whole points, money is decimals in whole currency units, days are `date` in the
program's zone, times are aware UTC `datetime`. `trigger` is a mapping of the facts of the scenario's trigger.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class CustomerView:
    """The customer a message is for; what is not known of them is None."""

    external_id: str
    name: str | None = None
    first_name: str | None = None
    phone: str | None = None
    email: str | None = None
    birthday: date | None = None
    gender: str | None = None
    city: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    card: str | None = None
    registered_at: datetime | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProgramView:
    """The loyalty program; `currency` is an ISO 4217 code."""

    name: str
    currency: str
    terms: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class TierView:
    """The customer's tier: `earn` and `discount` in percent, `missing` what is left to the `next` tier.

    `have`, `missing` and `to_keep` are whole money, whole points or purchases, as `unit` says (`money`,
    `points`, `purchases`). `until` is the last day of the tier if nothing more is bought, None if it is kept
    for ever; `to_keep` is what keeps it longer, bought by the day `keep_by` (None while that cannot be done
    yet). `kept_by` is `everybody` for the lowest, `invitation` or
    `purchases`.
    """

    name: str
    earn: Decimal | None = None
    next: str | None = None
    missing: Decimal | None = None
    since: date | None = None
    until: date | None = None
    to_keep: Decimal | None = None
    keep_by: date | None = None
    have: Decimal = Decimal(0)
    unit: str = "money"
    kept_by: str = "everybody"
    discount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class ExpiringView:
    """What expires on the nearest expiry day, in whole points; 0 and None if nothing expires."""

    amount: Decimal = Decimal(0)
    on: date | None = None


@dataclass(frozen=True, slots=True)
class LinksView:
    """The customer's own links, ready to be followed.

    `card_short` leads to `card` in fewer characters, for an SMS. `telegram` opens the bot so that it knows
    the customer; None where program.yaml names no bot.
    """

    unsubscribe: str
    preferences: str
    card: str | None = None
    telegram: str | None = None
    card_short: str | None = None


VIEWS: dict[str, type] = {
    "customer": CustomerView,
    "program": ProgramView,
    "tier": TierView,
    "expiring": ExpiringView,
    "links": LinksView,
}

FIELDS: dict[type, frozenset[str]] = {
    view: frozenset(each.name for each in fields(view)) for view in VIEWS.values()
}

# Dotted name to the attributes it has: none for a plain value, None where any attribute may stand.
# `trigger` is added by whoever knows the scenario's trigger.
NAMES: dict[str, frozenset[str] | None] = {
    **{name: FIELDS[view] for name, view in VIEWS.items()},
    "balance": frozenset(),
    "customer.attributes": None,
}
