"""The statements of a real run, played again by the plain `sqlite3` module on an identical copy."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from sqlalchemy import event

from core.db import Database

# What to call, and with what: ("execute", statement, values), ("executemany", statement, rows).
Call = tuple[str, str, Any]


class Watched(sqlite3.Connection):
    """A connection that remembers what it was asked."""

    calls: list[Call]

    def execute(self, statement: str, values: Any = (), /) -> sqlite3.Cursor:
        """As always, and remembered."""
        self.calls.append(("execute", statement, values))
        return super().execute(statement, values)

    def executemany(self, statement: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        """As always, and remembered."""
        kept = list(rows)
        self.calls.append(("executemany", statement, kept))
        return super().executemany(statement, kept)

    def commit(self) -> None:
        """As always, and remembered."""
        self.calls.append(("execute", "COMMIT", ()))
        super().commit()

    def cursor(self, *_: Any) -> Any:
        """A cursor that remembers too: SQLAlchemy asks by cursors."""
        return super().cursor(_WatchedCursor)


class _WatchedCursor(sqlite3.Cursor):
    def execute(self, statement: str, values: Any = (), /) -> Self:
        self.connection.calls.append(("execute", statement, values))  # type: ignore[attr-defined]
        return super().execute(statement, values)

    def executemany(self, statement: str, rows: Iterable[Any], /) -> Self:
        kept = list(rows)
        self.connection.calls.append(("executemany", statement, kept))  # type: ignore[attr-defined]
        return super().executemany(statement, kept)


def watched(file: Path) -> tuple[Database, list[Call]]:
    """A database of Tidings on a file, and the list of what its one connection is asked from now on."""
    database, calls = Database(f"sqlite:///{file}"), []  # type: ignore[var-annotated]

    class Here(Watched):
        pass

    Here.calls = calls

    @event.listens_for(database.engine, "do_connect")
    def _watch(_dialect: object, _record: object, _arguments: object, options: dict[str, Any]) -> None:
        options["factory"] = Here

    with database.read():
        calls.clear()
    return database, calls


def plain(file: Path) -> sqlite3.Connection:
    """The same file as the module opens it, as durable as Tidings has it."""
    connection = sqlite3.connect(file, isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {setting}")
    return connection


def play(connection: sqlite3.Connection, calls: Sequence[Call]) -> None:
    """Ask everything again, and read every answer."""
    for name, statement, values in calls:
        getattr(connection, name)(statement, values).fetchall()
