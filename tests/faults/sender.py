"""A sender as a process of its own, to be killed."""

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import func, select

import channels.email.smtp  # loaded beforehand, so that a new sender starts at once
import channels.push.firebase
import channels.sms.twilio  # noqa: F401
from campaigns.tables import Message
from campaigns.versions import Live
from channels import create, discover
from core.db import Database
from core.errors import EnvironmentFault
from core.links import Links
from scheduler.delivery import Delivery

MESSAGE = Message.__table__  # type: ignore[attr-defined]
SECRET = b"the secret of the tests"
LEASE = timedelta(seconds=1.5)


class RunningClock:
    """Real time, moved: it shows `base` when the system's clock shows `started` (seconds)."""

    def __init__(self, started: float, base: datetime) -> None:
        self._started, self._base = started, base

    def now(self) -> datetime:
        return self._base + timedelta(seconds=time.time() - self._started)


async def work(database: Database, folder: Path, clock: RunningClock, lease: timedelta) -> int:
    """Deliver until everything has come to an end; returns how many were reported unknown.

    As the beat of `serve` does, it outlives a database that is away.
    """
    live = Live(database)
    configs = live.running().program.channels
    unknown = 0
    async with AsyncExitStack() as opened:
        ways = {name: create(name, configs.get(name) or {}, outbox_dir=folder) for name in discover()}
        for channel in ways.values():
            await opened.enter_async_context(channel)
        delivery = Delivery(database, live, ways, Links("https://kiosk.example", SECRET), clock, lease=lease)
        while True:
            try:
                if not under_way(database):
                    break
                unknown += (await delivery.run()).unknown
            except EnvironmentFault:
                await asyncio.sleep(0.2)
            await asyncio.sleep(0.05)
    return unknown


def under_way(database: Database) -> int:
    open_states = MESSAGE.c.state.in_(("planned", "deferred", "sending"))
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(MESSAGE).where(open_states)) or 0


def run(url: str, folder: Path, clock: RunningClock, environment: Mapping[str, str], lease: float) -> None:
    """The whole life of the process; `unknown` in the folder says how many it reported."""
    for name in [name for name in os.environ if name.startswith("TIDINGS_")]:
        del os.environ[name]
    os.environ.update(environment)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    database = Database(url)
    unknown = asyncio.run(work(database, folder, clock, timedelta(seconds=lease)))
    (folder / "unknown").write_text(str(unknown))
    database.close()
