"""The deliveries of one process: by every channel at once, or one by one as jobs ask for them.

A channel whose configuration a new version changes is opened anew; what is under way on the one before comes
to its end there. One that cannot be opened leaves its messages waiting, and no other channel's.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog

from campaigns.versions import Live
from channels.base import Channel
from core.clock import Clock
from core.db import Database
from core.errors import EnvironmentFault, UserError
from core.links import Links
from core.program import Program
from scheduler.delivery import Delivered, Delivery

AnyChannel = Channel[Any, Any, Any]
LOG = structlog.get_logger("tidings.beats")

# Where messages go nowhere, or onto the card, which is told of its own address.
_REHEARSES = ("folder", "card")
_OWN_MACHINE = ("localhost", "127.0.0.1", "::1")
# A delivery is ended and begun anew after so long, so that a new version takes hold in a long campaign too.
STRETCH_SECONDS = 30.0


@dataclass(slots=True)
class _Way:
    """An open channel, the configuration that it was made from, and how many deliveries go by it."""

    channel: AnyChannel
    config: Any
    users: int = 0


class Deliveries:
    """Sends what is due by channels that stay open in between. For the event loop of the process."""

    def __init__(
        self, database: Database, live: Live, clock: Clock,
        make: Callable[[Program], Mapping[str, AnyChannel]], links: Callable[[Program], Links],
        told: Callable[[Delivered], None], *,
        only: Collection[str] | None = None, hands: int = 1,
    ) -> None:  # fmt: skip
        """`make` makes the channels of a program, not yet open; `only` some of them are used, if given.

        `told` hears what each delivery did. `hands` is how many jobs may deliver by one channel at a time.
        """
        self._database, self._live, self._clock = database, live, clock
        self._make, self._links, self._told = make, links, told
        self._only, self._hands = only, hands
        self._ways: dict[str, _Way] = {}
        # Channel → why it could not be opened anew, as it was last told.
        self._faults: dict[str, str] = {}
        self._busy: Counter[str] = Counter()
        self._running: set[Delivery] = set()
        self._stopping = False

    @property
    def channels(self) -> Mapping[str, AnyChannel]:
        """By their names, those that are open."""
        return {name: way.channel for name, way in self._ways.items()}

    async def open(self) -> None:
        """Open the channels of the live version by which this process delivers, and make no other.

        EnvironmentFault or UserError if one lacks a credential, or is set up wrongly.
        """
        program = (await asyncio.to_thread(self._live.running)).program
        made = self._make(program)
        for name in made:
            if self._only is None or name in self._only:
                channel = made[name]
                self._ways[name] = _Way(channel, program.channels.get(name))
                await channel.open()
        if note := _unfit(self._links(program).public_url, [way.channel for way in self._ways.values()]):
            LOG.warning("not for customers yet", note=note)

    async def run(self) -> Delivered:
        """Everything that is due, by all channels, for a stretch at most."""
        return await self._deliver(list(self._ways))

    async def by(self, channel: str) -> Delivered:
        """What is due by one channel, for a stretch at most.

        Nothing if as many deliveries as may be are under way on it here: whatever is due is theirs, and the
        pump asks again for what they leave.
        """
        if channel not in self._ways or self._busy[channel] >= self._hands:
            return Delivered()
        self._busy[channel] += 1
        try:
            return await self._deliver([channel], tidies=False)
        finally:
            self._busy[channel] -= 1

    def stop(self) -> None:
        """Finish the chunks that are under way and begin nothing more."""
        self._stopping = True
        self.end_stretches()

    def end_stretches(self) -> None:
        """Finish the chunks that are under way; others may be begun by new deliveries."""
        for delivery in self._running:
            delivery.stop()

    async def close(self) -> None:
        """Close the channels."""
        for way in self._ways.values():
            await way.channel.close()

    async def _deliver(self, names: Collection[str], *, tidies: bool = True) -> Delivered:
        program = (await asyncio.to_thread(self._live.running)).program
        async with self._open(names, program) as channels:
            delivery = Delivery(
                self._database, self._live, channels, self._links(program), self._clock, tidies=tidies
            )
            if self._stopping:
                return Delivered()
            delivered = await self._stretch(delivery)
        for name, counts in delivered.by_channel.items():
            LOG.info("delivered", channel=name, **counts)
        self._told(delivered)
        return delivered

    async def _stretch(self, delivery: Delivery) -> Delivered:
        self._running.add(delivery)
        ending = asyncio.get_running_loop().call_later(STRETCH_SECONDS, delivery.stop)
        try:
            return await delivery.run()
        finally:
            ending.cancel()
            self._running.discard(delivery)

    @asynccontextmanager
    async def _open(self, names: Collection[str], program: Program) -> AsyncIterator[dict[str, AnyChannel]]:
        changed = [it for it in names if program.channels.get(it) != self._ways[it].config]
        closed = await self._renew(changed, program)
        ways = {name: self._ways[name] for name in names if name not in closed}
        for way in ways.values():
            way.users += 1
        try:
            yield {name: way.channel for name, way in ways.items()}
        finally:
            for name, way in ways.items():
                way.users -= 1
                await self._close_old(name, way)

    async def _renew(self, names: Collection[str], program: Program) -> set[str]:
        """Open anew the channels of which the live version says something else than the one before; returns
        those that cannot be.
        """
        made = self._make(program) if names else {}
        closed = set()
        for name in names:
            try:
                await made[name].open()
            except (EnvironmentFault, UserError) as fault:
                self._tell(name, str(fault))
                closed.add(name)
                continue
            self._faults.pop(name, None)
            before, self._ways[name] = self._ways[name], _Way(made[name], program.channels.get(name))
            await self._close_old(name, before)
        return closed

    def _tell(self, name: str, fault: str) -> None:
        if self._faults.get(name) != fault:
            LOG.error("channel not opened", channel=name, error=fault)
        self._faults[name] = fault

    async def _close_old(self, name: str, way: _Way) -> None:
        """Close a channel that another one has taken the place of, once nothing is under way on it."""
        if self._ways[name] is not way and not way.users:
            await way.channel.close()


def _unfit(url: str, channels: Collection[AnyChannel]) -> str | None:
    """Why customers cannot follow the links in what is really sent; None if they can."""
    real = sorted(it.name for it in channels if it.linked_parts and it.settings.transport not in _REHEARSES)
    parts = urlsplit(url)
    if not real or (parts.scheme == "https" and parts.hostname not in _OWN_MACHINE):
        return None
    where = "to this machine alone" if parts.hostname in _OWN_MACHINE else "to a page without TLS"
    return f"links in messages by {', '.join(real)} lead {where} ({url}); set TIDINGS_PUBLIC_URL to https://…"
