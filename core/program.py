"""program.yaml: what one bonus is, how levels are reached, what is earned and spent, and what limits all
messages.

Amounts in the file are whole units; the helpers turn them into the integers that the database keeps
(core.money). What the language knows and this release does not act on is refused, never silently accepted.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from core import money
from core.explain import expected, unsupported
from core.lifetime import Lasts, Starts
from core.source import Model
from core.units import (
    Allowance,
    Amount,
    Day,
    Days,
    Duration,
    Listed,
    Percent,
    Series,
    Some,
    TimeWindow,
    Zone,
    at_local,
)

YEAR = Duration(days=365)
# One text for everybody, or one a locale.
Localized = str | dict[str, str]


def _later(*names: str) -> BeforeValidator:
    """A choice of the language that this release does not act on."""

    def check(value: object) -> object:
        if isinstance(value, str) and value in names:
            raise unsupported()
        return value

    return BeforeValidator(check)


def _not_by_receipt_size(value: object) -> object:
    if isinstance(value, list):  # give: [{from: 500, points: 25}]
        raise unsupported()
    return value


def _text_or_mapping(value: object) -> object:
    texts = list(value.values()) if isinstance(value, dict) else [value]
    if not all(isinstance(text, str) for text in texts):
        raise expected("text, or one text a locale", value, "write for example '{uk: …, en: …}'")
    return value


def _currency(code: str) -> str:
    from babel.numbers import is_currency  # slow to import

    if not is_currency(code):
        raise expected("a currency code of ISO 4217", code, "write for example 'UAH'")
    return code


def _locale(code: str) -> str:
    from babel import Locale, UnknownLocaleError  # slow to import

    try:
        Locale.parse(code, sep="-")
    except (ValueError, UnknownLocaleError):
        raise expected("a locale", code, "write for example 'uk' or 'pt-BR'") from None
    return code


def _address(url: str) -> str:
    if url and not url.startswith(("https://", "http://")):
        raise expected("a web address", url, "write for example 'https://kavarnia.example'")
    return url.rstrip("/")


def _more_than_zero(value: Decimal) -> Decimal:
    if value <= 0:
        raise expected("more than zero", value)
    return value


LocaleCode = Annotated[str, AfterValidator(_locale)]
WebAddress = Annotated[str, AfterValidator(_address)]


class Points(Model):
    """What a bonus is called, what it is worth, and how long it lives."""

    name: dict[LocaleCode, list[str]] = Field(examples=["{en: [point, points]}"])
    scale: int = Field(0, ge=0, le=6)
    worth: Annotated[Amount, AfterValidator(_more_than_zero)] = Decimal(1)
    rounding: Literal["down", "up", "half_even"] = "down"
    starts: Starts = Starts()
    lasts: Lasts = Lasts()
    debt: Literal["repay", "forgive"] = "repay"


class Level(Model):
    """One tier: from which spend (whole money) it is reached, and which fraction of a receipt it earns."""

    name: str = Field(min_length=1, examples=["bronze"])
    from_: Amount = Field(alias="from", examples=[0])
    earn: Percent = Decimal(0)


class Tiers(Model):
    """Levels, from the lowest, and what they are measured by."""

    measure: Annotated[Literal["spend"], _later("points", "purchases", "invitation")] = "spend"
    over: Annotated[Days, _later("calendar year")] = YEAR
    grace: Days = Duration()
    levels: Some[Level] = Field(examples=["[{name: member, from: 0, earn: 5%}]"])


class Rule(Model):
    """One way to earn: the level's percentage, or a fixed grant on registration."""

    later: ClassVar[frozenset[str]] = frozenset({"multiply", "when"})

    rule: str = Field(min_length=1, examples=["base"])
    by: Literal["tier"] | None = None
    give: Annotated[Amount | None, BeforeValidator(_not_by_receipt_size)] = None
    on: Annotated[Literal["registered"] | None, _later("birthday", "tier_up", "review")] = None
    lasts: Lasts | None = None


class Exclusion(Model):
    """Goods that earn nothing."""

    category: Series[str] = ()


class Earn(Model):
    """What a purchase or an act brings."""

    rules: Listed[Rule] = ()
    exclude: Exclusion = Exclusion()


class Spend(Model):
    """How much of a receipt bonuses may pay."""

    later: ClassVar[frozenset[str]] = frozenset({"exclude", "confirm_above"})

    share_at_most: Percent = Decimal(1)
    receipt_at_least: Amount = Decimal(0)


class Allowances(Model):
    """How many marketing messages a customer gets: in `all`, and by channel."""

    marketing: dict[str, Allowance] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    """A fixed number of bonuses for an act; `points` at the program's scale."""

    rule: str
    points: int
    lasts: Lasts


