"""The database or the mail server is restarted in the middle of a campaign: it goes on, nothing is lost."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.clock import MovableClock
from core.db import Database
from tests.faults.scene import Scene
from tests.scheduler.kiosk import Kiosk
from tests.support.databases import load_tables
from tests.support.postgres_binaries import Binaries
from tests.support.postgres_server import Server

EACH = 60
# Longer than a restart takes: who comes back in time records what was on its way.
LEASE_SECONDS = 4.0


@pytest.fixture
def server(postgres_binaries: Binaries) -> Iterator[Server]:
    """A server of the test's own."""
    server = Server(postgres_binaries)
    server.start()
    yield server
    server.remove()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def scene_of(
    database: Database, clock: MovableClock, folder: Path, patch: pytest.MonkeyPatch, stack: ExitStack
) -> Scene:
    kiosk = Kiosk(database, clock, folder, patch)
    stack.callback(kiosk.close)
    return Scene(kiosk, stack, EACH, LEASE_SECONDS)


def assert_all_is_well(scene: Scene, twins_at_most: int) -> None:
    for channel in ("sms", "push"):
        assert set(scene.states(channel)) <= {"sent", "unknown"}
        assert set(scene.taken(channel).values()) == {1}, f"somebody got the same {channel} twice"
        assert scene.sent(channel) <= set(scene.taken(channel)), "what is called sent was not taken over"
    assert scene.states("email") == {"sent": EACH}
    assert len(scene.taken("email")) == len(scene.names()) == EACH
    assert scene.taken("email").total() - EACH <= twins_at_most
    assert all(sum(scene.states(channel).values()) == EACH for channel in scene.kiosk.servers)
    assert not scene.unreported()


def test_a_restart_of_postgresql_is_waited_for(
    server: Server, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: ExitStack
) -> None:
    load_tables()
    database = Database(server.url())
    stack.callback(database.close)
    database.create_all()
    scene = scene_of(database, clock, tmp_path, monkeypatch, stack)
    process = scene.sender()
    for mode, after in (("fast", 30), ("immediate", 100)):
        scene.wait_for(after, process)
        server.stop(mode)
        server.start()
    assert scene.accepted() < 3 * EACH, "the restarts came too late to matter"
    database.close()
    scene.finish(process)
    assert_all_is_well(scene, twins_at_most=0)
    assert scene.states("sms") == scene.states("push") == {"sent": EACH}


def test_a_restart_of_the_mail_server_costs_no_message(
    sqlite_database: Database, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    stack: ExitStack,
) -> None:  # fmt: skip
    scene = scene_of(sqlite_database, clock, tmp_path, monkeypatch, stack)
    mail, process = scene.kiosk.server("email"), scene.sender()
    while len(mail.envelopes) < EACH // 3 and process.is_alive():
        process.join(0.002)
    mail.go_down()
    on_their_way = scene.in_flight()
    mail.come_up()
    # What was refused waits for half a minute: somebody else goes on then.
    while any(scene.in_flight(channel) for channel in scene.kiosk.servers):
        process.join(0.02)
    process.kill()
    process.join()
    scene.later(seconds=120)
    scene.finish()
    assert_all_is_well(scene, twins_at_most=on_their_way)
