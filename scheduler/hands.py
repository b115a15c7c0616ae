"""Hands: they do the jobs of this process, by procrastinate's workers on our own event loop; PostgreSQL only.

Deliveries have hands of their own, so that no channel waits for another, nor for a part of a look. A worker
of procrastinate ends when the database goes away, sometimes without a word: it is begun again here.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import structlog

from campaigns.versions import Live
from core.clock import Clock
from core.customers.addresses import Addresses
from core.db import NOTICED, Database
from core.links import Links
from core.meters import Histogram
from core.program import Program
from scheduler import card_work, imports, jobs, shards
from scheduler.beat import Pulse, explained
from scheduler.shards import Shards

if TYPE_CHECKING:
    from procrastinate import App

    from scheduler.cards import Cards
    from scheduler.deliveries import Deliveries

LOG = structlog.get_logger("tidings.hands")

# Seconds between two signs of life of a worker.
HEARTBEAT_SECONDS = 3.0
# Before procrastinate's workers are begun again, seconds; twice as long after each failure in a row.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
# How long a finished job is written down again while the database is away, seconds between the attempts.
AGAIN = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
# Of this process: a job that failed is not kept.
JOB_SECONDS = Histogram("task", "outcome", bounds=(0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0))
# Connections by which jobs are fetched and finished; each of the two workers listens by one more.
MOST_CONNECTIONS = 4
# Parts of looks and imports that this process has in hand at a time: each holds a connection for seconds.
LONG_AT_MOST = 4


@dataclass(frozen=True, slots=True)
class Tools:
    """What the tasks of one process work with."""

    database: Database
    live: Live
    clock: Clock
    cards: "Cards"
    links: Callable[[Program], Links]
    deliveries: "Deliveries"
    addresses: Addresses
    threads: Executor | None = None

    async def at_length(self, work: Callable[..., object], *values: Any) -> None:
        """Long work goes by threads of its own: nothing short waits behind it."""
        await asyncio.get_running_loop().run_in_executor(self.threads, work, *values)


# Does one job: it is given the tools and the job's arguments. What it raises is logged by kind and place, and
# the job is done again.
Task = Callable[..., Coroutine[Any, Any, None]]


async def _deliver(tools: Tools, channel: str) -> None:
    """A channel's messages that are due."""
    await tools.deliveries.by(channel)


async def _shard(tools: Tools) -> None:
    """A part of a look at a large base."""
    await tools.at_length(Shards(tools.database, tools.live).take)


# Task -> what is done for it, one line each.
TASKS: dict[str, Task] = {
    jobs.DELIVER: _deliver,
    jobs.SHARD: _shard,
    jobs.IMPORT: imports.bring_in,
    jobs.CARDS: card_work.lend_a_hand,
}
# The queues besides those of the channels: every process works on them.
QUEUES = (shards.QUEUE, jobs.IMPORT, jobs.CARDS)


