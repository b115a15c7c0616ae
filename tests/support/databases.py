"""Empty databases with every table, quickly: SQLite as a copied file, PostgreSQL as an emptied database."""

import importlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import QueuePool

from core.db import Database
from core.errors import EnvironmentFault
from core.tables.references import dangling

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("core", "triggers", "templates", "wallet", "channels", "campaigns", "scheduler", "tidings")

# One round trip: ends whoever is left from the test before, empties the tables that hold anything, and
# lets ids start at 1 again. DELETE takes a tenth of the time of TRUNCATE, which makes new files for a
# table and each of its indexes, until a table has grown (bytes below). Foreign keys need no check: all goes.
EMPTY = """
DO $$
DECLARE
    name text;
    size bigint;
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;
    FOR name, size IN
        SELECT oid::regclass::text, pg_relation_size(oid) FROM pg_class
        WHERE relkind = 'r' AND relpersistence <> 't' AND pg_relation_size(oid) > 0
        AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    LOOP
        IF size > 262144 THEN
            EXECUTE 'TRUNCATE ' || name || ' CASCADE';
        ELSE
            EXECUTE 'DELETE FROM ' || name;
        END IF;
    END LOOP;
    PERFORM setval(format('%I.%I', schemaname, sequencename), start_value, false)
    FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""


def load_tables() -> None:
    """Import every package's `tables` module, so that `create_all` makes every table."""
    for package in PACKAGES:
        if (PROJECT / package / "tables.py").exists():
            importlib.import_module(f"{package}.tables")


class SqliteDatabases:
    """Files copied from one that has the tables: a copy takes a millisecond, the tables fifty.

    A `Database` is used again by the next test: what SQLAlchemy has compiled once stays compiled.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._free: list[tuple[Path, Database]] = []
        self._template = folder / "template.db"

    @contextmanager
    def fresh(self) -> Iterator[Database]:
        """A database of its own, with every table and no row."""
        if not self._template.exists():
            self._make_template()
        file, database = self._free.pop() if self._free else self._another()
        shutil.copyfile(self._template, file)
        try:
            yield database
            _nothing_dangles(database)
        finally:
            database.close()
            for left in self._folder.glob(f"{file.name}*"):
                left.unlink()
            self._free.append((file, database))

    def close(self) -> None:
        """Nothing is left: the files lie in pytest's folder."""

    def _another(self) -> tuple[Path, Database]:
        self._made += 1
        file = self._folder / f"{self._made}.db"
        return file, Database(f"sqlite:///{file}", durable=False)

    def _make_template(self) -> None:
        load_tables()
        database = Database(f"sqlite:///{self._template}", durable=False)
        database.create_all()
        database.close()


class PostgresDatabases:
    """Databases on one server, made from a template and used again by the tests of one worker.

    `server` is the address of the server's `postgres` database; `owner` tells this worker's databases
    from those of others.
    """

    def __init__(self, server: str, owner: str) -> None:
        self._server = server
        self._prefix = f"tidings_test_{owner}"
        self._free: list[tuple[str, Database]] = []
        self._all: list[str] = []
        self._template: str | None = None

    @contextmanager
    def fresh(self) -> Iterator[Database]:
        """A database of its own, with every table, no row, and ids that start at 1."""
        name, database = self._free.pop() if self._free else self._another()
        with database.glance() as connection:
            connection.connection.driver_connection.execute(EMPTY)  # type: ignore[union-attr]
        try:
            yield database
            _nothing_dangles(database)
        finally:
            _keep_one_connection(database)
            self._free.append((name, database))

    @contextmanager
    def bare(self) -> Iterator[str]:
        """The address of a database without any table, for migrations; dropped afterwards."""
        name = self._create("template1")
        try:
            yield self._url(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        """Drop what was made."""
        for _, database in self._free:
            database.close()
        for name in (*self._all,):
            self._drop(name)

    def _another(self) -> tuple[str, Database]:
        name = self._make()
        return name, Database(self._url(name))

    def _make(self) -> str:
        if self._template is None:
            load_tables()
            self._template = self._create("template1")
            database = Database(self._url(self._template))
            database.create_all()
            database.close()
        return self._create(self._template)

    def _create(self, template: str) -> str:
        name = f"{self._prefix}_{len(self._all)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._on_server(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._on_server(statement.format(sql.Identifier(name), sql.Identifier(template)))
        self._all.append(name)
        return name

    def _drop(self, name: str) -> None:
        self._on_server(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _on_server(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement)

    def _url(self, name: str) -> str:
        address, question, options = self._server.partition("?")
        return f"{address.rpartition('/')[0]}/{name}{question}{options}"


def _nothing_dangles(database: Database) -> None:
    """Whatever a test did: no row refers to none, where PostgreSQL does not see to it by itself."""
    try:
        with database.glance() as connection:
            lost = dangling(connection)
    except (DatabaseError, EnvironmentFault):
        return  # the test took the database, or its tables, away
    assert not lost, f"rows refer to none: {lost}"


def _keep_one_connection(database: Database) -> None:
    """Close all but the one used last: it knows the tables, and has prepared what the next test asks, too."""
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    try:
        idle = [database.engine.raw_connection() for _ in range(pool.checkedin())]
    except (DatabaseError, EnvironmentFault):
        database.close()
        return
    for connection in idle[1:]:
        connection.invalidate()
    for connection in idle:
        connection.close()
