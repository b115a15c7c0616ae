"""Senders are killed at random moments: nothing is lost, no SMS and no push comes twice (promises 3, 4).

Real processes, real clients, providers on this machine that write down what they took over. The long form,
with 10,000 messages, is `make faults`.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select

from core.clock import MovableClock
from core.db import Database
from tests.faults.scene import ATTEMPT, Scene
from tests.scheduler.kiosk import Kiosk

EACH = 100
KILLS = 4


@pytest.fixture
def scene(
    database: Database, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    kiosk = Kiosk(database, clock, tmp_path, monkeypatch)
    with ExitStack() as stack:
        stack.callback(kiosk.close)
        yield Scene(kiosk, stack, EACH)


def test_senders_that_are_killed_lose_nothing_and_repeat_only_what_they_may(scene: Scene) -> None:
    dice = random.Random(20260301)
    in_flight = sum(scene.kill_one(after=dice.randint(5, 45)) for _ in range(KILLS))
    assert scene.accepted() < 3 * EACH, "the kills came too late to matter"
    scene.finish()
    states = {channel: scene.states(channel) for channel in scene.kiosk.servers}

    assert all(sum(found.values()) == EACH for found in states.values()), "a message is gone"
    assert set(states["email"]) == {"sent"}
    for channel in ("sms", "push"):
        assert set(states[channel]) <= {"sent", "unknown"}
        taken = scene.taken(channel)
        assert set(taken.values()) == {1}, f"somebody got the same {channel} twice"
        assert scene.sent(channel) <= set(taken), "what is called sent was not taken over"

    taken = scene.taken("email")
    assert len(taken) == EACH
    assert sum(taken.values()) - EACH <= in_flight
    assert len(scene.names()) == EACH, "a twin has another Message-ID"
    assert not scene.unreported()
    with scene.kiosk.database.read() as connection:
        interrupted = select(ATTEMPT.c.id).where(ATTEMPT.c.reason == "interrupted")
        assert connection.scalars(interrupted).all(), "no kill met a message on its way"
