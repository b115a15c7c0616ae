"""Filling `customer.opted_in` for customers of before the database kept it (core.tables.opted_in)."""

from sqlalchemy import ColumnElement, Connection, String, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from core.customers.consent import MARKETING
from core.db import Database
from core.db.parts import PART, parts_of
from core.tables import Consent, Customer

CONSENT = Consent.__table__  # type: ignore[attr-defined]
CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
GRANTED = (CONSENT.c.purpose == MARKETING, CONSENT.c.granted)


def fill(database: Database, part: int = PART) -> int:
    """Fill it on PostgreSQL, so many customers at a time; returns how many were filled.

    On SQLite the migration did it at once. Broken off, it goes on where it was: until then looks ask
    `consent` itself of whoever has nothing.
    """
    if database.dialect == "sqlite":
        return 0
    filled = 0
    for theirs in parts_of(database, CUSTOMER.c.id, part):
        with database.write() as connection:
            filled += _fill(connection, theirs)
    return filled


def _fill(connection: Connection, theirs: ColumnElement[bool]) -> int:
    missing = (theirs, CUSTOMER.c.opted_in.is_(None))
    # Held first: what they choose meanwhile is chosen before the next statement reads it, or after.
    held = select(CUSTOMER.c.id).where(*missing).order_by(CUSTOMER.c.id)
    connection.execute(held.with_for_update(key_share=True))
    space = literal_column("' '", String)
    in_order = aggregate_order_by(space, CONSENT.c.channel.collate("C"))
    channels = func.coalesce(space + func.string_agg(CONSENT.c.channel, in_order) + space, "")
    # Looked up for each: joined, a planner that expects few of them asks all of the part for each one.
    said = select(channels).where(CONSENT.c.customer_id == CUSTOMER.c.id, *GRANTED).scalar_subquery()
    return connection.execute(update(CUSTOMER).where(*missing).values(opted_in=said)).rowcount
