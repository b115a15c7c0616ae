"""One round trip to PostgreSQL for many statements.

Every message between a till's purchase and the server costs both of them more than the work that it asks for.
Within `core.db.bulk.piped` questions are collected until an answer is read, changes until the end, and go to
the server together, each as a small prepared statement (libpq's pipeline mode). psycopg's cursors would look
after every statement by itself, which costs several times as much; what comes back is read by its loaders.
SQLite has no trips to save.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import count
from select import POLLIN, POLLOUT, poll
from typing import Any

from sqlalchemy import Connection, Integer, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import JSON

from core.db.encoding import encoder
from core.db.spelling import UtcDateTime

Row = tuple[Any, ...]
Reader = tuple[tuple[int, Callable[[Any], Any]], ...]
# A statement with the types of its parameters (none: the text says them) and their values, as text.
Statement = tuple[str, tuple[int, ...], list[bytes | None]]
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
_TRIP, _PREPARED = "tidings trip", "tidings prepared"
# Rows of one statement at most. Only powers of two below it are prepared, whatever the number of rows.
MOST_ROWS = 32


@dataclass(frozen=True, slots=True)
class Change:
    """Rows of some columns on their way into a table. `key`: of rows that are there already, set the others;
    with `insert` as well, rows that are not there yet are put in. A key may be of several columns.
    """

    table: Table
    columns: tuple[str, ...]
    insert: bool = True
    key: tuple[str, ...] = ()


@dataclass
class Trip:
    """What is under way on one connection (psycopg's); `prepared` are the names of statements it knows."""

    driver: Any
    prepared: dict[tuple[str, tuple[int, ...]], bytes]
    _asked: list[Statement] = field(default_factory=list)
    _answers: list[list[Row]] = field(default_factory=list)
    _commands: list[Statement] = field(default_factory=list)
    # The transaction ends with the trip.
    commits: bool = False

    def ask(self, text: str, values: Sequence[Any], read: Reader = ()) -> Callable[[], list[Row]]:
        """Ask for rows; `read` says which columns are turned into other types of Python."""
        place = len(self._answers) + len(self._asked)
        bound = [_bound(value) for value in values]
        self._asked.append((text, tuple(kind for kind, _ in bound), [value for _, value in bound]))

        def answer() -> list[Row]:
            if place >= len(self._answers):
                self.send()
            rows = self._answers[place]
            return [turned(row, read) for row in rows] if read else rows

        return answer

    def command(self, text: str) -> None:
        """Do something before whatever is asked or changed next."""
        self._commands.append((text, (), []))

    def change(self, change: Change, rows: Sequence[Row]) -> None:
        """Write rows at the end of the trip."""
        encode = _encoders(change)
        start, most = 0, MOST_ROWS if change.insert else 1
        while start < len(rows):
            some = min(most, 1 << (len(rows) - start).bit_length() - 1)
            values = [
                None if value is None else turn(value)
                for row in rows[start : start + some]
                for turn, value in zip(encode, row, strict=True)
            ]
            self._commands.append((_changing(change, some), (), values))
            start += some

    def send(self) -> None:
        """Do, change and ask everything that was collected."""
        statements, asked = self._commands + self._asked, len(self._asked)
        if not statements:
            return
        self._commands, self._asked = [], []
        results = self._sent(statements, ends=self.commits and not asked)
        for result in results[len(results) - asked :]:
            self._answers.append(self._rows(result))

    @cached_property
    def _transformer(self) -> Any:
        from psycopg.adapt import Transformer

        return Transformer(self.driver)

    def _rows(self, result: Any) -> list[Row]:
        self._transformer.set_pgresult(result)
        rows: list[Row] = self._transformer.load_rows(0, result.ntuples, tuple)
        return rows

    def _sent(self, statements: Sequence[Statement], *, ends: bool) -> list[Any]:
        """One result for each statement; the driver's error of the first that failed. `ends`: with a commit,
        which the server leaves out after a failure.
        """
        from psycopg.errors import error_from_result
        from psycopg.pq import ExecStatus

        server, opening = self.driver.pgconn, _opening(self.driver)
        new: dict[tuple[str, tuple[int, ...]], bytes] = {}
        places, sent = [], 0
        try:
            server.enter_pipeline_mode()
            if opening:
                server.send_query_params(opening, None)
                sent += 1
            for text, kinds, values in statements:
                name = self.prepared.get((text, kinds)) or new.get((text, kinds))
                if name is None:
                    name = new[text, kinds] = b"tidings_%d" % next(_NUMBERS)
                    server.send_prepare(name, text.encode(), kinds or None)
                    sent += 1
                server.send_query_prepared(name, values)
                places.append(sent)
                sent += 1
            if ends:
                server.send_query_params(b"COMMIT", None)
            server.pipeline_sync()
            results = _gathered(server)
            server.exit_pipeline_mode()
        except BaseException:
            # Nobody knows where the conversation stands.
            with suppress(Exception):
                self.driver.close()
            raise
        if failed := next((it for it in results if it.status == ExecStatus.FATAL_ERROR), None):
            raise error_from_result(failed, encoding="utf-8")
        self.prepared.update(new)
        return [results[place] for place in places]


@contextmanager
def under_way(connection: Connection) -> Iterator[Trip]:
    """A trip that is finished at the end of the block."""
    trip = connection.info[_TRIP] = new_trip(connection)
    try:
        yield trip
        trip.send()
    finally:
        connection.info.pop(_TRIP, None)


def new_trip(connection: Connection) -> Trip:
    """A trip of its own; whoever asks for an answer, or sends it, has begun and ended it."""
    return Trip(connection.connection.driver_connection, connection.info.setdefault(_PREPARED, {}))


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


# --- what is sent


def _opening(driver: Any) -> bytes | None:
    """What begins the transaction, as psycopg would, unless one has begun."""
    from psycopg.pq import TransactionStatus

    if driver.autocommit or driver.pgconn.transaction_status != TransactionStatus.IDLE:
        return None
    level = driver.isolation_level
    return b"BEGIN" + (f" ISOLATION LEVEL {level.name.replace('_', ' ')}".encode() if level else b"")


def _bound(value: Any) -> tuple[int, bytes | None]:
    """A question's value: the number of its type in PostgreSQL, and its text."""
    if isinstance(value, list | tuple):
        numbers = not value or isinstance(value[0], int)
        return (_BIGINTS, _numbers(value)) if numbers else (_TEXTS, _texts(value))
    return _KINDS[type(value)], _text(value)


def _numbers(values: Sequence[int]) -> bytes:
    return f"{{{','.join(map(str, values))}}}".encode()


def _texts(values: Iterable[str]) -> bytes:
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return _text("{" + ",".join(f'"{value}"' for value in quoted) + "}") or b""


def _text(value: Any) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, str):
        return _encoded(value)
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone reached the database: {value}")
        return value.isoformat().encode()
    if isinstance(value, date):
        return value.isoformat().encode()
    return str(value).encode()


