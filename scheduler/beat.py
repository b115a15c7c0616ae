"""One beat: work that is done whenever its bell rings, one run at a time, and that outlives its failures."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from traceback import extract_tb

import structlog

from core.clock import Clock
from core.errors import EnvironmentFault, UserError

LOG = structlog.get_logger("tidings.beats")

LONGEST_PAUSE = 30.0
# A beat that has not come to an end for so long is stuck, or fails again and again.
SILENT_AT_MOST = timedelta(minutes=1)
BUSY_AT_MOST = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a beat is. `ended_at` is the end of its last good run, or its start before the first one."""

    name: str
    ended_at: datetime
    busy_since: datetime | None = None
    failures: int = 0
    reason: str | None = None

    def alive(self, now: datetime) -> bool:
        """Whether it does its work, or has failed only for a moment."""
        if self.busy_since is not None and not self.failures:
            return not self.stuck(now)
        return now - self.ended_at < SILENT_AT_MOST

    def stuck(self, now: datetime) -> bool:
        """Whether a run does not come to an end."""
        return self.busy_since is not None and now - self.busy_since >= BUSY_AT_MOST


class Beat:
    """Runs `work` after each `ring`; rings that come during a run make one more."""

    def __init__(
        self, name: str, work: Callable[[], Awaitable[None]], clock: Clock, first_pause: float = 0.5,
        rest: float = 0.0,
    ) -> None:  # fmt: skip
        """`first_pause` is how long it rests after a first failure, `rest` after a good run, seconds."""
        self._rest = rest
        self._work, self._clock, self._first_pause = work, clock, first_pause
        self._bell, self._stopped = asyncio.Event(), asyncio.Event()
        self.pulse = Pulse(name, clock.now())

    def ring(self) -> None:
        """There may be something to do. Call it on the event loop."""
        self._bell.set()

    def begin(self) -> None:
        """Ring for the first time, or for the first time after a rest."""
        if self.pulse.busy_since is None and not self.pulse.failures:
            self.pulse = Pulse(self.pulse.name, self._clock.now())
        self.ring()

    def stop(self) -> None:
        """End after the run under way."""
        self._stopped.set()
        self._bell.set()

    async def run(self) -> None:
        """Work until stopped. A failure is logged and tried again, after a pause that doubles."""
        while not self._stopped.is_set():
            await self._bell.wait()
            self._bell.clear()
            if not self._stopped.is_set():
                await self._once()
                if self._rest:
                    await self._pause(self._rest)

    async def _once(self) -> None:
        self.pulse = replace(self.pulse, busy_since=self._clock.now())
        try:
            await self._work()
        except Exception as error:  # noqa: BLE001 - whatever it was, the process lives on
            failures = self.pulse.failures + 1
            reason = explained(error)
            LOG.error("beat failed", beat=self.pulse.name, failures=failures, error=reason)  # noqa: TRY400 - see `explained`
            self.pulse = replace(self.pulse, busy_since=None, failures=failures, reason=reason)
            await self._pause(min(LONGEST_PAUSE, self._first_pause * 2 ** min(failures - 1, 10)))
            self._bell.set()
        else:
            self.pulse = Pulse(self.pulse.name, self._clock.now())

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)


def explained(error: BaseException) -> str:
    """An error for the log: our own sentences whole, of any other only its kind and place.

    The words of a foreign error may hold an address or a row of the database.
    """
    if isinstance(error, UserError | EnvironmentFault):
        return str(error)
    frames = extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
