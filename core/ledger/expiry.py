"""What happens to bonuses when their day is over."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, not_, select

from core.db import Database
from core.events import Happening, append
from core.ledger.book import Book
from core.ledger.lots import OpenLot
from core.ledger.writing import ENTRY, LOT, OPERATION
from core.program import Program

CHUNK = 1_000
# So long the bonuses of an import are its own to write off, which it does at its end.
OF_AN_IMPORT = timedelta(days=1)


def expire(database: Database, program: Program, at: datetime, *, all_history: bool = False) -> int:
    """Write off every lot that has ended by `at`, a thousand customers a transaction; returns how many lots.

    A lot is written off once, under its customer's lock, so that it can be interrupted and repeated. What
    is given back to a lot after its end is written off by the next run. History that was recorded within a
    day is left alone but for `all_history`: between two receipts of an import that is under way, an expiry
    would make the second a late one, for which everything is reckoned anew.
    """
    written = 0
    while (done := _expire_some(database, program, at, all_history=all_history)) is not None:
        written += done
    return written


def _expire_some(database: Database, program: Program, at: datetime, *, all_history: bool) -> int | None:
    """How many lots were written off; None when none is due."""
    # The day bounds the index range; the exact end decides. When a day is over in its zone, UTC shows that
    # day or the next.
    day = at.astimezone(UTC).date()
    due = select(LOT.c.customer_id).where(
        LOT.c.remaining > 0, LOT.c.expires_on <= day, LOT.c.expires_at <= at
    )
    if not all_history:
        fresh = not_(OPERATION.c.live) & (OPERATION.c.recorded_at > at - OF_AN_IMPORT)
        due = due.join(OPERATION, OPERATION.c.id == LOT.c.operation_id).where(not_(fresh))
    with database.write() as connection:
        customers = set(connection.scalars(due.limit(CHUNK)))
        if not customers:
            return None
        book = Book(connection, program, customers, at)
        lots = [lot for customer_id in sorted(customers) for lot in book.expired(customer_id, at)]
        _write_off(connection, book, lots, at)
        return len(lots)


def _write_off(connection: Connection, book: Book, lots: list[OpenLot], at: datetime) -> None:
    ids = [lot.id for lot in lots if lot.id is not None]
    chunks = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    before = {lot_id: times for chunk in chunks for lot_id, times in _earlier(connection, chunk).items()}
    history = {lot_id for chunk in chunks for lot_id in _history(connection, chunk)}
    live: list[Happening] = []
    past: list[Happening] = []
    for lot in lots:
        # It expired at the end of its day, whenever somebody came to write that down.
        times = before.get(lot.id or 0, 0)
        key = f"expiry:{lot.id}" if not times else f"expiry:{lot.id}:{times + 1}"
        when = at if times else lot.expires_at or at
        op = book.operation(lot.customer_id, "expiry", key, [lot.id], when, data={"lot": lot.id})
        book.expire(op, lot)
        (past if lot.id in history else live).append(book.happenings.pop())
    book.close()
    append(connection, live, at, live=True)
    append(connection, past, at, live=False)


def _earlier(connection: Connection, lot_ids: list[int]) -> dict[int, int]:
    """How often each lot has expired already: a return gives points back to lots that are over."""
    statement = select(ENTRY.c.lot_id, func.count().label("times")).where(
        ENTRY.c.lot_id.in_(lot_ids), ENTRY.c.kind == "expiry"
    )
    return {row.lot_id: row.times for row in connection.execute(statement.group_by(ENTRY.c.lot_id))}


def _history(connection: Connection, lot_ids: list[int]) -> set[int]:
    """Lots that were over before they were written down: imported history, whose expiry is no news."""
    recorded = LOT.c.operation_id == OPERATION.c.id
    statement = select(LOT.c.id).join(OPERATION, recorded).where(OPERATION.c.recorded_at >= LOT.c.expires_at)
    return set(connection.scalars(statement.where(LOT.c.id.in_(lot_ids))))
