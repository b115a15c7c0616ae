"""The replay itself: the clock goes from look to look over the past, and nothing leaves.

The same looks, gates and `commit` as in a live installation write into temporary tables, so that later days
know what earlier ones would have sent: allowances, occasions that were entered, waits and steps. A message is
taken to be accepted when it is due and confirmed as its channel says, so that no cascade falls back. Messages
of other scenarios are as they really went out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection

from campaigns.backtest.delivery import deliver
from campaigns.backtest.report import Backtest
from campaigns.backtest.stops import Stops
from campaigns.backtest.tally import Tally
from campaigns.backtest.world import Sample, World
from campaigns.caveats import caveats
from campaigns.commit import commit, passing
from campaigns.gates import Step
from campaigns.look import Looker, Span, zones_of
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.versions import Stored, live_version
from channels.base import Channel
from core.errors import UserError
from core.events import START, Position
from core.links import Links
from core.units import at_local

Told = Callable[[date, int], None]
INSTANT = timedelta(microseconds=1)
ALL = 2**31


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the program's calendar, the last one among them."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class _Bundles:
    """Who begins in a replay begins with the files; who began before, with what was live then."""

    running: Running
    stored: Stored

    def of(self, version: int) -> Running:
        """The bundle of a version."""
        return self.running if version == self.running.version else self.stored.of(version)


class Replay:
    """The replay of some scenarios in one read transaction; everything in it goes when that ends.

    `told` is called with the day and the messages so far, whenever a day is over.
    """

    def __init__(
        self, connection: Connection, running: Running, channels: Mapping[str, Channel[Any, Any, Any]],
        links: Links, *, told: Told = lambda _day, _messages: None,
    ) -> None:  # fmt: skip
        self.connection, self.running, self.told = connection, running, told
        self.channels, self.links = channels, links
        self._bundles = _Bundles(running, Stored(connection, running))
        self._looked: dict[str, datetime] = {}
        self._read: dict[str, Position] = {}

    def run(self, scenarios: Sequence[Scenario], period: Period, sample: Sample) -> list[Backtest]:
        """Replay the days; UserError if they are not over, or the wrong way round."""
        zone = self.running.program.zone
        since = at_local(period.first, time(0), zone)
        until = at_local(period.last + timedelta(days=1), time(0), zone) - INSTANT
        notes = (*caveats(self.connection, since), *ASSUMED)
        order = [it for it in self.running.by_priority if it in scenarios]
        self.world = World(self.connection, self.running.program, order, sample, since - INSTANT, until)
        self._read = {it.name: self.world.place(since - INSTANT) for it in order}
        self.tally = Tally(
            self.connection, self.running, self.channels, self.links, since, self.world, order, period
        )
        stops = Stops(self.connection, self.running, order, since, until)
        for at in self._stops(stops, until):
            self.world.move(at)
            for scenario in order:
                self._look(scenario, at)
            self._deliver(order, at)
        self.world.move(until)
        version = self.running.version or live_version(self.connection)
        return [self.tally.report(scenario, version, until, notes) for scenario in order]

    def _stops(self, stops: Stops, until: datetime) -> Iterator[datetime]:
        at, day = stops.next(self.world, self._read, None), None
        while at is not None and at <= until:
            today = at.astimezone(self.running.program.zone).date()
            if today != day:
                self.told(today, self.tally.messages)
                day = today
            yield at
            at = stops.next(self.world, self._read, at)

    def _look(self, scenario: Scenario, at: datetime) -> None:
        after, upto = self._read[scenario.name], START
        if scenario.kind == "event":
            upto = self.world.place(at)
        span = Span(at, self._looked.get(scenario.name), after, upto)
        zones = zones_of(self.connection, self.running.program, scenario, span)
        looker = Looker(self.connection, self.running)
        for step in looker.later(scenario, span, zones, self._bundles):
            self._keep(step, at)
        if not any(zone.fired_at for zone in zones) or (scenario.kind == "event" and upto == after):
            return
        self._keep(looker.enter(scenario, span, zones), at)
        self._looked[scenario.name] = at
        self._read[scenario.name] = upto

    def _keep(self, step: Step, at: datetime) -> None:
        self.tally.look(step, passing(step), at)
        commit(step, ALL)

    def _deliver(self, scenarios: Sequence[Scenario], at: datetime) -> None:
        for scenario in scenarios:
            if deliver(self.connection, self.running, scenario, at):
                self.tally.count(scenario, at)


ASSUMED = (
    "a message is taken to be accepted when it is due, and confirmed as its channel says: nothing falls back",
    "events are answered within a quarter of an hour, or sooner where valid_for is shorter than an hour",
    "messages of other scenarios are as they really went out",
)


def day(text: str, option: str) -> date:
    """A day as it is written on the command line; UserError if it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option}: '{text}' is no day; write for example 2026-03-01") from None


def checked(first: date, last: date, now: datetime, running: Running) -> Period:
    """The days of a replay; UserError if they are the wrong way round or not over."""
    today = now.astimezone(UTC).astimezone(running.program.zone).date()
    if last < first:
        raise UserError(f"--to {last} is before --from {first}; write them in order")
    if last >= today:
        raise UserError(
            f"--to {last} is not over yet; the last day that can be replayed is {today - timedelta(days=1)}"
        )
    return Period(first, last)
