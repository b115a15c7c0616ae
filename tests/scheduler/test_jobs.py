"""Jobs are deferred with what makes them due, or not at all."""

from collections.abc import Iterator
from importlib import resources

import pytest
from sqlalchemy import text

from core.db import Database
from scheduler import jobs
from tests.support.databases import PROJECT, PostgresDatabases


@pytest.fixture
def postgres(postgres_databases: PostgresDatabases) -> Iterator[Database]:
    """A PostgreSQL database with every table."""
    with postgres_databases.fresh() as database:
        yield database


def _defer_and_fail(database: Database) -> None:
    with database.write() as connection:
        jobs.defer(connection, jobs.DELIVER, [{"channel": "push"}], queue="deliver")
        raise ZeroDivisionError


def test_a_job_is_there_once_its_transaction_is_committed(postgres: Database) -> None:
    with postgres.write() as connection:
        jobs.defer(connection, jobs.DELIVER, [{"channel": "sms"}, {"channel": "email"}], queue="deliver")
    with pytest.raises(ZeroDivisionError):
        _defer_and_fail(postgres)
    with postgres.read() as connection:
        found = connection.execute(text("SELECT task_name, args FROM procrastinate_jobs ORDER BY id")).all()
    assert [tuple(it) for it in found] == [("deliver", {"channel": "sms"}), ("deliver", {"channel": "email"})]


def test_the_migration_makes_what_the_installed_procrastinate_works_with() -> None:
    shipped = PROJECT / "tidings" / "migrations" / "procrastinate_3_10_0.sql"
    installed = resources.files("procrastinate.sql") / "schema.sql"
    assert shipped.read_text("utf-8") == installed.read_text("utf-8")
