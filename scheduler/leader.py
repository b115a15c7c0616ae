"""Who leads: of all processes on one PostgreSQL one alone beats by the clock.

It holds an advisory lock on a connection of its own, which ends with the process. A process that is frozen
keeps its connection: when it has not said for some seconds that it leads, whoever would follow it has the
server end that connection, and what it had begun. Should two lead for a moment, nothing happens twice: looks
and messages are guarded by locks of their own.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, text

from core.clock import Clock
from core.db import NOTICED
from scheduler.beat import explained
from scheduler.presence import SILENT as SILENCE

LOG = structlog.get_logger("tidings.leader")

# "tidings", as a number: nobody else's advisory lock on this database.
LOCK = 0x7469_6469_6E67
# Seconds between two attempts to lead, or two signs that somebody does.
EVERY = 1.0
# For so long it leads without having said so once more, seconds.
SURE = 4.0
# A leader that has said nothing for so long is frozen, seconds. More than a restart of the server takes.
SILENT = 10.0

_TRY = "SELECT pg_try_advisory_lock(%s)"
_ALONE = "UPDATE process SET led_at = NULL WHERE name <> %s AND led_at IS NOT NULL"
_SAY = "UPDATE process SET led_at = %s WHERE name = %s"
_HEARD = "SELECT max(led_at) FROM process"
_HOLDER = """
SELECT activity.pid, activity.application_name FROM pg_locks held JOIN pg_stat_activity activity USING (pid)
WHERE held.locktype = 'advisory' AND held.granted
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (held.classid::bigint << 32 | held.objid::bigint) = %s
"""
# What it had begun holds locks that others wait for.
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
    AND (pid = %(pid)s OR application_name = %(name)s AND application_name LIKE 'tidings-%%')
"""
# What a frozen process has begun is in nobody's way for longer than this, seconds.
IDLE = 30.0
_END_FROZEN = text("""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name LIKE 'tidings-%'
    AND state LIKE 'idle in transaction%'
    AND state_change < clock_timestamp() - make_interval(secs => :idle)
    AND NOT EXISTS (SELECT FROM process
                    WHERE application_name = 'tidings-' || process.name AND process.seen_at >= :seen)
""")


def end_frozen(connection: Connection, at: datetime, idle: float = IDLE) -> int:
    """End what processes have begun that give no sign of life: its locks hold up others.

    `idle` is for how many seconds nothing has come of it. Returns how many connections were ended.
    """
    return len(connection.execute(_END_FROZEN, {"seen": at - SILENCE, "idle": idle}).all())


def called(name: str) -> str:
    """What the connections of a process are called on the server."""
    return f"tidings-{name}"


class Leader:
    """Tries to lead until it is stopped. `name` is the process's own, as its row in `process` says."""

    def __init__(self, url: str, name: str, clock: Clock, begins: Callable[[], None]) -> None:
        """`begins` is called on the event loop when this process begins to lead."""
        self._url, self._name, self._clock, self._begins = url.replace("+psycopg", "", 1), name, clock, begins
        self._connection: Any = None
        self._holds = False
        self._said = self._heard_at = 0.0
        self._heard: Any = None
        self._stopped = asyncio.Event()
        # Its own: were it to wait for a thread behind long work, others would take it for frozen.
        self._thread = ThreadPoolExecutor(1, "tidings-leader")

    @property
    def leads(self) -> bool:
        """Whether this process leads, as far as it can be sure of it."""
        return self._holds and time.monotonic() - self._said < SURE

    def stop(self) -> None:
        """Lead no more: another process may at once."""
        self._stopped.set()

    async def run(self) -> None:
        """Try, lead, try again; a database that is away is waited for."""
        loop = asyncio.get_running_loop()
        try:
            while not self._stopped.is_set():
                led = self.leads
                await loop.run_in_executor(self._thread, self._step)
                if self.leads and not led:
                    LOG.info("leads")
                    self._begins()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), EVERY)
        finally:
            self._holds = False
            await loop.run_in_executor(self._thread, self._leave)

    def _step(self) -> None:
        import psycopg

        try:
            self._connection = self._connection or self._connect()
            if not self._holds:
                self._holds = self._ask(_TRY, LOCK)[0][0]
            if self._holds:
                self._say()
            else:
                self._listen()
        except psycopg.Error as error:
            if self._holds and self._said:
                LOG.warning("leads no more", reason=explained(error))
            self._holds = False
            self._leave()

    def _connect(self) -> Any:
        import psycopg

        more: dict[str, Any] = {**NOTICED, "application_name": called(self._name)}
        connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=None, **more)
        # A row that somebody holds for long must not keep this one from saying that it lives.
        connection.execute("SET statement_timeout = 3000")
        # While the database was away nobody could say anything.
        self._heard_at = time.monotonic()
        return connection

    def _ask(self, statement: str, *values: Any) -> list[Any]:
        found: list[Any] = self._connection.execute(statement, values or None).fetchall()
        return found

    def _say(self) -> None:
        began = time.monotonic()
        self._connection.execute(_SAY, (self._clock.now(), self._name))
        if not self._said:
            self._connection.execute(_ALONE, (self._name,))
        self._said = began

    def _listen(self) -> None:
        """Take note of the leader's signs; end its connections when there have been none for too long."""
        self._said = 0.0
        heard, now = self._ask(_HEARD)[0][0], time.monotonic()
        if heard != self._heard:
            self._heard, self._heard_at = heard, now
        if now - self._heard_at < SILENT:
            return
        self._heard_at = now
        for pid, name in self._ask(_HOLDER, LOCK):
            LOG.warning("the leader is silent: its connections are ended", process=name)
            self._connection.execute(_END, {"pid": pid, "name": name})

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        self._said = 0.0
        if connection is not None:
            connection.close()
