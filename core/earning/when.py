"""Whether a rule holds on a purchase, and if not, why: the name of the reason and one sentence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property

from core.earning.basis import Basis
from core.program import Program, Rule
from core.program.earn import ONCE
from core.program.when import WEEKDAYS, Bounds, EachNth
from core.purchases.cart import Past

Reason = tuple[str, str]
THOUSANDTHS = 1000


class Case:
    """One purchase as rules ask about it."""

    def __init__(self, program: Program, basis: Basis, past: Past) -> None:
        self.program, self.basis, self.past = program, basis, past

    @cached_property
    def local(self) -> datetime:
        """When it is by the clocks of the program's zone."""
        return self.basis.cart.at.astimezone(self.program.zone)

    @cached_property
    def day(self) -> date:
        """The program's calendar day."""
        return self.local.date()

    def since(self, days: int) -> datetime:
        """The beginning of a period of so many calendar days, today included."""
        return self.program.start_of(self.day - timedelta(days=days - 1))


@dataclass(frozen=True, slots=True)
class Counted:
    """What a rule counts: lines, thousandths and minor units of its goods that were paid for."""

    lines: int
    quantity: int
    money: int


def counted(basis: Basis, money: Sequence[int]) -> Counted:
    """The lines that something was paid for."""
    lines = sum(1 for part in money if part)
    quantity = sum(units for units, part in zip(basis.quantity, money, strict=True) if part)
    return Counted(lines, quantity, sum(money))


def why_not(case: Case, rule: Rule, money: Sequence[int]) -> Reason | None:
    """Why the rule gives nothing here; None if it holds. `money`: what was paid for each of its lines."""
    for check in _ALWAYS:
        if reason := check(case, rule):
            return reason
    said = rule.when.said
    for name, check in _PLACE_AND_TIME if said else ():
        if name in said and (reason := check(case, rule)):
            return reason
    if not any(money):
        return "no_goods", f"nothing was paid for {rule.goods or 'goods that earn'}"
    if rule.sized and (reason := _size(case, rule, money)):
        return reason
    for name, check in _PAST if said else ():
        if name in said and (reason := check(case, rule)):
            return reason
    return _limit(case, rule)


# --- dates, places, times


def _dates(case: Case, rule: Rule) -> Reason | None:
    if rule.from_ is not None and case.day < rule.from_:
        return "not_yet", f"it begins on {rule.from_}"
    if rule.until is not None and case.day > rule.until:
        return "over", f"it ended on {rule.until}"
    return None


def _at_partner(case: Case, rule: Rule) -> Reason | None:
    partner = case.program.partners.get(case.basis.cart.partner or "")
    if partner is not None and not partner.has(rule.rule):
        return "partner", f"it does not hold at {case.basis.cart.partner}"
    return None


def _code(case: Case, rule: Rule) -> Reason | None:
    if not rule.needs_code or rule.rule in case.basis.cart.codes:
        return None
    return "code", f"the code {rule.code} was not given" if rule.code else "no coupon was given"


def _partner(case: Case, rule: Rule) -> Reason | None:
    if case.basis.cart.partner in rule.when.partner:
        return None
    return "partner", f"it holds at {', '.join(rule.when.partner)}"


def _store(case: Case, rule: Rule) -> Reason | None:
    if case.basis.cart.store in rule.when.store:
        return None
    return "store", f"it holds in {', '.join(rule.when.store)}"


def _tier(case: Case, rule: Rule) -> Reason | None:
    if case.program.level(case.past.tier).name in rule.when.tier:
        return None
    return "tier", f"it is for {', '.join(rule.when.tier)}"


def _weekday(case: Case, rule: Rule) -> Reason | None:
    if WEEKDAYS[case.day.weekday()] in rule.when.weekday:
        return None
    return "weekday", f"it holds on {', '.join(rule.when.weekday)}"


def _time(case: Case, rule: Rule) -> Reason | None:
    if any(window.contains(case.local.time()) for window in rule.when.time):
        return None
    return "hours", f"it holds at {', '.join(map(str, rule.when.time))}"


# --- how much


def _bounded(bounds: Bounds | None, value: Decimal, thing: str) -> Reason | None:
    if bounds is None or not (bounds.under(value) or bounds.over(value)):
        return None
    return "too_small" if bounds.under(
        value
    ) else "too_much", f"{bounds} {thing} are asked, these are {value}"


def _size(case: Case, rule: Rule, money: Sequence[int]) -> Reason | None:
    when, program = rule.when, case.program
    what = counted(case.basis, money)
    paid = program.from_money(what.money)
    if paid < rule.starts_from:
        return "too_small", f"it gives from {rule.starts_from} {program.currency} on, {paid} was paid"
    return (
        _bounded(when.lines, Decimal(what.lines), "lines")
        or _bounded(when.units, Decimal(what.quantity) / THOUSANDTHS, "units")
        or _bounded(when.total, paid, program.currency)
    )


# --- what was before


def _purchase(case: Case, rule: Rule) -> Reason | None:
    number = case.past.purchases + 1
    nth = rule.when.purchase
    if isinstance(nth, EachNth):
        holds, wanted = number % nth.every == 0, f"every purchase number {nth.every}"
    else:
        holds, wanted = number in (nth or ()), f"purchase {', '.join(map(str, nth or ()))}"
    return None if holds else ("history", f"it is for {wanted}, this is number {number}")


def _spent(case: Case, rule: Rule) -> Reason | None:
    spent = rule.when.spent
    assert spent is not None
    before = case.program.from_money(case.past.spent)
    if spent.at_least is not None and before < spent.at_least:
        return "history", f"{spent.at_least} must have been spent before, it was {before}"
    after = before + case.program.from_money(case.basis.total)
    if spent.reaches is not None and not before < spent.reaches <= after:
        return "history", f"it is for reaching {spent.reaches}, this goes from {before} to {after}"
    return None


def _first_in(case: Case, rule: Rule) -> Reason | None:
    goods = rule.when.first_in
    assert goods is not None
    if not any(case.basis.of(goods)):
        return "no_goods", f"nothing was paid for {goods}"
    if any(case.past.bought(kind, names) for kind, names in goods.named()):
        return "history", f"{goods} was bought before"
    return None


def _regular(case: Case, rule: Rule) -> Reason | None:
    regular = rule.when.regular
    assert regular is not None
    number = case.past.purchases_since(case.since(regular.in_.days)) + 1
    if number >= regular.purchases:
        return None
    return "history", f"{regular.purchases} purchases in {regular.in_} are asked, this is number {number}"


def _limit(case: Case, rule: Rule) -> Reason | None:
    if rule.limit is None:
        return None
    since = None if rule.limit == ONCE else case.since(rule.limit.window.days)
    if case.past.times(rule.rule, since) < rule.limit.count:
        return None
    return "limit", f"one customer has it {'once' if rule.limit == ONCE else rule.limit}"


Check = Callable[[Case, Rule], Reason | None]
_ALWAYS: tuple[Check, ...] = (_dates, _at_partner, _code)
_PLACE_AND_TIME: tuple[tuple[str, Check], ...] = (
    ("partner", _partner), ("store", _store), ("tier", _tier), ("weekday", _weekday), ("time", _time),
)  # fmt: skip
_PAST: tuple[tuple[str, Check], ...] = (
    ("purchase", _purchase), ("spent", _spent), ("first_in", _first_in), ("regular", _regular),
)  # fmt: skip
