"""Questions that a till's receipt asks each time: one text a database, prepared once, asked by the driver.

SQLAlchemy builds and checks a statement anew at each call, which for a dozen short questions costs several
times what the database needs to answer them. What is asked here is asked the same way by one receipt
and by thousands.
"""

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from itertools import count
from typing import Any

from sqlalchemy import Column, Connection
from sqlalchemy.types import JSON, Boolean, Date

from core.db import UtcDateTime
from core.db.bulk import asked, driver, sqlite_time
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
}

_encode = encoder((",", ":"))
# The answer to a question that was asked already.
Asked = Callable[[], list[Row]]


class Hot:
    """`SELECT columns …tail`; a value in `tail` is `{}`; `{ids}` and `{names}` say "is one of these".

    `columns` are those of tables (their types say how a value is read), or expressions in SQL's own words
    with the column whose type they have: `("COALESCE(a, b)", column)`.
    """

    def __init__(self, *columns: Column[Any] | tuple[str, Column[Any]], tail: str) -> None:
        self._columns, self._tail = columns, tail

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
        rows = driver(connection).execute(text, [_bound(value) for value in values]).fetchall()
        if read:
            rows = [turned(row, read) for row in rows]
        return lambda: rows

    def text(self, dialect: str) -> str:
        """The statement as the driver takes it."""
        shown = ", ".join(_spelled(column) for column in self._columns)
        if dialect == "sqlite":
            tail = _PLACE.sub(lambda it: _SQLITE_PLACES[it[1]], self._tail).replace(" FOR UPDATE", "")
            return f"SELECT {shown} {tail}"
        number = count(1)
        tail = _PLACE.sub(lambda it: _POSTGRESQL_PLACES[it[1]].format(next(number)), self._tail)
        return f"SELECT {shown} {tail}"

    def readers(self, dialect: str) -> Reader:
        """Which columns are turned into Python's types, and how."""
        return _by_place(_reader(dialect, kind) for kind in self._kinds)

    @property
    def _kinds(self) -> list[Any]:
        return [(column if isinstance(column, Column) else column[1]).type for column in self._columns]


@cache
def _prepared(hot: Hot, dialect: str) -> tuple[str, Reader]:
    return hot.text(dialect), hot.readers(dialect)


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
        return date.fromisoformat
    if isinstance(kind, JSON):
        return _json
    return bool if isinstance(kind, Boolean) else None


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _json(value: str) -> Any:
    # Most customers have no attributes of a shop's own.
    return {} if value == "{}" else json.loads(value)


@lru_cache(maxsize=8192)
def _moment(value: str) -> datetime:
    return datetime.fromisoformat(f"{value}+00:00")
