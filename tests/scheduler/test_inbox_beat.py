"""`serve` reads the mailbox for bounces by itself, and lives on when it cannot."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from campaigns.bundle import Bundle
from campaigns.running import make_ready
from core.clock import MovableClock
from core.db import Database
from scheduler.beats import Beats, Pace
from tests.api.shop import EXAMPLE, make_workspace
from tests.channels.providers import imap
from tests.channels.returned import returned
from tidings.cards import cards_of

SOON = replace(Pace(news=3600, look=3600, delivery=3600, wallet=3600), inbox=0.05)


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[imap.Server]:
    server = imap.Server()
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    yield server
    server.close()


def test_the_mailbox_is_read_again_after_the_line_was_lost(
    tmp_path: Path, database: Database, clock: MovableClock, mailbox: imap.Server
) -> None:
    workspace = make_workspace(tmp_path / "shop", database, make_ready(Bundle.read(EXAMPLE), 1), clock)
    mailbox.put(returned("postfix-unknown", "a" * 26))
    mailbox.hang_up_at = {"SELECT"}

    async def live() -> Beats:
        beats = Beats(
            workspace.database, workspace.live, clock, cards_of(workspace, clock),
            channels=workspace.channels, links=workspace.links, pace=SOON,
        )  # fmt: skip
        try:
            await beats.start()
            assert await asyncio.to_thread(mailbox.stored.wait, 30)
        finally:
            await beats.stop()
            await beats.close()
        return beats

    beats = asyncio.run(live())
    [pulse] = [pulse for pulse in beats.pulses() if pulse.name == "inbox"]
    assert pulse.failures == 0
    assert mailbox.flags() == [{r"\Seen"}]
