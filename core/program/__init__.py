"""program.yaml: what one bonus is, how levels are reached, what is earned and spent, and what limits all
messages.

Amounts in the file are whole units; the helpers turn them into the integers that the database keeps
(core.money). What the language knows and this release does not act on is refused, never silently accepted.
"""

import hashlib
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr

from core.db import dumps
from core.program.consent import ConsentRules, Privacy, words_in
from core.program.earn import Code, Earn, EarnRules, Grant, Rule
from core.program.points import PointRules, Points
from core.program.retention import Retention
from core.program.shops import Partner, Products, Receipts, ShopRules
from core.program.spend import Spend, SpendRules
from core.program.tiers import TierRules, Tiers
from core.program.tracking import Tracking
from core.program.transfers import Households, Transfers
from core.program.words import CurrencyCode, EventName, LocaleCode, Localized, PublicAddress, WebAddress
from core.source import Model
from core.units import Allowance, Day, Listed, Percent, Some, TimeWindow, Zone

__all__ = ["BONUS_RULES", "Code", "Grant", "Program", "Rule"]

# The keys of program.yaml by which bonuses are booked.
BONUS_RULES = {
    "currency", "time_zone", "points", "tiers", "earn", "spend", "partners", "products", "receipts",
    "transfers", "households",
}  # fmt: skip


class Allowances(Model):
    """How many marketing messages a customer gets: in `all`, and by channel."""

    marketing: dict[str, Allowance] = Field(default_factory=dict)


class Apply(Model):
    """How a workspace becomes live: how many others must approve it first."""

    approvals: int = Field(0, ge=0, le=10)


class Program(PointRules, EarnRules, SpendRules, ShopRules, TierRules, Model):
    """The whole of program.yaml."""

    program: str = Field(min_length=1, examples=["Kavarnia"])
    currency: CurrencyCode = Field(examples=["UAH"])
    time_zone: Zone = Field(examples=["Europe/Kyiv"])
    locales: Some[LocaleCode] = Field(examples=["[uk, en]"])
    url: WebAddress = ""
    public_url: PublicAddress = ""
    terms: Localized = ""
    own_seed: str = Field("", alias="seed")
    points: Points = Field(examples=["{name: {en: [point, points]}}"])
    tiers: Tiers = Field(examples=["{levels: [{name: member, from: 0, earn: 5%}]}"])
    earn: Earn = Earn()
    spend: Spend = Spend()
    partners: dict[str, Partner] = Field(default_factory=dict)
    products: Products = Products()
    receipts: Receipts = Receipts()
    # What the shop's systems tell of customers besides the acts that rules know; scenarios answer it.
    events: Listed[EventName] = ()
    transfers: Transfers | None = None
    households: Households = Households()
    holdout: Percent = Decimal(0)
    allowances: Allowances = Allowances()
    quiet_hours: TimeWindow | None = None
    blackout: Listed[Day] = ()
    max_per_look: int = Field(50_000, ge=1)
    consent: ConsentRules = ConsentRules()
    privacy: Privacy = Privacy()
    retention: Retention = Retention()
    tracking: Tracking = Tracking()
    apply: Apply = Apply()
    channels: dict[str, dict[str, Any] | None] = Field(default_factory=dict)
    wallet: dict[str, dict[str, Any] | None] = Field(default_factory=dict)

    # --- which rules these are

    # The file as it was read (core.program.check.read_program).
    _text: str = PrivateAttr("")

    def keep(self, text: str) -> None:
        """Remember the file's text."""
        self._text = text

    @property
    def text(self) -> str:
        """The file as it was read."""
        return self._text

    @cached_property
    def digest(self) -> str:
        """What tells the rules of bonuses apart from others; messages and channels do not count."""
        return hashlib.sha256(dumps(self.model_dump(mode="json", include=BONUS_RULES)).encode()).hexdigest()[
            :32
        ]

    # --- words and zones

    @property
    def name(self) -> str:
        """What the program is called."""
        return self.program

    @property
    def seed(self) -> str:
        """What holdout and variants are drawn from; the program's name unless the file keeps an older one."""
        return self.own_seed or self.program

    @cached_property
    def zone(self) -> ZoneInfo:
        """The program's zone: the days of the ledger are its days."""
        return ZoneInfo(self.time_zone)

    @property
    def locale(self) -> str:
        """The default locale."""
        return self.locales[0]

    def terms_in(self, locale: str) -> str:
        """The terms in a locale, else in the default one."""
        return words_in(self.terms, locale, self.locale)

    def consent_in(self, locale: str) -> str:
        """What customers agree to, in a locale, else in the default one; '' if the program has no wording."""
        return words_in(self.consent.text, locale, self.locale)
