"""Databases of each kind without any table, for migrations to begin with."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from alembic import command

from core.db import Database
from tests.support.databases import PostgresDatabases, load_tables
from tidings import schema

Empty = Callable[[], AbstractContextManager[Database]]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Empty:
    """Makes databases without any table."""
    load_tables()
    made: list[int] = []

    @contextmanager
    def make() -> Iterator[Database]:
        made.append(1)
        if request.param == "sqlite":
            with closing(Database(f"sqlite:///{tmp_path / f'{len(made)}.db'}", durable=False)) as database:
                yield database
            return
        postgres: PostgresDatabases = request.getfixturevalue("postgres_databases")
        with postgres.bare() as url, closing(Database(url)) as database:
            yield database

    return make


@contextmanager
def closing(database: Database) -> Iterator[Database]:
    """Its connections are given back at the end."""
    try:
        yield database
    finally:
        database.close()


def migrate(database: Database, revision: str) -> None:
    """Bring a database to a schema of before."""
    with database.write() as connection:
        command.upgrade(schema.config(connection), revision)
