"""The looks: which scenarios are due now, and one transaction for each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, literal, select

from campaigns.commit import commit
from campaigns.look import Looker, Span, asked, under_way, waited, waits, zones_of
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.versions import STATE, Live, live_version, reader_of, since_of
from core import tracing
from core.db import Database, UtcDateTime
from core.errors import EnvironmentFault
from core.events import EVENT, START, Position, between, cursor, horizon
from scheduler import shards
from scheduler.looked import Looked, conclude, hold, why
from scheduler.shards import LARGE, Cut, Prospect, Shards
from triggers import discover
from triggers.base import EventTrigger

__all__ = ["Looked", "Looks", "overdue"]

_STATE_OF = select(STATE).where(STATE.c.name == bindparam("scenario"))
# What was recorded later than this after a look began comes from a machine whose clock is wrong.
LONGEST_WAIT = timedelta(minutes=10)
LOG = structlog.get_logger("tidings.looks")


class Looks:
    """Looks at everything that is due, in the order of priority."""

    def __init__(
        self, database: Database, live: Live, *, holdout_on: bool = True, rule: Cut = LARGE,
        planned: Callable[[Connection, Mapping[str, int]], None] | None = None, says_again: bool = False,
    ) -> None:  # fmt: skip
        """`rule` says which looks are cut into shards; `planned` is told in a look's own transaction how many
        messages it leaves for which channel; `says_again` as of a `Looker`, for looks that are not cut.
        """
        self._planned, self._says_again = planned, says_again
        self._database, self._live, self._holdout_on = database, live, holdout_on
        self._shards, self._rule = Shards(database, live, holdout_on=holdout_on), rule

    def run(self, at: datetime, *, news_only: bool = False) -> list[Looked]:
        """One look at every active scenario that is due; each in a transaction of its own.

        `news_only` looks at event scenarios alone, and only at what has happened since: many times a second.
        A scenario whose look breaks keeps nothing and does not stop the others; EnvironmentFault if the
        database cannot be reached.
        """
        running = self._live.running()
        scenarios = [it for it in running.by_priority if it.kind == "event" or not news_only]
        return [looked for scenario in scenarios for looked in self._apart(running, scenario, at, news_only)]

    def _apart(self, running: Running, scenario: Scenario, at: datetime, news_only: bool) -> list[Looked]:
        try:
            return list(self._scenario(running, scenario, at, news_only))
        except EnvironmentFault:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one scenario, the others go on
            reason = why(error)
        # Without the traceback: the text of an error may hold what the database was told of a customer.
        LOG.error("look failed", scenario=scenario.name, version=running.version, error=reason)
        return [Looked(scenario.name, running.version, at, error=reason)]

    def _scenario(
        self, running: Running, scenario: Scenario, at: datetime, news_only: bool
    ) -> Iterator[Looked]:
        if not self._anything(running, scenario, at, news_only):
            return
        with tracing.span("look", scenario=scenario.name):
            looked = self._look(running, scenario, at, news_only)
            while looked is None and not news_only and (begun := self._in_shards()):
                yield from (ended for name in begun if (ended := self._shards.end(name)) is not None)
                if scenario.name in begun:
                    return
                looked = self._look(running, scenario, at, news_only)
        if looked is not None:
            yield looked

    def _in_shards(self) -> list[str]:
        with self._database.read() as connection:
            return shards.under_way(connection)

    def _look(self, running: Running, scenario: Scenario, at: datetime, news_only: bool) -> Looked | None:
        """One look, in one transaction; None if it is nobody's turn, or goes on in shards."""
        with self._database.write(copying=True) as connection:
            state = shards.lock(connection).get(scenario.name)
            if state is None or not _is_due(state, at) or _elsewhere(connection, scenario, news_only):
                return None
            # Under the lock, for which an apply waits: what it made live is looked at with the next beat.
            if live_version(connection) != running.version:
                return None
            looked = Looked(scenario.name, running.version, at)
            looker = Looker(connection, running, self._holdout_on, says_again=self._says_again)
            span = _span(connection, scenario, state, at)
            zones = zones_of(connection, running.program, scenario, span)
            prospect = Prospect(connection, looker, scenario, state, span, zones)
            if not news_only:
                if shards.cut(prospect, self._rule):
                    return None
                prospect = replace(prospect, looker=shards.whole(prospect, self._rule))
                for step in looker.later(scenario, span, zones, self._live):
                    looked.counts.add(step, commit(step).tally)
            if prospect.enters:
                _enter(prospect, looked)
            if self._planned is not None:
                self._planned(connection, looked.channels)
        return looked

    def _anything(self, running: Running, scenario: Scenario, at: datetime, news_only: bool) -> bool:
        """A cheap read, so that an idle second makes no write transaction and no temporary table."""
        with self._database.read() as connection:
            state = connection.execute(_STATE_OF, {"scenario": scenario.name}).first()
            if state is None or not _is_due(state, at):
                return False
            if state.status == "active" and self._anybody_new(connection, running, scenario, state, at):
                return True
            return not news_only and self._anybody_waits(connection, running, scenario, at)

    def _anybody_new(
        self, connection: Connection, running: Running, scenario: Scenario, state: Row[Any], at: datetime
    ) -> bool:
        trigger = discover()[scenario.trigger]
        if isinstance(trigger, EventTrigger):
            after = cursor(connection, reader_of(scenario.name)) or START
            kind = trigger.event_of(scenario.parameters)
            news = select(EVENT.c.id).where(EVENT.c.kind == kind, EVENT.c.live)
            return connection.scalar(news.where(between(after, horizon(connection))).limit(1)) is not None
        zones = zones_of(connection, running.program, scenario, Span(at, since_of(state)))
        return any(zone.fired_at for zone in zones)

    def _anybody_waits(
        self, connection: Connection, running: Running, scenario: Scenario, at: datetime
    ) -> bool:
        for version, as_begun in under_way(connection, scenario, self._live):
            for index in range(1, len(as_begun.steps)):
                due = [*waits(as_begun, index, at, running.program, version), ~asked(as_begun, index)]
                if waited(connection, as_begun, index, at, running.program, due):
                    return True
        return False


