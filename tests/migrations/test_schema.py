"""A database that migrations made is the database that the tables describe."""

import re
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlmodel import SQLModel

from core.db import Database
from core.errors import EnvironmentFault
from tests.migrations.conftest import closing, migrate
from tests.support.databases import PostgresDatabases
from tidings import schema
from tidings.migrations.spelling import compared

Empty = Callable[[], AbstractContextManager[Database]]


def described(connection: Connection) -> dict[str, Any]:
    """Every table as the database itself describes it."""
    found = inspect(connection)
    tables = sorted(set(found.get_table_names()) - {"alembic_version", "schema_floor"})
    return {table: _table(connection, found, table) for table in tables}


def _table(connection: Connection, found: Any, table: str) -> dict[str, Any]:
    columns = found.get_columns(table)
    foreign = sorted(
        (*it["constrained_columns"], it["referred_table"], *it["referred_columns"], str(it["options"]))
        for it in found.get_foreign_keys(table)
    )
    unique = sorted(tuple(it["column_names"]) for it in found.get_unique_constraints(table))
    return {
        "columns": {it["name"]: (repr(it["type"]), it["nullable"], it["default"]) for it in columns},
        "primary key": found.get_pk_constraint(table)["constrained_columns"],
        "foreign keys": foreign,
        "uniques": unique,
        "indexes": _indexes(connection, table),
        "triggers": _triggers(connection, table),
    }


def _indexes(connection: Connection, table: str) -> list[str]:
    """Their definitions with the predicates, as the database would write them down."""
    query = (
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :name AND sql IS NOT NULL"
        if connection.dialect.name == "sqlite"
        else "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = :name"
    )
    return sorted(re.sub(r"\s+", " ", sql) for sql in connection.scalars(text(query), {"name": table}))


def _triggers(connection: Connection, table: str) -> list[str]:
    """Their definitions, with the functions that they call."""
    query = (
        "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name"
        if connection.dialect.name == "sqlite"
        else "SELECT pg_get_triggerdef(oid) || pg_get_functiondef(tgfoid) FROM pg_trigger "
        "WHERE tgrelid = CAST(:name AS regclass) AND NOT tgisinternal"
    )
    return sorted(connection.scalars(text(query), {"name": table}))


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """procrastinate's tables come from a file of its own (tests/scheduler/test_jobs.py)."""
    return kind != "table" or not str(name).startswith(("procrastinate", "schema_floor"))


def test_migrating_an_empty_database_makes_every_table_as_the_code_describes_it(empty: Empty) -> None:
    with empty() as migrated, empty() as fresh:
        schema.upgrade(migrated)
        fresh.create_all()
        with migrated.read() as one, fresh.read() as other:
            found, wanted = described(one), described(other)
        assert found.keys() == wanted.keys()
        for table, description in wanted.items():
            assert found[table] == description, table


def test_alembic_itself_finds_nothing_left_to_migrate(empty: Empty) -> None:
    with empty() as migrated:
        schema.upgrade(migrated)
        with migrated.read() as connection:
            opts = {"compare_type": True, "include_name": _is_ours, "include_object": compared(connection)}
            context = MigrationContext.configure(connection, opts=opts)
            assert compare_metadata(context, SQLModel.metadata) == []


def test_partial_indexes_keep_their_predicates(empty: Empty) -> None:
    with empty() as migrated:
        schema.upgrade(migrated)
        with migrated.read() as connection:
            partial = [
                sql
                for table in described(connection).values()
                for sql in table["indexes"]
                if " WHERE " in sql
            ]
    names = {match[1] for sql in partial if (match := re.search(r"INDEX (\w+) ", sql))}
    assert {"lot_expiring", "message_due", "wallet_device_due", "wallet_pass_google_due"} <= names


def test_triggers_are_made_too(empty: Empty) -> None:
    with empty() as migrated:
        schema.upgrade(migrated)
        with migrated.read() as connection:
            assert len(described(connection)["consent"]["triggers"]) == 3


