"""A process that stays: `serve` and `worker` begin, give signs of life, and end in order."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog

from channels import discover
from core.clock import SystemClock
from core.collecting import collect_seldom
from core.errors import EnvironmentFault, UserError
from scheduler.beat import Pulse, explained
from scheduler.beats import Beats
from scheduler.crew import Share
from scheduler.leader import called
from scheduler.presence import Presence, new_name
from tidings import supervised
from tidings.cards import cards_of

if TYPE_CHECKING:
    from tidings.workspace import Workspace

LOG = structlog.get_logger("tidings.serve")

# How many jobs a process does at a time for each channel.
CONCURRENCY = 4
LEAVE_SECONDS = 3.0
# How often the process says in the database that it is there, seconds.
PRESENT_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class Part:
    """What a process is for: its command, and of the work what it does; all of it on SQLite.

    `channels` are those by which it delivers (None: all), `concurrency` is how many jobs it does at a time
    for each. Without `works` there are no beats: others do the work.
    """

    kind: str
    channels: Sequence[str] | None = None
    concurrency: int = CONCURRENCY
    works: bool = True


def prepare(workspace: "Workspace") -> str:
    """What comes before everything else; returns the process's name.

    EnvironmentFault if nothing was applied, or the secret is missing.
    """
    name = new_name()
    # libpq's own variable: every connection of this process is called so on the server.
    os.environ["PGAPPNAME"] = called(name)
    _ = workspace.secret
    try:
        workspace.live.running()
    except UserError as error:
        raise EnvironmentFault(str(error)) from None
    log_through_structlog()
    collect_seldom()
    return name


class Service:
    """The life of one process, on its event loop."""

    def __init__(self, workspace: "Workspace", name: str, part: Part) -> None:
        self.clock = SystemClock()
        self.cards = cards_of(workspace, self.clock)
        self._part, self._database = part, workspace.database
        share = None
        if workspace.database.dialect == "postgresql":
            share = Share(name, tuple(part.channels or discover()), part.concurrency, workspace.addresses)
        self._beats = Beats(
            workspace.database, workspace.live, self.clock, self.cards,
            channels=workspace.each_channel, links=workspace.links, share=share,
        ) if part.works else None  # fmt: skip
        self._presence = Presence(
            workspace.database, self.clock, part.kind, version("tidings"), self._beating, name=name,
            channels=part.channels, concurrency=part.concurrency if part.works and share else None,
        )  # fmt: skip

    def wake(self) -> None:
        """A fact was recorded. From any thread; without beats the leader's find it."""
        if self._beats is not None:
            self._beats.wake()

    def pulses(self) -> Sequence[Pulse]:
        """How the beats are, and whether the database takes what is written."""
        return [*self._beating(), self._presence.pulse]

    def _beating(self) -> Sequence[Pulse]:
        return self._beats.pulses() if self._beats is not None else [Pulse("api", self.clock.now())]

    async def run(self, ready: Callable[[], None], work: Callable[[], Awaitable[None]],
                  end: Callable[[], None]) -> None:  # fmt: skip
        """Be there as long as `work` lasts, which `end` brings to its end at the first signal.

        A second signal ends the process at once. `ready` is called once the beats have begun.
        """
        self._obey_signals(end)
        await self._begin()
        signs = [asyncio.create_task(it) for it in (supervised.live(self.pulses, self.clock), self._say())]
        try:
            ready()
            supervised.tell(supervised.READY)
            await work()
        finally:
            supervised.tell(supervised.STOPPING)
            for sign in signs:
                sign.cancel()
            ended = await self._end()
        if not ended:
            # asyncio would wait for every thread: one is still busy with a look, whose transaction is undone.
            _leave(0)

    async def _begin(self) -> None:
        if self._beats is None:
            return
        try:
            await self._beats.start()
        except BaseException:
            await self._beats.close()
            raise

    async def _end(self) -> bool:
        ended = True
        if self._beats is not None:
            ended = await self._beats.stop()
            if not ended:
                await _cut_short()
            await self._beats.close()
        else:
            await self.cards.close()
        with contextlib.suppress(EnvironmentFault):
            await asyncio.to_thread(self._presence.leave)
        LOG.info("stopped", in_order=ended)
        return ended

    def _obey_signals(self, end: Callable[[], None]) -> None:
        """The first signal ends everything in order, the second at once."""
        loop, ending = asyncio.get_running_loop(), False

        def stop(number: int) -> None:
            nonlocal ending
            if ending:
                _leave(128 + number)
            ending = True
            LOG.info("stopping", signal=signal.Signals(number).name)
            end()
            if self._beats is not None:
                self._beats.begin_stop()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under `nohup` a terminal that closes is nobody's wish.
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, stop, number)

    async def _say(self) -> None:
        """Say that this process is here, again and again; a database that takes it not is told of once."""
        told = ""
        while True:
            try:
                await asyncio.to_thread(self._presence.say)
                told = ""
            except Exception as error:  # noqa: BLE001 - who says nothing any more is taken for dead
                if told != (told := explained(error)):
                    LOG.warning("the database takes nothing", reason=told)
            await asyncio.sleep(PRESENT_EVERY)


async def _cut_short() -> None:
    """End what did not end in time; what was being sent is written down as unknown, or to be sent again."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=LEAVE_SECONDS)


def _leave(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _ToStructlog(logging.Handler):
    """What libraries log, as JSON lines; without tracebacks, whose values may be personal.

    Of several lines the first: in the others asyncio shows the error that nobody asked for.
    """

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        said: dict[str, Any] = {"error": kind} if kind else {}
        first = record.getMessage().partition("\n")[0]
        LOG.log(record.levelno, first, logger=record.name, **said)


def log_through_structlog() -> None:
    """Have what libraries log stand among our own lines."""
    # Libraries name addresses in their INFO lines (httpx the device that it pushes to): warnings only.
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING, force=True)
