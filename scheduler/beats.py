"""The beats of `serve`, in one process on one event loop.

APScheduler is only the clock: it rings. What is due stands in our tables, so a ring that is lost or comes
twice changes nothing. Facts and decisions run in threads, one decision at a time; delivery and cards go on
beside them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from campaigns.versions import Live
from channels.base import Channel
from channels.email.reports.inbox import Inbox, Unreadable, inbox_of
from core import tiers
from core.clock import Clock
from core.db import Database
from core.grants import granting
from core.ledger import expiry
from core.links import Links
from core.program import Program
from scheduler.asking import Asking
from scheduler.beat import Beat, Pulse
from scheduler.bounces import Bounces
from scheduler.cards import Cards, CardsDone
from scheduler.delivery import Delivery
from scheduler.expiry_watch import ExpiryWatch
from scheduler.letters import Letters
from scheduler.looks import Looked, Looks

AnyChannel = Channel[Any, Any, Any]
LOG = structlog.get_logger("tidings.beats")

# A delivery is ended and begun anew after so long, so that a new version takes hold in a long campaign too.
STRETCH_SECONDS = 30.0
GRACE_SECONDS = 8.0
# The channel whose messages the beats of the cards carry on.
ON_THE_CARD = "wallet"
# What is due while somebody else has it in hand is looked at again after so long.
AT_ONCE_SECONDS = 0.02


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


class Beats:
    """What `serve` does by itself. `wake` may be called from any thread, the rest on the event loop."""

    def __init__(
        self, database: Database, live: Live, clock: Clock, cards: Cards, *,
        channels: Callable[[Program], Mapping[str, AnyChannel]], links: Callable[[Program], Links],
        pace: Pace = Pace(),
    ) -> None:  # fmt: skip
        """`channels` makes the channels of a program, not yet open."""
        self._database, self._live, self._clock, self._cards = database, live, clock, cards
        self._make_channels, self._links, self._pace = channels, links, pace
        self._channels: dict[str, AnyChannel] = {}
        self._configs: dict[str, Any] = {}
        self._deciding = asyncio.Lock()
        self._delivery: Delivery | None = None
        self._stopping = False
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
        for name, channel in self._make_channels(running.program).items():
            self._channels[name], self._configs[name] = channel, running.program.channels.get(name)
            await channel.open()
        await asyncio.to_thread(self._cards.kit)
        self._loop = asyncio.get_running_loop()
        self._beats = {"news": self._beat("news", self._news), "look": self._beat("look", self._look)}
        self._beats |= {"wallet": self._beat("wallet", self._wallet)}
        self._beats |= {"google": self._beat("google", self._google)}
        self._beats |= {"delivery": self._beat("delivery", self._deliver)}
        self._beats |= {"letters": self._beat("letters", self._write)}
        self._beats |= {"asking": self._beat("asking", self._ask)}
        if (inbox := self._inbox()) is not None:
            self._beats |= {"inbox": self._beat("inbox", lambda: self._take_back(inbox))}
        self._tasks = [asyncio.create_task(beat.run()) for beat in self._beats.values()]
        self._scheduler = self._clockwork()
        for beat in self._beats.values():
            beat.ring()

    def wake(self) -> None:
        """A fact was recorded: look at it now. From any thread; nothing happens before the start."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring, "news", "wallet", "letters")

    def pulses(self) -> Sequence[Pulse]:
        """How every beat is."""
        return [beat.pulse for beat in self._beats.values()]

    def begin_stop(self) -> None:
        """Begin nothing new; what is under way goes on."""
        self._stopping = True
        if self._delivery is not None:
            self._delivery.stop()
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
        for channel in self._channels.values():
            await channel.close()
        await self._cards.close()

    def _beat(self, name: str, work: Callable[[], Any]) -> Beat:
        return Beat(name, work, self._clock)

    def _clockwork(self) -> Any:
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        scheduler = AsyncIOScheduler(timezone=UTC)
        for name, beat in self._beats.items():
            seconds = getattr(self._pace, name)
            scheduler.add_job(
                _ringing(beat), "interval", seconds=seconds, id=name, coalesce=True, misfire_grace_time=None
            )
        scheduler.start()
        return scheduler

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
        return Looks(self._database, self._live).run(at, news_only=True)

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
        return Looks(self._database, self._live).run(at)

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
        program = (await asyncio.to_thread(self._live.running)).program
        await self._renew(program)
        delivery = Delivery(self._database, self._live, self._channels, self._links(program), self._clock)
        if self._stopping:
            return
        self._delivery = delivery
        ending = asyncio.get_running_loop().call_later(STRETCH_SECONDS, delivery.stop)
        try:
            delivered = await delivery.run()
        finally:
            ending.cancel()
            self._delivery = None
        for channel, counts in delivered.by_channel.items():
            LOG.info("delivered", channel=channel, **counts)
            self._ring("delivery")
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

    def _inbox(self) -> Inbox | None:
        """The mailbox to which bounces come, if there is one."""
        boxes = (inbox_of(channel.settings) for channel in self._channels.values())
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

    async def _renew(self, program: Program) -> None:
        """Open anew the channels of which the live version says something else than the one before.

        Only between two deliveries: nothing is under way on them.
        """
        changed = [name for name in self._channels if program.channels.get(name) != self._configs[name]]
        made = self._make_channels(program) if changed else {}
        for name in changed:
            await made[name].open()
            await self._channels[name].close()
            self._channels[name], self._configs[name] = made[name], program.channels.get(name)


def _ringing(beat: Beat) -> Callable[[], Any]:
    async def ring() -> None:  # a coroutine: APScheduler runs plain functions in a thread
        beat.ring()

    return ring
