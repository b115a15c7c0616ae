"""The beats of `serve` and `worker`, on one event loop.

APScheduler is only the clock: it rings. What is due stands in our tables, so a ring that is lost or comes
twice changes nothing. Facts and decisions run in threads, one decision at a time; delivery and cards go on
beside them.

On PostgreSQL any number of processes share the work (`Share`): what the clock rings, it rings in the one that
leads, and deliveries are jobs, which each does as many of as it has hands.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from campaigns.versions import Live
from channels.base import Channel
from channels.discovery import usable
from channels.email.reports.inbox import Inbox, Unreadable, inbox_of
from core import tiers
from core.clock import Clock
from core.db import Database
from core.grants import granting
from core.ledger import expiry
from core.links import Links
from core.program import Program
from scheduler import pump
from scheduler.asking import Asking
from scheduler.beat import Beat, Pulse
from scheduler.bounces import Bounces
from scheduler.cards import Cards, CardsDone
from scheduler.crew import Crew, Share
from scheduler.deliveries import STRETCH_SECONDS, Deliveries
from scheduler.delivery import Delivered
from scheduler.expiry_watch import ExpiryWatch
from scheduler.hands import Tools
from scheduler.letters import Letters
from scheduler.looks import Looked, Looks
from scheduler.pruning import Nights

AnyChannel = Channel[Any, Any, Any]
LOG = structlog.get_logger("tidings.beats")

GRACE_SECONDS = 8.0
# The channel whose messages the beats of the cards carry on.
ON_THE_CARD = "wallet"
# What is due while somebody else has it in hand is looked at again after so long.
AT_ONCE_SECONDS = 0.02
# Every recorded fact wakes these. Purchases that come many a second share a look, and have the processor and
# SQLite's one writer to themselves in between.
REST_SECONDS = {"news": 0.2, "letters": 0.25, "wallet": 0.1}


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between rings, when nothing else rings sooner."""

    news: float = 0.5
    look: float = 15.0
    delivery: float = 1.0
    letters: float = 1.0
    wallet: float = 0.5
    google: float = 0.5
    asking: float = 15.0
    inbox: float = 30.0
    retention: float = 15.0
    reaper: float = 2.0


