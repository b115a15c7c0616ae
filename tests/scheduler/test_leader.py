"""Of all processes on one PostgreSQL one leads, and another one as soon as it does not."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from structlog.testing import capture_logs

from core.clock import MovableClock
from core.db import Database
from scheduler.leader import Leader, called, end_frozen
from scheduler.presence import Presence

READ_ONLY = "options=-c%20default_transaction_read_only%3Don"


def url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


def present(database: Database, clock: MovableClock, name: str) -> None:
    Presence(database, clock, "worker", "1", tuple, name=name).say()


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something to become true."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + seconds
    while not condition():
        assert loop.time() < limit, "it did not come true"
        await asyncio.sleep(0.01)


def led(database: Database, clock: MovableClock, story: Callable[[Leader, Leader], Awaitable[None]]) -> None:
    """Two candidates, the first of which leads; both end."""

    async def live() -> None:
        candidates = [Leader(url_of(database), name, clock, lambda: None) for name in ("one", "two")]
        tasks = []
        for candidate in candidates:
            tasks.append(asyncio.create_task(candidate.run()))
            await until(lambda: candidates[0].leads)
        try:
            await story(*candidates)
        finally:
            for candidate in candidates:
                candidate.stop()
            await asyncio.gather(*tasks)

    asyncio.run(live())


def test_who_stops_leaves_the_lead_to_the_other(postgres_database: Database, clock: MovableClock) -> None:
    async def story(one: Leader, two: Leader) -> None:
        assert not two.leads
        one.stop()
        await until(lambda: two.leads)
        assert not one.leads

    led(postgres_database, clock, story)


def test_a_process_busy_with_long_work_still_leads(postgres_database: Database, clock: MovableClock) -> None:
    async def live() -> None:
        over = threading.Event()
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        work = asyncio.create_task(asyncio.to_thread(over.wait))
        leader = Leader(url_of(postgres_database), "one", clock, lambda: None)
        leading = asyncio.create_task(leader.run())
        try:
            await until(lambda: leader.leads)
        finally:
            over.set()
            leader.stop()
            await asyncio.gather(work, leading)

    asyncio.run(live())


def test_who_loses_the_connection_knows_that_it_leads_no_more(
    postgres_database: Database, clock: MovableClock
) -> None:
    async def story(one: Leader, two: Leader) -> None:
        with psycopg.connect(url_of(postgres_database).replace("+psycopg", ""), autocommit=True) as server:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                (called("one"),),
            )
        await until(lambda: one.leads != two.leads)

    led(postgres_database, clock, story)


def test_what_a_frozen_process_has_begun_is_ended(postgres_database: Database, clock: MovableClock) -> None:
    url = url_of(postgres_database).replace("+psycopg", "")
    for name in ("frozen", "alive"):
        present(postgres_database, clock, name)
    clock.move_by(timedelta(minutes=1))
    present(postgres_database, clock, "alive")
    with (
        psycopg.connect(url, application_name=called("frozen")) as frozen,
        psycopg.connect(url, application_name=called("alive")) as alive,
    ):
        for begun in (frozen, alive):
            begun.execute("SELECT 1")
        with postgres_database.write() as connection:
            assert end_frozen(connection, clock.now()) == 0, "it was given no time"
        # The server shows a transaction what it saw first.
        with postgres_database.write() as connection:
            assert end_frozen(connection, clock.now(), idle=0) == 1
        with pytest.raises(psycopg.OperationalError):
            frozen.execute("SELECT 1")
        alive.execute("SELECT 1")


def test_who_never_led_does_not_say_each_second_that_it_leads_no_more(
    postgres_database: Database, clock: MovableClock
) -> None:
    """A server that only reads gives the lock, and takes no sign of life."""
    url = url_of(postgres_database)
    leader = Leader(f"{url}{'&' if '?' in url else '?'}{READ_ONLY}", "one", clock, lambda: None)
    with capture_logs() as logs:
        leader._step()
    assert not leader.leads
    assert logs == []
