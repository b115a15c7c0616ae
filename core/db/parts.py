"""A large table, part by part: what is filled in while others go on writing."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, and_, func, select

from core.db.database import Database

# Rows that one transaction holds while others wait for them: a fifth of a second, or less.
PART = 10_000


def parts_of(
    database: Database, number: ColumnElement[int], part: int = PART
) -> Iterator[ColumnElement[bool]]:
    """Which rows are in each part of so many numbers, up to the last one that is there now."""
    with database.read() as connection:
        last = connection.scalar(select(func.max(number))) or 0
    for low in range(1, last + 1, part):
        yield and_(number >= low, number < low + part)
