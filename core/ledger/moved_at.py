"""Filling `account.moved_at` for accounts of before there was one (core.tables.moved_at)."""

from sqlalchemy import func, select, update

from core.db import Database
from core.tables import Account

ACCOUNT = Account.__table__  # type: ignore[attr-defined]
# Accounts that one transaction holds while others go on writing: a fifth of a second.
PART = 5_000


def fill(database: Database, part: int = PART) -> int:
    """Fill it on PostgreSQL, of so many customers at a time; returns how many were filled.

    On SQLite the migration did it at once. Broken off, it goes on where it was: until then a look asks the
    books of whoever has nothing.
    """
    if database.dialect == "sqlite":
        return 0
    with database.read() as connection:
        last = connection.scalar(select(func.max(ACCOUNT.c.customer_id))) or 0
    filled = 0
    for low in range(1, last + 1, part):
        who = ACCOUNT.c.customer_id
        # In the books of who was never given anything there is nothing to look up.
        moved = (ACCOUNT.c.last_at.is_not(None), ACCOUNT.c.moved_at.is_(None))
        missing = (who >= low, who < low + part, *moved)
        with database.write() as connection:
            # In the order of all writers, so that none waits for the other.
            connection.execute(select(who).where(*missing).order_by(who).with_for_update())
            # Written as it is: the database looks up what is missing.
            found = connection.execute(update(ACCOUNT).where(*missing).values(total=ACCOUNT.c.total))
            filled += found.rowcount
    return filled
