"""The database, as everybody reaches it."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, IntegrityError

from core.db import Database
from core.errors import EnvironmentFault


def test_where_every_connection_is_in_use_whoever_waits_is_told_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database.engine.pool, "_timeout", 0)
    with pytest.raises(EnvironmentFault, match="has been in use for half a minute"):
        _use_all(database)
    with database.read():
        pass


def _use_all(database: Database) -> None:
    with ExitStack() as held:
        for _ in range(50):
            held.enter_context(database.read())


def test_only_a_copying_transaction_of_sqlite_takes_what_refers_to_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'one.db'}")
    astray = text("INSERT INTO child VALUES (7)")
    with database.write() as connection:
        connection.execute(text("CREATE TABLE parent (id INTEGER PRIMARY KEY)"))
        connection.execute(text("CREATE TABLE child (parent INTEGER REFERENCES parent (id))"))
    with database.write(copying=True) as connection:
        connection.execute(astray)
    # However it ended, the same connection looks up again what the next transaction refers to.
    with pytest.raises(LookupError), database.write(copying=True):
        raise LookupError
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(astray)
    database.close()


def test_a_database_that_cannot_keep_every_letter_is_refused(postgres_database: Database) -> None:
    name = f"{postgres_database.engine.url.database}_ascii"
    with postgres_database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text(
            f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        ))  # fmt: skip
        url = postgres_database.engine.url.set(database=name)
        ascii_only = Database(url.render_as_string(hide_password=False))
        try:
            with pytest.raises(EnvironmentFault, match=r"as SQL_ASCII, .*`createdb --encoding UTF8"):
                _use_all(ascii_only)
        finally:
            ascii_only.close()
            connection.execute(text(f"DROP DATABASE {name}"))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("postgresql://shop.example/loyalty", "postgresql://shop.example/loyalty"),
        ("postgresql+psycopg://till@shop.example/loyalty", "postgresql://till@shop.example/loyalty"),
        ("postgresql://till:hush@shop.example:6432/loyalty?sslmode=require&password=hush",
         "postgresql://till:***@shop.example:6432/loyalty?sslmode=require"),
        ("sqlite:///tidings.db", "sqlite:///tidings.db"),
    ],
)  # fmt: skip
def test_a_database_is_called_what_people_wrote_without_its_password(written: str, shown: str) -> None:
    assert Database(written).name == shown


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("postgresql://till:hush@shop.example:abc/loyalty", "is no address of a database; write for example"),
        ("postgresql://[::1/loyalty", "is no address of a database; write for example"),
        (
            "postgresql://till:hush@localhost/loyalty?colour=red",
            'invalid connection option "colour"; correct',
        ),
        ("mysql://till:hush@shop.example/loyalty", "neither sqlite:///file nor postgresql://"),
    ],
)
def test_an_address_that_is_none_is_told_without_its_password(written: str, says: str) -> None:
    with pytest.raises(EnvironmentFault, match=says) as told, Database(written).read():
        pass
    assert "hush" not in str(told.value)


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        ("deadlock_detected", "nothing of it was kept, do it again"),
        ("duplicate_prepared_statement", "pool_mode = session"),
        ("invalid_sql_statement_name", "pool_mode = session"),
        ("read_only_sql_transaction", "only reads; set TIDINGS_DATABASE to the server that takes writes"),
        ("disk_full", "has no room left on its disk; make some"),
        ("idle_in_transaction_session_timeout", "nothing of it was kept, do it again"),
        ("query_canceled", "longer than it allows .statement_timeout."),
        ("lock_not_available", "lets nobody wait longer for what another holds .lock_timeout."),
        ("insufficient_privilege", "make them the owner of the database .*GRANT TEMPORARY ON DATABASE"),
    ],
)
def test_what_can_be_mended_is_said_by_the_server_s_code(
    postgres_database: Database, refusal: str, says: str
) -> None:
    with pytest.raises(EnvironmentFault, match=says), postgres_database.write() as connection:
        connection.execute(text(f"DO $$ BEGIN RAISE {refusal}; END $$"))


def test_an_error_of_the_database_says_nothing_of_what_it_was_given(
    sqlite_database: Database, postgres_database: Database
) -> None:
    statements = {
        sqlite_database: "INSERT INTO cursor (reader) VALUES (:phone)",
        postgres_database: "SELECT nowhere FROM cursor WHERE reader = :phone",
    }
    for database, statement in statements.items():
        with pytest.raises(DatabaseError) as told, database.write() as connection:
            connection.execute(text(statement), {"phone": "+380501234567"})
        assert "+380501234567" not in str(told.value)


def test_a_folder_that_is_not_there_and_one_in_the_place_of_the_file_are_told_as_such(tmp_path: Path) -> None:
    wrong = {
        tmp_path: "is a folder; name a file in it in TIDINGS_DATABASE",
        tmp_path / "away" / "t.db": "is not there; make it, or name another",
    }
    for place, sentence in wrong.items():
        with pytest.raises(EnvironmentFault, match=sentence), Database(f"sqlite:///{place}").read():
            pass
