"""Who works on this database: every process says so, and takes its name away when it ends in order."""

import os
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from core.clock import Clock
from core.db import Database, upsert
from scheduler.beat import Pulse, explained
from scheduler.tables import Process

PROCESS = Process.__table__  # type: ignore[attr-defined]

# A process that has not been seen for so long has died, or hangs.
MISSING = timedelta(minutes=1)
# Longer than between two signs of life of a process, which come every ten seconds.
SILENT = timedelta(seconds=25)
# So long those are told of that did not end in order.
KEPT = timedelta(days=1)


# Whether the database takes what this process writes.
WRITING = "writing"


def new_name() -> str:
    """A name for a process, unlike any other."""
    return secrets.token_hex(8)


class Presence:
    """One process's own row. `kind` is its command, `pulses` how its beats are."""

    def __init__(
        self, database: Database, clock: Clock, kind: str, version: str,
        pulses: Callable[[], Sequence[Pulse]], *, name: str | None = None,
        channels: Sequence[str] | None = None, concurrency: int | None = None,
    ) -> None:  # fmt: skip
        """`concurrency`: how many jobs it does at a time for each of `channels`, or of all; None for none."""
        self._database, self._clock, self._pulses = database, clock, pulses
        self._row = {
            "name": name or new_name(), "kind": kind, "host": socket.gethostname(), "pid": os.getpid(),
            "version": version, "began_at": clock.now(), "channels": channels, "concurrency": concurrency,
        }  # fmt: skip
        self.pulse = Pulse(WRITING, clock.now())

    def say(self) -> None:
        """It is here; forget those who have been missing for long, and whom this one has replaced.

        That the database takes it is what `pulse` tells.
        """
        try:
            self._write()
        except Exception as error:
            self.pulse = replace(self.pulse, failures=self.pulse.failures + 1, reason=explained(error))
            raise
        self.pulse = Pulse(WRITING, self._clock.now())

    def _write(self) -> None:
        now = self._clock.now()
        row = {**self._row, "seen_at": now, "trouble": self._trouble() or None}
        with self._database.write() as connection:
            connection.execute(upsert(connection, PROCESS, ["name"], ["seen_at", "trouble"]).values(row))
            connection.execute(PROCESS.delete().where(or_(PROCESS.c.seen_at < now - KEPT, self._replaced())))

    def leave(self) -> None:
        """It ends in order."""
        with self._database.write() as connection:
            connection.execute(PROCESS.delete().where(PROCESS.c.name == self._row["name"]))

    def _replaced(self) -> ColumnElement[bool]:
        """Died here before this one began: it was started again. Who lives says so more often."""
        same = [PROCESS.c[name] == self._row[name] for name in ("kind", "host")]
        gone = PROCESS.c.seen_at < self._clock.now() - SILENT
        return and_(*same, gone, PROCESS.c.seen_at < self._row["began_at"])

    def _trouble(self) -> str:
        now = self._clock.now()
        ill = [pulse for pulse in self._pulses() if not pulse.alive(now)]
        return "; ".join(f"{pulse.name}: {pulse.reason or 'does not end'}" for pulse in ill)


def present(connection: Connection) -> Sequence[Process]:
    """Who was seen within a day and did not end in order, the oldest first."""
    rows = connection.execute(select(PROCESS).order_by(PROCESS.c.began_at, PROCESS.c.name))
    return [Process(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name for it
