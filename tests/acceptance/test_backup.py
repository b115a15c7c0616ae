"""`tidings db backup`: whole or not there, whoever else writes one, and before an upgrade, too."""

import errno
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.db import Database
from core.db.bulk import driver
from core.errors import EnvironmentFault, UserError
from tests.support.shop import Shop, shop
from tidings.moving import backup

__all__ = ["shop"]

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("links", [True, False], ids=["links", "a file system without links"])
def test_of_two_backups_to_one_name_at_once_the_later_is_told_that_it_is_taken(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    file = tmp_path / "kept.db"
    others = [backup.backup]
    first: list[int] = []

    class Slow:
        def __init__(self, own: Any) -> None:
            self.own = own

        def backup(self, made: Any, pages: int) -> None:
            while others:
                assert others.pop()(sqlite_database, file) > 0
                first.append(file.stat().st_ino)
            self.own.backup(made, pages=pages)

    def refused(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refused)
    monkeypatch.setattr(backup, "driver", lambda connection: Slow(driver(connection)))
    with pytest.raises(UserError, match=r"kept\.db is there already; give another name"):
        backup.backup(sqlite_database, file)
    assert file.stat().st_ino == first[0]
    with closing(sqlite3.connect(file)) as kept:
        assert kept.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert kept.execute("SELECT count(*) FROM customer").fetchone() == (0,)
    assert list(tmp_path.glob("kept.db*")) == [file]


KILLED = """
import os, sqlite3, sys
from pathlib import Path
from core.db import Database
from tidings.moving import backup

class Killed:
    def backup(self, made, **_):
        made.execute("PRAGMA cache_size = 1")
        made.execute("CREATE TABLE half AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                     "WHERE i < 2000) SELECT i, randomblob(500) AS filling FROM n")
        made.execute("BEGIN")
        made.execute("UPDATE half SET filling = randomblob(600)")
        os.kill(os.getpid(), 9)

backup.driver = lambda _: Killed()
backup.backup(Database(sys.argv[1]), Path(sys.argv[2]))
"""


def test_what_a_killed_backup_leaves_is_swept_by_the_next_one_and_nothing_else(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sqlite_database.engine.url.render_as_string()
    folder = tmp_path / "kept"
    folder.mkdir()
    script = [sys.executable, "-c", KILLED, url, str(folder / "first.db")]
    assert subprocess.run(script, cwd=ROOT, check=False).returncode == -9
    assert sorted(it.name.split(".part")[1] for it in folder.iterdir()) == ["", "-journal"]
    others = {folder / "film.0badcafe.part", folder / "notes.part"}
    for other in others:
        other.write_text("of somebody else")
    begun: list[set[Path]] = []

    class Slow:
        def __init__(self, own: Any) -> None:
            self.own = own

        def backup(self, made: Any, pages: int) -> None:
            if not begun:
                begun.append(set(folder.iterdir()) - others)
                backup.backup(sqlite_database, folder / "third.db")
            self.own.backup(made, pages=pages)

    monkeypatch.setattr(backup, "driver", lambda connection: Slow(driver(connection)))
    backup.backup(sqlite_database, folder / "second.db")
    assert len(begun[0]) == 1, "its own half alone"
    assert set(folder.iterdir()) == {folder / "second.db", folder / "third.db"} | others


def test_a_disk_without_room_for_the_copy_is_not_taken_for_the_database_s(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def backup(self, *_: Any, **__: Any) -> None:
            raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(backup, "driver", lambda _: Full())
    (tmp_path / "kept").mkdir()
    with pytest.raises(EnvironmentFault, match=r"kept does not take the copy .*full.*; make room in it"):
        backup.backup(sqlite_database, tmp_path / "kept" / "today.db")
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_new_program_backs_up_the_database_of_an_old_one_before_it_is_upgraded(shop: Shop) -> None:
    assert shop.run("apply", "--yes").code == 0
    with closing(sqlite3.connect(shop.path / "tidings.db")) as old:
        old.execute("UPDATE alembic_version SET version_num = '0008'")
        old.commit()
    assert "run `tidings db upgrade`" in shop.run("status").err
    said = shop.run("db", "backup", str(shop.path / "before.db"))
    assert (said.code, "checked" in said.out) == (0, True), said.err


def test_where_there_is_no_database_none_is_made_to_be_backed_up(shop: Shop) -> None:
    said = shop.run("db", "backup", str(shop.path / "kept.db"))
    assert (said.code, "there is no database" in said.err) == (2, True)
    assert list(shop.path.glob("*.db")) == []


def test_a_folder_that_is_not_there_is_named(shop: Shop) -> None:
    assert shop.run("apply", "--yes").code == 0
    said = shop.run("db", "backup", str(shop.path / "gone" / "kept.db"))
    assert (said.code, f"there is no folder {shop.path / 'gone'}" in said.err) == (2, True)
