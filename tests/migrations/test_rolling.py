"""Old and new programs work side by side on one database: releases expand first, and contract later."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, Table, inspect, select, text, types

from core.db import Database, upsert
from core.errors import EnvironmentFault
from core.tables import Account
from tests.migrations.conftest import migrate
from tests.support.contraction import Shape, contractions, shapes
from tidings import schema

ACCOUNT = Account.__table__  # type: ignore[attr-defined]
Empty = Callable[[], AbstractContextManager[Database]]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOT_OURS = ("alembic", "schema_floor", "procrastinate")

REVISIONS = sorted(it.revision for it in schema._migrations())
ADMITTED = [it for it in REVISIONS if schema.floor() <= it < schema.HEAD]


def stand(database: Database, revision: str, oldest: str) -> None:
    """What an upgrade by a program of another schema would have left behind."""
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
        connection.execute(text("UPDATE schema_floor SET oldest = :it"), {"it": oldest})


def test_a_program_works_on_a_newer_schema_exactly_if_that_admits_it(empty: Empty) -> None:
    with empty() as database:
        schema.prepare(database)
        assert schema.standing(database) == schema.Standing(schema.HEAD, schema.floor())
        stand(database, "9999", schema.HEAD)
        schema.prepare(database)
        assert schema.upgrade(database) == "9999"
        assert schema.standing(database) == schema.Standing("9999", schema.HEAD)
        stand(database, "9999", "9998")
        sentence = (
            f"has schema 9999, on which programs of schema 9998 and newer work, and this one is of "
            f"{schema.HEAD}; install"
        )
        for ask in (schema.prepare, schema.upgrade):
            with pytest.raises(EnvironmentFault, match=sentence):
                ask(database)


def test_a_newer_program_finds_an_older_schema_and_says_whether_what_runs_may_go_on(empty: Empty) -> None:
    with empty() as database:
        migrate(database, ADMITTED[-1])
        with pytest.raises(EnvironmentFault, match=f"needs {schema.HEAD}; run `tidings db upgrade`"):
            schema.prepare(database)
    with empty() as database:
        migrate(database, REVISIONS[0])
        with pytest.raises(
            EnvironmentFault, match="stop everything that uses it and run `tidings db upgrade`"
        ):
            schema.prepare(database)


def test_an_upgrade_that_leaves_running_programs_behind_waits_until_they_are_stopped(
    empty: Empty, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty() as database:
        migrate(database, ADMITTED[-1])
        runs(database, NOON)
        schema.leave_nobody_behind(database, NOON)
        monkeypatch.setattr(schema, "floor", lambda: schema.HEAD)
        with pytest.raises(EnvironmentFault, match=r"1 process works on .*; stop them first"):
            schema.leave_nobody_behind(database, NOON + timedelta(seconds=59))
        schema.leave_nobody_behind(database, NOON + timedelta(minutes=2))


def runs(database: Database, at: datetime) -> None:
    """A program of before says that it is there."""
    with database.write() as connection:
        process = reflected(connection)["process"]
        connection.execute(process.insert().values({**row(process, 1), "seen_at": stored(connection, at)}))


def test_an_upgrade_gives_way_to_a_long_reader_and_nothing_is_changed(
    postgres_databases: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "LOCK_TIMEOUT", "50ms")
    with postgres_databases.bare() as url:
        database = Database(url)
        migrate(database, schema.floor())
        with database.read() as reader:
            for table in reflected(reader).values():
                reader.execute(select(table).limit(0))
            with pytest.raises(EnvironmentFault, match="in use for so long that the upgrade gave way"):
                schema.upgrade(database)
        assert schema.revision(database) == schema.floor()
        schema.upgrade(database)
        database.close()


def test_no_migration_takes_away_what_an_admitted_program_relies_on(empty: Empty) -> None:
    """Where this fails, spread the change over two releases, or let the migration say `oldest`."""
    with empty() as database:
        before: dict[str, dict[str, Shape]] = {}
        for revision in [*ADMITTED, schema.HEAD]:
            migrate(database, revision)
            with database.read() as connection:
                now = shapes(connection)
            for older, shape in before.items():
                assert contractions(shape, now) == [], f"{revision} shuts out programs of {older}"
            before[revision] = now


CONTRACTIONS = {
    "a INTEGER": "the column b is gone",
    "a INTEGER, b VARCHAR(10), c INTEGER NOT NULL": "the new column c must be given",
    "a INTEGER, b VARCHAR(5)": "the column b was VARCHAR(10) and is VARCHAR(5)",
    "a SMALLINT, b VARCHAR(10)": "the column a was INTEGER and is SMALLINT",
    "a VARCHAR(10), b VARCHAR(10)": "the column a was INTEGER and is VARCHAR(10)",
    "a INTEGER NOT NULL DEFAULT 0, b VARCHAR(10)": "the column a must not be empty any more",
    "a INTEGER, b VARCHAR(10), UNIQUE (b)": "b must now be unique",
    "a INTEGER, b VARCHAR(10), PRIMARY KEY (a)": "a must now be unique",
    "a INTEGER REFERENCES other, b VARCHAR(10)": "a must now be in other",
    "a INTEGER, b VARCHAR(10), CHECK (a > 0)": "a > 0 is now checked",
}
EXPANSIONS = (
    "a BIGINT, b VARCHAR(20)",
    "a INTEGER, b VARCHAR, c INTEGER",
    "a INTEGER, b VARCHAR(10), c INTEGER NOT NULL DEFAULT 0",
    "a INTEGER, b VARCHAR(10), c INTEGER REFERENCES other",
)


def test_what_contracts_is_told_from_what_expands(empty: Empty) -> None:
    with empty() as database, database.write() as connection:
        connection.execute(text("CREATE TABLE other (id INTEGER PRIMARY KEY)"))
        old = made(connection, "a INTEGER, b VARCHAR(10)")
        for columns, sentence in CONTRACTIONS.items():
            assert f"it: {sentence}" in contractions(old, made(connection, columns)), columns
        for columns in EXPANSIONS:
            assert contractions(old, made(connection, columns)) == [], columns
        keyed = made(connection, "a INTEGER, b VARCHAR(10), UNIQUE (a, b)")
        assert "it: it has no key a, b any more" in contractions(keyed, old)
        connection.execute(text("DROP TABLE it"))
        assert contractions(old, shapes(connection)) == ["it: the table is gone"]


def made(connection: Connection, columns: str) -> Any:
    """The shapes with a table `it` of these columns."""
    connection.execute(text("DROP TABLE IF EXISTS it"))
    connection.execute(text(f"CREATE TABLE it ({columns})"))
    return shapes(connection)


@pytest.mark.parametrize("revision", sorted({ADMITTED[0], ADMITTED[-1]}))
def test_the_previous_schemas_writer_works_on_the_new_one(empty: Empty, revision: str) -> None:
    """Every table as the older program's models have it: read, inserted into, changed, upserted, deleted."""
    with empty() as database:
        migrate(database, revision)
        with database.write() as connection:
            tables = reflected(connection)
            for table in tables.values():
                connection.execute(table.insert().values(row(table, 1)))
            before = {name: connection.execute(select(table)).one() for name, table in tables.items()}
        schema.upgrade(database)
        with database.write() as connection:
            for name, table in tables.items():
                assert connection.execute(select(table)).one() == before[name]
                connection.execute(table.insert().values(row(table, 2, only_needed=True)))
            for table in tables.values():
                write_again(connection, table)
            for table in reversed(tables.values()):
                assert connection.execute(table.delete()).rowcount == 3


