"""Whether a hint comes true: the cart that it proposes is quoted.

"2 more items and 20 bonuses more" holds only where no other rule, group or cap is in the way. What is added
is worth as little as it can be: whoever adds more gets no less.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from math import ceil
from typing import Any

from core.earning import earn
from core.earning.basis import basis_of
from core.earning.earned import Earned, Share
from core.earning.offers import fixed, multiple, percentage, rate_of
from core.earning.when import THOUSANDTHS, Case
from core.money import lay_out, share
from core.program import Program, Rule
from core.purchases.cart import Cart, Item, Past

# Minor units: the discount is rounded once and laid on all lines, so that some come out a little different.
ROUNDED_OFF = 2


@dataclass(frozen=True)
class Quoted:
    """A cart as it was quoted: its discount (`fraction`, and `less` minor units on each line) is off it."""

    program: Program
    cart: Cart
    past: Past
    earned: Earned
    fraction: Decimal = Decimal(0)
    less: tuple[int, ...] = ()

    @cached_property
    def case(self) -> Case:
        """As rules see it."""
        return Case(self.program, basis_of(self.program, self.cart), self.past)

    def given(self, rule: Rule) -> int:
        """Points that the rule gave."""
        found = _of(self.earned, rule)
        return found.points if found else 0

    def sold(self, added: Sequence[tuple[int | None, Item]]) -> Cart:
        """The cart with more in it, at prices before the discount: on a line, or (None) on new ones."""
        less = self.less or (0,) * len(self.cart.items)
        items = [it._replace(total=it.total + off) for it, off in zip(self.cart.items, less, strict=True)]
        for place, item in added:
            if place is None:
                items.append(item)
            else:
                there = items[place]
                items[place] = there._replace(
                    quantity=there.quantity + item.quantity, total=there.total + item.total
                )
        totals = [it.total for it in items]
        off = lay_out(share(sum(totals), self.fraction), totals)
        sold = tuple(it._replace(total=it.total - part) for it, part in zip(items, off, strict=True))
        here = self.cart
        return Cart(here.at, sold, here.store, here.partner, here.codes)


@dataclass(frozen=True, slots=True)
class Later:
    """core.purchases.cart.Past of a buyer after `count` more purchases like a cart."""

    before: Past
    cart: Cart
    count: int

    @property
    def tier(self) -> str | None:
        """The level of today."""
        return self.before.tier

    @property
    def purchases(self) -> int:
        """Those as well."""
        return self.before.purchases + self.count

    @property
    def spent(self) -> int:
        """Theirs as well."""
        return self.before.spent + self.count * self.cart.total

    def bought(self, kind: str, names: Collection[str]) -> bool:
        """Before, or in one of them."""
        return any(getattr(it, kind) in names for it in self.cart.items) or self.before.bought(kind, names)

    def purchases_since(self, since: datetime) -> int:
        """Soon enough."""
        return self.before.purchases_since(since) + self.count

    def times(self, rule: str, since: datetime | None) -> int:
        """What the rule gave until now."""
        return self.before.times(rule, since)

    def points(self, since: datetime, rule: str | None = None) -> int:
        """On another day."""
        return 0


@dataclass(frozen=True, slots=True)
class Promise:
    """What a rule would give more: `points`, a `percent` (a fraction; `on_top` of all that is given now) or
    `times`. `missing` is what is asked for it, money as prices.
    """

    missing: Mapping[str, Any]
    gift: Mapping[str, Any]
    on_top: bool = False


def priced(money: int, fraction: Decimal) -> int:
    """The price, before a discount, of what comes to so many minor units."""
    return ceil(money / (1 - fraction)) if 0 < fraction < 1 else money


def promise(here: Quoted, rule: Rule, missing: Mapping[str, Any]) -> Promise | None:
    """What is true of a rule for which so much is `missing` (minor units after the discount, numbers); None
    if it would bring nothing.
    """
    if "purchases" in missing:
        later = Later(here.past, here.cart, missing["purchases"])
        return _brought(here, rule, missing, here.cart, later)
    if "money" not in missing:
        return _brought(here, rule, missing, _more(here, rule, missing), here.past)
    price, off = priced(missing["money"], here.fraction), ROUNDED_OFF if here.fraction else 0
    for money in range(max(1, price - off), price + off + 1):
        asked = {**missing, "money": money}
        if found := _brought(here, rule, asked, _more(here, rule, asked), here.past):
            return found
    return None


def _more(here: Quoted, rule: Rule, missing: Mapping[str, Any]) -> Cart:
    """The cart with more of what the rule counts already, on new lines if lines are asked."""
    paid = here.case.basis.of(rule.goods)
    place = max(range(len(paid)), key=lambda it: (paid[it], -it))
    like = here.cart.items[place]
    lines = int(missing.get("lines", 0))
    quantity, money = ceil(missing.get("units", 0) * THOUSANDTHS), missing.get("money", 0)
    if not lines:
        return here.sold([(place, like._replace(quantity=quantity, total=max(1, money)))])
    first = like._replace(
        quantity=max(THOUSANDTHS, quantity - (lines - 1) * THOUSANDTHS), total=max(1, money - lines + 1)
    )
    rest = like._replace(quantity=THOUSANDTHS, total=1)
    return here.sold([(None, it) for it in (first, *[rest] * (lines - 1))])


def _brought(here: Quoted, rule: Rule, missing: Mapping[str, Any], cart: Cart, past: Past) -> Promise | None:
    then = earn(here.program, cart, past)
    given = _of(then, rule)
    case = Case(here.program, basis_of(here.program, cart), past)
    # What a cap leaves of a gift is a few coins, which nobody buys more for.
    if given is None or given.points < _whole(case, rule, then):
        return None
    more, gain = given.points - here.given(rule), then.points - here.earned.points
    # Another purchase is not this one; here, what the rule takes the place of is no gain.
    more = more if "purchases" in missing else min(more, gain)
    if more <= 0:
        return None
    if rule.give is not None:
        return Promise(missing, {"points": more})
    if rule.multiply is not None:
        return Promise(missing, {"times": rule.multiply})
    before, after = ({it.rule for it in _percentages(here.program, of)} for of in (here.earned, then))
    on_top = bool(before) and before <= after
    if on_top and more < given.points:
        return None
    rate = rate_of(case, rule, case.basis.of(rule.goods))
    return Promise(missing, {"percent": rate}, on_top=on_top)


def _whole(case: Case, rule: Rule, then: Earned) -> int:
    """Points that the rule gives where no cap of the receipt or the day is in the way."""
    money = case.basis.of(rule.goods)
    if rule.give is not None:
        return fixed(case, rule, money).points
    if rule.multiply is None:
        return percentage(case, rule, money).points
    lines = [it.lines for it in _percentages(case.program, then)]
    points = [sum(line) if paid else 0 for *line, paid in zip(*lines, money, strict=True)]
    return multiple(case, rule, points).points


def _percentages(program: Program, earned: Earned) -> list[Share]:
    """What percentages gave."""
    names = {it.rule for it in program.purchase_rules.percentages}
    return [it for it in earned.shares if it.rule in names]


def _of(earned: Earned, rule: Rule) -> Share | None:
    return next((it for it in earned.shares if it.rule == rule.rule), None)
