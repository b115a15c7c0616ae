"""One process's part in the work of many on one PostgreSQL: who leads, and whose hands do the jobs."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from campaigns.running import Running
from channels import discover
from channels.base import Channel
from channels.discovery import usable
from core.customers.addresses import Addresses
from core.program import Program
from scheduler import jobs
from scheduler.beat import Pulse
from scheduler.card_work import ask_for_hands
from scheduler.delivery import tidy
from scheduler.hands import Hands, Tools
from scheduler.leader import Leader, end_frozen
from scheduler.pump import pump

AnyChannel = Channel[Any, Any, Any]
LOG = structlog.get_logger("tidings.crew")


@dataclass(frozen=True, slots=True)
class Share:
    """What a process does of it: its name, by which channels it delivers, and how many jobs at a time for
    each of them, and of the other kinds. `addresses` are for imports.
    """

    name: str
    channels: Sequence[str]
    concurrency: int
    addresses: Addresses


class Crew:
    """Leads if nobody else does, and does jobs. For the event loop of the process."""

    def __init__(
        self, share: Share, tools: Tools, make: Callable[[Program], Mapping[str, AnyChannel]],
        begins: Callable[[], None],
    ) -> None:  # fmt: skip
        """`make` makes the channels of a program; `begins` is called when this process begins to lead."""
        url = tools.database.engine.url.render_as_string(hide_password=False)
        self._tools, self._make = tools, make
        self._leader = Leader(url, share.name, tools.clock, begins)
        self._hands = Hands(url, tools, share.channels, share.concurrency)
        self._made: tuple[Running, Mapping[str, AnyChannel]] | None = None

    @property
    def leads(self) -> bool:
        """Whether this process beats by the clock."""
        return self._leader.leads

    def pulses(self) -> Sequence[Pulse]:
        """How the hands are."""
        return [self._hands.pulse]

    def run(self) -> Sequence[Coroutine[Any, Any, None]]:
        """What runs until it is stopped."""
        return [self._leader.run(), self._hands.run()]

    def stop(self) -> None:
        """Lead no more, and begin no other job; those under way come to their end."""
        self._leader.stop()
        self._hands.stop()

    async def pump(self) -> None:
        """Jobs for what is due."""
        await asyncio.to_thread(self._pump)

    async def reap(self) -> None:
        """What dead processes had in hand is taken up by others."""
        await asyncio.to_thread(self._reap)

    def _pump(self) -> None:
        tools = self._tools
        running = tools.live.running()
        if self._made is None or self._made[0] is not running:
            before = self._made[1] if self._made else {}
            self._made = (running, {**before, **_made(self._make(running.program))})
        with tools.database.write() as connection:
            pump(connection, self._made[1], tools.clock.now())
            ask_for_hands(connection, tools.clock.now())

    def _reap(self) -> None:
        tools = self._tools
        tidy(tools.database, tools.live, {name: it.policy for name, it in discover().items()}, tools.clock)
        with tools.database.write() as connection:
            given = jobs.give_back(connection)
            ended = end_frozen(connection, tools.clock.now())
        if ended:
            LOG.warning("connections of frozen processes were ended", connections=ended)
        if given:
            LOG.warning("jobs of dead processes are done again", jobs=given)


def _made(channels: Mapping[str, AnyChannel]) -> Mapping[str, AnyChannel]:
    """Those that can be made: one that lacks something holds up no other."""
    made, wrong = usable(channels)
    for name, error in wrong.items():
        LOG.warning("channel not made", channel=name, error=error)
    return made