class Hands:
    """Does jobs until it is stopped: `concurrency` at a time for each channel, and as many of the rest."""

    def __init__(
        self, url: str, tools: Tools, channels: Sequence[str], concurrency: int,
        tasks: Mapping[str, Task] = TASKS,
    ) -> None:  # fmt: skip
        """`channels` are those by which this process delivers."""
        self._url = url.replace("+psycopg", "", 1)
        self._threads = ThreadPoolExecutor(min(concurrency, LONG_AT_MOST), "tidings-long")
        self._tools, self._tasks, self._clock = replace(tools, threads=self._threads), tasks, tools.clock
        self._lines = (
            ([jobs.queue_of(it) for it in channels], concurrency * len(channels)), (QUEUES, concurrency),
        )  # fmt: skip
        self._workers: list[Any] = []
        self._stopped = asyncio.Event()
        self._pulse = Pulse("hands", self._clock.now())
        self._begun: dict[object, Any] = {}

    @property
    def pulse(self) -> Pulse:
        """How they are; busy since the oldest of the jobs under way was begun."""
        if self._pulse.failures:
            return self._pulse
        oldest = min(self._begun.values(), default=None)
        return replace(self._pulse, ended_at=self._clock.now(), busy_since=oldest)

    def stop(self) -> None:
        """Begin no other job; those under way come to their end."""
        self._stopped.set()
        for worker in self._workers:
            worker.stop()

    async def run(self) -> None:
        """Work until stopped; begin again whenever the database was away."""
        _quieten()
        failures = 0
        while not self._stopped.is_set():
            began, reason = time.monotonic(), "it ended by itself"
            try:
                await self._work()
            except Exception as error:  # noqa: BLE001 - whatever it was, the hands are begun again
                reason = explained(error)
            if self._stopped.is_set():
                return
            failures = 1 if time.monotonic() - began > LONGEST_PAUSE else failures + 1
            last = self._pulse.ended_at if self._pulse.failures else self._clock.now()
            self._pulse = replace(self._pulse, ended_at=last, failures=failures, reason=reason)
            LOG.warning("hands begin again", failures=failures, reason=reason)
            with contextlib.suppress(TimeoutError):
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 10))
                await asyncio.wait_for(self._stopped.wait(), pause)

    async def _work(self) -> None:
        from procrastinate.worker import Worker

        app = self._app()
        async with app.open_async():
            self._workers = [
                Worker(app, list(queues), name="hands", concurrency=most, install_signal_handlers=False,
                       delete_jobs="always", update_heartbeat_interval=HEARTBEAT_SECONDS,
                       stalled_worker_timeout=jobs.DEAD_SECONDS)
                for queues, most in self._lines if queues
            ]  # fmt: skip
            self._pulse = Pulse("hands", self._clock.now())
            await self._together()

    async def _together(self) -> None:
        """Until one of the workers ends; the others then end as well."""
        running = [asyncio.create_task(worker.run()) for worker in self._workers]
        # A worker forgets that it was told to stop before it had begun.
        await asyncio.sleep(0)
        try:
            if self._stopped.is_set():
                return
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for worker in self._workers:
                worker.stop()
            # They end with their last job: a long campaign must not keep the other channels' hands away.
            self._tools.deliveries.end_stretches()
            await asyncio.wait(running)
            # Each is asked how it ended: asyncio complains of those that nobody asks.
            troubles = [task.exception() for task in running if not task.cancelled()]
        for trouble in filter(None, troubles):
            raise trouble

    def _app(self) -> "App":
        from procrastinate import App, RetryStrategy
        from procrastinate.psycopg_connector import PsycopgConnector

        app = App(connector=PsycopgConnector(
            conninfo=self._url, kwargs={**NOTICED, "prepare_threshold": None}, configure=_each_alone,
            min_size=1, max_size=MOST_CONNECTIONS, timeout=10.0, reconnect_timeout=10.0,
        ))  # fmt: skip
        app.job_manager = _manager(app.connector)
        again = RetryStrategy(max_attempts=10, exponential_wait=2)
        for name, task in self._tasks.items():
            # For a delivery that failed the pump defers another one.
            app.task(name=name, queue=name, retry=name != jobs.DELIVER and again)(self._doing(name, task))
        return app

    def _doing(self, name: str, task: Task) -> Task:
        async def do(**arguments: Any) -> None:
            mark, began, outcome = object(), time.monotonic(), "failed"
            self._begun[mark] = self._clock.now()
            try:
                await task(self._tools, **arguments)
                outcome = "done"
            except Exception as error:  # noqa: BLE001 - it goes on as one that says nothing personal
                LOG.error("job failed", task=name, error=explained(error))  # noqa: TRY400 - see `explained`
                raise JobFailed from None
            finally:
                del self._begun[mark]
                JOB_SECONDS.observe((name, outcome), time.monotonic() - began)

        return do


class JobFailed(Exception):
    """A job failed; the log has said how, without what may be personal."""


async def _each_alone(connection: Any) -> None:
    """Statements that are their own transactions: one round trip instead of three."""
    await connection.set_autocommit(True)


def _manager(connector: Any) -> Any:
    from procrastinate.exceptions import ConnectorException
    from procrastinate.manager import JobManager
    from psycopg import OperationalError

    class Patient(JobManager):
        """What became of a job is written down once the database is back."""

        async def finish_job(self, *args: Any, **kwargs: Any) -> None:
            await patiently(super().finish_job, *args, **kwargs)

        async def retry_job(self, *args: Any, **kwargs: Any) -> None:
            await patiently(super().retry_job, *args, **kwargs)

    async def patiently(write: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        for pause in (*AGAIN, None):
            try:
                await write(*args, **kwargs)
                return
            except ConnectorException as error:
                # What is no fault of the connection: this job was given to somebody else meanwhile.
                if pause is None or not isinstance(error.__cause__, OperationalError):
                    LOG.warning("job not finished", reason=type(error.__cause__).__name__)
                    return
                await asyncio.sleep(pause)

    return Patient(connector)


def _quieten() -> None:
    """What procrastinate and its pool log names hosts and jobs' arguments: the hands say what matters."""
    for name in ("procrastinate", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