def _encoded(value: str) -> bytes:
    if "\0" in value:  # where the text would end for the server
        raise _unfit("text with a NUL character cannot be written")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise _unfit(f"text that is no Unicode cannot be written: {error.reason}") from error


def _unfit(why: str) -> Exception:
    from psycopg import DataError

    return DataError(why)


def _json(value: Any) -> bytes:
    return b"{}" if value == {} else _encode(value).encode()


def _number(value: Any) -> bytes:
    return str(value).encode()


def _moment(value: datetime) -> bytes | None:
    # Of a zone's own clocks two hours of one autumn night would be the same key.
    return _utc(value) if value.tzinfo is UTC else _text(value)


# The rows of one purchase share its time.
@lru_cache(maxsize=1024)
def _utc(value: datetime) -> bytes:
    return value.isoformat().encode()


def _default(value: Any) -> str:
    if isinstance(value, datetime | date):
        return (_text(value) or b"").decode()
    raise TypeError(f"{value!r} cannot be written")


_encode = encoder((",", ":"), default=_default)
_BIGINTS, _TEXTS = 1016, 1009
_KINDS = {int: 20, str: 25, bool: 16, datetime: 1184, date: 1082, Decimal: 1700, type(None): 0}
_NUMBERS = count(1)


@lru_cache(maxsize=256)
def _encoders(change: Change) -> tuple[Callable[[Any], bytes | None], ...]:
    return tuple(_encoder(change.table.c[name].type) for name in change.columns)


def _encoder(kind: Any) -> Callable[[Any], bytes | None]:
    if isinstance(kind, JSON):
        return _json
    if isinstance(kind, UtcDateTime):
        return _moment
    return _number if isinstance(kind, Integer) else _text


@lru_cache(maxsize=512)
def _changing(change: Change, rows: int) -> str:
    kinds = [str(change.table.c[name].type.compile(_POSTGRESQL)) for name in change.columns]
    if not change.insert:
        return _update(change, kinds)
    numbers = count(1)
    values = ", ".join("(" + ", ".join(f"${next(numbers)}::{it}" for it in kinds) + ")" for _ in range(rows))
    names = ", ".join(f'"{column}"' for column in change.columns)
    text = f'INSERT INTO "{change.table.name}" ({names}) VALUES {values}'  # noqa: S608 - names of our own tables
    if not change.key:
        return text
    keys = ", ".join(f'"{it}"' for it in change.key)
    new = ", ".join(f'"{it}" = excluded."{it}"' for it in change.columns if it not in change.key)
    return f"{text} ON CONFLICT ({keys}) DO UPDATE SET {new}"


def _update(change: Change, kinds: Sequence[str]) -> str:
    places = {
        name: f"${place}::{kind}"
        for place, (name, kind) in enumerate(zip(change.columns, kinds, strict=True), 1)
    }
    new = ", ".join(f'"{name}" = {place}' for name, place in places.items() if name not in change.key)
    mine = " AND ".join(f'"{name}" = {places[name]}' for name in change.key)
    return f'UPDATE "{change.table.name}" SET {new} WHERE {mine}'  # noqa: S608 - as above


# --- what comes back


def _gathered(server: Any) -> list[Any]:
    """The results of everything up to the end of the pipeline; other threads go on meanwhile."""
    from psycopg.pq import ExecStatus

    wires = poll()
    wires.register(server.socket, POLLIN | POLLOUT)
    while server.flush():
        if any(happened & POLLIN for _, happened in wires.poll()):
            server.consume_input()
    wires.modify(server.socket, POLLIN)
    results: list[Any] = []
    while True:
        while server.is_busy():
            wires.poll()
            server.consume_input()
        result = server.get_result()
        if result is None:  # between one statement and the next
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            return results
        results.append(result)
