"""What a replay changes beside the ledger: receipts that earn otherwise now, levels, and an event of it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, update

from core import tiers
from core.db.bulk import set_columns
from core.db.hot import Hot
from core.events import Happening
from core.ledger.book import Book
from core.ledger.replay import Replayed
from core.ledger.writing import INSTANT
from core.purchases.booking import Effect
from core.purchases.stored import LINE, RECEIPT

_AMOUNTS = Hot(
    RECEIPT.c.id, RECEIPT.c.total, RECEIPT.c.paid_points, RECEIPT.c.earned_points,
    tail="FROM receipt WHERE id {ids}",
)  # fmt: skip
_LAID = Hot(
    LINE.c.receipt_id, LINE.c.line, LINE.c.earned_points,
    tail="FROM receipt_line WHERE receipt_id {ids} ORDER BY receipt_id, line",
)  # fmt: skip


def rewrite(book: Book, replayed: Replayed) -> list[Happening]:
    """Bring receipts and levels to what the replay found, in the caller's transaction; its events."""
    effects = {it.receipt_id: replayed.effects[name] for name, it in replayed.bought.items()}
    _receipts(book, {i: it for i, it in effects.items() if i is not None and isinstance(it, Effect)})
    happenings = []
    for buyer_id, moves in sorted(replayed.moves.items()):
        before = replayed.since - INSTANT
        happenings += tiers.rewrite(book.connection, book.program, buyer_id, before, moves, book.recorded_at)
    net = sum(replayed.corrected.values())
    if net and replayed.by:
        op = replayed.by
        happenings.append(Happening(op.customer_id, "bonus_corrected", op.at, op.key, {"amount": net}))
    return happenings


def _receipts(book: Book, effects: Mapping[int, Effect]) -> None:
    """Effects by the receipt's id: what is otherwise than it stands is written."""
    ids = sorted(effects)
    before = {row[0]: row[1:] for row in _AMOUNTS(book.connection, ids)}
    new = {i: (it.money, sum(it.paid), it.points) for i, it in effects.items()}
    changed = [(i, *new[i]) for i in ids if new[i] != before[i]]
    set_columns(book.connection, RECEIPT, "id", ("total", "paid_points", "earned_points"), changed)
    # As many points may lie on other lines now.
    rows: list[dict[str, Any]] = [
        {"receipt_": i, "line_": number, "earned_": effects[i].lines[number - 1]}
        for i, number, points in _LAID(book.connection, ids)
        if effects[i].lines[number - 1] != points
    ]
    if rows:
        line = update(LINE).where(
            LINE.c.receipt_id == bindparam("receipt_"), LINE.c.line == bindparam("line_")
        )
        book.connection.execute(line.values(earned_points=bindparam("earned_")), rows)
