"""When a replay looks: a schedule strikes, an event becomes known, a wait or a quiet night is over."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from campaigns.backtest.world import World
from campaigns.look import zone_info
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.tables import WAITING, Enrolment, Message
from core.schedule import times_between
from core.tables import TimeZone
from triggers import discover
from triggers.base import EventTrigger

ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
ZONE = TimeZone.__table__  # type: ignore[attr-defined]
# A live installation answers an event within seconds. A replay gathers those of a quarter of an hour, or of
# a quarter of the time for which the message is worth sending, if that is less.
EVENTS_EVERY = timedelta(minutes=15)


class Stops:
    """What comes next, for some scenarios."""

    def __init__(
        self, connection: Connection, running: Running, scenarios: list[Scenario], since: datetime,
        until: datetime,
    ) -> None:  # fmt: skip
        self.connection, self.running, self.scenarios = connection, running, scenarios
        self._planned = sorted(set(self._strokes(since, until)), reverse=True)

    def _strokes(self, since: datetime, until: datetime) -> Iterator[datetime]:
        names = ["", *self.connection.scalars(select(ZONE.c.name))]
        zones = {zone_info(self.running.program, name) for name in names}
        after = since - timedelta(microseconds=1)
        for scenario in self.scenarios:
            trigger = discover()[scenario.trigger]
            for zone in zones:
                own = trigger.times(scenario.parameters, after, until, zone)
                if own is not None:
                    yield from own
                elif scenario.schedule is not None:
                    yield from times_between(scenario.schedule, after, until, zone)

    def next(self, world: World, read: dict[str, Any], at: datetime | None) -> datetime | None:
        """The first time after `at` (None: from the beginning) at which anything is due."""
        while self._planned and at is not None and self._planned[-1] <= at:
            self._planned.pop()
        found = self._planned[-1:]
        found += [stop for stop in self._heard(world, read) if at is None or stop > at]
        found += [stop for stop in (*self._due(), *self._waits()) if at is None or stop > at]
        return min(found, default=None)

    def _heard(self, world: World, read: dict[str, Any]) -> Iterator[datetime]:
        for scenario in self.scenarios:
            trigger = discover()[scenario.trigger]
            if isinstance(trigger, EventTrigger):
                known = world.next_event(trigger.event_of(scenario.parameters), read[scenario.name])
                if known is not None:
                    yield _gathered(known, _every(scenario))

    def _due(self) -> Iterator[datetime]:
        names = [scenario.name for scenario in self.scenarios]
        waiting = select(func.min(MESSAGE.c.due_at)).where(
            MESSAGE.c.state.in_(WAITING), MESSAGE.c.scenario.in_(names)
        )
        due = self.connection.scalar(waiting)
        if due is not None:
            yield due

    def _waits(self) -> Iterator[datetime]:
        zone = self.running.program.zone
        for scenario in self.scenarios:
            under_way = select(ENROLMENT.c.step, ENROLMENT.c.anchor_at).distinct().where(
                ENROLMENT.c.scenario == scenario.name, ENROLMENT.c.status == "active",
                ENROLMENT.c.anchor_at.is_not(None),
            )  # fmt: skip
            for step, anchor in self.connection.execute(under_way):
                wait = scenario.steps[step].wait if step < len(scenario.steps) else None
                yield wait.after(anchor, zone) if wait else anchor


def _every(scenario: Scenario) -> timedelta:
    valid_for = scenario.limits.valid_for
    if valid_for is None or valid_for.days:
        return EVENTS_EVERY
    return min(EVENTS_EVERY, timedelta(seconds=valid_for.seconds) / 4)


def _gathered(known: datetime, every: timedelta) -> datetime:
    """The end of the stretch of time in which an event became known."""
    start = datetime(known.year, known.month, known.day, tzinfo=known.tzinfo)
    return start + -(-(known - start) // every) * every
