"""The door to the database: transactions, connections, and one sentence for each way in which it fails.

Everything here is synchronous. A write transaction on SQLite takes the single writer's lock at its
start (`BEGIN IMMEDIATE`), so that two writers wait for each other instead of failing half-way.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from select import POLLIN, poll
from threading import Lock
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import SQLModel

from core.db.spelling import bucket_of
from core.errors import EnvironmentFault

BUSY_MS = 15_000
# Statements that stay compiled: a look asks some forty a scenario, and compiling takes longer than they do.
COMPILED = 5_000
# Connections of one process to PostgreSQL, and how many of them stay open: a new one plans everything anew.
MOST_OPEN, STAY_OPEN = 15, 10
# How a connection to PostgreSQL sees others' transactions, unless it reads: changing that takes its time.
USUAL = "READ COMMITTED"
# A server that vanished without a word is noticed within seconds, by libpq (seconds; the last is in ms) ...
NOTICED: Mapping[str, int] = {
    "connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}  # fmt: skip
# ... and by the server a client that did: what it held is free again.
_NOTICED_THERE = (
    "set_config('tcp_keepalives_idle', '5', false), "
    "set_config('tcp_keepalives_interval', '2', false), "
    "set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '30s', false)"
)
# What a large look stages stays in the server's memory; it is taken only as it is needed.
_STAGED_IN_MEMORY = "set_config('temp_buffers', '64MB', false)"

# Nothing is wrong with the statement: the session lost what it had prepared, or somebody else's was there.
_POOLED = (
    "is reached by way of a pooler that changes sessions between transactions; let it pool by session "
    "(pgbouncer: pool_mode = session), or name the server itself in TIDINGS_DATABASE"
)
# By SQLSTATE, since the server says its sentences in a language of its own (lc_messages):
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_CODE: Mapping[str, str] = {
    "25006": "only reads; set TIDINGS_DATABASE to the server that takes writes",
    "25P03": "ended a transaction that had nothing to say for longer than it allows "
             "(idle_in_transaction_session_timeout); nothing of it was kept, do it again",
    "25P04": "ended a transaction that took longer than it allows (transaction_timeout); nothing of it was "
             "kept, let the user of TIDINGS_DATABASE take their time "
             "(`ALTER ROLE … SET transaction_timeout = 0`)",
    "26000": _POOLED,
    "40P01": "ended a transaction that waited for another one while that waited for it; nothing of it was "
             "kept, do it again",
    # Since PostgreSQL 15 only its owner makes tables in a database; a dump belongs to who restored it.
    "42501": "does not let its user do what is needed ({said}); make them the owner of the database and of "
             "its tables (`createdb --owner`, `ALTER … OWNER TO`), who may make temporary ones "
             "(`GRANT TEMPORARY ON DATABASE`)",
    "42P05": _POOLED,
    "53100": "has no room left on its disk; make some, and everything goes on",
    "55P03": "lets nobody wait longer for what another holds (lock_timeout); nothing was kept, do it again, "
             "or let the user of TIDINGS_DATABASE wait (`ALTER ROLE … SET lock_timeout = 0`)",
    "57014": "ended a statement that took longer than it allows (statement_timeout), or that somebody "
             "cancelled; let the user of TIDINGS_DATABASE take their time "
             "(`ALTER ROLE … SET statement_timeout = 0`)",
}  # fmt: skip


class Database:
    """One database of one program. `url` is `sqlite:///file`, `sqlite://` (in memory) or `postgresql://…`."""

    def __init__(self, url: str, *, durable: bool = True) -> None:
        self.url = url
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
    def write(self, *, copying: bool = False) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block, or rolled back by an exception.

        `copying`: what it adds refers only to rows from which it was made in this very transaction. SQLite
        then does not read them once more for each new row.
        """
        with self._transaction("BEGIN IMMEDIATE", USUAL, commit=True, copying=copying) as connection:
            yield connection

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """For a question that is a transaction by itself: nothing is sent to begin it, nor to end it."""
        with self._reachable(), self.engine.connect() as connection:
            if self.dialect != "sqlite":
                connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    @contextmanager
    def _transaction(
        self, begin: str, isolation: str, commit: bool = False, copying: bool = False
    ) -> Iterator[Connection]:
        around = _unreferred if copying and self.dialect == "sqlite" else nullcontext
        with (
            self._turn(commit), self._reachable(), self.engine.connect() as connection, around(connection)
        ):  # fmt: skip
            if self.dialect == "sqlite":
                connection.connection.driver_connection.execute(begin)  # type: ignore[union-attr]
            elif isolation != USUAL:
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
            raise EnvironmentFault(self._sentence(str(error.orig), error.orig)) from error
        except self._driver.OperationalError as error:
            raise EnvironmentFault(self._sentence(str(error), error)) from error
        except PoolTimeout:
            raise EnvironmentFault(
                f"every connection of this process to {self.name} has been in use for half a minute; see "
                "what they wait for, or start another process"
            ) from None
        except (DatabaseError, sqlite3.DatabaseError) as error:
            if "moved: " in str(error):
                raise EnvironmentFault(f"{self.name} takes no more writes ({_moved(str(error))})") from error
            if (sentence := self._by_code(getattr(error, "orig", error))) is not None:
                raise EnvironmentFault(sentence) from error
            if "invalid connection option" in str(error):
                said = str(getattr(error, "orig", error)).strip()
                raise EnvironmentFault(f"TIDINGS_DATABASE has an {said}; correct it") from error
            if "not a database" not in str(error):
                raise
            raise EnvironmentFault(f"{self.name} is not a database; move the file away") from error

    @property
    def _driver(self) -> Any:
        """The driver's module: what is asked of it directly fails in its own words."""
        return self.engine.dialect.dbapi

    def _by_code(self, error: BaseException | None) -> str | None:
        """What PostgreSQL's code says, where it is of a kind that somebody can do something about."""
        sentence = _BY_CODE.get(getattr(error, "sqlstate", None) or "")
        said = str(error).partition("\n")[0]
        return f"the database {self.name} {sentence.format(said=said)}" if sentence else None

    def _sentence(self, said: str, error: BaseException | None) -> str:
        if (by_code := self._by_code(error)) is not None:
            return by_code
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
        if "unable to open" in reason and (misplaced := self._misplaced()):
            return misplaced
        if "readonly" in reason or "unable to open" in reason:
            return f"the database {self.name} cannot be written; check the permissions of its file and folder"
        return f"the database {self.name} cannot be used ({reason}); check TIDINGS_DATABASE and that it runs"

    def _misplaced(self) -> str | None:
        file = Path(self.engine.url.database or "")
        if file.is_dir():
            return f"the database {self.name} is a folder; name a file in it in TIDINGS_DATABASE"
        if not file.parent.exists():
            return f"the folder of the database {self.name} is not there; make it, or name another"
        return None

    @property
    def name(self) -> str:
        """The address as people write it, without its password."""
        return _shown(self.engine.url)

    def create_all(self) -> None:
        """Make every table at once (tests, scenario tests, dry runs in memory); installations migrate."""
        with self.write() as connection:
            SQLModel.metadata.create_all(connection)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def only_reads(connection: Connection) -> bool:
    """Whether the server takes no writes in this transaction: a standby, or one that was set to only read.

    It may be set so for the user who asks alone. Of a file SQLite knows it only once it is written to.
    """
    if connection.dialect.name != "postgresql":
        return False
    return bool(connection.scalar(text("SELECT current_setting('transaction_read_only') = 'on'")))


