"""One test on its stage: the real engine on a ledger in memory, with a clock that the test moves."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from campaigns.look import ENROLMENT, zone_info
from campaigns.running import Running
from campaigns.scenariotest import Entry, ScenarioTest
from campaigns.scenariotest.reading import at_index
from campaigns.tables import WAITING, Message
from campaigns.versions import Live, apply
from core.clock import MovableClock
from core.db import Database
from core.links import Links
from core.schedule import times_between
from core.tables import TimeZone
from scheduler.board import CardBoard
from scheduler.delivery import Delivery
from scheduler.outcomes import confirm
from scheduler.tick import decide
from tidings.scenariotests.acts import Acts
from tidings.scenariotests.cards import Cards
from tidings.scenariotests.comparing import Comparing
from tidings.scenariotests.memory import empty_database
from tidings.scenariotests.outlets import Post, outlets
from tidings.scenariotests.people import People
from tidings.scenariotests.results import Moment, Result
from triggers import discover
from triggers.base import EventTrigger

MESSAGE = Message.__table__  # type: ignore[attr-defined]
ZONE = TimeZone.__table__  # type: ignore[attr-defined]


class Stage:
    """The ledger, the clock and the people of one test."""

    def __init__(self, running: Running, test: ScenarioTest) -> None:
        self.test, self.program = test, running.program
        tested = {name: running.scenarios[name] for name in test.test.tested}
        self.all = running
        self.running = Running(replace(running.loaded, scenarios=tested), 1)
        # Compiled messages are the same for every test.
        self.running.__dict__["library"] = running.library
        self.people = People(self.running, test)
        self.clock = MovableClock(self.people.utc(test.test.start))
        self.database = empty_database()
        links = Links("https://example.org", b"scenario tests")
        self.live, self.post = Fixed(self.database, self.running), Post()
        self.cards = Cards(self.people, links)
        self.acts = Acts(self.people, self.post, self.cards)
        self.comparing = Comparing(test, self.people, self.post, self.cards, links)
        channels: Any = outlets(self.program, self.post)
        self.channels = channels
        self.board = CardBoard(self.database, lambda: self.cards.deck)
        self.delivery = Delivery(self.database, self.live, channels, links, self.clock, _no_wait)

    async def run(self) -> Result:
        """From the start to the last entry."""
        result = Result(self.test.name, self.test.file)
        try:
            began = time.perf_counter()
            self._give()
            for index, entry in enumerate(self.test.test.timeline):
                moment = await self._entry(index, entry)
                if moment is not None:
                    moment.seconds = time.perf_counter() - began
                    began = time.perf_counter()
                    result.moments.append(moment)
        finally:
            self.database.close()
        return result

    def _give(self) -> None:
        at = self.clock.now()
        with self.database.write() as connection:
            for name, person in self.test.people.items():
                path = ("given", name)
                self.people.take_up(connection, name, person, at, path, live=False)
                self.people.remember(connection, name, person, self.all)
                self.acts.silence(name, person.fails, person.unconfirmed)
                for wallet in person.wallet:
                    self.cards.add(connection, name, wallet, at, (*path, "wallet"))
            apply(connection, self.running, "test", at)

    async def _entry(self, index: int, entry: Entry) -> Moment | None:
        await self._move_to(self.people.utc(entry.at))
        for name, actions in entry.do.items():
            for place, action in enumerate(actions):
                path = at_index(self.test.document, ("timeline", index, "do", name), place)
                with self.database.write() as connection:
                    self.acts.do(connection, name, action, self.clock.now(), path)
        await self._tick()
        if entry.expect is None:
            return None
        with self.database.read() as connection:
            found = self.comparing.compare(connection, index, entry, self.clock.now())
        line, _ = self.test.document.position(self.test.path(index))
        return Moment(f"{entry.at:%Y-%m-%d %H:%M}", line, found)

    # --- time

    async def _move_to(self, until: datetime) -> None:
        """Forward to a time, stopping wherever something is due on the way."""
        while (stop := self._next_stop(until)) is not None:
            self.clock.move_to(stop)
            await self._tick()
        self.clock.move_to(until)

    def _next_stop(self, until: datetime) -> datetime | None:
        now = self.clock.now()
        return min((moment for moment in self._stops(now, until) if now < moment < until), default=None)

    def _stops(self, now: datetime, until: datetime) -> Iterator[datetime]:
        zones = self._zones()
        for scenario in self.running.scenarios.values():
            trigger, schedule = discover()[scenario.trigger], scenario.schedule
            for zone in zones:
                yield from (trigger.times(scenario.parameters, now, until, zone) or [])[:1]
                yield from (times_between(schedule, now, until, zone) if schedule else [])[:1]
            if isinstance(trigger, EventTrigger):
                # Bonuses end and levels fall by the program's days, and events tell of it at once.
                yield self.program.start_of(self.program.day_of(now) + timedelta(days=1))
        waiting = select(MESSAGE.c.due_at).where(MESSAGE.c.state.in_(WAITING))
        confirming = select(MESSAGE.c.fallback_at).where(MESSAGE.c.fallback_at.is_not(None))
        with self.database.read() as connection:
            yield from connection.scalars(waiting).all()
            yield from connection.scalars(confirming).all()
            yield from self._waits(connection)

    def _zones(self) -> set[ZoneInfo]:
        """Wherever anybody lives by now."""
        with self.database.read() as connection:
            names = ["", *connection.scalars(select(ZONE.c.name))]
        return {zone_info(self.program, name) for name in names}

    def _waits(self, connection: Connection) -> Iterator[datetime]:
        under_way = select(ENROLMENT.c.scenario, ENROLMENT.c.anchor_at, ENROLMENT.c.step)
        active = (ENROLMENT.c.status == "active", ENROLMENT.c.anchor_at.is_not(None))
        for name, anchor, step in connection.execute(under_way.where(*active)):
            wait = self.running.scenarios[name].steps[step].wait
            yield wait.after(anchor, self.program.zone) if wait else anchor

    async def _tick(self) -> None:
        decide(self.database, self.live, self.clock, holdout_on=self.test.test.holdout, says_again=True)
        await self.delivery.run()
        self._pin()
        self._confirm()

    def _pin(self) -> None:
        """Messages stand on their cards, and those whose time is over do not any more."""
        news, self.post.to_pin = self.post.to_pin, []
        self.board.put(news)
        self.board.take_off(self.clock.now())

    def _confirm(self) -> None:
        """Everything arrives at once, but for what the test says of a channel."""
        keys, self.post.to_confirm = self.post.to_confirm, []
        if keys:
            with self.database.write() as connection:
                for key in keys:
                    confirm(connection, key, "delivered", None, self.clock.now())


class Fixed(Live):
    """What runs in a test is what the files say."""

    def __init__(self, database: Database, running: Running) -> None:
        super().__init__(database)
        self._running = running

    def running(self) -> Running:
        """The files."""
        return self._running

    def of(self, version: int) -> Running:
        """The files, whatever the version."""
        return self._running


async def _no_wait(_seconds: float) -> None:
    """Rate limits are not waited for in a test."""


def run_one(running: Running, test: ScenarioTest) -> Result:
    """Run one test in a database of its own."""
    return asyncio.run(Stage(running, test).run())
