"""Several processes share the work of one PostgreSQL: nothing twice, nothing lost, whoever dies."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.clock import MovableClock
from core.db import Database
from tests.channels.providers import sms
from tests.channels.providers.http import Answer, Request
from tests.faults.crowd import PATIENCE, Crowd
from tests.scheduler.kiosk import Kiosk
from tests.support.databases import PostgresDatabases, load_tables
from tests.support.ports import free_port
from tests.support.postgres_binaries import Binaries
from tests.support.postgres_server import Server

THANKS = """
purpose: service
when: {bonus_accrued: {at_least: 1}}
steps: [{id: first, message: thanks, send: [sms]}]
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def crowd_of(
    url: str, clock: MovableClock, folder: Path, patch: pytest.MonkeyPatch, stack: ExitStack
) -> Crowd:
    load_tables()
    database = Database(url)
    stack.callback(database.close)
    database.create_all()
    kiosk = Kiosk(database, clock, folder, patch)
    stack.callback(kiosk.close)
    return Crowd(kiosk, stack)


@pytest.fixture
def crowd(
    postgres_databases: PostgresDatabases, clock: MovableClock, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, stack: ExitStack,
) -> Iterator[Crowd]:  # fmt: skip
    with postgres_databases.bare() as url, stack:
        yield crowd_of(url, clock, tmp_path, monkeypatch, stack)


def invite(crowd: Crowd, count: int, send: str = "[sms]") -> None:
    """So many customers whose bonuses expire; a look is due."""
    expecting(crowd, count)
    crowd.kiosk.scenario(send=send)


def expecting(crowd: Crowd, count: int) -> None:
    """So many customers whose bonuses expire; no scenario says so yet."""
    kiosk = crowd.kiosk
    kiosk.write(reminder=None)
    kiosk.customers({
        f"anna{n}": {"phone": kiosk.to("sms", "accept", n), "email": kiosk.to("email", "accept", n)}
        for n in range(count)
    })  # fmt: skip


def each_once(crowd: Crowd, channel: str, count: int) -> None:
    taken = Counter(crowd.kiosk.server(channel).accepted)
    assert set(taken.values()) == {1}, "somebody got the same message twice"
    assert len(taken) == count, "somebody got none"


def test_two_workers_and_a_serve_share_what_is_due_and_send_each_message_once(crowd: Crowd) -> None:
    expecting(crowd, 1_200)
    crowd.start("serve", "--port", str(free_port()))
    for _ in range(2):
        crowd.start("worker", "--concurrency", "2", "--metrics-port", "0")
    crowd.until(lambda: crowd.present() == 3, "all are there")  # or the first has sent all of it by then
    crowd.kiosk.scenario(send="[email]")
    crowd.until(lambda: crowd.kiosk.states() == {"sent": 1_200}, "all are sent")
    each_once(crowd, "email", 1_200)
    assert crowd.looks() == {"reminder": 1}
    shared = [it for it in crowd.processes if '"event": "sent"' in Path(it.log).read_text()]
    assert len(shared) > 1, "one process sent all of it"
    assert [crowd.stop(process) for process in crowd.processes] == [0, 0, 0]
    assert crowd.present() == 0


def test_when_the_leader_is_killed_or_frozen_another_leads_and_nothing_is_looked_at_twice(
    crowd: Crowd,
) -> None:
    crowd.kiosk.write(reminder=THANKS)
    names = [f"anna{n}" for n in range(3)]
    phones = {
        name: {"phone": crowd.kiosk.to("sms", "accept", n), "bonuses": 0} for n, name in enumerate(names)
    }
    crowd.kiosk.customers(phones)
    for _ in range(3):
        crowd.start("worker", "--metrics-port", "0")
    for name, end in zip(names, (signal.SIGKILL, signal.SIGSTOP, None), strict=True):
        leader = crowd.until(crowd.leader, "somebody leads")
        crowd.kiosk.give(name, 100)
        crowd.until(partial(crowd.answered, name), "what happened is answered")
        if end is not None:
            os.kill(leader.pid, end)
            crowd.until(partial(crowd.leader, but=leader), "another one leads")
    each_once(crowd, "sms", 3)


class Stopping(sms.Server):
    """During the twentieth message somebody stops the worker, however fast it sends and this machine is."""

    def __init__(self) -> None:
        super().__init__()
        self.worker: Future[Any] = Future()

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        if sms.form_of(request)["To"] in self.accepted[19:20]:
            os.kill(self.worker.result().pid, signal.SIGTERM)
        return answer


def test_a_worker_that_is_stopped_in_the_middle_leaves_nothing_behind(crowd: Crowd) -> None:
    crowd.kiosk.servers["sms"] = server = Stopping()
    crowd.kiosk.environments["sms"] = server.environment()
    crowd.kiosk.settings = {"TIDINGS_SMS_CONCURRENCY": "4"}
    invite(crowd, 120)
    first = crowd.start("worker", "--metrics-port", "0")
    server.worker.set_result(first)
    first.join(PATIENCE)
    assert first.exitcode == 0
    states = crowd.kiosk.states()
    assert set(states) == {"planned", "sent"}, "it left what it had in hand"
    assert states["sent"] == len(crowd.kiosk.server("sms").accepted)
    crowd.start("worker", "--metrics-port", "0")
    crowd.until(lambda: crowd.kiosk.states() == {"sent": 120}, "all are sent")
    each_once(crowd, "sms", 120)


def test_a_worker_of_one_channel_and_an_api_alone_leave_the_others_to_be_cancelled(crowd: Crowd) -> None:
    invite(crowd, 20)
    port = free_port()
    crowd.start("serve", "--api-only", "--port", str(port))
    crowd.kiosk.write(
        other="when: {bonus_expiring: {at_least: 100, ahead: 3 days}}\nschedule: every day at 10:00\n"
        "steps: [{id: first, message: hello, send: [email]}]\n"
    )
    crowd.start("worker", "--channels", "email", "--metrics-port", "0")
    crowd.until(lambda: len(crowd.kiosk.server("email").accepted) == 20, "all emails are sent")
    crowd.until(lambda: crowd.kiosk.states() == {"planned": 20, "sent": 20}, "the others wait")
    crowd.until(lambda: crowd.present() == 2, "both are there")
    assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    assert crowd.kiosk.server("sms").accepted == []
    cancelling = crowd.start("cancel", "reminder", "--yes")
    cancelling.join()
    assert cancelling.log.read_text().startswith("20 messages of reminder taken back")
    assert crowd.kiosk.states() == {"recalled": 20, "sent": 20}


def test_workers_outlive_a_restart_of_postgresql(
    postgres_binaries: Binaries, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    stack: ExitStack,
) -> None:  # fmt: skip
    server = Server(postgres_binaries)
    stack.callback(server.remove)
    server.start()
    crowd = crowd_of(server.url(), clock, tmp_path, monkeypatch, stack)
    crowd.kiosk.settings = {"TIDINGS_SMS_CONCURRENCY": "4"}
    invite(crowd, 150)
    workers = [crowd.start("worker", "--metrics-port", "0") for _ in range(2)]
    for mode, taken in (("fast", 20), ("immediate", 60)):
        crowd.until(partial(crowd.accepted_more, taken), "some are sent")
        server.stop(mode)
        server.start()
        crowd.database.close()
    crowd.until(lambda: crowd.kiosk.states() == {"sent": 150}, "all are sent")
    each_once(crowd, "sms", 150)
    assert all(worker.is_alive() for worker in workers)
    crowd.until(crowd.leader, "somebody leads")
