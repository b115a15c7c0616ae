"""Jobs are done by the hands of a process."""

import asyncio
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text

from core.clock import SystemClock
from core.db import Database
from scheduler import jobs
from scheduler.hands import JOB_SECONDS, Hands, Tools
from tests.support.databases import PostgresDatabases


def counted() -> dict[tuple[str, ...], int]:
    """Jobs by task and outcome."""
    return {key: counts[-1] for key, counts, _ in JOB_SECONDS.rows()}


async def done(database: Database, channel: str) -> None:
    """One job, which fails; the hands are stopped then."""

    async def deliver(_tools: Tools, **_arguments: Any) -> None:
        hands.stop()
        raise ZeroDivisionError

    none: Any = SimpleNamespace(end_stretches=lambda: None)
    tools = Tools(database, none, SystemClock(), none, none, none, none)
    hands = Hands(database.url, tools, [channel], 1, {jobs.DELIVER: deliver})
    await asyncio.wait_for(hands.run(), 30)


def test_a_job_that_fails_is_counted_and_not_kept(postgres_databases: PostgresDatabases) -> None:
    before = counted().get((jobs.DELIVER, "failed"), 0)
    with postgres_databases.fresh() as database:
        with database.write() as connection:
            jobs.defer(connection, jobs.DELIVER, [{"channel": "sms"}], queue=jobs.queue_of("sms"))
        asyncio.run(done(database, "sms"))
        with database.read() as connection:
            assert connection.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == 0
    assert counted()[jobs.DELIVER, "failed"] == before + 1
