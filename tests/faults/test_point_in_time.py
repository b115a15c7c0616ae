"""PostgreSQL is recovered to a moment between the plan and the sending: nobody hears anything twice."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from core.clock import MovableClock
from core.db import Database
from scheduler.restored import set_aside
from tests.scheduler.kiosk import Kiosk
from tests.support.databases import load_tables
from tests.support.postgres_binaries import Binaries
from tests.support.postgres_server import Server


@pytest.fixture
def server(postgres_binaries: Binaries) -> Iterator[Server]:
    """A server that archives its log beside its data."""
    server = Server(postgres_binaries)
    server.settings = {
        **server.settings, "wal_level": "replica", "archive_mode": "on",
        "archive_command": f"cp %p {server.folder}/wal-%f",
    }  # fmt: skip
    yield server
    server.remove()


def hand_over(server: Server, path: Path) -> None:
    """To the account that the server runs as."""
    if server.account is not None:
        for each in (path, *path.rglob("*")):
            os.chown(each, server.account.pw_uid, server.account.pw_gid)


def recover(server: Server, base: Path, moment: str) -> None:
    """The base, and what was archived since, up to the moment."""
    server.stop("fast")
    shutil.rmtree(server.data)
    base.rename(server.data)
    (server.data / "recovery.signal").touch()
    hand_over(server, server.data)
    server.settings = {
        **server.settings, "hot_standby": "off", "restore_command": f"cp {server.folder}/wal-%f %p",
        "recovery_target_time": moment, "recovery_target_action": "promote",
    }  # fmt: skip
    server.start()


def test_a_server_recovered_to_a_moment_goes_on_from_it_and_sends_nothing_again(
    server: Server, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_tables()
    server.start()
    with ExitStack() as stack:
        database = stack.enter_context(closing(Database(server.url())))
        database.create_all()
        server.stop("fast")
        base = server.folder / "base"
        shutil.copytree(server.data, base)
        server.start()
        kiosk = stack.enter_context(closing(Kiosk(database, clock, tmp_path, monkeypatch)))
        kiosk.scenario(send="[sms]")
        kiosk.customer("anna", phone=kiosk.to("sms", "accept"))
        kiosk.plan()
        kiosk.customer("ihor", phone=kiosk.to("sms", "accept", 1))
        with psycopg.connect(server.url(), autocommit=True) as connection:
            [moment] = connection.execute("SELECT clock_timestamp()::text").fetchone() or [""]
        restored_to = clock.now()
        for _ in range(2):
            kiosk.later(days=1)
            kiosk.plan()
            kiosk.deliver()
        sent = len(kiosk.server("sms").accepted)
        assert sent == 2

        recover(server, base, moment)
        database.close()
        assert kiosk.states() == {"planned": 1}, "the moment is that between the plan and the rest"
        assert set_aside(database, kiosk.live, clock, restored_to).unknown == {"sms": 2}
        kiosk.later(hours=1)
        kiosk.plan()
        kiosk.deliver()
        assert len(kiosk.server("sms").accepted) == sent
        kiosk.customer("olena", phone=kiosk.to("sms", "accept", 2))
        kiosk.later(days=1)
        kiosk.plan()
        kiosk.deliver()
        assert len(kiosk.server("sms").accepted) == sent + 1
