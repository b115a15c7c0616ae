"""What would bring more: short facts that a till turns into sentences for cashier and customer.

They come from the rules that gave nothing and from why, and are quoted before they are said. Points and
money in them are integers, as in the database.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from math import ceil
from typing import Any

from core.earning.earned import Silence
from core.earning.when import THOUSANDTHS, Case, counted
from core.money import share
from core.program import Program, Rule
from core.program.when import Bounds, EachNth
from core.purchases.cart import Cart
from core.purchases.proposing import Quoted, priced, promise
from core.purchases.spending import Spendable, spendable

MOST = 3
# A rule, and what is missing for it.
Missing = tuple[Rule, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Hint:
    """`kind` names the sentence, `facts` what stands in it: `points`, `money` (minor units), numbers."""

    kind: str
    facts: Mapping[str, Any]
    rule: str | None = None


def gives(program: Program, rule: Rule) -> dict[str, Any]:
    """What a rule gives, as facts: `points`, `percent` (a fraction) or `times`."""
    if isinstance(rule.give, Decimal):
        return {"points": program.to_points(rule.give)}
    if rule.give:
        return {"points": program.to_points(rule.give[0].points)}
    if isinstance(rule.earn, Decimal):
        return {"percent": rule.earn}
    if rule.earn:
        return {"percent": rule.earn[0].percent}
    return {"times": rule.multiply} if rule.multiply else {}


def of_rules(here: Quoted) -> list[Hint]:
    """What is missing for the rules that gave nothing, the nearest first, and to the next band of others;
    only what comes true.
    """
    found = [it for silence in here.earned.silences if (it := _of_silence(here.case, silence))]
    found += _next_bands(here.case, {it.rule for it in here.earned.shares})
    found.sort(key=lambda it: _way(here.cart, it[1]))
    true = (hint for rule, missing in found if (hint := _true(here, rule, missing)))
    return list(islice(true, MOST))


def _true(here: Quoted, rule: Rule, missing: Mapping[str, Any]) -> Hint | None:
    found = promise(here, rule, missing)
    if found is None:
        return None
    goods = {"goods": rule.goods} if rule.goods and "purchases" not in missing else {}
    kind = "missing" if "points" in found.gift else "missing_other"
    if found.on_top and "percent" in found.gift:
        kind = "missing_on_top"
    return Hint(kind, {**found.missing, **found.gift, **goods}, rule.rule)


def _way(cart: Cart, facts: Mapping[str, Any]) -> Decimal:
    """How far it is: items, or parts of this cart's worth."""
    money = Decimal(facts.get("money", 0)) / max(1, cart.total)
    return money + sum((Decimal(facts.get(name, 0)) for name in ("lines", "units", "purchases")), Decimal(0))


def _of_silence(case: Case, silence: Silence) -> Missing | None:
    rule = case.program.rule(silence.rule)
    if rule is None:
        return None
    if silence.reason == "too_small":
        missing = _too_small(case, rule)
    elif silence.reason == "history":
        missing = _too_early(case, rule)
    else:
        return None
    return (rule, missing) if missing else None


def _too_small(case: Case, rule: Rule) -> dict[str, Any]:
    program, when = case.program, rule.when
    what = counted(case.basis, case.basis.of(rule.goods))
    paid = program.from_money(what.money)
    cent = program.from_money(1)
    missing = {
        "lines": _lacks(when.lines, Decimal(what.lines), Decimal(1)),
        "units": _lacks(when.units, Decimal(what.quantity) / THOUSANDTHS, Decimal(1)),
        "money": max(_lacks(when.total, paid, cent), rule.starts_from - paid, Decimal(0)),
    }
    facts: dict[str, Any] = {name: amount for name, amount in missing.items() if amount}
    if "money" in facts:
        facts["money"] = program.to_money(facts["money"])
    return facts


