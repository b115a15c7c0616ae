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

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import JSON

from core.db.encoding import encoder, quickly
from core.db.spelling import UtcDateTime

Row = tuple[Any, ...]
Reader = tuple[tuple[int, Callable[[Any], Any]], ...]
# A statement with the types of its parameters (none: the text says them) and their values, as text.
Statement = tuple[str, tuple[int, ...], list[bytes | None]]
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
_TRIP, _SESSION = "tidings trip", "tidings session"
# How many rows one statement has: few sizes are prepared, whatever the number of rows.
SIZES = (32, 24, 16, 12, 8, 6, 4, 3, 2, 1)


@dataclass(frozen=True, slots=True)
class Change:
    """Rows of some columns on their way into a table. `key`: of rows that are there already, set the others;
    with `insert` as well, rows that are not there yet are put in. A key may be of several columns, and comes
    once.
    """

    table: Table
    columns: tuple[str, ...]
    insert: bool = True
    key: tuple[str, ...] = ()


@dataclass
class Session:
    """What is kept with a connection (psycopg's) from trip to trip: the names of statements that the server
    has prepared, and how values are written and read.
    """

    driver: Any
    prepared: dict[tuple[str, tuple[int, ...]], bytes] = field(default_factory=dict)

    @cached_property
    def transformer(self) -> Any:
        """psycopg's, in C."""
        from psycopg.adapt import Transformer

        return Transformer(self.driver)

    def written(self, values: Sequence[Any]) -> list[Any]:
        """Plain values (text, numbers, truths, dates) as the server's text."""
        from psycopg.adapt import PyFormat

        try:
            texts: list[Any] = self.transformer.dump_sequence(values, [PyFormat.TEXT] * len(values))
        except UnicodeEncodeError as error:
            raise _unfit(f"text that is no Unicode cannot be written: {error.reason}") from error
        return texts

    def rows(self, result: Any) -> list[Row]:
        """What the server answered."""
        self.transformer.set_pgresult(result)
        rows: list[Row] = self.transformer.load_rows(0, result.ntuples, tuple)
        self.transformer.set_pgresult(None)  # which may be large, and the connection stays
        return rows


@dataclass
class Trip:
    """What is under way on one connection."""

    session: Session
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
        turns, start = _turns(change), 0
        # A batch is set row by row: joined to it, a table that was small when the server planned, and has
        # grown by the batches since, would be read whole for each statement.
        most = SIZES[0] if change.insert or len(rows) <= SIZES[0] else 1
        while start < len(rows):
            some = next(size for size in SIZES if size <= min(most, len(rows) - start))
            values = [value for row in rows[start : start + some] for value in turned(row, turns)]
            self._commands.append((_changing(change, some), (), self.session.written(values)))
            start += some

    def send(self) -> None:
        """Do, change and ask everything that was collected."""
        statements, asked = self._commands + self._asked, len(self._asked)
        if not statements:
            return
        self._commands, self._asked = [], []
        results = self._sent(statements, ends=self.commits and not asked)
        for result in results[len(results) - asked :]:
            self._answers.append(self.session.rows(result))

    def _sent(self, statements: Sequence[Statement], *, ends: bool) -> list[Any]:
        """One result for each statement; the driver's error of the first that failed. `ends`: with a commit,
        which the server leaves out after a failure.
        """
        from psycopg.errors import error_from_result
        from psycopg.pq import ExecStatus

        driver, prepared = self.session.driver, self.session.prepared
        server, opening = driver.pgconn, _opening(driver)
        new: dict[tuple[str, tuple[int, ...]], bytes] = {}
        places, sent = [], 0
        try:
            server.enter_pipeline_mode()
            if opening:
                server.send_query_params(opening, None)
                sent += 1
            for text, kinds, values in statements:
                name = prepared.get((text, kinds)) or new.get((text, kinds))
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
                driver.close()
            raise
        if failed := next((it for it in results if it.status == ExecStatus.FATAL_ERROR), None):
            raise error_from_result(failed, encoding="utf-8")
        prepared.update(new)
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
    session = connection.info.get(_SESSION)
    if session is None:
        session = connection.info[_SESSION] = Session(connection.connection.driver_connection)
    return Trip(session)


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
    return (_said(value) if isinstance(value, date) else str(value)).encode()


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


def _json(value: Any) -> str:
    return "{}" if value == {} else _encode(value)


def _moment(value: datetime) -> str:
    # Of a zone's own clocks two hours of one autumn night would be the same key.
    return _utc(value) if value.tzinfo is UTC else _said(value)


# The rows of one purchase share its time.
@lru_cache(maxsize=1024)
def _utc(value: datetime) -> str:
    return value.isoformat()


def _said(value: datetime | date) -> str:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"a time without a zone reached the database: {value}")
    return value.isoformat()


def _default(value: Any) -> str:
    if isinstance(value, datetime | date):
        return _said(value)
    raise TypeError(f"{value!r} cannot be written")


_encode = quickly(encoder((",", ":"), default=_default))
_BIGINTS, _TEXTS = 1016, 1009
_KINDS = {int: 20, str: 25, bool: 16, datetime: 1184, date: 1082, Decimal: 1700, type(None): 0}
_NUMBERS = count(1)


@lru_cache(maxsize=256)
def _turns(change: Change) -> Reader:
    """Which values are turned into plain ones."""
    turns = ((place, _turn(change.table.c[name].type)) for place, name in enumerate(change.columns))
    return tuple((place, turn) for place, turn in turns if turn is not None)


def _turn(kind: Any) -> Callable[[Any], Any] | None:
    if isinstance(kind, JSON):
        return _json
    return _moment if isinstance(kind, UtcDateTime) else None


@lru_cache(maxsize=512)
def _changing(change: Change, rows: int) -> str:
    kinds = [str(change.table.c[name].type.compile(_POSTGRESQL)) for name in change.columns]
    numbers = count(1)
    values = ", ".join("(" + ", ".join(f"${next(numbers)}::{it}" for it in kinds) + ")" for _ in range(rows))
    names = ", ".join(map(_quoted, change.columns))
    if not change.insert:
        return _update(change, f"(VALUES {values}) AS new ({names})")
    text = f"INSERT INTO {_quoted(change.table.name)} ({names}) VALUES {values}"  # noqa: S608 - names of our own tables
    if not change.key:
        return text
    keys = ", ".join(map(_quoted, change.key))
    return f"{text} ON CONFLICT ({keys}) DO UPDATE SET {_set(change, 'excluded')}"


def _update(change: Change, new: str) -> str:
    table = _quoted(change.table.name)
    mine = " AND ".join(f"{table}.{_quoted(it)} = new.{_quoted(it)}" for it in change.key)
    return f"UPDATE {table} SET {_set(change, 'new')} FROM {new} WHERE {mine}"  # noqa: S608 - as above


def _set(change: Change, source: str) -> str:
    others = (_quoted(it) for it in change.columns if it not in change.key)
    return ", ".join(f"{it} = {source}.{it}" for it in others)


def _quoted(name: str) -> str:
    return f'"{name}"'


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
