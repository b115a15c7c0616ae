"""The looks: which scenarios are due now, and one transaction for each."""

import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Row, func, select, update

from campaigns.commit import Guarded, commit, verdict
from campaigns.gates import Step
from campaigns.look import Looker, Span, asked, under_way, waited, waits, zones_of
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.staging import CANDIDATE
from campaigns.tables import ScenarioRun
from campaigns.versions import STATE, Live, reader_of, since_of
from core.db import Database, insert_ignoring
from core.errors import EnvironmentFault, UserError
from core.events import EVENT, START, Position, between, cursor, horizon, move_cursor
from triggers import discover
from triggers.base import EventTrigger

RUN = ScenarioRun.__table__  # type: ignore[attr-defined]
LOG = structlog.get_logger("tidings.looks")


@dataclass(slots=True)
class Looked:
    """What the looks at one scenario did: verdict → how many, channel → how many were planned.

    `error` says why nothing was kept of a look that broke, without any personal data.
    """

    scenario: str
    version: int
    at: datetime
    candidates: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    channels: Counter[str] = field(default_factory=Counter)
    guarded: Guarded | None = None
    error: str | None = None

    def add(self, step: Step) -> None:
        """Count the verdicts that are staged."""
        said = verdict(step).label("said")
        counted = select(said, CANDIDATE.c.channel, func.count()).group_by(said, CANDIDATE.c.channel)
        for name, channel, count in step.connection.execute(counted):
            self.candidates += count
            self.verdicts[name] += count
            if name in ("planned", "deferred"):
                self.channels[channel] += count


class Looks:
    """Looks at everything that is due, in the order of priority."""

    def __init__(self, database: Database, live: Live, *, holdout_on: bool = True) -> None:
        self._database, self._live, self._holdout_on = database, live, holdout_on

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
            why = _why(error)
        # Without the traceback: the text of an error may hold what the database was told of a customer.
        LOG.error("look failed", scenario=scenario.name, version=running.version, error=why)
        return [Looked(scenario.name, running.version, at, error=why)]

    def _scenario(
        self, running: Running, scenario: Scenario, at: datetime, news_only: bool
    ) -> Iterator[Looked]:
        if not self._anything(running, scenario, at, news_only):
            return
        with self._database.write() as connection:
            state = _lock(connection, scenario)
            if state is None or not _is_due(state, at):
                return
            looked = Looked(scenario.name, running.version, at)
            if not news_only:
                self._later_steps(connection, running, scenario, looked, state)
            if state.status == "active":
                self._first_step(connection, running, scenario, looked, state)
        yield looked

    def _anything(self, running: Running, scenario: Scenario, at: datetime, news_only: bool) -> bool:
        """A cheap read, so that an idle second makes no write transaction and no temporary table."""
        with self._database.read() as connection:
            state = connection.execute(select(STATE).where(STATE.c.name == scenario.name)).first()
            if state is None or not _is_due(state, at):
                return False
            if not news_only and self._anybody_waits(connection, running, scenario, at):
                return True
            if state.status != "active":
                return False
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

    def _first_step(
        self, connection: Connection, running: Running, scenario: Scenario, looked: Looked, state: Row[Any]
    ) -> None:
        after = cursor(connection, reader_of(scenario.name)) or START
        upto = horizon(connection) if scenario.kind == "event" else START
        span = Span(looked.at, since_of(state), after, upto)
        zones = zones_of(connection, running.program, scenario, span)
        if not any(zone.fired_at for zone in zones):
            return
        step = Looker(connection, running, self._holdout_on).enter(scenario, span, zones)
        done = commit(step, state.allowed)
        looked.add(step)
        mine = update(STATE).where(STATE.c.name == scenario.name)
        if isinstance(done, Guarded):
            looked.guarded = done
            connection.execute(mine.values(status="held", held=done.count))
            return
        connection.execute(mine.values(looked_at=looked.at, allowed=None))
        if scenario.kind == "event":
            move_cursor(connection, reader_of(scenario.name), upto)
        self._keep_run(connection, scenario, looked, done)

    @staticmethod
    def _keep_run(connection: Connection, scenario: Scenario, looked: Looked, planned: int) -> None:
        row = {
            "scenario": scenario.name,
            "fire_at": looked.at,
            "candidates": looked.candidates,
            "planned": planned,
        }
        connection.execute(insert_ignoring(connection, RUN).values(**row))

    def _later_steps(
        self, connection: Connection, running: Running, scenario: Scenario, looked: Looked, state: Row[Any]
    ) -> None:
        span = Span(looked.at, since_of(state))
        zones = zones_of(connection, running.program, scenario, span)
        looker = Looker(connection, running, self._holdout_on)
        for step in looker.later(scenario, span, zones, self._live):
            commit(step)
            looked.add(step)


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


def _why(error: Exception) -> str:
    """What broke and where; only our own sentences are quoted, others may hold a customer's data."""
    if isinstance(error, UserError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [it for it in frames if "site-packages" not in it.filename] or frames
    place = f" at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    return f"{type(error).__name__}{place}"


def _lock(connection: Connection, scenario: Scenario) -> Row[Any] | None:
    """The scenario's state, under the lock of all of them: looks of several processes take turns.

    Scenarios share their customers' allowances: two looks at once would each find the same place free.
    """
    states = connection.execute(select(STATE).order_by(STATE.c.name).with_for_update()).all()
    return next((state for state in states if state.name == scenario.name), None)


def _is_due(state: Row[Any], at: datetime) -> bool:
    """It runs, and nobody has looked at this time. One that the blast guard holds lets nobody new in."""
    return state.status in ("active", "held") and (state.looked_at is None or state.looked_at < at)
