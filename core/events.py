"""The stream of what happened: appended with every fact, read in commit order.

PostgreSQL hands out row ids before commit, so a row with a lower id may appear after one with a higher
id was read. Each event therefore keeps the number of its transaction, and a reader goes by
(transaction, id) and stops below the oldest transaction that still runs: nothing can appear behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal, select, text, tuple_, update

from core.db import upsert
from core.db.bulk import insert_rows
from core.fact import fact
from core.tables import Cursor, Event

EVENT = Event.__table__  # type: ignore[attr-defined]
CURSOR = Cursor.__table__  # type: ignore[attr-defined]

# What the service notes of a customer by itself, beside what a trigger of its own answers (a purchase, an
# accrual, a card): a scenario may wait for them by their names.
NOTED = (
    "bonus_corrected", "bonus_taken_back", "card_reissued", "card_revoked", "consent_given",
    "consent_withdrawn", "customer_joined", "customer_merged", "household_headed", "household_joined",
    "household_left", "invited", "profile_changed", "promo_code", "referred",
)  # fmt: skip


@fact
class Happening:
    """An event about to be appended. `subject` names what it is about (a receipt, an operation, a tier)."""

    customer_id: int
    kind: str
    at: datetime
    subject: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the stream: everything up to and including it was read."""

    transaction: int
    event_id: int


START = Position(0, 0)


def append(
    connection: Connection, happenings: Sequence[Happening], recorded_at: datetime, *, live: bool
) -> None:
    """Append in the caller's transaction. `live=False` is history, which triggers nothing."""
    rows = [(it.customer_id, it.kind, it.subject, live, it.at, recorded_at, it.data) for it in happenings]
    columns = ("customer_id", "kind", "subject", "live", "at", "recorded_at", "data")
    insert_rows(connection, EVENT, columns, rows)


def horizon(connection: Connection) -> Position:
    """The furthest place that may be read now without losing a transaction that commits late."""
    if connection.dialect.name == "sqlite":
        return Position(0, connection.scalar(select(func.coalesce(func.max(EVENT.c.id), 0))) or 0)
    oldest = connection.scalar(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"))
    return Position(int(oldest or 0) - 1, 2**62)


def between(after: Position, upto: Position) -> ColumnElement[bool]:
    """The condition on `event` for everything after one place, up to and including another."""
    first_id, last_id = literal(after.event_id), literal(upto.event_id)
    if after.transaction == upto.transaction:  # always so on SQLite, which does not seek by pairs
        inside = EVENT.c.transaction == literal(after.transaction)
        return and_(inside, EVENT.c.id > first_id, EVENT.c.id <= last_id)
    place = tuple_(EVENT.c.transaction, EVENT.c.id)
    first = tuple_(literal(after.transaction), first_id)
    last = tuple_(literal(upto.transaction), last_id)
    return and_(place > first, place <= last)


def cursor(connection: Connection, reader: str) -> Position | None:
    """Where a reader stands; None if it never read."""
    row = connection.execute(select(CURSOR).where(CURSOR.c.reader == reader)).first()
    return Position(row.transaction, row.event_id) if row else None


def move_cursor(connection: Connection, reader: str, position: Position) -> None:
    """Remember how far a reader has come, in the transaction that did the reading's work."""
    statement = upsert(connection, CURSOR, ["reader"], ["transaction", "event_id"])
    values = {"reader": reader, "transaction": position.transaction, "event_id": position.event_id}
    connection.execute(statement.values(**values))


def number_anew(connection: Connection) -> bool:
    """After a restore into another PostgreSQL cluster, where transactions are numbered from the beginning.

    What was kept gets the number 0, as on SQLite, and readers stand where they stood; true if that was
    needed. An event that committed late, behind one of a higher id that was read, counts as read.
    """
    if connection.dialect.name == "sqlite":
        return False
    # A reader may stand beyond the last event.
    numbers = (EVENT.c.transaction, CURSOR.c.transaction)
    highest = max(connection.scalar(select(func.max(number))) or 0 for number in numbers)
    if highest <= (connection.scalar(text("SELECT pg_current_xact_id()::text::bigint")) or 0):
        return False
    for row in connection.execute(select(CURSOR).where(CURSOR.c.transaction > 0)).all():
        read = tuple_(EVENT.c.transaction, EVENT.c.id) <= tuple_(row.transaction, row.event_id)
        last = connection.scalar(select(func.max(EVENT.c.id)).where(read)) or 0
        move_cursor(connection, row.reader, Position(0, last))
    connection.execute(update(EVENT).where(EVENT.c.transaction > 0).values(transaction=0))
    return True
