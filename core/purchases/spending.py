"""What bonuses may pay of a cart, and how a payment is laid on its lines."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from math import ceil

from core.fact import fact
from core.ledger.limits import Limits, SharedGoods
from core.money import lay_out, share
from core.program import Program
from core.program.goods import Goods
from core.program.points import BASE, BonusAccount
from core.program.spend import SpendTerms
from core.purchases.cart import Cart, Item


@fact
class Spendable:
    """The most that a cart may be paid with, whatever the balance.

    `points` in all and by bonus account (`limits`), at the program's scale; `lines`: minor units payable on
    each line.
    """

    points: int
    limits: Limits
    lines: tuple[int, ...]
    # Most tills only ask how much.
    _why: Callable[[], tuple[str, ...]]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Sentences that say why not more."""
        return self._why()


def spendable(program: Program, cart: Cart) -> Spendable:
    """How much of a cart bonuses may pay."""
    terms = program.spend_terms(cart.partner)
    if why := _refused(program, cart, terms):
        nothing = Limits(dict.fromkeys((it.name for it in program.accounts), 0))
        return Spendable(0, nothing, (0,) * len(cart.items), lambda: (why,))
    if terms.everything:
        payable, lines = [True] * len(cart.items), [item.total for item in cart.items]
    else:
        payable = [_payable(terms, item) for item in cart.items]
        lines = [
            share(item.total, terms.line_share_at_most) if may else 0
            for item, may in zip(cart.items, payable, strict=True)
        ]
    most = min(sum(lines), share(cart.total, terms.share_at_most))
    points = program.points_for(most)
    each = {it.name: min(points, _of_account(program, it, cart, lines)) for it in program.accounts}
    # What lies in an account that the program no longer has is spent as the base account's.
    limits = Limits(each, _shared(program, cart, lines), BASE)
    return Spendable(points, limits, tuple(lines), partial(_reasons, cart, terms, payable, most))


def of_kept(program: Program, cart: Cart, kept: Callable[[Sequence[int]], Sequence[int]]) -> Limits:
    """What accounts may pay of a cart that is laid already, and of which goods came back.

    `kept` is what stays of amounts on the lines. Bonuses for certain goods pay for those that were kept, and
    for all that lies on these, however it was rounded.
    """
    limit = spendable(program, cart)
    limited = [it for it in program.accounts if it.goods is not None]
    if not limited:
        return limit.limits
    laid = kept(lay_points(cart.paid_points, cart.paid))
    costs = (ceil(points * program.point_in_money) for points in laid)
    lines = [max(pair) for pair in zip(kept(limit.lines), costs, strict=True)]
    each = dict(limit.limits.each)
    for it in limited:
        each[it.name] = min(each[it.name], _of_account(program, it, cart, lines))
    return replace(limit.limits, each=each, goods=_shared(program, cart, lines))


def lay_payment(program: Program, cart: Cart, points: int, limit: Spendable | None = None) -> tuple[int, ...]:
    """Minor units that `points` pay on each line, in proportion to what may be paid there.

    They add up to what the points are worth, at most to the cart's total. A payment that the terms do not
    allow (they were others when it was made) is laid on all lines. `limit` is what `spendable` said, if it
    was asked already.
    """
    minor = min(program.points_in_money(points), cart.total)
    lines = (limit or spendable(program, cart)).lines
    weights = lines if sum(lines) >= minor else [item.total for item in cart.items]
    return tuple(lay_out(minor, weights))


def lay_points(points: int, paid: Sequence[int]) -> tuple[int, ...]:
    """The points of a payment on the lines that they pay for, in proportion to `paid` (minor units)."""
    if points and paid and sum(paid) <= 0:
        # Worth less than the smallest coin: no line is paid with them, and yet they were spent.
        return (points, *(0 for _ in paid[1:]))
    return tuple(lay_out(points, paid))


def needs_code(program: Program, points: int) -> bool:
    """Whether the customer confirms spending so many points (at scale) by a code."""
    above = program.spend.confirm_above
    return above is not None and points > program.to_points(above)


def _refused(program: Program, cart: Cart, terms: SpendTerms) -> str:
    partner = program.partners.get(cart.partner or "")
    if partner is not None and not partner.spend:
        return f"bonuses are not spent at {cart.partner}"
    if terms.receipt_at_least and cart.total < program.to_money(terms.receipt_at_least):
        return f"the receipt is below {terms.receipt_at_least} {program.currency}"
    return ""


def _payable(terms: SpendTerms, item: Item) -> bool:
    return (terms.only is None or terms.only.covers(item)) and not terms.exclude.covers(item)


def _of_account(program: Program, account: BonusAccount, cart: Cart, lines: Sequence[int]) -> int:
    payable = sum(_on_goods(account.goods, cart, lines))
    return program.points_for(min(payable, share(cart.total, account.share_at_most)))


def _shared(program: Program, cart: Cart, lines: Sequence[int]) -> SharedGoods | None:
    """The lines that accounts for some goods alone pay for; None where no two of them can meet."""
    limited = [it for it in program.accounts if it.goods is not None]
    if len(limited) < 2:
        return None
    covered = {
        it.name: frozenset(n for n, most in enumerate(_on_goods(it.goods, cart, lines)) if most)
        for it in limited
    }
    return SharedGoods(tuple(lines), covered, program.point_in_money)


def _on_goods(goods: Goods | None, cart: Cart, lines: Sequence[int]) -> Sequence[int]:
    if goods is None:
        return lines
    return [most if goods.covers(item) else 0 for item, most in zip(cart.items, lines, strict=True)]


def _reasons(cart: Cart, terms: SpendTerms, payable: Sequence[bool], most: int) -> tuple[str, ...]:
    """Why not the whole receipt."""
    found = []
    if most == share(cart.total, terms.share_at_most) < cart.total:
        found.append(f"at most {_percent(terms.share_at_most)} of a receipt is paid with bonuses")
    if not all(payable):
        skus = ", ".join(item.sku for item, may in zip(cart.items, payable, strict=True) if not may)
        found.append(f"bonuses may not pay for {skus}")
    if terms.line_share_at_most < 1:
        found.append(f"at most {_percent(terms.line_share_at_most)} of a line is paid with bonuses")
    return tuple(found)


def _percent(fraction: Decimal) -> str:
    return f"{(fraction * 100).normalize():f}%"
