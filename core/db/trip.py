"""One round trip to PostgreSQL for many questions, or for many changes.

Every message between a till's purchase and the server costs both of them more than the work that it asks for.
Within `core.db.bulk.piped` questions are collected until an answer is read, changes until the end, and each
of these goes as one prepared statement: answers come as one row of JSON, rows to be written go as JSON, so
that the statement is the same for one row and for fifty. SQLite has no trips to save.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import JSON, Date

Row = tuple[Any, ...]
Reader = tuple[tuple[int, Callable[[Any], Any]], ...]
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
_TRIP = "tidings trip"


@dataclass(frozen=True, slots=True)
class Change:
    """Rows of some columns on their way into a table. `key`: of rows that are there already, set the others;
    with `insert` as well, rows that are not there yet are put in.
    """

    table: Table
    columns: tuple[str, ...]
    insert: bool = True
    key: str | None = None


@dataclass
class Trip:
    """What is under way on one connection (psycopg's)."""

    driver: Any
    _asked: list[tuple[str, int, Sequence[Any]]] = field(default_factory=list)
    _answers: list[list[Row]] = field(default_factory=list)
    _changes: list[tuple[Change, Sequence[Row]]] = field(default_factory=list)

    def ask(self, text: str, width: int, values: Sequence[Any], read: Reader) -> Callable[[], list[Row]]:
        """Ask for rows of so many columns; `read` says which are turned into Python's types."""
        place = len(self._answers) + len(self._asked)
        self._asked.append((text, width, values))

        def answer() -> list[Row]:
            if place >= len(self._answers):
                self.send()
            return [turned(row, read) for row in self._answers[place]]

        return answer

    def change(self, change: Change, rows: Sequence[Row]) -> None:
        """Write rows at the end of the trip."""
        self._changes.append((change, rows))

    def send(self) -> None:
        """Ask and change everything that was collected."""
        if self._changes:
            text = _changing(tuple(change for change, _ in self._changes))
            documents = [_encode(rows) for _, rows in self._changes]
            self._changes.clear()
            self.driver.execute(text, documents)
        if self._asked:
            text = _asking(tuple((text, width) for text, width, _ in self._asked))
            values = [value for _, _, values in self._asked for value in values]
            self._asked.clear()
            self._answers += (rows or [] for rows in self.driver.execute(text, values).fetchone())


@contextmanager
def under_way(connection: Connection) -> Iterator[Trip]:
    """A trip that is finished at the end of the block."""
    trip = connection.info[_TRIP] = Trip(connection.connection.driver_connection)
    try:
        yield trip
        trip.send()
    finally:
        del connection.info[_TRIP]


def trip_of(connection: Connection) -> Trip | None:
    """What is under way on a connection, if anything is."""
    trip: Trip | None = connection.info.get(_TRIP)
    return trip


def turned(row: Sequence[Any], read: Reader) -> Row:
    """A row with its values in Python's types."""
    values = list(row)
    for place, turn in read:
        if values[place] is not None:
            values[place] = turn(values[place])
    return tuple(values)


def reader(kind: Any) -> Callable[[Any], Any] | None:
    """How a value of a column comes out of JSON."""
    if isinstance(kind, Date):
        return date.fromisoformat
    return _moment if _plain(kind) == "TIMESTAMP WITH TIME ZONE" else None


def _moment(value: str) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)


@lru_cache(maxsize=256)
def _asking(questions: tuple[tuple[str, int], ...]) -> str:
    parts = []
    for text, width in questions:
        names = ", ".join(f"c{place}" for place in range(width))
        rows = f"SELECT json_agg(json_build_array({names})) FROM ({text}) AS asked ({names})"  # noqa: S608 - our own
        parts.append(f"({rows})")
    return f"SELECT {', '.join(parts)}"


@lru_cache(maxsize=256)
def _changing(changes: tuple[Change, ...]) -> str:
    *before, last = (_update(it) if not it.insert else _insert(it) for it in changes)
    named = ", ".join(f"change{place} AS ({text})" for place, text in enumerate(before))
    return f"WITH {named} {last}" if named else last


def _insert(change: Change) -> str:
    names = ", ".join(f'"{column}"' for column in change.columns)
    text = f'INSERT INTO "{change.table.name}" ({names}) {_rows(change)}'
    if change.key is None:
        return text
    new = ", ".join(f'"{it}" = excluded."{it}"' for it in change.columns if it != change.key)
    return f'{text} ON CONFLICT ("{change.key}") DO UPDATE SET {new}'


def _update(change: Change) -> str:
    new = ", ".join(f'"{it}" = new."{it}"' for it in change.columns if it != change.key)
    name, key = change.table.name, change.key
    # Of a document PostgreSQL expects a hundred rows, and would rather read a whole table than look up each;
    # of those that pass a test like this one, a single row.
    few = f"{_rows(change)} WHERE jsonb_typeof(r) = 'array'"
    return f'UPDATE "{name}" SET {new} FROM ({few}) AS new WHERE "{name}"."{key}" = new."{key}"'  # noqa: S608 - as above


def _rows(change: Change) -> str:
    """The rows of a JSON document, in the columns' own types."""
    values = ", ".join(
        f'{_value(place, change.table.c[name].type)} AS "{name}"' for place, name in enumerate(change.columns)
    )
    return f"SELECT {values} FROM jsonb_array_elements(%s::jsonb) AS r"  # noqa: S608 - as above


def _value(place: int, kind: Any) -> str:
    if isinstance(kind, JSON):
        return f"r -> {place}"
    plain = _plain(kind)
    return f"r ->> {place}" if plain in ("VARCHAR", "TEXT") else f"(r ->> {place})::{plain}"


def _plain(kind: Any) -> str:
    """The column's type as PostgreSQL spells it."""
    return str(kind.compile(_POSTGRESQL))


def _default(value: Any) -> str:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"a time without a zone reached the database: {value}")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} cannot be written")


_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=_default).encode
