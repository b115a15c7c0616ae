"""Receipts of a buyer that another account's book has: a member who left a household has such, and whoever
was merged. They count for levels and for rules about earlier purchases, and move no bonuses here.

And returns that another book has settled, of receipts in this one: their buyer was in a household meanwhile.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, or_, select

from core.earning import Share
from core.ledger.moving import MOVED
from core.ledger.writing import ENTRY, LOT, OPERATION
from core.program import Program
from core.program.versions import version
from core.purchases.cart import Item
from core.purchases.history import LINE, PURCHASE, RECEIPT


@dataclass(slots=True)
class Settled:
    """Of a receipt, what other books than its own have settled: thousandths that came back by line, points
    that were taken for them by account and rule, and points of the payment that were given back.
    """

    lines: Counter[int] = field(default_factory=Counter)
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    given_back: int = 0

    def add(self, data: Mapping[str, Any]) -> None:
        """A return, by its operation's data."""
        self.lines.update(dict(data["lines"]))
        self.taken.update({(account, rule): points for account, rule, points in data.get("taken", ())})
        self.given_back += data.get("given_back", 0)


class Elsewhere(NamedTuple):
    """A receipt: `total` in minor units, `points` that it earned; `rules` are those of its own time."""

    id: int
    operation_id: int
    buyer_id: int
    at: datetime
    total: int
    points: int
    rules: Program


def receipts_elsewhere(
    connection: Connection, buyers: Sequence[int], since: datetime, operations: Sequence[int]
) -> list[Elsewhere]:
    """Receipts of these buyers from a time on that other operations than these booked, by their times."""
    known = set(operations)
    columns = (
        RECEIPT.c.id, RECEIPT.c.operation_id, RECEIPT.c.customer_id, RECEIPT.c.at, RECEIPT.c.total,
        RECEIPT.c.earned_points, RECEIPT.c.program_version,
    )  # fmt: skip
    theirs = [RECEIPT.c.customer_id.in_(buyers), RECEIPT.c.at >= since, RECEIPT.c.returned_at.is_(None)]
    rows = select(*columns).where(*theirs).order_by(RECEIPT.c.at, RECEIPT.c.id)
    found = connection.execute(rows).all()
    others = [it for it in found if it.operation_id not in known]
    rules = {number: version(connection, number) for number in {it.program_version for it in others}}
    return [Elsewhere(*it[:-1], rules[it.program_version]) for it in others]


def given_on(connection: Connection, receipts: Sequence[Elsewhere]) -> dict[int, list[Share]]:
    """What each rule gave in the end on these receipts, by the receipt."""
    of = {it.operation_id: it.id for it in receipts}
    found: dict[int, list[Share]] = defaultdict(list)
    if not of:
        return found
    effective = func.coalesce(ENTRY.c.corrects, ENTRY.c.operation_id)
    theirs = or_(ENTRY.c.operation_id.in_(of), ENTRY.c.corrects.in_(of))
    rows = select(effective, ENTRY.c.rule, func.sum(ENTRY.c.amount)).join(LOT, LOT.c.id == ENTRY.c.lot_id)
    by_rule = rows.where(theirs, effective.in_(of), ENTRY.c.kind == "accrual", ENTRY.c.rule.is_not(None))
    by_rule = by_rule.where(LOT.c.reason == PURCHASE).group_by(effective, ENTRY.c.rule)
    for operation_id, rule, points in connection.execute(by_rule):
        found[of[operation_id]].append(Share(rule, "", int(points), ()))
    return found


def kept_of_them(connection: Connection, receipts: Sequence[Elsewhere]) -> dict[int, list[Item]]:
    """The lines of these receipts of which something was kept, by the receipt."""
    found: dict[int, list[Item]] = defaultdict(list)
    kept = LINE.c.receipt_id.in_([it.id for it in receipts]) & (LINE.c.returned < LINE.c.quantity)
    for line in connection.execute(select(LINE).where(kept)) if receipts else ():
        item = Item(line.sku, line.quantity, line.total, line.category, line.brand, line.discounted)
        found[line.receipt_id].append(item)
    return found


def returned_elsewhere(connection: Connection, operations: Sequence[Row[Any]]) -> Mapping[int, Settled]:
    """What came back to the books that a book's bonuses went to, by the receipt.

    `operations` are those of the book from a time on, in their order: only what moved since has taken the
    bonuses of a receipt from then along.
    """
    found: dict[int, Settled] = defaultdict(Settled)
    theirs, known = _went_to(operations), {it.customer_id for it in operations}
    while theirs := theirs - known:
        known |= theirs
        meant = [OPERATION.c.kind.in_(("return", *MOVED)), OPERATION.c.at >= operations[0].at]
        rows = connection.execute(
            select(OPERATION.c.kind, OPERATION.c.data).where(OPERATION.c.customer_id.in_(theirs), *meant)
        ).all()
        for row in rows:
            if row.kind == "return" and "lines" in row.data:
                found[row.data["receipt"]].add(row.data)
        theirs = _went_to(rows)
    return found


def _went_to(operations: Sequence[Row[Any]]) -> set[int]:
    receivers = (it.data.get("receiver_id") for it in operations if it.kind in MOVED)
    return {it for it in receivers if it is not None}