def test_after_an_upgrade_every_customers_row_says_where_they_agreed(empty: Empty) -> None:
    with empty() as database:
        migrate(database, "0010")
        rows = "VALUES (:it, :name, '{}', '2026-03-01', '2026-03-01')"
        said = "VALUES (:it, 'sms', 'marketing', :yes, '2026-03-01')"
        with database.write() as connection:
            connection.execute(
                text(f"INSERT INTO customer (id, external_id, attributes, registered_at, updated_at) {rows}"),
                [{"it": it, "name": str(it)} for it in (1, 2, 3)],
            )
            connection.execute(
                text(f"INSERT INTO consent (customer_id, channel, purpose, granted, at) {said}"),
                [{"it": 1, "yes": True}, {"it": 2, "yes": False}],
            )
        schema.upgrade(database)
        with database.write() as connection:
            on_rows = text("SELECT opted_in FROM customer ORDER BY id")
            assert connection.scalars(on_rows).all() == [" sms ", "", ""]
            connection.execute(text("UPDATE consent SET granted = NOT granted"))
            assert connection.scalars(on_rows).all() == ["", " sms ", ""]


def test_what_looks_and_delivery_write_is_checked_by_foreign_keys_on_sqlite_alone(empty: Empty) -> None:
    copied = ("enrolment", "message", "attempt", "decision", "feedback", "segment_change")
    with empty() as migrated:
        migrate(migrated, "0010")
        with migrated.read() as connection:
            assert all(described(connection)[table]["foreign keys"] for table in copied)
        schema.upgrade(migrated)
        with migrated.read() as connection:
            now = described(connection)
    checked = {table for table in copied if now[table]["foreign keys"]}
    assert checked == (set(copied) if migrated.dialect == "sqlite" else set())
    assert now["receipt"]["foreign keys"]


def test_the_schema_that_the_code_asks_for_is_the_newest_migration() -> None:
    scripts = ScriptDirectory.from_config(schema.config())
    assert scripts.get_heads() == [schema.HEAD]


def test_the_first_start_makes_the_tables_and_the_second_changes_nothing(empty: Empty) -> None:
    with empty() as database:
        schema.prepare(database)
        assert schema.revision(database) == schema.HEAD
        with database.read() as connection:
            before = described(connection)
        schema.prepare(database)
        with database.read() as connection:
            assert described(connection) == before


def test_a_schema_of_another_version_is_named_with_what_to_run(empty: Empty) -> None:
    with empty() as database:
        schema.prepare(database)
        with database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
        with pytest.raises(EnvironmentFault, match=r"has schema 0000, .* run `tidings db upgrade`"):
            schema.prepare(database)


def test_a_schema_that_no_migration_leads_on_from_is_said_to_be_one(empty: Empty) -> None:
    with empty() as database:
        schema.prepare(database)
        with database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        with pytest.raises(EnvironmentFault, match="cannot carry over; give it a new database"):
            schema.upgrade(database)


def test_a_database_that_belongs_to_something_else_is_left_alone(empty: Empty) -> None:
    with empty() as database:
        with database.write() as connection:
            connection.execute(text("CREATE TABLE customer (id integer)"))
        with pytest.raises(EnvironmentFault, match="give it one of its own"):
            schema.prepare(database)
        with database.read() as connection:
            assert inspect(connection).get_table_names() == ["customer"]


def test_a_migration_that_fails_leaves_nothing_behind(empty: Empty, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise RuntimeError("in the middle")

    monkeypatch.setattr("tidings.migrations.columns.transaction_number", fail)
    with empty() as database:
        with pytest.raises(RuntimeError, match="in the middle"):
            schema.prepare(database)
        with database.read() as connection:
            assert inspect(connection).get_table_names() == []
        monkeypatch.undo()
        schema.prepare(database)
        assert schema.revision(database) == schema.HEAD


def test_who_does_not_own_the_database_is_told_so_in_one_sentence(
    postgres_databases: PostgresDatabases,
) -> None:
    with postgres_databases.bare() as url, closing(Database(url)) as database:
        guest = f"guest_{secrets.token_hex(4)}"
        with database.write() as connection:
            connection.execute(text(f"CREATE ROLE {guest}"))
        as_guest = f"{url}{'&' if '?' in url else '?'}options=-crole%3D{guest}"
        try:
            # An empty database of somebody else's, then their tables.
            for _ in range(2):
                for begin in (schema.prepare, schema.upgrade):
                    with (
                        closing(Database(as_guest)) as visited,
                        pytest.raises(EnvironmentFault, match="make them the owner of the database"),
                    ):
                        begin(visited)
                schema.prepare(database)
        finally:
            with database.write() as connection:
                connection.execute(text(f"DROP ROLE {guest}"))
