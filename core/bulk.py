"""Many rows at once, by the shortest way that each database has.

SQLAlchemy prepares every row of an `executemany` in Python, which costs more than SQLite's own work. Here
the statement and the conversions of its columns are worked out once a shape; PostgreSQL takes long
batches by COPY. Same transaction, same constraints, same errors as through SQLAlchemy.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import JSON, Date

from core.db import UtcDateTime

# Below this, COPY's extra messages cost more than they save.
COPY_FROM = 50
# SQLite takes 32,766 parameters in a statement.
IN_A_LIST = 5_000

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Shape:
    """How rows of some columns go into a table: the statements, and the columns that are converted."""

    insert: str
    copy: str
    convert: tuple[tuple[int, Callable[[Any], Any]], ...]


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert `rows`, tuples in the order of `columns`; nothing for none."""
    if not rows:
        return
    shape = _shape(connection.dialect.name, table, tuple(columns))
    ready = _converted(shape, rows)
    if connection.dialect.name == "sqlite" or len(rows) < COPY_FROM:
        connection.exec_driver_sql(shape.insert, ready)
    else:
        _copy(connection, shape.copy, ready)


def set_column(
    connection: Connection, table: Table, key: str, column: str, values: Sequence[tuple[int, int]]
) -> None:
    """Set an integer column of many rows: (key, value) pairs; nothing for none."""
    if not values:
        return
    name, key_, column_ = _quoted(table.name), _quoted(key), _quoted(column)
    if connection.dialect.name == "sqlite":
        statement = f"UPDATE {name} SET {column_} = ? WHERE {key_} = ?"  # noqa: S608 - names of our own tables
        connection.exec_driver_sql(statement, [(value, row_key) for row_key, value in values])
        return
    pairs = "unnest(%s::bigint[], %s::bigint[]) AS new (key, value)"
    statement = f"UPDATE {name} SET {column_} = new.value FROM {pairs} WHERE {name}.{key_} = new.key"  # noqa: S608
    connection.exec_driver_sql(statement, ([it for it, _ in values], [it for _, it in values]))


def rows_of(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    key: str,
    values: Sequence[str] | Sequence[int],
) -> Iterator[Row]:
    """The rows whose `key` is among `values`; for columns that need no conversion (text, integers)."""
    if not values:
        return
    names = ", ".join(_quoted(column) for column in columns)
    chosen = f"SELECT {names} FROM {_quoted(table.name)} WHERE {_quoted(key)}"  # noqa: S608 - as above
    if connection.dialect.name != "sqlite":
        kind = "text" if isinstance(values[0], str) else "bigint"
        yield from connection.exec_driver_sql(f"{chosen} = ANY(%s::{kind}[])", (list(values),)).all()
        return
    for start in range(0, len(values), IN_A_LIST):
        some = tuple(values[start : start + IN_A_LIST])
        marks = ", ".join("?" * len(some))
        yield from connection.exec_driver_sql(f"{chosen} IN ({marks})", some).all()


@lru_cache(maxsize=256)
def _shape(dialect: str, table: Table, columns: tuple[str, ...]) -> _Shape:
    name = _quoted(table.name)
    names = ", ".join(_quoted(column) for column in columns)
    marks = ", ".join(["?" if dialect == "sqlite" else "%s"] * len(columns))
    converters = [(i, _converter(dialect, table.c[column].type)) for i, column in enumerate(columns)]
    return _Shape(
        f"INSERT INTO {name} ({names}) VALUES ({marks})",  # noqa: S608 - names of our own tables
        f"COPY {name} ({names}) FROM STDIN",
        tuple((i, convert) for i, convert in converters if convert is not None),
    )


def _quoted(name: str) -> str:
    """A name as both databases read it: `transaction`, `key` and `at` are words of SQL."""
    return f'"{name}"'


def _converter(dialect: str, kind: Any) -> Callable[[Any], Any] | None:
    if isinstance(kind, JSON):
        return _json
    if isinstance(kind, UtcDateTime):
        return sqlite_time if dialect == "sqlite" else _aware
    return _sqlite_date if dialect == "sqlite" and isinstance(kind, Date) else None


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False) if value else "{}"


# A batch's rows share their times: a purchase's stands in six tables, a day's end in many lots.
@lru_cache(maxsize=8192)
def sqlite_time(value: datetime | None) -> str | None:
    """A time as SQLite keeps it (core.db.UtcDateTime)."""
    if value is None:
        return None
    if value.tzinfo is not UTC:
        value = cast(datetime, _aware(value)).astimezone(UTC)
    return value.isoformat(" ", "microseconds")[:26]


def _aware(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise ValueError(f"a time without a zone reached the database: {value}")
    return value


def _sqlite_date(value: date | None) -> str | None:
    return value.isoformat() if value else None


def _converted(shape: _Shape, rows: Sequence[Row]) -> Sequence[Row]:
    if not shape.convert:
        return rows
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for i, convert in shape.convert:
        columns[i] = [convert(value) for value in columns[i]]
    return list(zip(*columns, strict=True))


def _copy(connection: Connection, statement: str, rows: Sequence[Row]) -> None:
    cursor: Any = connection.connection.cursor()
    with _as_sqlalchemy(statement), cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


@contextmanager
def _as_sqlalchemy(statement: str) -> Iterator[None]:
    """Faults of the driver as SQLAlchemy names them: whoever calls knows only those."""
    import psycopg  # only where PostgreSQL is used

    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError.instance(statement, None, error, psycopg.Error) from error
