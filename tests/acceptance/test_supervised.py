"""Under systemd: it hears when the service is ready, that it lives, and nothing once a beat is stuck."""

import asyncio
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.clock import MovableClock
from scheduler.beat import BUSY_AT_MOST, Pulse
from tidings import supervised

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def heard(listening: socket.socket) -> list[str]:
    said = []
    try:
        while True:
            said.append(listening.recv(100).decode())
    except BlockingIOError:
        return said


@pytest.mark.parametrize("abstract", [False, True])
def test_a_sign_of_life_comes_until_a_beat_is_stuck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    clock = MovableClock(NOON)
    name = f"\0tidings-{os.getpid()}" if abstract else str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", name.replace("\0", "@"))
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    look = Pulse("look", ended_at=NOON, busy_since=NOON, failures=3)

    async def live(turns: int) -> None:
        giving = asyncio.create_task(supervised.live(lambda: [look], clock))
        for _ in range(turns):
            await asyncio.sleep(0.002)
        giving.cancel()

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name)
        listening.setblocking(False)
        supervised.tell(supervised.READY)
        asyncio.run(live(5))
        said = heard(listening)
        assert (said[0], set(said[1:])) == ("READY=1", {"WATCHDOG=1"})
        clock.move_by(BUSY_AT_MOST)
        asyncio.run(live(5))
        assert heard(listening) == []


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    supervised.tell(supervised.READY)
    assert supervised.watched_every() is None


def test_where_nobody_listens_any_more_the_service_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "of-a-unit-that-is-gone"))
    supervised.tell(supervised.READY)
