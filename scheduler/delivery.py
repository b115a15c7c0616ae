"""Delivery: chunk by chunk, claimed, rendered, sent, recorded.

Decisions and the database are synchronous and short; the waiting for providers is asynchronous.

What a lease does not prevent: a process that freezes after the lease was checked and wakes when it is over
still sends what it had begun. Somebody else has then called its messages *unknown*, or sent them again where
the channel's policy allows that; its own outcomes change nothing any more, by the fence.
"""

import asyncio
import contextlib
import contextvars
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection

from campaigns.running import Running
from campaigns.versions import Live
from channels import Failed, Outcome, Outgoing, Unknown
from core import tracing
from core.clock import Clock
from core.db import Database
from core.errors import EnvironmentFault
from core.links import Links
from scheduler import following
from scheduler.beat import explained
from scheduler.cancelling import Halt, halts
from scheduler.claim import LEASE, Claim, Claimer, due_on, reap, stale_or_late
from scheduler.fallbacks import fall_back
from scheduler.line import MARGIN, AnyChannel, Chunk, Done, Line, told_apart
from scheduler.outcomes import Settlement, settle
from scheduler.outdated import Outdated
from scheduler.throttle import ask, is_of_provider, paused, resting, take
from scheduler.truth import Truth
from scheduler.warm_up import quota_of
from scheduler.wording import Wording