def _enter(it: Prospect, looked: Looked) -> None:
    """The look at the first step."""
    step = it.looker.enter(it.scenario, it.span, it.zones)
    done = commit(step, it.state.allowed)
    looked.counts.add(step, done.tally)
    if done.guarded:
        hold(it.connection, looked, done.guarded)
    else:
        conclude(it.connection, it.scenario, looked, it.span, it.zones, done.tally.passed)


def _span(connection: Connection, scenario: Scenario, state: Row[Any], at: datetime) -> Span:
    if scenario.kind != "event":
        return Span(at, since_of(state))
    after, upto = cursor(connection, reader_of(scenario.name)) or START, horizon(connection)
    return Span(_told_by(connection, scenario, at, between(after, upto)), since_of(state), after, upto)


def _told_by(connection: Connection, scenario: Scenario, at: datetime, news: ColumnElement[bool]) -> datetime:
    """The time of a look at events: none of them was recorded after it.

    While a look waits for its turn (the night's levels, other scenarios) facts go on. An audience that is
    asked as of before would not know of the purchase it is asked about.
    """
    trigger = discover()[scenario.trigger]
    assert isinstance(trigger, EventTrigger)
    recorded = select(func.max(EVENT.c.recorded_at)).where(
        EVENT.c.kind == trigger.event_of(scenario.parameters), EVENT.c.live, news,
        EVENT.c.recorded_at <= literal(at + LONGEST_WAIT, UtcDateTime),
    )  # fmt: skip
    newest: datetime | None = connection.scalar(recorded)
    return at if newest is None else max(at, newest)


def _elsewhere(connection: Connection, scenario: Scenario, news_only: bool) -> bool:
    """Somebody looks in shards: at this scenario, or at any that may come before it."""
    begun = shards.under_way(connection)
    return scenario.name in begun if news_only else bool(begun)


def overdue(connection: Connection, running: Running, at: datetime) -> list[str]:
    """The active scenarios that were due by then and at which nobody has looked since."""
    states = connection.execute(select(STATE).where(STATE.c.status == "active"))
    late = {state.name: state for state in states if since_of(state) < at}
    return [
        name for name, scenario in running.scenarios.items()
        if name in late and _was_due(connection, running, scenario, late[name], at)
    ]  # fmt: skip


def _was_due(
    connection: Connection, running: Running, scenario: Scenario, state: Row[Any], at: datetime
) -> bool:
    trigger = discover()[scenario.trigger]
    if not isinstance(trigger, EventTrigger):
        zones = zones_of(connection, running.program, scenario, Span(at, since_of(state)))
        return any(zone.fired_at for zone in zones)
    after = cursor(connection, reader_of(scenario.name)) or START
    # Beyond the horizon, too: a transaction that does not end holds up every reader.
    upto = horizon(connection) if connection.dialect.name == "sqlite" else Position(2**62, 0)
    unread = select(EVENT.c.recorded_at).where(
        EVENT.c.kind == trigger.event_of(scenario.parameters), EVENT.c.live, between(after, upto)
    )
    first = connection.scalar(unread.order_by(EVENT.c.transaction, EVENT.c.id).limit(1))
    return first is not None and first < at


def _is_due(state: Row[Any], at: datetime) -> bool:
    """It runs, and nobody has looked at this time. One that the blast guard holds lets nobody new in."""
    return state.status in ("active", "held") and (state.looked_at is None or state.looked_at < at)
