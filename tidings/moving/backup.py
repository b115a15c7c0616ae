"""A copy of an SQLite database in use: one moment of it, whole, and checked."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from core.db import Database
from core.db.bulk import driver
from core.errors import EnvironmentFault, UserError
from tidings.moving.halves import half_of, swept

PAGES_AT_ONCE = 4_096


def backup(database: Database, file: Path) -> int:
    """Write `file`, of which either all is there or nothing; returns its size in bytes. Any schema will do.

    UserError for PostgreSQL, for no database, or a file that is there already; EnvironmentFault for a copy
    that is damaged or has no room.
    """
    if database.dialect != "sqlite":
        raise UserError(
            f"{database.name}: PostgreSQL is backed up by its own tools, `pg_dump` or `pg_basebackup`"
        )
    if not Path(database.engine.url.database or "").is_file():
        raise UserError(f"there is no database {database.name} to copy yet")
    if file.exists():
        raise _taken(file)
    if not file.parent.is_dir():
        raise UserError(f"there is no folder {file.parent}; make it, or give another name")
    with swept(file.parent):
        part = half_of(file)
        try:
            part.touch(mode=0o600)  # it holds people's data
            _copy(database, part)
            _on_the_disk(part)
            _named(part, file)
            with suppress(OSError):  # not every file system does so with a folder
                _on_the_disk(file.parent)
        finally:
            part.unlink(missing_ok=True)
    return file.stat().st_size


def _named(part: Path, file: Path) -> None:
    """Give the copy its name; UserError if another backup was quicker, whose file stays as it is."""
    try:
        file.hardlink_to(part)
    except FileExistsError:
        raise _taken(file) from None
    except OSError:  # not every file system has links
        if file.exists():
            raise _taken(file) from None
        part.replace(file)


def _taken(file: Path) -> UserError:
    return UserError(f"{file} is there already; give another name")


@contextmanager
def _written(part: Path) -> Iterator[None]:
    """A full disk is the copy's, and not that of the database that is copied."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise EnvironmentFault(f"{part.parent} does not take the copy ({error}); make room in it") from None


def _on_the_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _copy(database: Database, part: Path) -> None:
    with closing(sqlite3.connect(part)) as made:
        with database.read() as connection:
            # The first question takes the snapshot: the copy is of that moment, and writers go on meanwhile.
            # Without one, SQLite begins anew after each step between which somebody wrote.
            connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first()
            with _written(part):
                driver(connection).backup(made, pages=PAGES_AT_ONCE)
        with _written(part):
            made.execute("PRAGMA journal_mode = DELETE")
            [(verdict,)] = made.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise EnvironmentFault(f"the copy of {database.name} is damaged ({verdict}); check the disk")
