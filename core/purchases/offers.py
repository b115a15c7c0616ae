"""What a customer may be offered now: rules that hold for them, and their own coupons."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, func, or_, select

from core.grants.promo_codes import CODE, Codes
from core.ledger.lots import Refusal
from core.program import Program, Rule
from core.program.earn import ONCE, RateBand
from core.program.goods import Goods
from core.program.when import WEEKDAYS, EachNth, When
from core.purchases.hints import gives
from core.purchases.history import BuyerPast
from core.purchases.stats import RECEIPT, STATS

COUPONS_AT_MOST = 10
# What can be had once is had early, or was of late: so many receipts are looked at, whatever the history.
RECEIPTS_AT_ENDS = 50


@dataclass(frozen=True, slots=True)
class Offer:
    """A rule that a customer may use. `facts` is what it gives, and how much it asks for (points and money
    as integers); `code` opens it; `until` is its last day; `now` is false at other hours or
    weekdays, while purchases or money spent before are still missing, and while the customer has had it as
    often as they may for now.
    """

    rule: str
    facts: Mapping[str, Any]
    goods: Goods | None
    when: When
    code: str | None = None
    coupon: bool = False
    until: date | None = None
    now: bool = True


@dataclass
class _Visit:
    """A customer at a store (None: at none), and their past where a rule asks for it."""

    connection: Connection
    program: Program
    customer_id: int
    tier: str | None
    at: datetime
    store: str | None

    @cached_property
    def past(self) -> tuple[int, int]:
        """Purchases, and minor units spent."""
        mine = select(STATS.c.purchases, STATS.c.spent).where(STATS.c.customer_id == self.customer_id)
        row = self.connection.execute(mine).first()
        return (row.purchases, row.spent) if row else (0, 0)

    @cached_property
    def history(self) -> BuyerPast:
        """What they bought, and which rules gave them something: at the beginning and of late."""
        return BuyerPast(self.connection, self.customer_id, ends=RECEIPTS_AT_ENDS)

    def used_up(self, rule: Rule) -> bool:
        """Whether the customer has had it as often as one may, by now."""
        if rule.limit is None:
            return False
        since = None if rule.limit == ONCE else self._first_moment(rule.limit.window.days)
        return self.history.times(rule.rule, since) >= rule.limit.count

    def purchases_in(self, days: int) -> int:
        """Purchases within so many calendar days, today included."""
        mine = select(func.count()).where(
            RECEIPT.c.customer_id == self.customer_id, RECEIPT.c.returned_at.is_(None),
            RECEIPT.c.at >= self._first_moment(days), RECEIPT.c.at <= self.at,
        )  # fmt: skip
        return self.connection.scalar(mine) or 0

    def _first_moment(self, days: int) -> datetime:
        return self.program.start_of(self.program.day_of(self.at) - timedelta(days=days - 1))


def offers(
    connection: Connection, program: Program, customer_id: int, tier: str | None, at: datetime,
    store: str | None = None,
) -> list[Offer]:  # fmt: skip
    """The rules of purchases that hold for a customer, at a store if one is named, in the program's order;
    then their coupons.
    """
    visit, codes = _Visit(connection, program, customer_id, tier, at, store), Codes(connection, program, at)
    found = []
    for rule in program.earn.rules:
        if rule.on is not None or not _worth_telling(rule) or not _holds(visit, rule):
            continue
        if rule.code and isinstance(codes.offer(rule.code, customer_id, at), Refusal):
            continue
        found.append(_offer(visit, rule, rule.code, rule.until))
    return found + _coupons(visit)


def _worth_telling(rule: Rule) -> bool:
    """Not what everybody has on everything, nor what opens only by a coupon."""
    if rule.codes:
        return False
    plain = rule.is_percentage and not rule.goods and not rule.when.said and not rule.code
    return not plain or _band(rule) is not None


def _band(rule: Rule) -> RateBand | None:
    """Of a percentage by how much is paid, the first that asks for anything."""
    bands = rule.earn if isinstance(rule.earn, tuple) else ()
    return next((it for it in bands if it.from_ > 0), None)


def _holds(visit: _Visit, rule: Rule) -> bool:
    day, when = visit.program.day_of(visit.at), rule.when
    if (rule.from_ and day < rule.from_) or (rule.until and day > rule.until):
        return False
    if when.tier and visit.program.level(visit.tier).name not in when.tier:
        return False
    return _holds_here(visit, rule) and not _missed(visit, rule)


def _holds_here(visit: _Visit, rule: Rule) -> bool:
    program, when, store = visit.program, rule.when, visit.store
    if store is None:
        return True
    partner = program.partner_of(store)
    shop = program.partners.get(partner or "")
    if (when.store and store not in when.store) or (when.partner and partner not in when.partner):
        return False
    return shop is None or shop.has(rule.rule)


def _missed(visit: _Visit, rule: Rule) -> bool:
    """Whether no purchase to come can be the one that is asked for."""
    when = rule.when
    if rule.limit == ONCE and visit.used_up(rule):
        return True
    if when.first_in and any(visit.history.bought(kind, names) for kind, names in when.first_in.named()):
        return True
    if isinstance(when.purchase, tuple) and when.purchase and max(when.purchase) <= visit.past[0]:
        return True
    reaches = when.spent.reaches if when.spent else None
    return reaches is not None and visit.past[1] >= visit.program.to_money(reaches)


def _is_next(visit: _Visit, when: When) -> bool:
    """Whether the next purchase can be the one that is asked for."""
    if when.purchase:
        number, nth = visit.past[0] + 1, when.purchase
        if number % nth.every if isinstance(nth, EachNth) else number not in nth:
            return False
    at_least = when.spent.at_least if when.spent else None
    if at_least is not None and visit.past[1] < visit.program.to_money(at_least):
        return False
    regular = when.regular
    return regular is None or visit.purchases_in(regular.in_.days) + 1 >= regular.purchases


def _offer(visit: _Visit, rule: Rule, code: str | None, until: date | None) -> Offer:
    program = visit.program
    facts, when = gives(program, rule), rule.when
    facts |= {"per": rule.per} if rule.give and rule.per != "receipt" else {}
    for name, bounds in (("lines", when.lines), ("units", when.units), ("money", when.total)):
        if bounds is not None and bounds.at_least is not None:
            facts[name] = program.to_money(bounds.at_least) if name == "money" else bounds.at_least
    if rule.starts_from:
        facts["money"] = program.to_money(rule.starts_from)
    if band := _band(rule):
        facts |= {"percent": band.percent, "money": program.to_money(band.from_)}
    local = visit.at.astimezone(program.zone)
    now = not when.weekday or WEEKDAYS[local.weekday()] in when.weekday
    now &= not when.time or any(window.contains(local.time()) for window in when.time)
    now = now and _is_next(visit, when) and not visit.used_up(rule)
    return Offer(rule.rule, facts, rule.goods, when, code, until=until, now=now)


def _coupons(visit: _Visit) -> list[Offer]:
    program, day = visit.program, visit.program.day_of(visit.at)
    mine = select(CODE).where(
        CODE.c.customer_id == visit.customer_id, CODE.c.disabled_at.is_(None),
        or_(CODE.c.uses_at_most.is_(None), CODE.c.uses < CODE.c.uses_at_most),
        or_(CODE.c.first_day.is_(None), CODE.c.first_day <= day),
        or_(CODE.c.last_day.is_(None), CODE.c.last_day >= day),
    )  # fmt: skip
    found = []
    for row in visit.connection.execute(mine.order_by(CODE.c.id).limit(COUPONS_AT_MOST)):
        rule = program.rule(row.rule)
        if rule is None or rule.on is not None or not _holds(visit, rule):
            continue
        last = min((it for it in (rule.until, row.last_day) if it), default=None)
        offer = _offer(visit, rule, row.code, last)
        found.append(Offer(offer.rule, offer.facts, offer.goods, offer.when, row.code, True, last, offer.now))
    return found
