"""Rows that go in, and their numbers."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_ignoring(connection: Connection, table: Table) -> Any:
    """`INSERT … ON CONFLICT DO NOTHING`; give it `.values(...)` or `.from_select(...)`."""
    return _insert(connection, table).on_conflict_do_nothing()


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
    statement = _insert(connection, table)
    return statement.on_conflict_do_update(
        index_elements=list(keys),
        set_={name: statement.excluded[name] for name in columns},
        where=statement.excluded[newer] >= table.c[newer] if newer else None,
    )


def _insert(connection: Connection, table: Table) -> Any:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


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
