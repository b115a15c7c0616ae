"""How what happened in a book becomes rows: operations, lots, entries, balances, each in one statement."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from core.db import ask_ids
from core.db.bulk import COPY_FROM, insert_rows, piped, set_columns
from core.ledger.lots import Op, OpenLot
from core.tables import Account, Entry, Lot, Operation

if TYPE_CHECKING:
    from core.ledger.book import Book

ACCOUNT = Account.__table__  # type: ignore[attr-defined]
ENTRY = Entry.__table__  # type: ignore[attr-defined]
LOT = Lot.__table__  # type: ignore[attr-defined]
OPERATION = Operation.__table__  # type: ignore[attr-defined]

OPERATION_COLUMNS = (
    "id", "customer_id", "kind", "key", "digest", "program_version", "live", "partner", "author", "result",
    "data", "at", "recorded_at",
)  # fmt: skip
LOT_COLUMNS = (
    "id", "customer_id", "operation_id", "slot", "account", "partner", "reason", "amount", "remaining",
    "active_from", "expires_on", "expires_at", "first_expires_on",
)  # fmt: skip
ENTRY_COLUMNS = (
    "customer_id", "operation_id", "corrects", "lot_id", "kind", "amount", "rule", "program_version", "at",
    "recorded_at",
)  # fmt: skip
# The least by which two times differ.
INSTANT = timedelta(microseconds=1)
# What may change of a lot; most often it is what remains, and nothing else.
LOT_CHANGES = ("amount", "remaining", "active_from", "expires_on", "expires_at")
changeable = attrgetter(*LOT_CHANGES)


def write(book: "Book", beside: Callable[[], None] | None, *, waits: bool) -> None:
    """Write it all, in the caller's transaction."""
    ops = [op for op in book.ops if op.id is None]
    lots = [lot for lot in book.changed if lot.id is None]
    _number(book, ops, lots)
    with piped(book.connection, when=not waits and len(ops) + len(lots) < COPY_FROM):
        _operations(book, ops)
        _lots(book, lots)
        _entries(book)
        _balances(book)
        if beside:
            beside()


def _number(book: "Book", ops: Sequence[Op], lots: Sequence[OpenLot]) -> None:
    op_ids, lot_ids = [*book.numbers[OPERATION]()], [*book.numbers[LOT]()]
    book.numbers = dict.fromkeys(book.numbers, tuple)
    with piped(book.connection):
        more_ops = ask_ids(book.connection, OPERATION, max(0, len(ops) - len(op_ids)))
        more_lots = ask_ids(book.connection, LOT, max(0, len(lots) - len(lot_ids)))
        op_ids += more_ops()
        lot_ids += more_lots()
    for op, op_id in zip(ops, op_ids, strict=False):
        op.id = op_id
    for lot, lot_id in zip(lots, lot_ids, strict=False):
        lot.id = lot_id


def _operations(book: "Book", new: Sequence[Op]) -> None:
    rows = [
        (op.id, op.customer_id, op.kind, op.key, op.digest, op.program_version, op.live, op.partner,
         op.author, op.result, dict(op.data), op.at, book.recorded_at)
        for op in new
    ]  # fmt: skip
    insert_rows(book.connection, OPERATION, OPERATION_COLUMNS, rows)


def _lots(book: "Book", new: Sequence[OpenLot]) -> None:
    fresh = set(new)
    old = [lot for lot in book.changed if lot not in fresh]
    changed = [(lot.id, *changeable(lot)) for lot in old]
    set_columns(book.connection, LOT, "id", LOT_CHANGES, changed)
    rows = [
        (lot.id, lot.customer_id, lot.operation.id if lot.operation else lot.operation_id, lot.slot,
         lot.account, lot.partner, lot.reason, lot.amount, lot.remaining, lot.active_from, lot.expires_on,
         lot.expires_at, lot.first_expires_on)
        for lot in new
    ]  # fmt: skip
    insert_rows(book.connection, LOT, LOT_COLUMNS, rows)
    for lot in new:
        # An operation knows its lots: a circle, which only a search of everything in memory would free.
        if lot.operation:
            lot.operation_id, lot.operation = lot.operation.id, None


def _entries(book: "Book") -> None:
    rows: list[tuple[Any, ...]] = [
        (op.customer_id, op.id, None, lot.id, kind, points, rule, op.program_version, op.at, book.recorded_at)
        for op in book.ops
        for lot, kind, points, rule in op.movements
    ]
    rows += [
        (it.by.customer_id, it.by.id, it.corrects, it.lot.id, it.kind, it.points, it.rule, it.program_version,
         it.by.at, book.recorded_at)
        for it in book.corrections
    ]  # fmt: skip
    insert_rows(book.connection, ENTRY, ENTRY_COLUMNS, rows)


def _balances(book: "Book") -> None:
    latest: dict[int, datetime] = {}
    for op in book.ops:
        last = latest.get(op.customer_id) or book.last_at[op.customer_id]
        latest[op.customer_id] = max(last, op.at) if last else op.at
    moved = _moved(book, latest)
    rows = [(i, book.totals[i], at, moved[i]) for i, at in sorted(latest.items())]
    set_columns(book.connection, ACCOUNT, "customer_id", ("total", "last_at", "moved_at"), rows)
    book.last_at |= latest
    book.moved_at |= moved


def _moved(book: "Book", who: Collection[int]) -> dict[int, datetime | None]:
    """Until when each balance may have risen; None stays unknown.

    It always changes: where it does not, PostgreSQL takes it for a balance whose writer knows nothing of it,
    and asks the books (core.tables.moved_at).
    """
    moved: dict[int, datetime | None] = {}
    for customer_id in who:
        before = book.moved_at[customer_id]
        moved[customer_id] = max(before + INSTANT, book.recorded_at) if before else None
    for lot in book.changed:
        known = moved.get(lot.customer_id)
        if known and lot.active_from > known:
            moved[lot.customer_id] = lot.active_from
    return moved