class Beats:
    """What `serve` does by itself. `wake` may be called from any thread, the rest on the event loop."""

    def __init__(
        self, database: Database, live: Live, clock: Clock, cards: Cards, *,
        channels: Callable[[Program], Mapping[str, AnyChannel]], links: Callable[[Program], Links],
        pace: Pace = Pace(), share: Share | None = None,
    ) -> None:  # fmt: skip
        """`channels` makes the channels of a program, not yet open; without a `share` it is alone."""
        self._database, self._live, self._clock, self._cards = database, live, clock, cards
        self._make_channels, self._links, self._pace = channels, links, pace
        self._deliveries = Deliveries(
            database, live, clock, channels, links, self._delivered,
            only=share.channels if share else None, hands=share.concurrency if share else 1,
        )  # fmt: skip
        self._crew: Crew | None = None
        if share is not None:
            tools = Tools(database, live, clock, cards, links, self._deliveries, share.addresses)
            self._crew = Crew(share, tools, channels, self._begin)
        self._looks = Looks(database, live, planned=pump.planned if share else None)
        self._nights = Nights(database, live, clock)
        self._deciding = asyncio.Lock()
        self._beats: dict[str, Beat] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduler: Any = None
        self._pushing: asyncio.TimerHandle | None = None
        self._certificates = ExpiryWatch(cards.kit)

    async def start(self) -> None:
        """Open the channels and begin to beat.

        UserError if nothing is live, EnvironmentFault if a channel or the card lacks a credential.
        """
        running = await asyncio.to_thread(self._live.running)
        await self._deliveries.open()
        await asyncio.to_thread(self._cards.kit)
        self._loop = asyncio.get_running_loop()
        self._beats = {"news": self._beat("news", self._news), "look": self._beat("look", self._look)}
        self._beats |= {"wallet": self._beat("wallet", self._wallet)}
        self._beats |= {"google": self._beat("google", self._google)}
        self._beats |= {"delivery": self._beat("delivery", self._deliver)}
        self._beats |= {"letters": self._beat("letters", self._write)}
        self._beats |= {"asking": self._beat("asking", self._ask)}
        self._beats |= {"retention": self._beat("retention", self._nights.look)}
        if (inbox := self._inbox(running.program)) is not None:
            self._beats |= {"inbox": self._beat("inbox", lambda: self._take_back(inbox))}
        work = [beat.run() for beat in self._beats.values()]
        if self._crew is not None:
            self._beats |= {"reaper": self._beat("reaper", self._crew.reap)}
            work += [self._beats["reaper"].run(), *self._crew.run()]
        self._tasks = [asyncio.create_task(it) for it in work]
        self._scheduler = self._clockwork()
        if self._crew is None:
            self._begin()

    def wake(self) -> None:
        """A fact was recorded: look at it now. From any thread; nothing happens before the start."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring, "news", "wallet", "letters")

    def pulses(self) -> Sequence[Pulse]:
        """How every beat is; one that has nothing to do, because another process leads, is well."""
        pulses = [beat.pulse for beat in self._beats.values()]
        if self._crew is None or self._crew.leads:
            return [*pulses, *(self._crew.pulses() if self._crew else ())]
        now = self._clock.now()
        rested = [it if it.busy_since or it.failures else replace(it, ended_at=now) for it in pulses]
        return [*rested, *self._crew.pulses()]

    def begin_stop(self) -> None:
        """Begin nothing new; what is under way goes on."""
        self._deliveries.stop()
        self._nights.stop()
        if self._crew is not None:
            self._crew.stop()
        for beat in self._beats.values():
            beat.stop()

    async def stop(self, grace: float = GRACE_SECONDS) -> bool:
        """Let the work under way end; false if some of it has not ended within `grace` seconds."""
        self.begin_stop()
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
        if self._pushing is not None:
            self._pushing.cancel()
        if not self._tasks:
            return True
        _, pending = await asyncio.wait(self._tasks, timeout=grace)
        return not pending

    async def close(self) -> None:
        """Close channels and connections."""
        await self._deliveries.close()
        await self._cards.close()

    def _beat(self, name: str, work: Callable[[], Any]) -> Beat:
        return Beat(name, work, self._clock, rest=REST_SECONDS.get(name, 0.0))

    def _clockwork(self) -> Any:
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        scheduler = AsyncIOScheduler(timezone=UTC)
        for name, beat in self._beats.items():
            seconds = getattr(self._pace, name)
            scheduler.add_job(
                self._ringing(beat),
                "interval",
                seconds=seconds,
                id=name,
                coalesce=True,
                misfire_grace_time=None,
            )
        scheduler.start()
        return scheduler

    def _ringing(self, beat: Beat) -> Callable[[], Any]:
        async def ring() -> None:  # a coroutine: APScheduler runs plain functions in a thread
            if self._crew is None or self._crew.leads:
                beat.ring()

        return ring

    def _begin(self) -> None:
        """This process is the one that beats by the clock."""
        for beat in self._beats.values():
            beat.begin()

    def _ring(self, *names: str) -> None:
        for name in names:
            self._beats[name].ring()

    # --- the beats

    async def _news(self) -> None:
        """What has just happened: scenarios on events, within a second."""
        async with self._deciding:
            looks = await asyncio.to_thread(self._hear, self._clock.now())
        self._after(looks)

    def _hear(self, at: datetime) -> list[Looked]:
        """What has happened may bring bonuses; these are news as well."""
        granting.give_for_news(self._database, self._live.running().program, at)
        return self._looks.run(at, news_only=True)

    async def _look(self) -> None:
        """What has become true with time: expiry, tiers (nightly), birthdays, schedules, waits."""
        async with self._deciding:
            looks = await asyncio.to_thread(self._decide, self._clock.now())
        self._ring("wallet")
        self._after(looks)

    def _decide(self, at: datetime) -> list[Looked]:
        program = self._live.running().program
        expired = expiry.expire(self._database, program, at)
        if (moved := tiers.review_of_the_day(self._database, program, at)) is not None:
            LOG.info("night", expired_lots=expired, moved_down=moved)
        if granted := granting.give_what_is_due(self._database, program, at):
            LOG.info("grants", given=granted)
        return self._looks.run(at)

    def _after(self, looks: Sequence[Looked]) -> None:
        for looked in looks:
            if looked.guarded is not None:
                LOG.warning("look held", scenario=looked.scenario, candidates=looked.guarded.count,
                            limit=looked.guarded.limit)  # fmt: skip
            elif looked.candidates:
                LOG.info("look", scenario=looked.scenario, version=looked.version, **looked.verdicts)
        if any(looked.channels for looked in looks):
            self._ring("delivery")

    async def _deliver(self) -> None:
        """Send what is due, or have it sent by whoever has a hand free."""
        if self._crew is not None:
            await self._crew.pump()
            return
        delivered = await self._deliveries.run()
        if delivered.by_channel:
            self._ring("delivery")

    def _delivered(self, delivered: Delivered) -> None:
        if ON_THE_CARD in delivered.by_channel:
            self._ring("wallet", "google")

    async def _write(self) -> None:
        """Letters that somebody waits for: by connections of their own, past a campaign under way."""
        program = (await asyncio.to_thread(self._live.running)).program
        await Letters(
            self._database, self._live, self._links(program), self._clock,
            lambda name: self._make_channels(program)[name],
        ).run()  # fmt: skip

    async def _ask(self) -> None:
        """Messages of which nobody knows whether they left: by connections of their own, too."""
        program = (await asyncio.to_thread(self._live.running)).program
        asked = await Asking(
            self._database, self._live, self._links(program), self._clock,
            lambda name: self._make_channels(program)[name],
        ).run()  # fmt: skip
        if asked.found or asked.open:
            LOG.info("asked", found=asked.found, still_unknown=asked.open)
            self._ring("delivery")

    def _inbox(self, program: Program) -> Inbox | None:
        """The mailbox to which bounces come, if there is one."""
        made, _ = usable(self._make_channels(program))
        boxes = (inbox_of(channel.settings) for channel in made.values())
        return next((inbox for inbox in boxes if inbox is not None), None)

    async def _take_back(self, inbox: Inbox) -> None:
        """Bounces and complaints. A mailbox that cannot be read is no reason to call the service ill."""
        program = (await asyncio.to_thread(self._live.running)).program
        bounces = Bounces(self._database, self._links(program), self._clock)
        try:
            counts = await asyncio.to_thread(bounces.read, inbox)
        except Unreadable as trouble:
            LOG.warning("inbox not read", reason=str(trouble))
            return
        if counts:
            LOG.info("inbox", **{str(what): count for what, count in counts.items()})
            self._ring("delivery")

    async def _wallet(self) -> None:
        done = await self._cards.look()
        if done:
            LOG.info("cards", changed=done.marked, pushes=dict(done.pushes))
        self._ring_wallet_at(done)
        if self._certificates.due(now := self._clock.now()):
            await asyncio.to_thread(self._certificates.look, now)

    def _ring_wallet_at(self, done: CardsDone) -> None:
        """Ring when the earliest push is due: what is gathered for a moment waits no longer than that."""
        if self._pushing is not None:
            self._pushing.cancel()
        if done.more:
            self._ring("wallet")
        elif done.next_at is not None and self._loop is not None:
            seconds = max(AT_ONCE_SECONDS, (done.next_at - self._clock.now()).total_seconds())
            self._pushing = self._loop.call_later(seconds, self._ring, "wallet", "google")

    async def _google(self) -> None:
        """Google's objects, in a beat of their own: a long queue there holds up no phone."""
        counts = await self._cards.tell_google(timedelta(seconds=STRETCH_SECONDS))
        if counts:
            LOG.info("google wallet", **counts)