def test_after_an_upgrade_every_account_says_until_when_its_balance_may_have_risen(empty: Empty) -> None:
    """The last operation's time, or the start of what is still to come; nothing of whom nothing was given."""
    with empty() as database:
        migrate(database, "0012")
        with database.write() as connection:
            tables = reflected(connection)
            given, starts = (stored(connection, NOON + timedelta(days=days)) for days in (1, 14))

            def add(name: str, number: int, **values: Any) -> None:
                connection.execute(tables[name].insert().values(row(tables[name], number) | values))

            for number in (1, 2, 3):
                add("customer", number)
                add("account", number, customer_id=number, last_at=given if number < 3 else None)
            for number in (1, 2):
                add("operation", number, customer_id=number, recorded_at=given)
            add("lot", 2, customer_id=2, operation_id=2, active_from=starts)
        schema.upgrade(database)
        with database.read() as connection:
            found = connection.scalars(select(ACCOUNT.c.moved_at).order_by(ACCOUNT.c.customer_id)).all()
        assert found == [NOON + timedelta(days=1), NOON + timedelta(days=14), None]


def write_again(connection: Connection, table: Table) -> None:
    """A third row: inserted, changed in every column, and written once more by its key."""
    third = row(table, 3)
    connection.execute(table.insert().values(third))
    keys = [column.name for column in table.primary_key]
    found = [table.c[name] == third[name] for name in keys]
    others = [name for name in third if name not in keys]
    if others:
        changed = table.update().where(*found).values({name: third[name] for name in others})
        assert connection.execute(changed).rowcount == 1
        connection.execute(upsert(connection, table, keys, others).values(third))


def reflected(connection: Connection) -> dict[str, Table]:
    """The tables as they stand in the database, those that others point at first."""
    found = MetaData()
    names = [it for it in inspect(connection).get_table_names() if not it.startswith(NOT_OURS)]
    found.reflect(connection, only=names)
    return {table.name: table for table in found.sorted_tables}


def row(table: Table, number: int, *, only_needed: bool = False) -> dict[str, Any]:
    """A row of which each value says the same number, so that all references lead somewhere."""
    return {
        column.name: value(column.type, number)
        for column in table.columns
        if not only_needed or column.primary_key or not (column.nullable or column.server_default)
    }


def value(kind: types.TypeEngine[Any], number: int) -> Any:
    for types_of, made in VALUES:
        if isinstance(kind, types_of):
            return made(number)
    raise AssertionError(f"no value for {kind!r}")


VALUES: tuple[tuple[Any, Callable[[int], Any]], ...] = (
    (types.Boolean, lambda number: number % 2 == 1),
    (types.DateTime, lambda number: NOON + timedelta(days=number)),
    (types.Date, lambda number: date(2026, 3, number)),
    (types.Time, lambda number: datetime.min.time().replace(hour=number)),
    (types.JSON, lambda number: {"it": number}),
    (types.LargeBinary, lambda number: bytes([number])),
    (types.String, str),
    ((types.Numeric, types.Float), lambda number: number),
    (types.Integer, lambda number: number),
)


def stored(connection: Connection, at: datetime) -> Any:
    """A time as the column of a reflected table takes it: text on SQLite."""
    if connection.dialect.name == "sqlite":
        return at.replace(tzinfo=None).isoformat(" ", "microseconds")
    return at
