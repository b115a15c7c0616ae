"""Delivery: chunk by chunk, claimed, rendered, sent, recorded.

Decisions and the database are synchronous and short; the waiting for providers is asynchronous.

What a lease does not prevent: a process that freezes after the lease was checked and wakes when it is over
still sends what it had begun. Somebody else has then called its messages *unknown*, or sent them again where
the channel's policy allows that; its own outcomes change nothing any more, by the fence.
"""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog

from campaigns.running import Running
from campaigns.versions import Live
from channels import Failed, Outcome, Outgoing, Unknown
from channels.base import Channel
from core.clock import Clock
from core.db import Database
from core.errors import EnvironmentFault, UserError
from core.links import Links
from scheduler.claim import LEASE, Claim, Claimed, Claimer, due_on, reap, stale_or_late
from scheduler.outcomes import Settled, Settlement, fall_back, settle
from scheduler.throttle import ask, broken, chunk_of, take
from templates.facts import with_trigger
from templates.library import Rendered
from triggers import discover as discover_triggers

AnyChannel = Channel[Any, Any, Any]
LOG = structlog.get_logger("tidings.delivery")

# Before the lease is over somebody else may take the message: nothing is begun in this last part of it.
MARGIN = 0.4
# While a channel is busy, how often the others are looked at, seconds.
POLL = 1.0
# How often outcomes are recorded while a chunk is under way, seconds.
RECORD_EVERY = 0.2
# How long the database may be away when outcomes are to be recorded, seconds between the attempts.
AGAIN = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


