"""Bonuses that go from one account to another: as many, of the same accounts, with the same expiry.

What arrives is a lot for each lot that it left, so that nobody gains or loses a day.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from core.ledger.book import Book
from core.ledger.lots import Op, OpenLot
from core.ledger.writing import ENTRY, LOT, OPERATION
from core.program.lifetime import Life

# Under this key an operation says that nothing was to remain, also of what a return brings later.
ALL = "all"
# How the keys of the two sides end, and the kinds that move everything.
OUT, IN = ":out", ":in"
MOVED = ("household", "merge")


def pair(
    book: Book, giver: int, receiver: int, kind: str, key: str, body: object, at: datetime, *,
    author: str | None = None, data: Mapping[str, Any] | None = None,
) -> tuple[Op, Op]:  # fmt: skip
    """Two operations that belong together: what leaves (`key`:out) and what arrives (`key`:in)."""
    leaving = book.operation(giver, kind, f"{key}{OUT}", body, at, author=author, data=data)
    arriving = book.operation(receiver, kind, f"{key}{IN}", body, at, author=author, data=data)
    return leaving, arriving


def arrive(book: Book, leaving: Op, arriving: Op, reason: str | None = None) -> None:
    """Let what left lots come into lots of the same kind; `reason` None keeps that of each lot."""
    for number, (lot, _, points, _) in enumerate(list(leaving.movements)):
        if points < 0:
            life = Life(lot.active_from, lot.expires_on, lot.expires_at)
            book.accrue(
                arriving, -points, reason=reason or lot.reason, life=life, account=lot.account,
                slot=str(number), partner=lot.partner,
            )  # fmt: skip


def move_all(
    book: Book, giver: int, receiver: int, kind: str, key: str, at: datetime, *,
    author: str | None = None, data: Mapping[str, Any] | None = None,
) -> tuple[Op, int]:  # fmt: skip
    """Everything that is open goes over, debts too; returns the giver's operation and the points, less debts.

    It is no news to the customer: nobody earned or spent anything. What has ended stays, and expires there.
    """
    when = max(book.moment(giver, at), book.moment(receiver, at))
    sides = {"sender_id": giver, "receiver_id": receiver}
    leaving, arriving = pair(
        book, giver, receiver, kind, key, [giver, receiver], when, author=author,
        data=sides | dict(data or {}),
    )  # fmt: skip
    told = len(book.happenings)
    debt = book.debt(giver)
    for lot in _open(book, giver, when):
        book.enter(leaving, lot, kind, -lot.remaining, None)
    arrive(book, leaving, arriving)
    if debt:
        book.redeem(arriving, debt, kind=kind, owing=True)
    del book.happenings[told:]
    return leaving, -sum(points for _, _, points, _ in leaving.movements)


def became(connection: Connection, lots: Collection[int]) -> dict[int, int]:
    """The lots that these became in other accounts, each with the one that it was at first; those too."""
    found = {lot: lot for lot in lots}
    left = dict(found)
    while left:
        arrived = {}
        for row in _left(connection, list(left)):
            into = row.key.removesuffix(OUT) + IN
            there = select(LOT.c.id).join(OPERATION, OPERATION.c.id == LOT.c.operation_id)
            one = connection.scalar(there.where(OPERATION.c.key == into, LOT.c.slot == str(row.number)))
            if one is not None:
                arrived[one] = left[row.lot_id]
        left = {lot: first for lot, first in arrived.items() if lot not in found}
        found |= left
    return found


def _left(connection: Connection, lots: Collection[int]) -> Sequence[Row[Any]]:
    """What of these lots was moved with all else: the `lot_id`, and the `number` of its movement in the
    operation of that `key`.
    """
    meant = ENTRY.c.kind.in_(MOVED) & ENTRY.c.corrects.is_(None) & (ENTRY.c.amount < 0)
    moved = select(ENTRY.c.operation_id).where(ENTRY.c.lot_id.in_(lots), meant)
    number = func.row_number().over(partition_by=ENTRY.c.operation_id, order_by=ENTRY.c.id) - 1
    every = select(ENTRY.c.lot_id, ENTRY.c.operation_id, number.label("number")).where(
        ENTRY.c.operation_id.in_(moved), ENTRY.c.corrects.is_(None)
    )  # fmt: skip
    placed = every.subquery("placed")
    joined = select(placed.c.lot_id, placed.c.number, OPERATION.c.key).join(
        OPERATION, OPERATION.c.id == placed.c.operation_id
    )
    return connection.execute(joined.where(placed.c.lot_id.in_(lots))).all()


def is_empty(book: Book, account: int, at: datetime) -> bool:
    """Nothing is open there."""
    return not _open(book, account, at)


def write_off(book: Book, op: Op) -> int:
    """Let everything that remains go, debts too; returns the points, less debts."""
    lots = [lot for lot in book.lots[op.customer_id] if lot.remaining]
    gone = sum(lot.remaining for lot in lots)
    for lot in lots:
        book.enter(op, lot, op.kind, -lot.remaining, None)
    return gone


def _open(book: Book, account: int, at: datetime) -> list[OpenLot]:
    return [lot for lot in book.lots[account] if lot.remaining and not (lot.remaining > 0 and lot.ended(at))]
