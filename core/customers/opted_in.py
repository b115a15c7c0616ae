"""Filling `customer.opted_in` for customers of before the database kept it (core.tables.opted_in)."""

from sqlalchemy import Connection, String, and_, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from core.customers.consent import MARKETING
from core.db import Database
from core.tables import Consent, Customer

CONSENT = Consent.__table__  # type: ignore[attr-defined]
CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
GRANTED = (CONSENT.c.purpose == MARKETING, CONSENT.c.granted)
# Customers whose rows one transaction holds while others go on writing: a fifth of a second.
PART = 10_000


def fill(database: Database, part: int = PART) -> int:
    """Fill it on PostgreSQL, so many customers at a time; returns how many were filled.

    On SQLite the migration did it at once. Broken off, it goes on where it was: until then looks ask
    `consent` itself of whoever has nothing.
    """
    if database.dialect == "sqlite":
        return 0
    with database.read() as connection:
        last = connection.scalar(select(func.max(CUSTOMER.c.id))) or 0
    filled = 0
    for low in range(1, last + 1, part):
        with database.write() as connection:
            filled += _fill(connection, low, low + part)
    return filled


def _fill(connection: Connection, low: int, high: int) -> int:
    """Of the customers with an id from `low` on, below `high`."""
    missing = (CUSTOMER.c.id >= low, CUSTOMER.c.id < high, CUSTOMER.c.opted_in.is_(None))
    # Held first: what they choose meanwhile is chosen before the next statement reads it, or after.
    held = select(CUSTOMER.c.id).where(*missing).order_by(CUSTOMER.c.id)
    connection.execute(held.with_for_update(key_share=True))
    space = literal_column("' '", String)
    in_order = aggregate_order_by(space, CONSENT.c.channel.collate("C"))
    channels = space + func.string_agg(CONSENT.c.channel, in_order) + space
    said = (
        select(CUSTOMER.c.id, func.coalesce(channels, "").label("channels"))
        .outerjoin(CONSENT, and_(CONSENT.c.customer_id == CUSTOMER.c.id, *GRANTED))
        .where(CUSTOMER.c.id >= low, CUSTOMER.c.id < high)
        .group_by(CUSTOMER.c.id)
        .subquery()
    )
    mine = update(CUSTOMER).where(CUSTOMER.c.id == said.c.id, *missing)
    return connection.execute(mine.values(opted_in=said.c.channels)).rowcount