@dataclass(slots=True)
class Delivered:
    """What one delivery did, by channel: outcome → how many. `unknown` are reported, whoever caused them."""

    by_channel: dict[str, Counter[str]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    cost: dict[str, Decimal] = field(default_factory=dict)
    unknown: int = 0
    fell_back: int = 0

    def add(self, channel: str, settlement: Settlement) -> None:
        """Count one chunk."""
        self.by_channel.setdefault(channel, Counter()).update(settlement.counts)
        self.unknown += settlement.counts.get("unknown", 0)
        for scenario, cost in settlement.cost.items():
            self.cost[scenario] = self.cost.get(scenario, Decimal(0)) + cost
        if settlement.breaker:
            self.broken[channel] = settlement.breaker


class Delivery:
    """Sends what is due. `sleep` waits for a rate limit; tests pass their own."""

    def __init__(
        self, database: Database, live: Live, channels: Mapping[str, AnyChannel], links: Links, clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, *, lease: timedelta = LEASE,
    ) -> None:  # fmt: skip
        """`lease` is how long a claimed chunk may take before others may call its sender dead."""
        self._database, self._live, self._channels = database, live, channels
        self._links, self._clock, self._sleep, self._lease = links, clock, sleep, lease
        self._stopping = self._cancelled = False
        # SQLite has one writer at a time: waiting for one's turn here is shorter than being refused there.
        self._turn: AbstractContextManager[Any] = (
            threading.Lock() if database.dialect == "sqlite" else contextlib.nullcontext()
        )

    def stop(self) -> None:
        """Finish the chunks that are under way and begin no other."""
        self._stopping = True

    async def run(self) -> Delivered:
        """Send everything that is due now, channel beside channel, until nothing is left."""
        delivered = Delivered()
        drains: dict[str, asyncio.Task[int]] = {}
        barren: set[str] = set()
        try:
            while True:
                for name in await asyncio.to_thread(self._look, delivered):
                    if name not in drains and name not in barren:
                        drains[name] = asyncio.create_task(self._drain(self._channels[name], delivered))
                if not drains:
                    return delivered
                await asyncio.wait(drains.values(), timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
                for name in [name for name, drain in drains.items() if drain.done()]:
                    # What one channel did may have given work to another; what another sender holds has not.
                    barren = set() if drains.pop(name).result() else barren | {name}
        finally:
            await self._finish(list(drains.values()))

    async def _finish(self, drains: Sequence[asyncio.Task[int]]) -> None:
        """Whatever ended the run, a chunk under way is carried through and recorded."""
        stopping, self._stopping = self._stopping, True
        while left := [drain for drain in drains if not drain.done()]:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(left)
        self._stopping = stopping

    def _look(self, delivered: Delivered) -> list[str]:
        """The channels with something to do, once what dead senders and silent providers left is moved on."""
        if self._stopping:
            return []
        now = self._clock.now()
        with self._turn:
            with self._database.read() as connection:
                untidy = stale_or_late(connection, now)
            if untidy:
                self._tidy(delivered)
            with self._database.read() as connection:
                down = broken(connection, now)
                return [
                    name
                    for name in sorted(self._channels)
                    if name not in down and due_on(connection, name, now)
                ]

    def _tidy(self, delivered: Delivered) -> None:
        policies = {name: channel.policy for name, channel in self._channels.items()}
        running = self._live.running()
        with self._database.write() as connection:
            unknown = reap(connection, policies, self._clock.now())
            delivered.unknown += unknown
            delivered.fell_back += fall_back(connection, running, self._clock.now())
        if unknown:
            LOG.warning("senders died", unknown=unknown)

    async def _drain(self, channel: AnyChannel, delivered: Delivered) -> int:
        """Send a channel's messages until none is due; returns how many were taken."""
        taken, ready_at = 0, self._clock.now()
        while not self._stopping:
            step = await asyncio.to_thread(self._claim, channel, ready_at)
            if isinstance(step, datetime):
                ready_at = step
                await self._wait_until(step)
                continue
            running, claim = step
            if not claim.taken:
                break
            taken += claim.taken
            if claim.messages:
                await self._send(running, channel, claim, delivered)
        return taken

    async def _wait_until(self, moment: datetime) -> None:
        """Wait for the rate, in pieces, so that a stop is heard."""
        seconds = (moment - self._clock.now()).total_seconds()
        while seconds > 0 and not self._stopping:
            await self._sleep(min(seconds, POLL))
            seconds -= POLL

    def _claim(self, channel: AnyChannel, ready_at: datetime) -> tuple[Running, Claim] | datetime:
        """A chunk, perhaps an empty one; or the time before which the rate lets nothing go."""
        rate = channel.config.rate
        with self._turn:
            running = self._live.running()
        with self._turn, self._database.write() as connection:
            now = self._clock.now()
            leave = ask(connection, channel.name, rate, chunk_of(channel), max(now, ready_at))
            if leave.until is not None:
                return leave.until
            if not leave.limit:
                return running, Claim("", now, (), 0)
            claim = Claimer(running, self._links, now, self._lease).claim(
                connection, channel.name, leave.limit
            )
            if rate is not None and claim.messages:
                take(connection, channel.name, rate, len(claim.messages), max(now, ready_at))
            return running, claim

    async def _send(self, running: Running, channel: AnyChannel, claim: Claim, delivered: Delivered) -> None:
        """Send a chunk; record what is known every now and then, so that a kill leaves little unknown."""
        left = await asyncio.to_thread(self._prepare_all, running, channel, claim)
        outcomes: dict[str, Outcome] = {}
        ready = [it.outgoing for it in left if it.outgoing is not None]
        sending = asyncio.create_task(self._transmit(channel, ready, claim.lease_until, outcomes))
        over = False
        while not over:
            over = await self._pause(sending)
            known = [it for it in left if over or it.outgoing is None or it.outgoing.key in outcomes]
            left = [it for it in left if it not in known] if not over else []
            if known:
                settled = [_settled(it, outcomes) for it in known]
                settlement = await self._record(running, channel, claim, settled)
                delivered.add(channel.name, settlement)
                LOG.info("sent", channel=channel.name, lost=settlement.lost, **settlement.counts)

    async def _pause(self, sending: "asyncio.Task[None]") -> bool:
        """Wait a moment; whether the chunk has been sent meanwhile."""
        try:
            return bool((await asyncio.wait({sending}, timeout=RECORD_EVERY))[0])
        except asyncio.CancelledError:
            # The channel says what becomes of each message; that is still recorded.
            self._cancelled = self._stopping = True
            return False

    async def _transmit(
        self,
        channel: AnyChannel,
        ready: Sequence[Outgoing],
        lease_until: datetime,
        outcomes: dict[str, Outcome],
    ) -> None:
        """Send in parts, each begun only while the lease has time for it and the last was of some use."""
        margin = self._lease * MARGIN
        rounds = max(1, int(margin.total_seconds() / channel.settings.timeout))
        size = channel.settings.concurrency * rounds
        for start in range(0, len(ready), size):
            part = ready[start : start + size]
            if self._cancelled or self._clock.now() >= lease_until - margin:
                break
            await self._transmit_part(channel, part, outcomes)
            if all(_is_down(outcomes[outgoing.key]) for outgoing in part):
                break

    async def _transmit_part(
        self, channel: AnyChannel, part: Sequence[Outgoing], outcomes: dict[str, Outcome]
    ) -> None:
        try:
            await channel.send(part, outcomes.__setitem__)
        except asyncio.CancelledError:
            # The channel has said what became of each; that is still recorded.
            self._cancelled = self._stopping = True
        except Exception as error:  # noqa: BLE001 - what is known of the others must be recorded
            LOG.error("channel failed", channel=channel.name, error=type(error).__name__)  # noqa: TRY400 - its words may be personal
        for outgoing in part:
            outcomes.setdefault(outgoing.key, Unknown("sender_failed"))

    async def _record(
        self, running: Running, channel: AnyChannel, claim: Claim, settled: Sequence[Settled]
    ) -> Settlement:
        """Record outcomes, though the database be away for a while: they would be unknown otherwise."""
        for pause in AGAIN:
            try:
                return await asyncio.to_thread(self._settle, running, channel, claim.fence, settled)
            except EnvironmentFault as fault:
                LOG.warning("outcomes not recorded yet", channel=channel.name, reason=str(fault))
                await self._sleep(pause)
        return await asyncio.to_thread(self._settle, running, channel, claim.fence, settled)

    def _settle(
        self, running: Running, channel: AnyChannel, fence: str, settled: Sequence[Settled]
    ) -> Settlement:
        with self._turn, self._database.write() as connection:
            return settle(connection, running, channel, fence, settled, self._clock.now())

    def _prepare_all(self, running: Running, channel: AnyChannel, claim: Claim) -> list["_Prepared"]:
        return [self._prepare(running, channel, claimed) for claimed in claim.messages]

    def _prepare(self, running: Running, channel: AnyChannel, claimed: Claimed) -> "_Prepared":
        """Set aside what cannot be said, with its reason; the rest of the chunk goes on."""
        row = claimed.row
        try:
            rendered = render(running, channel.name, claimed, self._clock.now())
            outgoing = self._outgoing(claimed, rendered)
            return _Prepared(claimed, outgoing, rendered.locale, channel.cost(outgoing))
        except UserError as error:
            LOG.warning("not rendered", message=row.id, scenario=row.scenario, error=str(error))
        except Exception as error:  # noqa: BLE001 - a poisoned message must not stop the others; its words may be personal
            LOG.warning("not rendered", message=row.id, scenario=row.scenario, error=type(error).__name__)
        return _Prepared(claimed)

    def _outgoing(self, claimed: Claimed, rendered: Rendered) -> Outgoing:
        row = claimed.row
        return Outgoing(
            key=f"{row.enrolment_id}.{row.external_id}.{row.id}", to=claimed.address, parts=rendered.parts,
            purpose=row.purpose, at=self._clock.now(), tag=row.scenario,
            unsubscribe_url=claimed.context["links"].unsubscribe if row.purpose == "marketing" else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A message in words; without `outgoing` it could not be put into any."""

    claimed: Claimed
    outgoing: Outgoing | None = None
    locale: str | None = None
    cost: Decimal | None = None


def render(running: Running, channel: str, claimed: Claimed, at: datetime) -> Rendered:
    """The words of one message, in the customer's language."""
    facts = discover_triggers()[claimed.scenario.trigger].read(claimed.facts, running.program, at)
    context = with_trigger(claimed.context, facts)
    return running.library.render(claimed.row.message, channel, claimed.locale, context)


def _is_down(outcome: Outcome | None) -> bool:
    """It says nothing good of the provider: what is left need not be tried on it now."""
    return isinstance(outcome, Failed) and outcome.kind != "permanent"


def _settled(it: _Prepared, outcomes: Mapping[str, Outcome]) -> Settled:
    if it.outgoing is None:
        return Settled(it.claimed, Failed("permanent", "not_rendered"))
    # What was not begun, because the lease was nearly over or the provider is down, may go again.
    return Settled(
        it.claimed, outcomes.get(it.outgoing.key, Failed("temporary", "not_begun")), it.cost, it.locale
    )