def _lacks(bounds: Bounds | None, have: Decimal, least: Decimal) -> Decimal:
    if bounds is None:
        return Decimal(0)
    wanted = [bounds.at_least] if bounds.at_least is not None else []
    wanted += [bounds.more_than + least] if bounds.more_than is not None else []
    return max([amount - have for amount in wanted] + [Decimal(0)])


def _too_early(case: Case, rule: Rule) -> dict[str, Any]:
    """Purchases until the one that is asked for. Money that must have been spent before is no such number:
    what is added to this cart does not count for it.
    """
    when, before = rule.when, case.past.purchases
    number = 0
    if isinstance(when.purchase, EachNth):
        number = -(before + 1) % when.purchase.every
    elif when.purchase:
        number = min((it - before - 1 for it in when.purchase if it > before), default=0)
    if when.regular and not number:
        since = case.since(when.regular.in_.days)
        number = when.regular.purchases - case.past.purchases_since(since) - 1
    return {"purchases": number} if number > 0 else {}


def _next_bands(case: Case, gave: Iterable[str]) -> list[Missing]:
    """Rules that give by how much is paid, and would give more."""
    program, found = case.program, []
    for name in gave:
        rule = program.rule(name)
        if rule is None or not isinstance(rule.give, tuple):
            continue
        paid = sum(case.basis.of(rule.goods))
        higher = next((it for it in rule.give if program.to_money(it.from_) > paid), None)
        if higher:
            found.append((rule, {"money": program.to_money(higher.from_) - paid}))
    return found


def why_not_more(
    program: Program, cart: Cart, limit: Spendable, available: int, most: int, fraction: Decimal = Decimal(0)
) -> list[Hint]:
    """Why no more of a cart, with a discount of this `fraction`, may be paid with bonuses than `most` points:
    what stands in the way first.
    """
    terms, partner = program.spend_terms(cart.partner), program.partners.get(cart.partner or "")
    if partner is not None and not partner.spend:
        return [Hint("spend_not_here", {"partner": cart.partner})]
    least = program.to_money(terms.receipt_at_least)
    if cart.total < least:
        return _from(program, cart, least, available, fraction)
    if most < limit.points:
        return [Hint("spend_balance" if most == available else "spend_accounts", {"points": most})]
    found = []
    by_share = share(cart.total, terms.share_at_most)
    if limit.points and by_share < cart.total and by_share <= sum(limit.lines):
        found.append(Hint("spend_share", {"percent": terms.share_at_most, "money": by_share}))
    if terms.line_share_at_most < 1:
        found.append(Hint("spend_line_share", {"percent": terms.line_share_at_most}))
    if not found or not limit.points:
        found += _rest(program, min(sum(limit.lines), by_share), limit.points)
    return found + _not_for(cart, limit.lines)


def _rest(program: Program, payable: int, points: int) -> list[Hint]:
    """What is less than the smallest bonus pays for. A part of a coin is no matter."""
    smallest = ceil(program.point_in_money)
    left = smallest > 1 and payable > program.points_in_money(points)
    return [Hint("spend_rest", {"money": smallest})] if left else []


def _from(program: Program, cart: Cart, least: int, available: int, fraction: Decimal) -> list[Hint]:
    """The receipt is too small; where more of its goods would not help, why not."""
    missing = least - cart.total
    if not available:
        return [Hint("spend_balance", {"points": 0})]
    items = tuple(item._replace(total=item.total + missing) for item in cart.items)
    enough = spendable(program, replace(cart, items=items))
    if not enough.points:
        return _not_for(cart, enough.lines)
    return [Hint("spend_from", {"money": priced(missing, fraction), "least": least})]


def _not_for(cart: Cart, lines: Sequence[int]) -> list[Hint]:
    skus = [item.sku for item, most in zip(cart.items, lines, strict=True) if item.total and not most]
    return [Hint("spend_goods", {"goods": ", ".join(dict.fromkeys(skus))})] if skus else []
