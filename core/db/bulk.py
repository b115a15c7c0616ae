"""Many rows at once, by the shortest way that each database has.

SQLAlchemy prepares every row of an `executemany` in Python, which costs more than SQLite's own work. Here
the statement and the conversions of its columns are worked out once a shape; PostgreSQL takes long
batches by COPY. Same transaction, same constraints, same errors as through SQLAlchemy.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import JSON, Date

from core.db import UtcDateTime
from core.db.encoding import encoder, quickly
from core.db.trip import Change, Reader, Row, new_trip, trip_of, under_way

# Below this, rows are converted one by one, from this on column by column.
BY_COLUMN_FROM = 8
# Below this, COPY's extra messages cost more than they save.
COPY_FROM = 50


@dataclass(frozen=True, slots=True)
class _Shape:
    """How rows of some columns go into a table: the statements, and the columns that are converted."""

    insert: str
    copy: str
    convert: Reader


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert `rows`, tuples in the order of `columns`; nothing for none."""
    if not rows:
        return
    dialect = connection.dialect.name
    if dialect != "sqlite" and (len(rows) < COPY_FROM or trip_of(connection)):
        _change(connection, Change(table, tuple(columns)), rows)
        return
    shape = _shape(dialect, table, tuple(columns))
    ready = _converted(shape.convert, rows)
    if dialect == "sqlite":
        driver(connection).executemany(shape.insert, ready)
    else:
        _copy(connection, shape.copy, ready)


def upsert_rows(
    connection: Connection, table: Table, key: tuple[str, ...], columns: Sequence[str], rows: Sequence[Row]
) -> None:
    """Insert rows, tuples of the key and the values; where the key is there, its row takes the values."""
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        _change(connection, Change(table, (*key, *columns), key=key), rows)
        return
    shape = _shape("sqlite", table, (*key, *columns), key)
    driver(connection).executemany(shape.insert, _converted(shape.convert, rows))


def driver(connection: Connection) -> Any:
    """The driver's own connection (sqlite3, psycopg) of the same transaction."""
    return connection.connection.dbapi_connection


def piped(connection: Connection, *, when: bool = True) -> AbstractContextManager[None]:
    """What is asked of the driver inside goes to the server together: one round trip for all of it.

    Nothing inside may go through SQLAlchemy, which waits for each answer. SQLite has no trips to save.
    """
    if connection.dialect.name == "sqlite" or not when or trip_of(connection):
        return nullcontext()
    return _one_trip(connection)


@contextmanager
def _one_trip(connection: Connection) -> Iterator[None]:
    with _as_sqlalchemy("within one trip"), under_way(connection):
        yield


def mark(connection: Connection) -> None:
    """Begin what `back_to_mark` undoes, without leaving the transaction."""
    _command(connection, "SAVEPOINT marked")


def unmark(connection: Connection) -> None:
    """What was done since `mark` stands."""
    _command(connection, "RELEASE SAVEPOINT marked")


def commit_with_trip(connection: Connection) -> None:
    """Nothing else follows in the transaction: what is under way to PostgreSQL commits it, by the same trip.

    Whoever began the transaction ends it all the same.
    """
    if trip := trip_of(connection):
        trip.commits = True


def back_to_mark(connection: Connection) -> None:
    """Undo what was done since `mark`, perhaps after a fault."""
    driver(connection).execute("ROLLBACK TO SAVEPOINT marked")


def set_columns(
    connection: Connection, table: Table, key: str, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    """Set some columns of many rows, tuples of the key and the new values; nothing for none."""
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        _change(connection, Change(table, (key, *columns), insert=False, key=(key,)), rows)
        return
    statement, convert = _update(table, key, tuple(columns))
    driver(connection).executemany(statement, _converted(convert, rows))


@lru_cache(maxsize=256)
def _update(
    table: Table, key: str, columns: tuple[str, ...]
) -> tuple[str, tuple[tuple[int, Callable[[Any], Any]], ...]]:
    """The statement, and which of (key, *columns) are converted."""
    name = _quoted(table.name)
    kinds = [table.c[column].type for column in (key, *columns)]
    converters = [(i, _converter("sqlite", kind)) for i, kind in enumerate(kinds)]
    convert = tuple((i, turn) for i, turn in converters if turn is not None)
    new = ", ".join(f"{_quoted(column)} = ?{i}" for i, column in enumerate(columns, 2))
    return f"UPDATE {name} SET {new} WHERE {_quoted(key)} = ?1", convert  # noqa: S608 - names of our own tables


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
    if connection.dialect.name == "sqlite":
        statement = f"{chosen} IN (SELECT value FROM json_each(?))"  # noqa: S608 - as above
        yield from driver(connection).execute(statement, (json.dumps(list(values)),)).fetchall()
        return
    kind = "text" if isinstance(values[0], str) else "bigint"
    yield from driver(connection).execute(f"{chosen} = ANY(%s::{kind}[])", (list(values),)).fetchall()


@lru_cache(maxsize=256)
def _shape(dialect: str, table: Table, columns: tuple[str, ...], key: tuple[str, ...] = ()) -> _Shape:
    """With a `key`, a row that has it already takes the new values."""
    name = _quoted(table.name)
    names = ", ".join(_quoted(column) for column in columns)
    marks = ", ".join(["?" if dialect == "sqlite" else "%s"] * len(columns))
    converters = [(i, _converter(dialect, table.c[column].type)) for i, column in enumerate(columns)]
    new = ", ".join(f"{_quoted(it)} = excluded.{_quoted(it)}" for it in columns if it not in key)
    taken = f" ON CONFLICT ({', '.join(map(_quoted, key))}) DO UPDATE SET {new}" if key else ""
    return _Shape(
        f"INSERT INTO {name} ({names}) VALUES ({marks}){taken}",  # noqa: S608 - names of our own tables
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
    return _encode(value) if value else "{}"


_encode = quickly(encoder())


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


def _converted(convert: Reader, rows: Sequence[Row]) -> Sequence[Sequence[Any]]:
    if not convert:
        return rows
    if len(rows) < BY_COLUMN_FROM:
        return [_converted_one(row, convert) for row in rows]
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for i, turn in convert:
        columns[i] = list(map(turn, columns[i]))
    return list(zip(*columns, strict=True))


def _converted_one(row: Row, convert: Reader) -> list[Any]:
    values = list(row)
    for i, turn in convert:
        values[i] = turn(values[i])
    return values


def asked(
    connection: Connection, text: str, values: Sequence[Any], read: Reader = ()
) -> Callable[[], list[Row]]:
    """Ask PostgreSQL with the trip that is under way, or with one of its own; read the rows later."""
    if trip := trip_of(connection):
        return trip.ask(text, values, read)
    with _as_sqlalchemy(text):
        answer = (trip := new_trip(connection)).ask(text, values, read)
        trip.send()
    return answer


def _change(connection: Connection, change: Change, rows: Sequence[Row]) -> None:
    """To PostgreSQL, with whatever else is under way."""
    if trip := trip_of(connection):
        trip.change(change, rows)
        return
    trip = new_trip(connection)
    trip.change(change, rows)
    with _as_sqlalchemy(change.table.name):
        trip.send()


def _command(connection: Connection, text: str) -> None:
    if trip := trip_of(connection):
        trip.command(text)
    elif connection.dialect.name != "sqlite":
        driver(connection).execute(text)


def _copy(connection: Connection, statement: str, rows: Sequence[Sequence[Any]]) -> None:
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
