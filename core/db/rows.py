"""Rows that go in, and their numbers."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_ignoring(connection: Connection, table: Table) -> Any:
    """`INSERT … ON CONFLICT DO NOTHING`; give it `.values(...)` or `.from_select(...)`."""
    return _ignoring(connection.dialect.name, table)


def upsert(
    connection: Connection,
    table: Table,
    keys: Sequence[str],
    columns: Iterable[str],
    newer: str | None = None,
) -> Any:
    """`INSERT … ON CONFLICT (keys) DO UPDATE SET column = new value` for `columns`.

    With `newer`, a row whose column of that name is older than the stored one changes nothing.
    """
    return _upsert(connection.dialect.name, table, tuple(keys), tuple(columns), newer)


# What is built once may be used again: whatever is called on a statement makes another one of it.
@lru_cache(maxsize=256)
def _ignoring(dialect: str, table: Table) -> Any:
    return _insert(dialect, table).on_conflict_do_nothing()


@lru_cache(maxsize=256)
def _upsert(
    dialect: str, table: Table, keys: tuple[str, ...], columns: tuple[str, ...], newer: str | None
) -> Any:
    statement = _insert(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=list(keys),
        set_={name: statement.excluded[name] for name in columns},
        where=statement.excluded[newer] >= table.c[newer] if newer else None,
    )


def _insert(dialect: str, table: Table) -> Any:
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)


def insert_many(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of one shape; nothing for none."""
    if rows:
        connection.execute(table.insert(), rows)


def allocate(connection: Connection, table: Table, count: int) -> Sequence[int]:
    """`count` unused ids of `table`, rising, so that rows which refer to each other go in together.

    Ids come from the sequence on PostgreSQL; on SQLite the caller holds the only write lock.
    """
    return ask_ids(connection, table, count)()


def ask_ids(connection: Connection, table: Table, count: int) -> Callable[[], Sequence[int]]:
    """The same, asked now and read later (`core.db.bulk.piped`)."""
    if count == 0:
        return tuple
    own: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return lambda: _following(own, table, count)
    from core.db.bulk import asked  # which needs this module

    statement = f"SELECT nextval('{table.name}_id_seq') FROM generate_series(1, (SELECT $1))"  # noqa: S608
    answer = asked(connection, statement, (count,))
    return lambda: [number for (number,) in answer()]


def _following(own: sqlite3.Connection, table: Table, count: int) -> Sequence[int]:
    [(highest,)] = own.execute(f"SELECT COALESCE(MAX(id), 0) FROM {table.name}").fetchall()  # noqa: S608
    return range(highest + 1, highest + 1 + count)