@contextmanager
def _unreferred(connection: Connection) -> Iterator[None]:
    """SQLite looks up no foreign keys in the transaction inside; the setting cannot change within one."""
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        if driver.in_transaction:
            connection.invalidate()  # it did not end: nobody else may have this connection as it is
        else:
            driver.execute("PRAGMA foreign_keys = ON")


def _moved(said: str) -> str:
    """What the guard of a file that was copied away says (`tidings db copy`)."""
    return said.partition("moved: ")[2].splitlines()[0]


def _shown(url: URL) -> str:
    """Which driver is used is our affair; libpq takes a password among the options, too."""
    plain = url.set(drivername=url.get_backend_name()).difference_update_query(("password", "sslpassword"))
    return plain.render_as_string(hide_password=True)


def _engine(url: str, durable: bool) -> Engine:
    if not url.startswith(("sqlite://", "postgresql://", "postgresql+psycopg://")):
        raise EnvironmentFault("TIDINGS_DATABASE is neither sqlite:///file nor postgresql://…; correct it")
    try:
        make_url(url)
    except (ArgumentError, ValueError):
        # Without the text: it may hold a password.
        raise EnvironmentFault(
            "TIDINGS_DATABASE is no address of a database; write for example postgresql://user@host:5432/name"
        ) from None
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    if not url.startswith("sqlite"):
        return _postgres_engine(url)
    memory = url in ("sqlite://", "sqlite:///:memory:")
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}, "query_cache_size": COMPILED}
    # What is asked and written is a customer's; an error may be seen in a log.
    options["hide_parameters"] = True
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
        max_overflow=MOST_OPEN - STAY_OPEN, pool_use_lifo=True, isolation_level=USUAL, hide_parameters=True,
    )  # fmt: skip

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, _record: object, words: list[Any], options: dict[str, Any]) -> Any:
        connection = dialect.connect(*words, **options)
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            connection.close()
            raise EnvironmentFault(
                f"the database {_shown(engine.url)} keeps texts as {encoding}, "
                "and names need UTF8; make another: `createdb --encoding UTF8 --template template0 NAME`"
            )
        return connection

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # By their size numbers would be of three types, and every statement be planned for each mixture.
        connection.adapters.register_dumper(int, Int8Dumper)
        # What is asked often is prepared by core.db.trip. psycopg would prepare what it sees often, and drop
        # every prepared statement of the session, ours too, at each rollback.
        connection.prepare_threshold = None
        connection.execute(f"SELECT {_NOTICED_THERE}, {_STAGED_IN_MEMORY}")
        connection.commit()

    @event.listens_for(engine, "checkout")
    def _still_there(connection: Any, _record: object, _proxy: object) -> None:
        # A server that ended says so on the socket: a look at it costs nothing, asking would be a round trip.
        look = poll()
        look.register(connection.pgconn.socket, POLLIN)
        if look.poll(0):
            raise DisconnectionError("the server has closed the connection")

    return engine
