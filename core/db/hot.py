"""Questions that a till's receipt asks each time: one text a database, prepared once, asked by the driver.

SQLAlchemy builds and checks a statement anew at each call, which for a dozen short questions costs several
times what the database needs to answer them. What is asked here is asked the same way by one receipt
and by thousands.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from itertools import count
from typing import Any

import orjson
from sqlalchemy import Column, Connection, Select, func, select
from sqlalchemy.types import JSON, Boolean, Date

from core.db import UtcDateTime
from core.db.bulk import BY_COLUMN_FROM, asked, driver, sqlite_time
from core.db.encoding import encoder
from core.db.trip import Reader, Row, turned

_PLACE = re.compile(r"\{(\w*)\}")
_IN_JSON = "IN (SELECT value FROM json_each(?))"
_SQLITE_PLACES = {"": "?", "ids": _IN_JSON, "names": _IN_JSON}
# A value that the planner cannot look at (nor a list's length) lets it keep one plan for all of them.
_POSTGRESQL_PLACES = {
    "": "(SELECT ${})",
    "ids": "= ANY(ARRAY(SELECT unnest(${}::bigint[])))",
    "names": "= ANY(ARRAY(SELECT unnest(${}::text[])))",
    "texts": "${}::text[]",
}

_encode = encoder((",", ":"))
# The answer to a question that was asked already.
Asked = Callable[[], list[Row]]


class Hot:
    """`SELECT columns …tail`; a value in `tail` is `{}`; `{ids}` and `{names}` say "is one of these".

    `columns` are those of tables (their types say how a value is read), or expressions in SQL's own words
    with the column whose type they have: `("COALESCE(a, b)", column)`. `postgresql` is its own tail there,
    where `{texts}` is a list of texts.
    """

    def __init__(
        self, *columns: Column[Any] | tuple[str, Column[Any]], tail: str, postgresql: str | None = None
    ) -> None:
        self._columns, self._tail, self._postgresql = columns, tail, postgresql or tail

    def __call__(self, connection: Connection, *values: Any) -> list[Row]:
        """The rows, in Python's types. `values` in the order of the places in `tail`."""
        return self.ask(connection, *values)()

    def ask(self, connection: Connection, *values: Any) -> Asked:
        """Ask now, read later: within `core.db.bulk.piped` nobody waits for the answer meanwhile."""
        dialect = connection.dialect.name
        text, read = _prepared(self, dialect)
        if dialect != "sqlite":
            return asked(connection, text, values, read)
        # SQLite reads a row when it is fetched: what is written meanwhile would show.
        rows = self._fetched(driver(connection).execute(text, [_bound(value) for value in values]))
        if read:
            rows = _all_turned(rows, read)
        return lambda: rows

    def _fetched(self, cursor: Any) -> list[Row]:
        rows: list[Row] = cursor.fetchall()
        return rows

    def text(self, dialect: str) -> str:
        """The statement as the driver takes it."""
        shown = ", ".join(_spelled(column) for column in self._columns)
        if dialect == "sqlite":
            tail = _PLACE.sub(lambda it: _SQLITE_PLACES[it[1]], self._tail).partition(" FOR UPDATE")[0]
            return f"SELECT {shown} {tail}"
        number = count(1)
        tail = _PLACE.sub(lambda it: _POSTGRESQL_PLACES[it[1]].format(next(number)), self._postgresql)
        return f"SELECT {shown} {tail}"

    def readers(self, dialect: str) -> Reader:
        """Which columns are turned into Python's types, and how."""
        return _by_place(_reader(dialect, kind) for kind in self._kinds)

    @property
    def _kinds(self) -> list[Any]:
        return [(column if isinstance(column, Column) else column[1]).type for column in self._columns]


class Many(Hot):
    """The same for hundreds of rows at a time, of texts and numbers.

    SQLite's driver lets other threads go first at each row that it fetches. Where they are busy, waiting for
    one's turn again takes longer than the row: so all rows come as one text.
    """

    def text(self, dialect: str) -> str:
        """The statement as the driver takes it."""
        rows = super().text(dialect)
        if dialect != "sqlite":
            return rows
        names = ", ".join(f"c{place}" for place, _ in enumerate(self._columns))
        return f"WITH found ({names}) AS ({rows}) SELECT json_group_array(json_array({names})) FROM found"  # noqa: S608 - names of our own

    def _fetched(self, cursor: Any) -> list[Row]:
        return [tuple(row) for row in orjson.loads(cursor.fetchone()[0])]


def at_once(connection: Connection, query: Select[Any], **values: Any) -> Sequence[Any]:
    """The rows of a query, of texts and numbers, for the reason that `Many` has; `values` are its own."""
    if connection.dialect.name != "sqlite":
        return connection.execute(query, values).all()
    found = query.cte("found")
    listed = select(func.json_group_array(func.json_array(*found.c)))
    rows: list[Any] = orjson.loads(connection.scalar(listed, values) or "[]")
    return rows


@cache
def _prepared(hot: Hot, dialect: str) -> tuple[str, Reader]:
    return hot.text(dialect), hot.readers(dialect)


def _all_turned(rows: Sequence[Row], read: Reader) -> list[Row]:
    if len(rows) < BY_COLUMN_FROM:
        return [turned(row, read) for row in rows]
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for place, turn in read:
        columns[place] = list(map(turn, columns[place]))
    return list(zip(*columns, strict=True))


def _by_place(readers: Iterable[Callable[[Any], Any] | None]) -> Reader:
    return tuple((place, read) for place, read in enumerate(readers) if read is not None)


def _spelled(column: Column[Any] | tuple[str, Column[Any]]) -> str:
    return f'{column.table.name}."{column.name}"' if isinstance(column, Column) else column[0]


def _bound(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return _encode(value)
    return sqlite_time(value) if isinstance(value, datetime) else value


def _reader(dialect: str, kind: Any) -> Callable[[Any], Any] | None:
    if dialect != "sqlite":
        return _utc if isinstance(kind, UtcDateTime) else None
    if isinstance(kind, UtcDateTime):
        return _moment
    if isinstance(kind, Date):
        return _day
    if isinstance(kind, JSON):
        return _json
    return _truth if isinstance(kind, Boolean) else None


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


# What SQLite keeps; NULL is None.


def _json(value: str | None) -> Any:
    # Most customers have no attributes of a shop's own.
    return {} if value == "{}" else None if value is None else json.loads(value)


def _truth(value: int | None) -> bool | None:
    return None if value is None else bool(value)


@lru_cache(maxsize=8192)
def _day(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)


@lru_cache(maxsize=8192)
def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(f"{value}+00:00")
