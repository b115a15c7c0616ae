"""What would bring more: short facts that a till turns into sentences for cashier and customer.

They come from the rules that gave nothing and from why. Points and money in them are integers, as in the
database.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.earning.basis import basis_of
from core.earning.earned import Earned, Silence
from core.earning.when import THOUSANDTHS, Case, counted
from core.money import share
from core.program import Program, Rule
from core.program.when import Bounds, EachNth
from core.purchases.cart import Cart, Past
from core.purchases.spending import Spendable

MOST = 3


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


def of_rules(program: Program, cart: Cart, past: Past, earned: Earned) -> list[Hint]:
    """What is missing for the rules that gave nothing, the nearest first, and to the next band of others."""
    case = Case(program, basis_of(program, cart), past)
    found = [hint for it in earned.silences if (hint := _of_silence(case, it))]
    found += _next_bands(case, {it.rule for it in earned.shares})
    return sorted(found, key=lambda it: _way(cart, it.facts))[:MOST]


def _way(cart: Cart, facts: Mapping[str, Any]) -> Decimal:
    """How far it is: items, or parts of this cart's worth."""
    money = Decimal(facts.get("money", 0)) / max(1, cart.total)
    return money + sum((Decimal(facts.get(name, 0)) for name in ("lines", "units", "purchases")), Decimal(0))


def _of_silence(case: Case, silence: Silence) -> Hint | None:
    rule = case.program.rule(silence.rule)
    if rule is None:
        return None
    if silence.reason == "too_small":
        missing = _too_small(case, rule)
    elif silence.reason == "history":
        missing = _too_early(case, rule)
    else:
        return None
    return Hint("missing", {**missing, **gives(case.program, rule)}, rule.rule) if missing else None


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
    when, before = rule.when, case.past.purchases
    if isinstance(when.purchase, EachNth):
        return {"purchases": -(before + 1) % when.purchase.every}
    if when.purchase:
        later = [number - before - 1 for number in when.purchase if number > before + 1]
        return {"purchases": min(later)} if later else {}
    if when.regular:
        since = case.since(when.regular.in_.days)
        return {"purchases": when.regular.purchases - case.past.purchases_since(since) - 1}
    if when.spent and when.spent.at_least is not None:
        return {"money": case.program.to_money(when.spent.at_least) - case.past.spent}
    return {}


def _next_bands(case: Case, gave: Iterable[str]) -> list[Hint]:
    """Rules that give by how much is paid, and would give more."""
    program, found = case.program, []
    for name in gave:
        rule = program.rule(name)
        if rule is None or not isinstance(rule.give, tuple):
            continue
        paid = sum(case.basis.of(rule.goods))
        higher = next((it for it in rule.give if program.to_money(it.from_) > paid), None)
        # The next band's gift comes in place of the one that is reached already.
        present = next((it.points for it in reversed(rule.give) if program.to_money(it.from_) <= paid), 0)
        if higher and higher.points > present:
            missing = program.to_money(higher.from_) - paid
            facts = {"money": missing, "points": program.to_points(higher.points - present)}
            found.append(Hint("missing", facts, name))
    return found


def why_not_more(program: Program, cart: Cart, limit: Spendable, available: int, most: int) -> list[Hint]:
    """Why no more of a cart may be paid with bonuses than `most` points: what stands in the way first."""
    terms, partner = program.spend_terms(cart.partner), program.partners.get(cart.partner or "")
    if partner is not None and not partner.spend:
        return [Hint("spend_not_here", {"partner": cart.partner})]
    least = program.to_money(terms.receipt_at_least)
    if cart.total < least:
        return [Hint("spend_from", {"money": least - cart.total, "least": least})]
    if most < limit.points:
        return [Hint("spend_balance" if most == available else "spend_accounts", {"points": most})]
    found = []
    by_share = share(cart.total, terms.share_at_most)
    if limit.points and by_share < cart.total and by_share <= sum(limit.lines):
        found.append(Hint("spend_share", {"percent": terms.share_at_most, "money": by_share}))
    if terms.line_share_at_most < 1:
        found.append(Hint("spend_line_share", {"percent": terms.line_share_at_most}))
    return found + _not_for(cart, limit.lines)


def _not_for(cart: Cart, lines: Sequence[int]) -> list[Hint]:
    skus = [item.sku for item, most in zip(cart.items, lines, strict=True) if item.total and not most]
    return [Hint("spend_goods", {"goods": ", ".join(dict.fromkeys(skus))})] if skus else []
