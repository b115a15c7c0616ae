"""Statements are compiled once for databases that are alike."""

from pathlib import Path

from sqlalchemy import column, create_engine, select, table

from core.db import Database
from core.db.compiled import Compiled

NAME = select(table("shop", column("name")))


def test_what_was_compiled_for_one_database_serves_the_next_one_of_its_kind(tmp_path: Path) -> None:
    compiled = Compiled()
    for name in ("one", "two"):
        database = Database(f"sqlite:///{tmp_path}/{name}.db")
        database.engine.update_execution_options(compiled_cache=compiled)
        with database.write() as connection:
            connection.exec_driver_sql(f"CREATE TABLE shop AS SELECT '{name}' AS name")
            assert connection.scalars(NAME).all() == [name]
        database.close()
    assert len(compiled) == 1


def test_databases_of_other_kinds_have_their_own() -> None:
    compiled = Compiled()
    sqlite, postgresql = (create_engine(it).dialect for it in ("sqlite://", "postgresql+psycopg://"))
    compiled[(sqlite, "statement")] = "for SQLite"
    assert compiled.get((sqlite, "statement")) == "for SQLite"
    assert compiled.get((postgresql, "statement")) is None
