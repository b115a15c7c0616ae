"""The pump: as many jobs as there is work and hands for, by PostgreSQL's own account."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core.clock import MovableClock
from core.db import Database
from scheduler import jobs, throttle
from scheduler.crew import Crew, Share
from scheduler.hands import Tools
from scheduler.presence import Presence
from scheduler.pump import AT_FIRST, planned, pump
from tests.scheduler.kiosk import Kiosk
from tidings.workspace import Workspace


@pytest.fixture
def kiosk(
    postgres_database: Database, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kiosk]:
    kiosk = Kiosk(postgres_database, clock, tmp_path, monkeypatch)
    yield kiosk
    kiosk.close()


def invite(kiosk: Kiosk, count: int) -> None:
    """So many customers, each with an SMS that is due; a chunk is four."""
    kiosk.settings = {"TIDINGS_SMS_CONCURRENCY": "2"}
    kiosk.scenario(send="[sms]")
    kiosk.customers({f"anna{n}": {"phone": kiosk.to("sms", "accept", n)} for n in range(count)})
    kiosk.plan()


def hands(kiosk: Kiosk, concurrency: int | None, channels: list[str] | None = None) -> None:
    more = {"channels": channels, "concurrency": concurrency}
    Presence(kiosk.database, kiosk.clock, "worker", "1", tuple, **more).say()  # type: ignore[arg-type]


def stroke(kiosk: Kiosk) -> Counter[str]:
    with kiosk.database.write() as connection:
        return pump(connection, kiosk.channels(), kiosk.clock.now())


def opened(kiosk: Kiosk) -> dict[str, int]:
    with kiosk.database.read() as connection:
        return jobs.opened(connection, jobs.DELIVER)


def work(kiosk: Kiosk, statement: str) -> None:
    """What procrastinate's tables say of somebody's work."""
    with kiosk.database.write() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("wrong", ["TIDINGS_EMAIL_PORT=many", "TIDINGS_SMS_CONCURRENCY=many"])
def test_a_wrong_setting_of_one_channel_at_the_leader_keeps_no_job_back(
    kiosk: Kiosk, tmp_path: Path, wrong: str
) -> None:
    hands(kiosk, 8)
    invite(kiosk, 9)
    (tmp_path / ".env").write_text(f"{wrong}\n")
    workspace = Workspace(tmp_path)
    workspace.__dict__.update(database=kiosk.database, live=kiosk.live)
    nothing: Any = None
    tools = Tools(
        kiosk.database, kiosk.live, kiosk.clock, nothing, lambda _: kiosk.links, nothing, kiosk.addresses
    )
    share = Share("leader", ["sms"], 8, kiosk.addresses)
    crew = Crew(share, tools, workspace.each_channel, lambda: None)
    asyncio.run(crew.pump())
    assert opened(kiosk) == {"deliver:sms": 1}


def test_there_is_a_job_for_each_chunk_that_is_due(kiosk: Kiosk) -> None:
    hands(kiosk, 8)
    invite(kiosk, 9)
    assert stroke(kiosk) == {"sms": 3}
    assert opened(kiosk) == {"deliver:sms": 3}


def test_there_are_no_more_jobs_than_hands(kiosk: Kiosk) -> None:
    hands(kiosk, 1)
    hands(kiosk, 1, ["sms", "push"])
    hands(kiosk, 5, ["email"])
    hands(kiosk, None)
    invite(kiosk, 40)
    assert stroke(kiosk) == {"sms": 2}
    assert stroke(kiosk) == {}, "the jobs that are open were not counted"


def test_what_nobody_may_send_now_has_no_jobs(kiosk: Kiosk) -> None:
    hands(kiosk, 8)
    invite(kiosk, 9)
    with kiosk.database.write() as connection:
        throttle.pause(connection, "sms", kiosk.clock.now())
    assert stroke(kiosk) == {}


def test_a_look_has_its_own_jobs(kiosk: Kiosk) -> None:
    with kiosk.database.write() as connection:
        planned(connection, {"sms": 1_200, "email": 1, "push": 0})
    assert opened(kiosk) == {"deliver:sms": 3, "deliver:email": 1}


def test_the_jobs_of_a_dead_worker_are_nobodys_and_begin_anew(kiosk: Kiosk) -> None:
    hands(kiosk, 1)
    invite(kiosk, 9)
    with kiosk.database.write() as connection:
        jobs.defer(connection, jobs.SHARD, [{}], queue="looks")
        jobs.defer(connection, jobs.DELIVER, [{"channel": "sms"}], queue="deliver:sms")
    work(kiosk, "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')")
    work(kiosk, "UPDATE procrastinate_jobs SET status = 'doing', worker_id = 1")
    assert stroke(kiosk) == {"sms": 1}
    with kiosk.database.write() as connection:
        assert jobs.give_back(connection) == 1, "a part of a look is done by somebody else"
    with kiosk.database.read() as connection:
        left = connection.execute(text("SELECT task_name, status FROM procrastinate_jobs ORDER BY id")).all()
    assert [tuple(it) for it in left] == [("shard", "todo"), ("deliver", "todo")]


def test_looks_leave_no_ever_longer_line_where_nobody_delivers(kiosk: Kiosk) -> None:
    for _ in range(10):
        with kiosk.database.write() as connection:
            planned(connection, {"sms": 600})
    assert opened(kiosk) == {"deliver:sms": AT_FIRST}
