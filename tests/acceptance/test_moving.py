"""An installation is taken to PostgreSQL, or back to a backup: nothing is lost or sent twice."""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Connection, Date, Float, Integer, Numeric, func, inspect, select, text
from sqlalchemy.types import JSON
from sqlmodel import SQLModel

from core.db import Database, UtcDateTime
from core.db.bulk import driver
from core.errors import EnvironmentFault
from core.tables.references import is_checked
from tests.support.databases import PostgresDatabases
from tests.support.ports import free_port
from tests.support.shop import Shop, shop
from tidings import schema
from tidings.moving import backup, copying, landing

__all__ = ["shop"]

THEN = datetime.now(UTC) - timedelta(hours=2)
CUSTOMERS = (
    "customer,name,email,locale,registered_at,referred_by\n"
    "K-1,Олена,olena@example.com,uk,2025-01-10,K-2\nK-2,Emma,emma@example.com,en,2025-01-10,\n"
)
CONSENTS = "customer,channel,granted,at\nK-1,email,yes,2025-01-10T12:00:00+02:00\n"
BOUGHT = "receipt,customer,at,sku,quantity,total\n"
PEOPLE = ("K-1", "K-2")


@pytest.fixture
def address(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """Of an empty database."""
    with postgres_databases.bare() as url:
        yield url


@pytest.fixture
def full(tmp_path: Path, address: str) -> Iterator[tuple[Database, Database]]:
    """A database with rows in every table, and the empty one that it is to be copied to."""
    with closing(Database(f"sqlite:///{tmp_path / 'full.db'}")) as source:
        schema.prepare(source)
        filled(source)
        with closing(Database(address)) as target:
            yield source, target


@pytest.fixture(scope="module")
def lived_in() -> list[Path]:
    """Where the shop of the first test is kept for the others."""
    return []


@pytest.fixture
def busy(shop: Shop, lived_in: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop with customers, receipts, a card and letters that have left."""
    if not lived_in:
        live(shop)
        lived_in.append(tmp_path_factory.mktemp("lived-in") / "shop")
        shutil.copytree(shop.path, lived_in[0])
    else:
        shutil.rmtree(shop.path)
        shutil.copytree(lived_in[0], shop.path)
    return shop


def live(shop: Shop) -> None:
    receipts = (
        BOUGHT + f"R-1,K-1,{THEN.isoformat()},beans,1,500.00\nR-2,K-2,{THEN.isoformat()},beans,1,900.00\n"
    )
    for kind, rows in (("customers", CUSTOMERS), ("consents", CONSENTS)):
        assert shop.run("import", kind, str(shop.write(f"{kind}.csv", rows))).code == 0
    shop.change("program.yaml", "holdout: 5%", "holdout: 0%")
    # At any hour of the night, too.
    shop.change("scenarios/bonus-accrued.yaml", "purpose: service ", "purpose: transactional ")
    assert shop.run("apply", "--yes").code == 0
    assert shop.run("import", "receipts", str(shop.write("receipts.csv", receipts)), "--live").code == 0
    assert shop.run("card", "issue", "K-1").code == 0
    assert shop.run("tick").code == 0
    assert len(letters(shop)) == 2


def letters(shop: Shop) -> list[Path]:
    return sorted((shop.path / "outbox" / "email").glob("*.eml"))


def pages(shop: Shop) -> list[object]:
    return [json.loads(shop.run("customer", who, "--format", "json").out) for who in PEOPLE]


def opened(shop: Shop) -> Database:
    return Database(f"sqlite:///{shop.path / 'tidings.db'}")


def test_it_goes_on_in_postgresql_where_it_was_and_sends_nothing_twice(busy: Shop, address: str) -> None:
    before, sent = pages(busy), letters(busy)
    with closing(opened(busy)) as still_served:
        said = busy.run("db", "copy", str(busy.path / "tidings.db"), address)
        assert (said.code, "found the same on both sides" in said.out) == (0, True), said.err
        refused_write = pytest.raises(EnvironmentFault, match=r"no more writes .* goes to postgresql")
        with refused_write, still_served.write() as connection:
            connection.execute(text("UPDATE message SET state = 'planned'"))
    refused = busy.run("customer", "K-1")
    assert (refused.code, "was moved to postgresql" in refused.err) == (3, True)
    busy.monkeypatch.setenv("TIDINGS_DATABASE", address)
    assert pages(busy) == before
    assert busy.run("tick").code == 0
    assert letters(busy) == sent
    later = (THEN + timedelta(hours=1)).isoformat()
    rows = str(busy.write("later.csv", f"{BOUGHT}R-3,K-1,{later},beans,1,400.00\n"))
    assert busy.run("import", "receipts", rows, "--live").code == 0
    assert busy.run("tick").code == 0
    assert len(letters(busy)) == len(sent) + 1


class Killed(BaseException):
    """Ends the copy where it is, as kill -9 does: nothing that is not committed stays."""


@dataclass
class Fate:
    """After so many commits of either database the process dies."""

    commits: int = 10**6

    def committed(self) -> None:
        self.commits -= 1
        if not self.commits:
            raise Killed


class Mortal(Database):
    """A database whose process dies right after a commit."""

    def __init__(self, url: str, fate: Fate) -> None:
        super().__init__(url)
        self.fate = fate

    @contextmanager
    def write(self, *, copying: bool = False) -> Iterator[Connection]:
        with super().write(copying=copying) as connection:
            yield connection
        self.fate.committed()


def dying_after(busy: Shop, address: str, commits: int = 10**6, tell: Any = None) -> bool:
    """One attempt at the copy; whether it came to its end."""
    fate = Fate(commits)
    url = f"sqlite:///{busy.path / 'tidings.db'}"
    with closing(Mortal(url, fate)) as source, closing(Mortal(address, fate)) as target:
        try:
            copying.move(source, target, THEN, tell or (lambda _done, _whole: None))
        except Killed:
            return False
    return True


def at_the_last_row(done: int, whole: int) -> None:
    if done == whole:
        raise Killed


def test_killed_at_any_step_it_goes_on_and_until_the_end_at_most_one_side_is_used(
    busy: Shop, address: str
) -> None:
    before = pages(busy)
    usable = []

    def look() -> None:
        for url in ("", address):
            busy.monkeypatch.setenv("TIDINGS_DATABASE", url)
            usable.append(busy.run("customer", "K-1").code == 0)

    # The schema, the freezing, the beginning, a few chunks; all chunks; each step after them.
    for commits in (1, 1, 1, 5):
        assert not dying_after(busy, address, commits)
    look()
    assert not dying_after(busy, address, tell=at_the_last_row)
    for commits in (1, 2, 3):
        assert not dying_after(busy, address, commits)
        look()
    assert usable == [False, False] * 3 + [False, True]
    assert pages(busy) == before


def test_what_is_not_the_same_on_both_sides_is_told_and_the_copy_can_be_given_up(
    busy: Shop, address: str
) -> None:
    before, file = pages(busy), str(busy.path / "tidings.db")
    assert not dying_after(busy, address, tell=at_the_last_row)
    with closing(Database(address)) as target, target.write() as connection:
        connection.execute(text("UPDATE customer SET name = 'Somebody else' WHERE external_id = 'K-2'"))
    said = busy.run("db", "copy", file, address)
    assert (said.code, "the table customer is not the same" in said.err) == (3, True)
    assert "is being copied to postgresql" in busy.run("db", "upgrade").err
    with closing(Database(address)) as target, landing.alone(target):
        assert "another `tidings db copy` works on" in busy.run("db", "copy", file, address).err
    assert busy.run("db", "copy", file, address, "--give-up").code == 0
    assert pages(busy) == before
    assert busy.run("db", "copy", file, address).code == 0
    assert "is not given back" in busy.run("db", "copy", file, address, "--give-up").err


def test_every_table_and_every_kind_of_value_comes_over_and_new_rows_are_numbered_on(
    full: tuple[Database, Database],
) -> None:
    source, target = full
    moved = copying.move(source, target, THEN, chunk=3)
    assert moved.rows == {table.name: 7 for table in SQLModel.metadata.sorted_tables}
    with target.write() as connection:
        assert not inspect(connection).has_table(landing.PROGRESS)
        for table in SQLModel.metadata.sorted_tables:
            if (counted := table.autoincrement_column) is not None:
                sequence = func.pg_get_serial_sequence(table.name, counted.name)
                assert connection.scalar(select(func.nextval(sequence))) == 8
        found = connection.execute(text("SELECT earlier::text FROM scenario_state ORDER BY name")).scalars()
        assert [*found] == [None, "null", "[]", "10000000000000000", None, "null", "[]"]
        rules = text(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated "
            "AND conrelid::regclass::text NOT LIKE 'procrastinate%'"
        )
        pointing = [
            key
            for table in SQLModel.metadata.sorted_tables
            for key in table.foreign_key_constraints
            if is_checked(key, "postgresql")
        ]
        assert connection.scalar(rules) == len(pointing) > 0


def test_a_row_that_refers_to_none_is_told_where_postgresql_has_no_foreign_key(
    full: tuple[Database, Database],
) -> None:
    source, target = full
    with source.write(copying=True) as connection:
        connection.exec_driver_sql("UPDATE attempt SET message_id = 70 WHERE id > 5")
    with pytest.raises(EnvironmentFault, match=r"attempt\.message_id of 2 rows refers to none"):
        copying.move(source, target, THEN)


@pytest.mark.parametrize("value", ["'a' || char(0)", '\'{"a": "\\u0000"}\''], ids=["text", "json"])
def test_what_postgresql_cannot_keep_is_named_and_its_words_are_not(
    full: tuple[Database, Database], value: str
) -> None:
    source, target = full
    column = "data" if "{" in value else "subject"
    with source.write() as connection:
        connection.exec_driver_sql(f"UPDATE event SET {column} = {value} WHERE id = 5")
    with pytest.raises(EnvironmentFault, match=r"does not take what .* holds \(event 5: .*--give-up"):
        copying.move(source, target, THEN)


@pytest.mark.parametrize(
    "context",
    [
        'JSON data, line 1: {"a":...\nCOPY event, line 5, column data: "{"a": "\\u0000"}"',
        'JSON-дані, рядок 1: {"a":...\nCOPY event, рядок 5, стовпець data: "{"a": 7}"',
        "COPY event, Zeile 5, Spalte data: »{}«",
        'eventのCOPY、行 5、列 data: "{}"',
        "event 복사, 5번째 줄",
    ],
)
def test_the_row_that_postgresql_does_not_take_is_found_in_each_of_its_languages(context: str) -> None:
    assert landing.place_told(context, "event") == 4


def filled(database: Database) -> None:
    """Seven rows in every table, whose numbers are those of the rows that they point at."""
    with database.write() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        for table in SQLModel.metadata.sorted_tables:
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            for number in range(1, 8):
                values = ", ".join(spelled(column.type, column.nullable, number) for column in table.columns)
                connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES ({values})')


def spelled(kind: Any, nullable: bool | None, number: int) -> str:
    match kind:
        case JSON():
            written = (
                ["NULL", "'null'", "'[]'", "'1e16'"] if nullable else ["'{\"є\": [1.50, -0.0, 1e2]}'", "'[]'"]
            )
            return written[(number - 1) % len(written)]
        case UtcDateTime():
            return f"'2026-01-0{number} 10:00:00.00000{number}'"
        case Date():
            return f"'2026-02-0{number}'"
        case Boolean():
            return str(number % 2)
        case Float():
            return "-0.0" if number == 1 else f"{number} / 7.0"
        case Integer() | Numeric():
            return str(number)
        case _:
            return f"'Ї{number}'"


def test_a_target_that_holds_something_else_is_refused(shop: Shop, address: str) -> None:
    people = str(shop.write("customers.csv", CUSTOMERS))
    for database in ("", address):
        shop.monkeypatch.setenv("TIDINGS_DATABASE", database)
        assert shop.run("import", "customers", people).code == 0
    shop.monkeypatch.delenv("TIDINGS_DATABASE")
    said = shop.run("db", "copy", str(shop.path / "tidings.db"), address)
    assert (said.code, "give an empty database" in said.err) == (2, True)
    assert shop.run("customer", "K-1").code == 0
    wrong = shop.run("db", "copy", address, address)
    assert (wrong.code, "only an SQLite file is copied, and only to PostgreSQL" in wrong.err) == (2, True)


def test_a_target_that_cannot_be_reached_is_one_sentence_and_leaves_the_file_as_it_was(shop: Shop) -> None:
    assert shop.run("apply", "--yes").code == 0
    said = shop.run("db", "copy", str(shop.path / "tidings.db"), f"postgresql://127.0.0.1:{free_port()}/gone")
    assert (said.code, said.err.count("\n")) == (3, 1), said.err
    assert "cannot be used" in said.err
    assert shop.run("tick").code == 0


def test_a_backup_ends_though_somebody_writes_all_the_time(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = "INSERT INTO filling (value) VALUES (randomblob(3000))"
    with sqlite_database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE filling (value BLOB)")
        for _ in range(100):
            connection.exec_driver_sql(add)
    steps: list[int] = []

    def write(_status: int, left: int, _all: int) -> None:
        assert len(steps) < 100, "it begins anew after each write"
        steps.append(left)
        with sqlite_database.write() as connection:
            connection.exec_driver_sql(add)

    class InUse:
        def __init__(self, own: Any) -> None:
            self.own = own

        def backup(self, made: Any, pages: int) -> None:
            self.own.backup(made, pages=pages, progress=write)

    monkeypatch.setattr(backup, "PAGES_AT_ONCE", 16)
    monkeypatch.setattr(backup, "driver", lambda connection: InUse(driver(connection)))
    backup.backup(sqlite_database, tmp_path / "kept.db")
    assert len(steps) > 2
    with closing(sqlite3.connect(tmp_path / "kept.db")) as kept:
        assert kept.execute("SELECT count(*) FROM filling").fetchone() == (100,), "of the moment it began"


def test_a_backup_is_on_the_disk_with_its_name(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    sync = os.fsync

    def watched(opened: int) -> None:
        synced.append(Path(f"/proc/self/fd/{opened}").readlink())
        sync(opened)

    monkeypatch.setattr(os, "fsync", watched)
    backup.backup(sqlite_database, tmp_path / "kept.db")
    part, folder = synced
    assert (part.suffix, part.parent, folder) == (".part", tmp_path, tmp_path)


def test_after_a_restore_what_was_sent_since_is_set_aside_and_not_sent_again(busy: Shop) -> None:
    file, kept = busy.path / "tidings.db", busy.path / "kept.db"
    assert busy.run("db", "backup", str(kept)).code == 0
    assert "is there already" in busy.run("db", "backup", str(kept)).err
    rows = str(busy.write("later.csv", f"{BOUGHT}R-3,K-1,{datetime.now(UTC).isoformat()},beans,1,400.00\n"))
    assert busy.run("import", "receipts", rows, "--live").code == 0
    assert busy.run("db", "backup", str(busy.path / "with-the-receipt.db")).code == 0
    assert busy.run("tick").code == 0
    sent = letters(busy)
    assert len(sent) == 3
    for left in busy.path.glob("tidings.db*"):
        left.unlink()
    shutil.copy(busy.path / "with-the-receipt.db", file)
    said = busy.run("db", "restored", "--yes", "--format", "json")
    assert (said.code, json.loads(said.out)["unknown"]) == (0, {"email": 1})
    assert busy.run("tick").code == 0
    assert letters(busy) == sent
    assert "restored" in busy.run("messages", "--state", "unknown").out
    [unknown] = json.loads(busy.run("messages", "--state", "unknown", "--format", "json").out)
    told = busy.run("messages", str(unknown["id"])).out
    assert f"Message {unknown['id']} · bonus-accrued · step {unknown['step']}" in told
    assert "restored" in told
    assert "1 unknown in the last 3 days" in busy.run("status").out
    for moment, why in {
        "2099-01-01 00:00": "2099-01-01 00:00 is yet to come",
        "yesterday": "--to: 'yesterday' is not a time",
        "0001-01-01": "the year 1 is not between 1970 and 2200",
    }.items():
        refused = busy.run("db", "restored", "--to", moment, "--yes")
        assert (refused.code, why in refused.err) == (2, True), refused.err
