"""What the goods of a receipt in a closed book still earn when some of them come back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, or_, select

from core.earning import Share, keep
from core.ledger.book import Book
from core.ledger.moving import MOVED
from core.ledger.writing import ENTRY, INSTANT, LOT, OPERATION
from core.money import lay_out
from core.purchases.booking import Bought
from core.purchases.cart import all_back
from core.purchases.closed_books import did
from core.purchases.history import PURCHASE, BuyerPast, past_before
from core.purchases.stored import bought_of
from core.tiers import standing_at

# Points by account and rule.
Given = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Left:
    """What the rules of then say of a receipt of which some goods came back; `prices` (minor units) are
    those of what is left, line by line.
    """

    shares: Mapping[str, Share]
    prices: tuple[int, ...]

    def of(self, given: Given, whole: "Left") -> Given:
        """Of what each rule gave for `whole`, what stays; of one that the rules know no more, the part of the
        goods' price.
        """
        if _by(1, given) == {name: it.points for name, it in whole.shares.items()}:
            return {(it.account, name): it.points for name, it in self.shares.items()}
        return {key: self._part(key[1], points, whole) for key, points in given.items()}

    def _part(self, rule: str, points: int, whole: "Left") -> int:
        if rule not in whole.shares:
            return points * sum(self.prices) // max(1, sum(whole.prices))
        return points * self.shares[rule].points // whole.shares[rule].points if rule in self.shares else 0

    def lay(self, given: Given) -> list[int]:
        """These points on the lines."""
        weights = {name: it.lines for name, it in self.shares.items()}
        lines = [lay_out(points, weights.get(rule, self.prices)) for (_, rule), points in given.items()]
        return [sum(line) for line in zip(*lines, strict=True)] if lines else [0] * len(self.prices)


def still_earned(
    book: Book, receipt: Row[Any], lines: Sequence[Row[Any]], back: Mapping[int, int]
) -> tuple[list[int], dict[tuple[str, str], int]]:
    """What each line has earned when so much more comes back, and what therefore goes, by account and rule.

    `lines` are as they were before. It depends on how much came back in all, not on how often.
    """
    bought, given = _booked(book, receipt), _given(book, receipt.operation_id)
    before = replace(bought, returned=tuple(it.returned for it in lines))
    after = replace(bought, returned=tuple(it.returned + back.get(it.line, 0) for it in lines), elsewhere=())
    past = past_before(book.connection, bought.buyer_id, bought.cart.at)
    standings = standing_at(book.connection, bought.program, [bought.buyer_id], bought.cart.at - INSTANT)
    past.tier = standings[bought.buyer_id].tier
    # The book knows of what had come back when it was closed.
    whole, left = _left(before.here, past), _left(after, past)
    was, now = _left(before, past).of(given, whole), left.of(given, whole)
    earned = int(receipt.earned_points)
    # Nobody is given more for bringing goods back.
    laid = left.lay(now) if sum(now.values()) <= earned else lay_out(earned, left.lay(now))
    gone = Counter(was) - Counter(now) or Counter(given)
    names = sorted(gone)
    parts = lay_out(earned - sum(laid), [gone[name] for name in names])
    return laid, dict(zip(names, parts, strict=True))


def _booked(book: Book, receipt: Row[Any]) -> Bought:
    mine = [OPERATION.c.customer_id == receipt.booked, OPERATION.c.at >= receipt.at]
    meant = or_(OPERATION.c.id == receipt.operation_id, OPERATION.c.kind.in_(MOVED))
    rows = select(OPERATION).where(*mine, meant).order_by(OPERATION.c.at, OPERATION.c.id)
    return bought_of(book.connection, book.connection.execute(rows).all())[receipt.operation_id]


def _given(book: Book, operation_id: int) -> Given:
    rules = (LOT.c.account, ENTRY.c.rule)
    given = did(operation_id, "accrual", *rules).where(LOT.c.reason == PURCHASE).group_by(*rules)
    rows = book.connection.execute(given.order_by(*rules))
    return {(row.account, row.rule or ""): int(row.points) for row in rows if row.points > 0}


def _left(bought: Bought, past: BuyerPast) -> Left:
    cart, back = bought.cart, bought.returned
    if any(back) and all_back(cart.items, back):
        return Left({}, (0,) * len(cart.items))
    earned = keep(bought.program, cart, past, bought.left)
    return Left({it.rule: it for it in earned.shares}, bought.kept([it.total for it in cart.items]))


def _by(part: int, given: Given) -> Counter[str]:
    """Points by account (0) or rule (1)."""
    found = Counter[str]()
    for key, points in given.items():
        found[key[part]] += points
    return found