class Program(Model):
    """The whole of program.yaml."""

    program: str = Field(min_length=1, examples=["Kavarnia"])
    currency: Annotated[str, AfterValidator(_currency)] = Field(examples=["UAH"])
    time_zone: Zone = Field(examples=["Europe/Kyiv"])
    locales: Some[LocaleCode] = Field(examples=["[uk, en]"])
    url: WebAddress = ""
    public_url: WebAddress = ""
    terms: Annotated[Localized, BeforeValidator(_text_or_mapping)] = ""
    own_seed: str = Field("", alias="seed")
    points: Points = Field(examples=["{name: {en: [point, points]}}"])
    tiers: Tiers = Field(examples=["{levels: [{name: member, from: 0, earn: 5%}]}"])
    earn: Earn = Earn()
    spend: Spend = Spend()
    holdout: Percent = Decimal(0)
    allowances: Allowances = Allowances()
    quiet_hours: TimeWindow | None = None
    blackout: Listed[Day] = ()
    max_per_look: int = Field(50_000, ge=1)
    channels: dict[str, dict[str, Any] | None] = Field(default_factory=dict)
    wallet: dict[str, dict[str, Any] | None] = Field(default_factory=dict)

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
        if isinstance(self.terms, str):
            return self.terms
        return self.terms.get(locale) or self.terms.get(self.locale, "")

    # --- points and money

    def to_points(self, amount: Decimal | int | str) -> int:
        """Whole bonuses to the database's integer; ValueError if digits would be lost."""
        return money.to_units(amount, self.points.scale)

    def from_points(self, points: int) -> Decimal:
        """The database's integer to whole bonuses."""
        return money.from_units(points, self.points.scale)

    def to_money(self, amount: Decimal | int | str) -> int:
        """Whole money to minor units; ValueError if digits would be lost."""
        return money.to_units(amount, self.money_scale)

    def from_money(self, minor: int) -> Decimal:
        """Minor units to whole money."""
        return money.from_units(minor, self.money_scale)

    @cached_property
    def money_scale(self) -> int:
        """Decimal places of the currency (CLDR)."""
        from babel.numbers import get_currency_precision  # slow to import

        return get_currency_precision(self.currency)

    def points_in_money(self, points: int) -> int:
        """What points (at scale) pay for, in minor units, rounded down."""
        minor = self.from_points(points) * self.points.worth
        return int(minor.scaleb(self.money_scale).to_integral_value(money.ROUNDINGS["down"]))

    def money_in_points(self, minor: Decimal) -> Decimal:
        """How many points (at scale, not rounded) minor units come to."""
        return minor.scaleb(self.points.scale - self.money_scale) / self.points.worth

    def spendable(self, total: int) -> int:
        """The most points (at scale) that may pay for a receipt of `total` minor units."""
        if total < self.to_money(self.spend.receipt_at_least):
            return 0
        most = self.money_in_points(Decimal(money.share(total, self.spend.share_at_most)))
        return int(most.to_integral_value(money.ROUNDINGS["down"]))

    # --- earning

    @property
    def excluded_categories(self) -> tuple[str, ...]:
        """Categories whose lines earn nothing."""
        return self.earn.exclude.category

    def grants(self, on: str) -> list[Grant]:
        """What an act (`registered`) brings at once."""
        rules = [rule for rule in self.earn.rules if rule.on == on and rule.give is not None]
        return [Grant(it.rule, self.to_points(it.give or 0), it.lasts or self.points.lasts) for it in rules]

    # --- the life of a lot

    def starts_at(self, at: datetime) -> datetime:
        """When bonuses granted at `at` may first be spent, aware UTC."""
        starts = self.points.starts
        first = starts.on(self.day_of(at))
        if starts.at_once or first == self.day_of(at):
            return at
        return at_local(first, time(0), self.zone)

    def expires_on(self, starts: date | datetime) -> date | None:
        """The last day of bonuses that start then; None for ever."""
        return self.points.lasts.last_day(self.day_of(starts))

    def grant_expires_on(self, grant: Grant, starts: date | datetime) -> date | None:
        """The last day of a grant that starts then; None for ever."""
        return grant.lasts.last_day(self.day_of(starts))

    def end_of(self, day: date | None) -> datetime | None:
        """When a day of the ledger ends, aware UTC: the midnight after it."""
        return None if day is None else at_local(day + timedelta(days=1), time(0), self.zone)

    def day_of(self, moment: date | datetime) -> date:
        """The program's calendar day of a moment."""
        return moment.astimezone(self.zone).date() if isinstance(moment, datetime) else moment

    # --- tiers

    @property
    def tier_window(self) -> timedelta:
        """The rolling period over which spend counts."""
        return timedelta(days=self.tiers.over.days)

    @property
    def tier_grace(self) -> timedelta:
        """How much longer a level is kept once the spend no longer carries it."""
        return timedelta(days=self.tiers.grace.days)

    @cached_property
    def _froms(self) -> list[int]:
        return [self.to_money(level.from_) for level in self.tiers.levels]

    def tier_for(self, spend: int) -> Level:
        """The level that a spend (minor units over the period) reaches."""
        return self.tiers.levels[max(0, bisect_right(self._froms, spend) - 1)]

    def rank(self, name: str | None) -> int:
        """0 for the lowest level; -1 for a name that the program no longer has."""
        names = [level.name for level in self.tiers.levels]
        return names.index(name) if name in names else -1

    def level(self, name: str | None) -> Level:
        """The level of this name; the lowest for a name that the program no longer has."""
        return self.tiers.levels[max(0, self.rank(name))]

    def next_level(self, name: str | None) -> Level | None:
        """The level above; None at the top."""
        above = self.tiers.levels[max(0, self.rank(name)) + 1 :]
        return above[0] if above else None

    @property
    def tier_names(self) -> tuple[str, ...]:
        """From the lowest."""
        return tuple(level.name for level in self.tiers.levels)
