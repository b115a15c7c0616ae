"""The database: SQLite or PostgreSQL behind one door, and the few things they spell differently.

Everything here is synchronous. A write transaction on SQLite takes the single writer's lock at its
start (`BEGIN IMMEDIATE`), so that two writers wait for each other instead of failing half-way.
"""

import json
import sqlite3
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from select import POLLIN, poll
from threading import Lock
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    Numeric,
    Table,
    create_engine,
    event,
    literal_column,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement, GenericFunction
from sqlalchemy.types import JSON, Boolean, String, TypeDecorator
from sqlmodel import SQLModel

from core.errors import EnvironmentFault

try:
    # A look draws for each candidate, and OpenSSL's takes twice as long to begin.
    from _md5 import md5 as _md5  # type: ignore[import-not-found]
except ImportError:
    import hashlib

    _md5 = partial(hashlib.md5, usedforsecurity=False)

_first_32_bits = struct.Struct(">I").unpack_from
BUSY_MS = 15_000
# Statements that stay compiled: a look asks some forty a scenario, and compiling takes longer than they do.
COMPILED = 5_000
# Connections of one process to PostgreSQL, and how many of them stay open: a new one plans everything anew.
MOST_OPEN, STAY_OPEN = 15, 10
# A server that vanished without a word is noticed within seconds, by libpq (seconds; the last is in ms) ...
NOTICED: Mapping[str, int] = {
    "connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}  # fmt: skip
# ... and by the server a client that did: what it held is free again.
_NOTICED_THERE = (
    "SELECT set_config('tcp_keepalives_idle', '5', false), "
    "set_config('tcp_keepalives_interval', '2', false), "
    "set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '30s', false)"
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time: `timestamptz` on PostgreSQL, sortable text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """SQLite has no time type: text that sorts as time does."""
        return dialect.type_descriptor(String(26) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive times: they have no place in the ledger."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone reached the database: {value}")
        if dialect.name == "sqlite":
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Aware UTC."""
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        return cast(datetime, value).astimezone(UTC)


# SQLite makes only an INTEGER primary key count up by itself.
Id = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(postgresql.JSONB(), "postgresql")


class transaction_id(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """The writing transaction's number: commit order can be told from it on PostgreSQL.

    SQLite has one writer at a time, so there row ids are commit order and this is 0.
    """

    type = BigInteger()
    inherit_cache = True


@compiles(transaction_id, "postgresql")
def _transaction_id_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return "(pg_current_xact_id()::text::bigint)"


@compiles(transaction_id, "sqlite")
def _transaction_id_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return "0"


class hash_bucket(GenericFunction[int]):  # noqa: N801
    """The first 32 bits of the MD5 of a text, 0 … 2**32-1: the same on both databases and in Python."""

    type = BigInteger()
    inherit_cache = True
    name = "hash_bucket"


@compiles(hash_bucket, "postgresql")
def _hash_bucket_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    inner = compiler.process(element.clauses, **kw)
    return f"(('x' || substr(md5({inner}), 1, 8))::bit(32)::bigint & 4294967295)"


def bucket_of(value: str) -> int:
    """What `hash_bucket` gives in SQL. MD5 spreads; it guards nothing here."""
    bucket: int = _first_32_bits(_md5(value.encode()).digest())[0]
    return bucket


class json_object(FunctionElement[Any]):  # noqa: N801
    """`json_object(key, value, …)` in SQL, as text that both databases and Python read alike."""

    type = Json
    inherit_cache = True
    name = "json_object"


@compiles(json_object, "postgresql")
def _json_object_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"jsonb_build_object({compiler.process(element.clauses, **kw)})"


@compiles(json_object, "sqlite")
def _json_object_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_object({compiler.process(element.clauses, **kw)})"


class json_number(FunctionElement[Any]):  # noqa: N801
    """A member of a JSON object as a number; NULL where it is none. Arguments: column, key."""

    type = Numeric(asdecimal=False)
    inherit_cache = True


@compiles(json_number, "postgresql")
def _json_number_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, key = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(CASE jsonb_typeof({column} -> {key}) WHEN 'number' THEN ({column} ->> {key})::numeric END)"


@compiles(json_number, "sqlite")
def _json_number_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, key = (compiler.process(clause, **kw) for clause in element.clauses)
    path = f"('$.\"' || {key} || '\"')"
    kind = f"json_type({column}, {path})"
    return f"(CASE WHEN {kind} IN ('integer', 'real') THEN json_extract({column}, {path}) END)"


class json_string(FunctionElement[str]):  # noqa: N801
    """A member of a JSON object as text; NULL where it is no text. Arguments: column, key."""

    type = String()
    inherit_cache = True


@compiles(json_string, "postgresql")
def _json_string_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, key = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(CASE jsonb_typeof({column} -> {key}) WHEN 'string' THEN {column} ->> {key} END)"


@compiles(json_string, "sqlite")
def _json_string_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, key = (compiler.process(clause, **kw) for clause in element.clauses)
    path = f"('$.\"' || {key} || '\"')"
    return f"(CASE json_type({column}, {path}) WHEN 'text' THEN json_extract({column}, {path}) END)"


class json_lists(FunctionElement[bool]):  # noqa: N801
    """Whether a member of a JSON object is a list with one of these texts. Arguments: column, key, texts."""

    type = Boolean()
    inherit_cache = True


@compiles(json_lists, "postgresql")
def _json_lists_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, key, *texts = (compiler.process(clause, **kw) for clause in element.clauses)
    member = f"{column} -> {key}"
    return f"(jsonb_typeof({member}) = 'array' AND ({member}) ?| ARRAY[{', '.join(texts)}]::text[])"


@compiles(json_lists, "sqlite")
def _json_lists_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, key, *texts = (compiler.process(clause, **kw) for clause in element.clauses)
    path = f"('$.\"' || {key} || '\"')"
    found = f"SELECT 1 FROM json_each({column}, {path}) WHERE value IN ({', '.join(texts)})"  # noqa: S608
    return f"(json_type({column}, {path}) = 'array' AND EXISTS ({found}))"


class days_between(FunctionElement[int]):  # noqa: N801
    """Whole days from the first date to the second."""

    type = Integer()
    inherit_cache = True


@compiles(days_between, "postgresql")
def _days_between_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    first, second = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(CAST({second} AS date) - CAST({first} AS date))"


@compiles(days_between, "sqlite")
def _days_between_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    first, second = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"CAST(julianday({second}) - julianday({first}) AS INTEGER)"


class Database:
    """One database of one program. `url` is `sqlite:///file`, `sqlite://` (in memory) or `postgresql://…`."""

    def __init__(self, url: str, *, durable: bool = True) -> None:
        self.url = url
        self._durable = durable
        self._writing = Lock()
        self.engine = _engine(url, durable)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A snapshot to read from. Temporary tables may be made in it; they go when it ends."""
        with self._transaction("BEGIN", "REPEATABLE READ") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block, or rolled back by an exception."""
        with self._transaction("BEGIN IMMEDIATE", "READ COMMITTED", commit=True) as connection:
            yield connection

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """For a question that is a transaction by itself: nothing is sent to begin it, nor to end it."""
        with self._reachable(), self.engine.connect() as connection:
            if self.dialect != "sqlite":
                connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    @contextmanager
    def _transaction(self, begin: str, isolation: str, commit: bool = False) -> Iterator[Connection]:
        with self._turn(commit), self._reachable(), self.engine.connect() as connection:
            if self.dialect == "sqlite":
                connection.connection.driver_connection.execute(begin)  # type: ignore[union-attr]
            else:
                connection.execution_options(isolation_level=isolation)
            with connection.begin() as transaction:
                yield connection
                if not commit:
                    transaction.rollback()

    @contextmanager
    def _turn(self, writes: bool) -> Iterator[None]:
        """SQLite's writers of one process wait in line: by itself it lets each look again after a while,
        and who has waited longest looks most seldom. Between processes it still does.
        """
        mine = writes and self.dialect == "sqlite" and self._writing.acquire(timeout=BUSY_MS / 1000)
        try:
            yield
        finally:
            if mine:
                self._writing.release()

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            raise EnvironmentFault(self._sentence(str(error.orig))) from error
        except self._driver.OperationalError as error:
            raise EnvironmentFault(self._sentence(str(error))) from error
        except PoolTimeout:
            raise EnvironmentFault(
                f"every connection of this process to {self.name} has been in use for half a minute; see "
                "what they wait for, or start another process"
            ) from None
        except (DatabaseError, sqlite3.DatabaseError) as error:
            if "moved: " in str(error):
                raise EnvironmentFault(f"{self.name} takes no more writes ({_moved(str(error))})") from error
            if "read-only transaction" in str(error):
                raise EnvironmentFault(
                    f"{self.name} only reads; set TIDINGS_DATABASE to the server that takes writes"
                ) from error
            if "not a database" not in str(error):
                raise
            raise EnvironmentFault(f"{self.name} is not a database; move the file away") from error

    @property
    def _driver(self) -> Any:
        """The driver's module: what is asked of it directly fails in its own words."""
        return self.engine.dialect.dbapi

    def _sentence(self, said: str) -> str:
        reason = next(iter(said.strip().splitlines()), "no reason given")
        if "locked" in reason:
            return (
                f"the database {self.name} is locked by another program for more than {BUSY_MS // 1000} s; "
                "wait for it to end, or find it with `fuser` and stop it"
            )
        if "disk is full" in reason or "No space left" in reason:
            return f"the disk of the database {self.name} is full; make room on it, and everything goes on"
        if "no such table" in reason:
            return f"the database {self.name} has no tables of Tidings; run `tidings db upgrade`"
        if "readonly" in reason or "unable to open" in reason:
            return f"the database {self.name} cannot be written; check the permissions of its file and folder"
        return f"the database {self.name} cannot be used ({reason}); check TIDINGS_DATABASE and that it runs"

    @property
    def name(self) -> str:
        """The address without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    def create_all(self) -> None:
        """Make every table at once (tests, scenario tests, dry runs in memory); installations migrate."""
        with self.write() as connection:
            SQLModel.metadata.create_all(connection)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def _moved(said: str) -> str:
    """What the guard of a file that was copied away says (`tidings db copy`)."""
    return said.partition("moved: ")[2].splitlines()[0]


def _engine(url: str, durable: bool) -> Engine:
    if not url.startswith(("sqlite://", "postgresql://", "postgresql+psycopg://")):
        raise EnvironmentFault("TIDINGS_DATABASE is neither sqlite:///file nor postgresql://…; correct it")
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    if not url.startswith("sqlite"):
        return _postgres_engine(url)
    memory = url in ("sqlite://", "sqlite:///:memory:")
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}, "query_cache_size": COMPILED}
    if memory:
        from sqlalchemy.pool import StaticPool

        options["poolclass"] = StaticPool
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun by `_transaction`, never by the driver
        connection.create_function("hash_bucket", 1, bucket_of, deterministic=True)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        if not memory:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")

    return engine


def _postgres_engine(url: str) -> Engine:
    from psycopg.types.numeric import Int8Dumper

    # What was used last goes first: it knows the most prepared statements, and has its temporary tables.
    engine = create_engine(
        url, connect_args=dict(NOTICED), query_cache_size=COMPILED, pool_size=STAY_OPEN,
        max_overflow=MOST_OPEN - STAY_OPEN, pool_use_lifo=True,
    )  # fmt: skip

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # By their size numbers would be of three types, and every statement be planned for each mixture.
        connection.adapters.register_dumper(int, Int8Dumper)
        # What is asked often is prepared by core.db.trip. psycopg would prepare what it sees often, and drop
        # every prepared statement of the session, ours too, at each rollback.
        connection.prepare_threshold = None
        connection.execute(_NOTICED_THERE)
        connection.commit()

    @event.listens_for(engine, "checkout")
    def _still_there(connection: Any, _record: object, _proxy: object) -> None:
        # A server that ended says so on the socket: a look at it costs nothing, asking would be a round trip.
        look = poll()
        look.register(connection.pgconn.socket, POLLIN)
        if look.poll(0):
            raise DisconnectionError("the server has closed the connection")

    return engine


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


def facts(**columns: ColumnElement[Any]) -> ColumnElement[Any]:
    """A JSON object of columns, built in SQL."""
    pairs: list[ColumnElement[Any]] = []
    for name, column in columns.items():
        pairs += [literal_column(f"'{name}'"), column]
    return json_object(*pairs)


def json_text(column: ColumnElement[Any], key: str) -> ColumnElement[str]:
    """The text under `key` of a JSON column."""
    return cast(ColumnElement[str], column[key].as_string())


def dumps(value: object) -> str:
    """JSON with sorted keys and no spaces: the same value is the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
