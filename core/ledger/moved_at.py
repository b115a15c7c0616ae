"""Filling `account.moved_at` for accounts of before there was one (core.tables.moved_at)."""

from sqlalchemy import select, update

from core.db import Database
from core.db.parts import PART, parts_of
from core.tables import Account

ACCOUNT = Account.__table__  # type: ignore[attr-defined]


def fill(database: Database, part: int = PART) -> int:
    """Fill it on PostgreSQL, of so many customers at a time; returns how many were filled.

    On SQLite the migration did it at once. Broken off, it goes on where it was: until then a look asks the
    books of whoever has nothing.
    """
    if database.dialect == "sqlite":
        return 0
    filled, who = 0, ACCOUNT.c.customer_id
    for theirs in parts_of(database, who, part):
        # In the books of who was never given anything there is nothing to look up.
        missing = (theirs, ACCOUNT.c.last_at.is_not(None), ACCOUNT.c.moved_at.is_(None))
        with database.write() as connection:
            # In the order of all writers, so that none waits for the other.
            connection.execute(select(who).where(*missing).order_by(who).with_for_update())
            # Written as it is: the database looks up what is missing.
            found = connection.execute(update(ACCOUNT).where(*missing).values(total=ACCOUNT.c.total))
            filled += found.rowcount
    return filled
