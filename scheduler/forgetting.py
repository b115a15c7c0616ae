"""Forgetting once more: what was written of a person after they had been erased.

A look keeps what it read before the erasure, a sender hears of a message that had left, a bounce comes days
later. So whoever was erased of late is swept again, night by night for a week. What is forgotten already
stays as it is, and nothing is written.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, literal, or_, select, text, update

import campaigns.erasure
import wallet.erasure
from core.customers.erasure import wipes
from core.customers.profiles import CUSTOMER
from core.db import Database, UtcDateTime
from core.db.sets import among
from core.events import EVENT, Position, cursor, move_cursor

# A mail that cannot be delivered is given up after five days at most (RFC 5321, 4.5.4.1).
LATE = timedelta(days=7)
DAY = timedelta(days=1)
AT_ONCE = 500
# The cursor of the last day on which somebody swept.
SWEPT = "kept:erased"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def forget_again(database: Database, at: datetime) -> None:
    """Sweep after those who were erased within a week, or since the last sweep; once a day."""
    today = Position(0, (at - EPOCH) // DAY)
    with database.read() as connection:
        last = cursor(connection, SWEPT)
        if last is not None and last >= today:
            return
        ids = _erased_since(connection, EPOCH + last.event_id * DAY - LATE if last else EPOCH)
    for start in range(0, len(ids), AT_ONCE):
        with database.write() as connection:
            _sweep(connection, ids[start : start + AT_ONCE])
    with database.write() as connection:
        move_cursor(connection, SWEPT, today)


def _erased_since(connection: Connection, since: datetime) -> Sequence[int]:
    """Customers and the duplicates merged into them. Erasures are few: their events lead to them."""
    late = EVENT.c.recorded_at >= literal(since, UtcDateTime)
    events = select(EVENT.c.customer_id).where(EVENT.c.kind == "customer_erased", late)
    told = connection.scalars(events).all()
    mine = or_(among(CUSTOMER.c.id, told), among(CUSTOMER.c.merged_into, told))
    erased = select(CUSTOMER.c.id).where(mine, CUSTOMER.c.erased_at.is_not(None))
    return connection.scalars(erased.order_by(CUSTOMER.c.id)).all()


def _sweep(connection: Connection, ids: Sequence[int]) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA secure_delete = ON"))
    for wipe in (*wipes(ids), *campaigns.erasure.wipes(ids), *wallet.erasure.wipes(ids)):
        if wipe.values is None:
            connection.execute(delete(wipe.table).where(wipe.where))
        else:
            connection.execute(update(wipe.table).where(wipe.where).values(**wipe.values))
