"""A copy of an SQLite database in use: one moment of it, whole, and checked."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from core.db import Database
from core.db.bulk import driver
from core.errors import EnvironmentFault, UserError

PAGES_AT_ONCE = 4_096


def backup(database: Database, file: Path) -> int:
    """Write `file`, of which either all is there or nothing; returns its size in bytes.

    UserError for PostgreSQL or a file that is there already, EnvironmentFault for a copy that is damaged.
    """
    if database.dialect != "sqlite":
        raise UserError(
            f"{database.name}: PostgreSQL is backed up by its own tools, `pg_dump` or `pg_basebackup`"
        )
    if file.exists():
        raise UserError(f"{file} is there already; give another name")
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    try:
        part.touch(mode=0o600)  # it holds people's data
        _copy(database, part)
        _sync(part)
        part.replace(file)
        # The file's name, too; some file systems of other machines cannot be asked for that.
        with suppress(OSError):
            _sync(file.parent)
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size


def _sync(path: Path) -> None:
    """On the disk, not only on its way there."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _copy(database: Database, part: Path) -> None:
    with closing(sqlite3.connect(part)) as made:
        with database.read() as connection:
            # The first question takes the snapshot: the copy is of that moment, and writers go on meanwhile.
            # Without one, SQLite begins anew after each step between which somebody wrote.
            connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first()
            driver(connection).backup(made, pages=PAGES_AT_ONCE)
        made.execute("PRAGMA journal_mode = DELETE")
        [(verdict,)] = made.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise EnvironmentFault(f"the copy of {database.name} is damaged ({verdict}); check the disk")