T = TypeVar("T")
LOG = structlog.get_logger("tidings.delivery")

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
        tidies: bool = True,
    ) -> None:  # fmt: skip
        """`lease` is how long a claimed chunk may take before others may call its sender dead.

        Without `tidies` what dead senders and silent providers left is left to somebody else (`tidy`).
        """
        self._database, self._live, self._channels = database, live, channels
        self._links, self._clock, self._sleep, self._lease = links, clock, sleep, lease
        self._tidies = tidies
        self._stopping = self._cancelled = False
        # How often it was looked at what is paused and cancelled, and what was so at the last look.
        self._looks, self._halts = 0, frozenset[Halt]()
        # SQLite has one writer at a time: waiting for one's turn here is shorter than being refused there.
        self._turn: AbstractContextManager[Any] = (
            threading.Lock() if database.dialect == "sqlite" else contextlib.nullcontext()
        )
        self._wording = Wording(database, links, clock, self._turn)
        self._truth = Truth()

    def stop(self) -> None:
        """Finish the chunks that are under way and begin no other."""
        self._stopping = True

    async def run(self) -> Delivered:
        """Send everything that is due now, channel beside channel, until nothing is left."""
        delivered = Delivered()
        drains: dict[str, asyncio.Task[int]] = {}
        lines: dict[str, Line] = {}
        barren: set[str] = set()
        try:
            while True:
                due, paused, halts = await asyncio.to_thread(self._look, delivered, frozenset(drains))
                self._looks += 1
                for name in paused & set(drains):
                    lines[name].pause(self._looks)
                self._halt([lines[name] for name in drains], halts)
                for name in due:
                    if name not in barren:
                        lines[name] = Line(self._channels[name], self._clock.now())
                        drains[name] = asyncio.create_task(self._drain(lines[name], delivered))
                if not drains:
                    return delivered
                await asyncio.wait(drains.values(), timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
                for name in [name for name, drain in drains.items() if drain.done()]:
                    # What one channel did may have given work to another; what another sender holds has not.
                    barren = set() if drains.pop(name).result() else barren | {name}
        finally:
            await self._finish(drains)

    async def _finish(self, drains: Mapping[str, asyncio.Task[int]]) -> None:
        """Whatever ended the run, a chunk under way is carried through and recorded."""
        stopping, self._stopping = self._stopping, True
        while left := [drain for drain in drains.values() if not drain.done()]:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(left)
        self._stopping = stopping
        # One channel's trouble ends the run; of the others asyncio would tell, in words that may be personal.
        for name, drain in drains.items():
            if not drain.cancelled() and (trouble := drain.exception()) is not None:
                LOG.error("delivery failed", channel=name, error=explained(trouble))

    def _halt(self, lines: Sequence[Line], halts: frozenset[Halt]) -> None:
        """What was paused or cancelled since the last look concerns what was claimed before."""
        new = {scenario for scenario, _ in halts - self._halts}
        self._halts = halts
        for line in lines if new else ():
            line.halt(new, self._looks)

    def _look(
        self, delivered: Delivered, busy: Collection[str]
    ) -> tuple[list[str], set[str], frozenset[Halt]]:
        """The channels with something to do, but for those that are `busy` with it, once what dead senders
        and silent providers left is moved on; those that are paused, and what of scenarios is.
        """
        with self._turn:
            if self._tidies and not self._stopping:
                self._tidy(delivered)
            now = self._clock.now()
            with self._database.read() as connection:
                down = resting(connection, now).union(busy)
                ready = [name for name in sorted(self._channels) if name not in down and not self._stopping]
                due = [name for name in ready if due_on(connection, name, now)]
                return due, paused(connection), halts(connection)

    def _tidy(self, delivered: Delivered) -> None:
        policies = {name: channel.policy for name, channel in self._channels.items()}
        unknown, fell_back = tidy(self._database, self._live, policies, self._clock)
        delivered.unknown += unknown
        delivered.fell_back += fell_back

    async def _drain(self, line: Line, delivered: Delivered) -> int:
        """Send a channel's messages until none is due; returns how many were taken.

        While a chunk is being sent, the one before is recorded and the next one made ready.
        """
        chunk, done = await self._step(line, None, delivered), None
        while chunk is not None:
            goes = line.useful and not (self._stopping or line.is_paused(chunk))
            ahead = None
            if goes and line.may_go_ahead:
                ahead = asyncio.create_task(self._step(line, done, delivered))
            elif done is not None:
                await self._recorded(line, done, delivered, claiming=False)
            # What was made ready meanwhile does not go to a provider that is down, nor after a stop.
            done = (
                await self._send(line, chunk, delivered)
                if goes
                else chunk.done(chunk.prepared, {}, line.holds_up(chunk))
            )
            chunk = await self._joined(line, ahead, done, delivered) if ahead else None
            if chunk is None:
                line.useful = True
                chunk, done = await self._step(line, done, delivered), None
        return line.taken

    async def _joined(
        self, line: Line, ahead: "asyncio.Task[Chunk | None]", done: Done, delivered: Delivered
    ) -> Chunk | None:
        """The chunk that was made ready meanwhile; if that failed, this one is recorded all the same."""
        try:
            return await ahead
        except Exception:
            await self._recorded(line, done, delivered, claiming=False)
            raise

    async def _step(self, line: Line, done: Done | None, delivered: Delivered) -> Chunk | None:
        """Record what became of a chunk and take the next one; None if nothing may go.

        Outcomes would be unknown if they were not recorded: a database that is away is waited for.
        """
        moved_on = self._recorded if done else self._moved_on
        found = await moved_on(line, done, delivered)
        while isinstance(found, datetime):
            line.ready_at = found
            await self._wait_until(found)
            found = None if self._stopping else await self._moved_on(line, None, delivered)
        line.taken += found.claim.taken if found else 0
        return found

    async def _recorded(
        self, line: Line, done: Done | None, delivered: Delivered, *, claiming: bool = True
    ) -> Chunk | datetime | None:
        for pause in AGAIN:
            try:
                return await self._moved_on(line, done, delivered, claiming=claiming)
            except EnvironmentFault as fault:
                LOG.warning("outcomes not recorded yet", channel=line.channel.name, reason=str(fault))
                await self._sleep(pause)
        return await self._moved_on(line, done, delivered, claiming=claiming)

    async def _moved_on(
        self, line: Line, done: Done | None, delivered: Delivered, *, claiming: bool = True
    ) -> Chunk | datetime | None:
        """One transaction: what became of a chunk, and the next one."""
        settlement, found = await self._carried_through(self._move_on, line, done, claiming)
        if settlement is not None:
            delivered.add(line.channel.name, settlement)
            LOG.info("sent", channel=line.channel.name, lost=settlement.lost, **settlement.counts)
            following.tried(line.channel.name, done.settled if done else ())
        return found

    async def _carried_through(self, work: Callable[..., T], *values: Any) -> T:
        """A thread's work; whoever is cancelled meanwhile still learns what it came to."""
        run, loop = contextvars.copy_context().run, asyncio.get_running_loop()
        doing = loop.run_in_executor(None, run, work, *values)
        while not doing.done():
            try:
                await asyncio.wait({doing})
            except asyncio.CancelledError:
                self._cancelled = self._stopping = True
        return doing.result()

    def _move_on(
        self, line: Line, done: Done | None, claiming: bool
    ) -> tuple[Settlement | None, Chunk | datetime | None]:
        look = self._looks
        try:
            settlement, running, found = self._transaction(line, done, claiming)
        except EnvironmentFault:
            raise
        except Exception:
            if done is not None and claiming:
                # What the next chunk failed on must not take the outcomes of this one with it.
                self._transaction(line, done, claiming=False)
            raise
        if running is None or not isinstance(found, Claim):
            return settlement, None if isinstance(found, Claim) else found
        prepared = [self._wording.prepare(running, line.channel, it) for it in found.messages]
        return settlement, Chunk(running, found, prepared, look) if found.taken else None

    def _transaction(
        self, line: Line, done: Done | None, claiming: bool
    ) -> tuple[Settlement | None, Running | None, Claim | datetime | None]:
        while True:
            try:
                return self._in_one(line, done, claiming)
            except Outdated:
                LOG.info("files changed meanwhile", channel=line.channel.name)

    def _in_one(
        self, line: Line, done: Done | None, claiming: bool
    ) -> tuple[Settlement | None, Running | None, Claim | datetime | None]:
        channel, settlement = line.channel, None
        with self._turn:
            running = self._live.running() if claiming else None
        with self._turn, self._database.write() as connection:
            now = self._clock.now()
            if done is not None:
                settlement = settle(connection, done.running, channel, done.fence, done.settled, now)
            if running is None or self._stopping:
                return settlement, None, None
            return settlement, running, self._claim(connection, running, line, now)

    async def _wait_until(self, moment: datetime) -> None:
        """Wait for the rate, in pieces, so that a stop is heard."""
        seconds = (moment - self._clock.now()).total_seconds()
        while seconds > 0 and not self._stopping:
            await self._sleep(min(seconds, POLL))
            seconds -= POLL

    def _claim(
        self, connection: Connection, running: Running, line: Line, now: datetime
    ) -> Claim | datetime | None:
        """A chunk, perhaps an empty one; or the time before which the rate lets nothing go."""
        channel, rate, at = line.channel, line.rate, max(now, line.ready_at)
        leave = ask(connection, channel.name, rate, line.size, at)
        if leave.until is not None:
            return leave.until
        if not leave.limit:
            return None
        quota = quota_of(channel, running.program, now)
        room = quota.room(connection) if quota else None
        claimer = Claimer(running, self._links, now, self._lease, self._truth)
        claim = claimer.claim(connection, channel.name, leave.limit, room)
        if rate is not None and claim.messages:
            take(connection, channel.name, rate, len(claim.messages), at)
        if quota is not None:
            quota.take(connection, len(claim.messages))
        return claim

    async def _send(self, line: Line, chunk: Chunk, delivered: Delivered) -> Done:
        """Send a chunk. What is known every now and then is recorded at once, so that a kill leaves little
        unknown; returned is what is still to be recorded.
        """
        outcomes: dict[str, Outcome] = {}
        left, began = chunk.prepared, time.monotonic()
        ready = [it.outgoing for it in line.wanted(chunk) if it.outgoing is not None]
        line.leaving, line.cut = chunk, False
        sending = asyncio.create_task(self._transmit(line, chunk, ready, outcomes))
        keeps = True
        while not await self._pause(sending):
            known, others = told_apart(left, outcomes)
            if not known or not keeps:
                continue
            try:
                left = others if await self._kept(line, chunk.done(known, outcomes), delivered) else left
            except Exception as error:  # noqa: BLE001 - the chunk is under way, and is recorded at its end
                LOG.error("outcomes not recorded", channel=line.channel.name, error=type(error).__name__)  # noqa: TRY400 - its words may be personal
                keeps = False
        line.leaving = None
        line.took(len(ready), time.monotonic() - began)
        return chunk.done(left, outcomes, line.holds_up(chunk))

    async def _kept(self, line: Line, done: Done, delivered: Delivered) -> bool:
        """Record some outcomes; false if the database is away: they are kept with the rest of the chunk."""
        try:
            await self._recorded(line, done, delivered, claiming=False)
        except EnvironmentFault:
            return False
        return True

    async def _pause(self, sending: "asyncio.Task[None]") -> bool:
        """Wait a moment; whether the chunk has been sent meanwhile."""
        try:
            return bool((await asyncio.wait({sending}, timeout=RECORD_EVERY))[0])
        except asyncio.CancelledError:
            # The channel says what becomes of each message; that is still recorded.
            self._cancelled = self._stopping = True
            return False

    async def _transmit(
        self, line: Line, chunk: Chunk, ready: Sequence[Outgoing], outcomes: dict[str, Outcome]
    ) -> None:
        """Send in parts, each begun only while the lease has time for it and the last was of some use."""
        last_moment = chunk.claim.lease_until - self._lease * MARGIN
        begun = 0
        while begun < len(ready):
            left = (last_moment - self._clock.now()).total_seconds()
            if self._cancelled or line.is_paused(chunk) or line.cut or left <= 0:
                break
            part = ready[begun : begun + line.part(self._lease, left)]
            begun += len(part)
            # Whatever holds it up, a part is over in time for its outcomes to be recorded under the lease.
            spare = 0.0 if line.is_quick else self._lease.total_seconds() * MARGIN / 2
            await self._transmit_part(line.channel, part, outcomes, left + spare)
            line.useful = not all(_is_down(outcomes[outgoing.key]) for outgoing in part)
            if not line.useful:
                break

    async def _transmit_part(
        self, channel: AnyChannel, part: Sequence[Outgoing], outcomes: dict[str, Outcome], seconds: float
    ) -> None:
        try:
            async with asyncio.timeout(seconds):
                with tracing.span("chunk", channel=channel.name, messages=len(part)):
                    await channel.send(part, outcomes.__setitem__)
        except TimeoutError:
            LOG.warning("lease nearly over", channel=channel.name)
        except asyncio.CancelledError:
            # The channel has said what became of each; that is still recorded.
            self._cancelled = self._stopping = True
        except Exception as error:  # noqa: BLE001 - what is known of the others must be recorded
            LOG.error("channel failed", channel=channel.name, error=type(error).__name__)  # noqa: TRY400 - its words may be personal
        for outgoing in part:
            outcomes.setdefault(outgoing.key, Unknown("sender_failed"))


def _is_down(outcome: Outcome | None) -> bool:
    """It says nothing good of the provider: what is left need not be tried on it now."""
    return isinstance(outcome, Failed) and (outcome.kind == "configuration" or is_of_provider(outcome))


def tidy(database: Database, live: Live, policies: Mapping[str, str], clock: Clock) -> tuple[int, int]:
    """Move on what dead senders left *sending*, and what no provider confirmed in time.

    `policies` is channel → policy. Returns how many messages became unknown, and how many go on by their
    next channel.
    """
    with database.read() as connection:
        if not stale_or_late(connection, clock.now()):
            return 0, 0
    unknown, fell_back = _moved_on(database, live, policies, clock)
    if unknown:
        LOG.warning("senders died", unknown=unknown)
    return unknown, fell_back


def _moved_on(database: Database, live: Live, policies: Mapping[str, str], clock: Clock) -> tuple[int, int]:
    while True:
        running = live.running()
        with contextlib.suppress(Outdated), database.write() as connection:
            unknown = reap(connection, policies, clock.now())
            return unknown, fall_back(connection, running, clock.now())
