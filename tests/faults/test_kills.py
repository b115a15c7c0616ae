"""Senders are killed at random moments: nothing is lost, no SMS and no push comes twice (promises 3, 4).

Real processes, real clients, providers on this machine that write down what they took over.
"""

import asyncio
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from campaigns.tables import Attempt, Decision, Message
from core.clock import MovableClock
from core.customers import profiles as customers
from core.customers.profiles import Profile
from core.db import Database
from core.events import append
from core.ledger.book import Book
from core.program.lifetime import Life
from tests.channels.providers import email, push, sms
from tests.channels.providers.http import Answer, Request
from tests.faults.sender import RunningClock, run
from tests.scheduler.kiosk import PROGRAM, Kiosk

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
DECISION = Decision.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]

EACH = 100
KILLS = 4
CHUNK = 100
PATIENCE = 50.0
# Forked from a process that has loaded everything: real processes, but no second for each to start.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.sender"])
THANKS = """
purpose: service
when: {bonus_accrued: {at_least: 1}}
steps: [{id: first, message: thanks, send: [push, sms, email]}]
"""
TEXTS = {
    "email.txt": "---\nsubject: Thanks\n---\n{{ trigger.amount | points }}\n",
    "sms.txt": "{{ trigger.amount | points }}\n",
    "push.txt": "---\ntitle: Thanks\n---\n{{ trigger.amount | points }}\n",
}
# As long as a near provider takes to answer: so that a kill meets messages on their way.
ANSWER_SECONDS = 0.03


class SlowMail(email.Server):
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        await asyncio.sleep(ANSWER_SECONDS)
        return "250 2.0.0 taken over"


class SlowSms(sms.Server):
    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        time.sleep(ANSWER_SECONDS)
        return answer


class SlowPush(push.Server):
    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        time.sleep(ANSWER_SECONDS)
        return answer


class Scene:
    """Some hundreds of planned messages, three providers, and senders that can be killed."""

    def __init__(self, kiosk: Kiosk, stack: ExitStack) -> None:
        self.kiosk, self.stack = kiosk, stack
        kiosk.servers = {"email": SlowMail(), "sms": SlowSms(), "push": SlowPush()}
        kiosk.environments = {name: server.environment() for name, server in kiosk.servers.items()}
        kiosk.files = {"program.yaml": PROGRAM.replace("quiet_hours: 21:00-09:00\n", "")}
        kiosk.files |= {f"messages/thanks/{name}": text for name, text in TEXTS.items()}
        kiosk.write(thanks=THANKS)
        self._people()
        kiosk.plan()
        self.started = time.time()

    def _people(self) -> None:
        kiosk, at = self.kiosk, self.kiosk.clock.now()
        numbers = range(EACH)
        people = [Profile(f"p{n}", registered_at=at) for n in numbers]
        people += [Profile(f"s{n}", phone=kiosk.to("sms", "accept", n), registered_at=at) for n in numbers]
        people += [Profile(f"e{n}", email=kiosk.to("email", "accept", n), registered_at=at) for n in numbers]
        with kiosk.database.write() as connection:
            program = kiosk.live.running().program
            saved = customers.save(connection, program, kiosk.addresses, people, at, live=False)
            ids = [it.customer_id for it in saved]
            devices = [(ids[n], "push", kiosk.to("push", "accept", n)) for n in numbers]
            kiosk.addresses.add(connection, devices, at)
            book = Book(connection, program, ids, at)
            for customer_id in ids:
                op = book.operation(customer_id, "adjustment", f"gift:{customer_id}", [], at)
                book.accrue(op, 5000, reason="gift", life=Life(at, None, None))
            book.close()
            append(connection, book.happenings, at, live=True)

    def accepted(self) -> int:
        """How many messages the providers took over so far, twins included."""
        return sum(len(server.accepted) for server in self.kiosk.servers.values())

    def sender(self) -> Any:
        """A sender as a process of its own."""
        environment: dict[str, str] = {}
        for known in self.kiosk.environments.values():
            environment |= known
        url = self.kiosk.database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
        clock = RunningClock(self.started, self.kiosk.clock.now())
        process = PROCESSES.Process(target=run, args=(url, self.kiosk.folder, clock, environment))
        process.start()
        self.stack.callback(process.kill)
        return process

    def kill_one(self, after: int) -> None:
        """Start a sender and kill it (SIGKILL) as soon as so many more messages were taken over."""
        process, until = self.sender(), self.accepted() + after
        while self.accepted() < until and process.is_alive():
            process.join(0.002)
        process.kill()
        process.join()

    def finish(self) -> None:
        """One more sender, left alone."""
        process = self.sender()
        process.join(PATIENCE)
        assert process.exitcode == 0


@pytest.fixture
def scene(
    database: Database, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    kiosk = Kiosk(database, clock, tmp_path, monkeypatch)
    with ExitStack() as stack:
        stack.callback(kiosk.close)
        yield Scene(kiosk, stack)


def test_senders_that_are_killed_lose_nothing_and_repeat_only_what_they_may(scene: Scene) -> None:
    dice = random.Random(20260301)
    for _ in range(KILLS):
        scene.kill_one(after=dice.randint(5, 45))
    assert scene.accepted() < 3 * EACH, "the kills came too late to matter"
    scene.finish()
    states = {channel: states_of(scene.kiosk, channel) for channel in scene.kiosk.servers}

    assert all(sum(found.values()) == EACH for found in states.values()), "a message is gone"
    assert set(states["email"]) == {"sent"}
    for channel in ("sms", "push"):
        assert set(states[channel]) <= {"sent", "unknown"}
        accepted = scene.kiosk.server(channel).accepted
        assert len(accepted) == len(set(accepted)), f"somebody got the same {channel} twice"
        assert len(accepted) >= states[channel]["sent"]

    taken = Counter(envelope.rcpt_tos[0] for envelope in scene.kiosk.server("email").envelopes)
    assert len(taken) == EACH
    assert sum(taken.values()) - EACH <= KILLS * CHUNK
    names = {
        (envelope.rcpt_tos[0], message_id(envelope.content))
        for envelope in scene.kiosk.server("email").envelopes
    }
    assert len(names) == EACH, "a twin has another Message-ID"
    assert_every_unknown_is_reported(scene.kiosk)


def states_of(kiosk: Kiosk, channel: str) -> Counter[str]:
    with kiosk.database.read() as connection:
        counted = select(MESSAGE.c.state, func.count().label("messages")).where(MESSAGE.c.channel == channel)
        found = connection.execute(counted.group_by(MESSAGE.c.state)).all()
    return Counter({row.state: row.messages for row in found})


def message_id(content: bytes) -> bytes:
    return next(line for line in content.splitlines() if line.lower().startswith(b"message-id:"))


def assert_every_unknown_is_reported(kiosk: Kiosk) -> None:
    """Each has its verdict in the customer's history, and the try that was interrupted is kept."""
    with kiosk.database.read() as connection:
        unknown = connection.execute(select(MESSAGE).where(MESSAGE.c.state == "unknown")).all()
        verdicts = select(DECISION.c.customer_id).where(DECISION.c.verdict == "unknown")
        tries = select(ATTEMPT.c.message_id).where(ATTEMPT.c.outcome == "unknown")
        assert {row.customer_id for row in unknown} == set(connection.scalars(verdicts))
        assert {row.id for row in unknown} <= set(connection.scalars(tries))
        interrupted = connection.scalars(select(ATTEMPT.c.id).where(ATTEMPT.c.reason == "interrupted")).all()
    assert {row.reason for row in unknown} <= {"interrupted"}
    assert interrupted, "no kill met a message on its way"
