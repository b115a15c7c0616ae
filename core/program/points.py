"""`points` in program.yaml: what a bonus is called and worth, the accounts it lies in, how long it lives."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, field_serializer

from core import money
from core.explain import expected
from core.program.goods import Goods
from core.program.lifetime import Lasts, Life, Starts
from core.program.words import LocaleCode
from core.source import Model
from core.units import Amount, Days, Duration, Percent, midnight

BASE = "base"


def _more_than_zero(value: Decimal) -> Decimal:
    if value <= 0:
        raise expected("more than zero", value)
    return value


class Account(Model):
    """A bonus account with terms of its own; what is left out is as `points` says.

    `extend`: each purchase makes open bonuses last at least so long from then. `share_at_most` is of a
    receipt, `goods` are those that these bonuses may pay for.
    """

    starts: Starts | None = None
    lasts: Lasts | None = None
    extend: Days | None = None
    share_at_most: Percent = Decimal(1)
    goods: Goods | None = None


@dataclass(frozen=True, slots=True)
class BonusAccount:
    """A bonus account with all its terms, its own and those of the program."""

    name: str
    starts: Starts
    lasts: Lasts
    extend: Duration | None
    share_at_most: Decimal
    goods: Goods | None


class Points(Model):
    """What a bonus is called, what it is worth, and how long it lives.

    `accounts` stand in the order in which they are spent; `base`, the account of everything that names no
    other, comes last unless it is listed.
    """

    name: dict[LocaleCode, list[str]] = Field(examples=["{en: [point, points]}"])
    scale: int = Field(0, ge=0, le=6)
    worth: Annotated[Amount, AfterValidator(_more_than_zero)] = Decimal(1)
    rounding: Literal["down", "up", "half_even"] = "down"
    starts: Starts = Starts()
    lasts: Lasts = Lasts()
    extend: Days | None = None
    return_grace: Days = Duration(days=14)
    debt: Literal["repay", "forgive"] = "repay"
    accounts: dict[str, Account] = Field(default_factory=dict, examples=["{welcome: {lasts: 30 days}}"])

    @field_serializer("accounts", when_used="json")
    def _in_order(self, accounts: dict[str, Account]) -> list[Any]:
        # Their order is the order of spending: two programs that differ in it alone are two.
        return [[name, account.model_dump(mode="json")] for name, account in accounts.items()]


class PointRules:
    """What a program says about points; a part of `core.program.Program`."""

    if TYPE_CHECKING:  # the rest of the program
        points: Points
        currency: str

        @property
        def zone(self) -> ZoneInfo: ...  # noqa: D102

    # --- points and money

    def to_points(self, amount: Decimal | int | str) -> int:
        """Whole bonuses to the database's integer; ValueError if digits would be lost."""
        return money.to_units(amount, self.points.scale)

    def from_points(self, points: int) -> Decimal:
        """The database's integer to whole bonuses."""
        return money.from_units(points, self.points.scale)

    def said(self, points: int) -> str:
        """The same as text."""
        return money.said(points, self.points.scale)

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
        minor, of = self._worth
        return points * minor // of if points >= 0 else -(-points * minor // of)

    @cached_property
    def point_in_money(self) -> Decimal:
        """What one point (at scale) pays for, in minor units, not rounded."""
        return self.points.worth.scaleb(self.money_scale - self.points.scale)

    @cached_property
    def _worth(self) -> tuple[int, int]:
        """The same in whole numbers: so many minor units for so many points. Each receipt asks for it."""
        return self.point_in_money.as_integer_ratio()

    def points_that_pay(self, points: int) -> int:
        """The fewest points that pay for as much: what is over would be spent for nothing."""
        minor, of = self._worth
        return -(-self.points_in_money(points) * of // minor)

    def points_for(self, minor: int) -> int:
        """How many points (at scale) minor units, not below zero, come to, rounded down."""
        per, of = self._worth
        return minor * of // per

    def money_in_points(self, minor: Decimal) -> Decimal:
        """How many points (at scale, not rounded) minor units come to."""
        return minor.scaleb(self.points.scale - self.money_scale) / self.points.worth

    def rounded(self, points: Decimal) -> int:
        """Points as the program rounds them."""
        return int(points.to_integral_value(money.ROUNDINGS[self.points.rounding]))

    # --- bonus accounts

    @cached_property
    def accounts(self) -> tuple[BonusAccount, ...]:
        """Every bonus account, in the order of spending."""
        own = self.points.accounts
        named = own if BASE in own else {**own, BASE: Account()}
        return tuple(self._with_all_terms(name, account) for name, account in named.items())

    def _with_all_terms(self, name: str, own: Account) -> BonusAccount:
        extend = self.points.extend if name == BASE else own.extend
        starts, lasts = own.starts or self.points.starts, own.lasts or self.points.lasts
        return BonusAccount(name, starts, lasts, extend, own.share_at_most, own.goods)

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[int, BonusAccount]]:
        return {account.name: (rank, account) for rank, account in enumerate(self.accounts)}

    def account(self, name: str) -> BonusAccount:
        """The account of this name; the base account for one that the program no longer has."""
        return (self._by_name.get(name) or self._by_name[BASE])[1]

    def spend_rank(self, account: str) -> int:
        """0 for the account that is spent first; one that the program no longer has comes last."""
        known = self._by_name.get(account)
        return known[0] if known else len(self.accounts)

    @cached_property
    def extended_accounts(self) -> tuple[tuple[str, Lasts], ...]:
        """The accounts whose open bonuses each purchase extends, and for how long from then."""
        return tuple((it.name, Lasts(days=it.extend.days)) for it in self.accounts if it.extend)

    # --- the life of a lot

    def extensions(self, at: datetime) -> dict[str, Life]:
        """How long at least a purchase at a time lets the open bonuses of each account last."""
        days = [(name, lasts.last_day(self.day_of(at))) for name, lasts in self.extended_accounts]
        return {name: Life(at, last, self.end_of(last)) for name, last in days}

    def life(
        self, granted_at: datetime, *, account: str = BASE,
        starts: Starts | None = None, lasts: Lasts | None = None,
    ) -> Life:  # fmt: skip
        """From when until when bonuses granted at a time live, as the rule says, else the account."""
        terms = self.account(account)
        first = self.starts_at(granted_at, starts or terms.starts)
        expires_on = (lasts or terms.lasts).last_day(self.day_of(first))
        return Life(first, expires_on, self.end_of(expires_on))

    def grace_life(self, at: datetime) -> Life:
        """The life of spent bonuses that a return gives back after their time was over."""
        expires_on = self.day_of(at) + timedelta(days=self.points.return_grace.days)
        return Life(at, expires_on, self.end_of(expires_on))

    def starts_at(self, at: datetime, starts: Starts | None = None) -> datetime:
        """When bonuses granted at `at` may first be spent, aware UTC."""
        starts = starts or self.points.starts
        if starts.at_once:
            return at
        first = starts.on(self.day_of(at))
        return at if first == self.day_of(at) else midnight(first, self.zone)

    def expires_on(self, starts: date | datetime) -> date | None:
        """The last day of bonuses of the base account that start then; None for ever."""
        return self.points.lasts.last_day(self.day_of(starts))

    def end_of(self, day: date | None) -> datetime | None:
        """When a day of the ledger ends, aware UTC: the midnight after it."""
        return None if day is None else midnight(day + timedelta(days=1), self.zone)

    def start_of(self, day: date) -> datetime:
        """When a day of the ledger begins, aware UTC."""
        return midnight(day, self.zone)

    def day_of(self, moment: date | datetime) -> date:
        """The program's calendar day of a moment."""
        return moment.astimezone(self.zone).date() if isinstance(moment, datetime) else moment
