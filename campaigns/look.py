"""One look at one scenario: who is due, what each gate says, and — only when it is live — what is kept of it.

Everything is decided in staging tables over a snapshot; `commit` copies them into the real ones in the same
transaction. A dry run leaves that out, and so has the same verdicts (promise 5).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Label,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from campaigns.as_begun import askable, sayable
from campaigns.gates import (
    NO_CONSENT,
    REACH,
    Step,
    Who,
    agreed_nowhere,
    any_merged,
    decide,
    entry_gate,
    names_of,
    plan,
    said_before,
)
from campaigns.membership import informed
from campaigns.names import names_through_time
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.staging import CANDIDATE, DEADLINE, ZONE, analyze, prepare, put_deadlines, put_zones
from campaigns.tables import Decision, Enrolment
from core.db import UtcDateTime
from core.db.plans import laid_aside
from core.errors import Problems
from core.events import START, Position
from core.program import Program
from core.schedule import times_between
from core.tables import Customer, TimeZone
from core.units import Duration, at_local
from triggers import Look, discover
from triggers.base import CANDIDATE_COLUMNS, Part, Zone

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
DECISION = Decision.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
TIME_ZONE = TimeZone.__table__  # type: ignore[attr-defined]

# Spelled out: an index on a part of the table serves only a condition that repeats it to the letter.
IS_ACTIVE = ENROLMENT.c.status == literal_column("'active'")
# What a candidate takes along of their customer.
_ZONE = func.coalesce(CUSTOMER.c.time_zone, "").label("zone")
_WHO = (CUSTOMER.c.external_id, _ZONE, CUSTOMER.c.locale)
_WHO_COLUMNS = ("external_id", "zone", "locale")
# Columns of the query that finds who enters. Spelled out, they are the same at every look: SQLAlchemy takes
# longer to make them of a query than the database to find a hundred candidates.
_ENTERING = {
    name: literal_column(f"entering.{name}", CANDIDATE.c[name].type)
    for name in (*CANDIDATE_COLUMNS, *_WHO_COLUMNS, "gate")
}
_WHO_ENTERS = Who(
    _ENTERING["customer_id"], _ENTERING["external_id"], _ENTERING["zone"],
    literal_column("entering.opted_in", CUSTOMER.c.opted_in.type),
)  # fmt: skip
_NO_GATE = literal_column("NULL", CANDIDATE.c.gate.type)
_WHO_WAITS = Who(ENROLMENT.c.customer_id, CUSTOMER.c.external_id, _ZONE.element, CUSTOMER.c.opted_in)
_ZONE_NAMES = select(TIME_ZONE.c.name).order_by(TIME_ZONE.c.name)
# How far back the stroke before this look's first one is searched for: longer than any trigger catches up.
LAST_STROKE = timedelta(days=8)
# More than any clock was ever moved at once: who may be due is found by the index, then reckoned exactly.
CLOCK_CHANGE = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Span:
    """What a look covers: the time since the last one, the events between two places of the stream."""

    at: datetime
    since: datetime | None = None
    after: Position = START
    upto: Position = START


class Bundles(Protocol):
    """Where the structure of earlier versions is found; see `campaigns.versions`."""

    def of(self, version: int) -> Running:
        """The bundle of a version."""
        ...


@dataclass(frozen=True, slots=True)
class Looker:
    """Looks at the scenarios of one bundle.

    A `rehearsal` keeps nothing, so it remembers what its looks have reserved until its transaction ends. With
    a `part` it looks at those customers alone. A look that is `large`, and no part, is one that PostgreSQL
    answers with several processes. Who agreed nowhere is held back once for an occasion, and by a rehearsal,
    or one that `says_again`, each time.
    """

    connection: Connection
    running: Running
    holdout_on: bool = True
    rehearsal: bool = False
    part: Part | None = None
    large: bool = False
    says_again: bool = False

    def enter(self, scenario: Scenario, span: Span, zones: Sequence[Zone]) -> Step:
        """Stage who becomes due for the first step, and let the gates decide."""
        step = self._begin(scenario, 0, span, zones)
        found, trigger = self.due(scenario, step.look), discover()[scenario.trigger]
        if trigger.plain:
            in_order = trigger.in_order and self.connection.dialect.name == "sqlite"
            self._stage(step, _plainly(step, found, in_order=in_order))
        elif self.large:
            with laid_aside(self.connection, "look_due", found) as due:
                self._stage(step, _entering(step, due))
        else:
            # Found once, read several times: unfolded, the occasion would be reckoned anew for each use.
            self._stage(step, _entering(step, found.cte("due").prefix_with("MATERIALIZED")))
        return self._decide(step)

    def _stage(self, step: Step, entering: Select[Any]) -> None:
        # Neither database folds a query with an OFFSET into the one around it: the gate is asked once.
        planned = plan(step, _WHO_ENTERS, _ENTERING["gate"])
        rows = select(*_ENTERING.values(), *planned.values())
        rows = rows.select_from(entering.offset(0).subquery("entering"))
        if step.scenario.kind == "state" and step.marketing and not (self.rehearsal or self.says_again):
            # A lasting state finds them at each look. The decision stands, from when it was first made.
            said = said_before(step, _ENTERING["customer_id"], _ENTERING["occasion"])
            rows = rows.where(or_(_ENTERING["gate"].is_distinct_from(NO_CONSENT), ~said))
        self.connection.execute(CANDIDATE.insert().from_select([*_ENTERING, *planned], rows))

    def due(self, scenario: Scenario, look: Look) -> Select[Any]:
        """What the trigger asks, of this part of the customers."""
        candidates = discover()[scenario.trigger].candidates(scenario.parameters, look)
        if look.part is None:
            return candidates
        # Inside the trigger's own query: from outside, no plan would look at this part alone.
        return candidates.where(look.about(_unlabelled(candidates.selected_columns["customer_id"])))

    def question(self, scenario: Scenario, span: Span, zones: Sequence[Zone]) -> Select[Any]:
        """What the trigger asks at this look, and whose customers those are; nothing is staged."""
        due = self.due(scenario, self._begin(scenario, 0, span, zones).look).subquery("due")
        return select(due.c.customer_id).join(CUSTOMER, CUSTOMER.c.id == due.c.customer_id)

    def at_most(self, scenario: Scenario, span: Span, zones: Sequence[Zone], limit: int) -> bool:
        """Whether no more than `limit` candidates could enter; nothing is staged, and few gates are asked."""
        step = self._begin(scenario, 0, span, zones)
        perhaps = discover()[scenario.trigger].perhaps(scenario.parameters, step.look)
        if any(self._number(rows, limit + 1) <= limit for rows in perhaps):
            return True
        due = self.due(scenario, step.look).subquery("due")
        rows = select(literal(1)).join_from(due, CUSTOMER, CUSTOMER.c.id == due.c.customer_id)
        enters = entry_gate(step, due.c.customer_id, due.c.occasion).is_(None)
        return self._number(rows.where(enters), limit + 1) <= limit

    def _number(self, rows: Select[Any], most: int) -> int:
        """How many rows there are; nobody counts further than `most`."""
        return self.connection.scalar(select(func.count()).select_from(rows.limit(most).subquery())) or 0

    def proceed(
        self, scenario: Scenario, index: int, span: Span, zones: Sequence[Zone], version: int
    ) -> Step:
        """Stage whose wait for a later step is over, of those who began with a version; the gates decide.

        Whom no channel reached is asked again where the schedule
        strikes, as for the first step.
        """
        step = self._begin(scenario, index, span, zones)
        waiting = [
            *waits(scenario, index, span.at, self.running.program, version),
            step.look.about(ENROLMENT.c.customer_id),
            or_(~asked(scenario, index), _struck_for(ENROLMENT.c.customer_id)),
        ]
        over = waited(self.connection, scenario, index, span.at, self.running.program, waiting)
        put_deadlines(self.connection, over)
        nowhere = agreed_nowhere(step, CUSTOMER.c.opted_in)
        gate = case(*nowhere) if nowhere else _NO_GATE
        planned = {"gate": gate, **plan(step, _WHO_WAITS, gate)}
        rows = (
            select(
                ENROLMENT.c.customer_id,
                ENROLMENT.c.occasion,
                ENROLMENT.c.subject,
                DEADLINE.c.until,
                ENROLMENT.c.facts,
                ENROLMENT.c.id,
                ENROLMENT.c.at,
                *_WHO,
                *planned.values(),
            )
            .join(DEADLINE, DEADLINE.c.at == ENROLMENT.c.anchor_at)
            .join(CUSTOMER, CUSTOMER.c.id == ENROLMENT.c.customer_id)
            .where(*waiting)
        )
        columns = [*CANDIDATE_COLUMNS, "enrolment_id", "entered_at", *_WHO_COLUMNS, *planned]
        self.connection.execute(CANDIDATE.insert().from_select(columns, rows.order_by(ENROLMENT.c.id)))
        return self._decide(step)

    def later(
        self, scenario: Scenario, span: Span, zones: Sequence[Zone], bundles: Bundles
    ) -> Iterator[Step]:
        """Every later step of everyone who is under way, by the structure that they began with."""
        for version, as_begun in under_way(self.connection, scenario, bundles, self.running):
            for index in range(1, len(as_begun.steps)):
                yield self.proceed(as_begun, index, span, zones, version)

    def _begin(self, scenario: Scenario, index: int, span: Span, zones: Sequence[Zone]) -> Step:
        prepare(self.connection, keep_reservations=self.rehearsal)
        program = self.running.program
        quiet = {zone.name: quiet_until(program, scenario, span.at, zone.zone) for zone in zones}
        put_zones(self.connection, zones, quiet)
        look = Look(span.at, program, ZONE, tuple(zones), span.after, span.upto, part=self.part)
        look = informed(self.connection, self.running, scenario, look, fresh=not index)
        return Step(
            self.connection,
            self.running,
            scenario,
            index,
            look,
            self.running.kinds,
            self.holdout_on,
            self.rehearsal,
            quiet_until=max((it for it in quiet.values() if it is not None), default=None),
            merged=any_merged(self.connection),
        )

    def _decide(self, step: Step) -> Step:
        staged = step.staged()
        # Most looks find only who has entered before.
        if staged.candidates:
            analyze(self.connection)
            decide(step, staged)
        return step


def _plainly(step: Step, found: Select[Any], *, in_order: bool) -> Select[Any]:
    """As `_entering`, of a trigger whose columns cost nothing to read twice; `in_order` as they are found."""
    asked = [found.selected_columns[name] for name in ("customer_id", "occasion")]
    gate = entry_gate(step, *map(_unlabelled, asked))
    rows = found.add_columns(*_WHO, CUSTOMER.c.opted_in, gate.label("gate"))
    return rows if in_order else rows.order_by(*asked)


def _entering(step: Step, due: FromClause) -> Select[Any]:
    """Who is due, who they are, and what the gates of the entry say; in the order of customers."""
    gate = entry_gate(step, due.c.customer_id, due.c.occasion).label("gate")
    rows = select(*(due.c[name] for name in CANDIDATE_COLUMNS), *_WHO, CUSTOMER.c.opted_in, gate)
    rows = rows.join(CUSTOMER, CUSTOMER.c.id == due.c.customer_id)
    return rows.order_by(due.c.customer_id, due.c.occasion)


def _unlabelled(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """What a column of a query is: the query's own condition cannot speak of its label."""
    return column.element if isinstance(column, Label) else column


def rehearsal(connection: Connection, running: Running, *, holdout_on: bool = True) -> Looker:
    """A looker for a dry run in this transaction."""
    prepare(connection)
    return Looker(connection, running, holdout_on, rehearsal=True)


def under_way(
    connection: Connection, scenario: Scenario, bundles: Bundles, now: Running | None = None
) -> list[tuple[int, Scenario]]:
    """The versions with which somebody who is not through began, each with the scenario as it was then.

    Structure is theirs (steps, waits, variants); everything else is today's. Files whose language an earlier
    release understood and this one does not have today's structure too. Given the bundle of `now`, what the
    steps ask can be asked with it, and what they say can be said.
    """
    versions = (
        select(ENROLMENT.c.version).distinct().where(ENROLMENT.c.scenario.in_(names_of(scenario)), IS_ACTIVE)
    )
    begun = sorted(connection.scalars(versions))
    names = names_through_time(connection, scenario)[::-1] if begun else ()
    return [(version, _as_begun(scenario, version, names, bundles, now)) for version in begun]


def _as_begun(
    scenario: Scenario, version: int, names: Sequence[str], bundles: Bundles, now: Running | None
) -> Scenario:
    try:
        then = bundles.of(version)
    except Problems:
        return scenario
    shape = next((then.scenarios[name] for name in names if name in then.scenarios), scenario)
    if now is None or shape is scenario:
        return replace(scenario, steps=shape.steps)
    return replace(
        scenario, steps=tuple(sayable(askable(it, then, now), scenario, now) for it in shape.steps)
    )


def waits(
    scenario: Scenario, index: int, at: datetime, program: Program, version: int
) -> list[ColumnElement[bool]]:
    """Enrolments of a version whose wait for a step may be over, give or take a clock change (`waited`)."""
    wait: Duration | None = scenario.steps[index].wait
    limit = wait.ago(at, program.zone) + CLOCK_CHANGE if wait else at
    return [
        ENROLMENT.c.scenario.in_(names_of(scenario)), IS_ACTIVE,
        ENROLMENT.c.step == index, ENROLMENT.c.anchor_at <= literal(min(limit, at), UtcDateTime),
        ENROLMENT.c.version == version,
    ]  # fmt: skip


def waited(
    connection: Connection, scenario: Scenario, index: int, at: datetime, program: Program,
    waiting: Sequence[ColumnElement[bool]],
) -> dict[datetime, datetime]:  # fmt: skip
    """Of the enrolments that `waiting` picks out, since when they waited → when that was over."""
    wait = scenario.steps[index].wait
    anchors = connection.scalars(select(ENROLMENT.c.anchor_at).where(*waiting).distinct())
    over = {anchor: wait.after(anchor, program.zone) if wait else anchor for anchor in anchors}
    return {anchor: until for anchor, until in over.items() if until <= at}


def asked(scenario: Scenario, index: int) -> ColumnElement[bool]:
    """The enrolment stood before this step already, and no channel reached the customer."""
    return exists().where(
        DECISION.c.customer_id == ENROLMENT.c.customer_id, DECISION.c.scenario == ENROLMENT.c.scenario,
        DECISION.c.occasion == ENROLMENT.c.occasion, DECISION.c.step == scenario.steps[index].id,
        DECISION.c.verdict.in_((*REACH, "missing_text")),
    )  # fmt: skip


def _struck_for(customer_id: ColumnElement[int]) -> ColumnElement[bool]:
    theirs = and_(CUSTOMER.c.id == customer_id, func.coalesce(CUSTOMER.c.time_zone, "") == ZONE.c.name)
    return exists().where(theirs, ZONE.c.fired_at.is_not(None))


def zones_of(
    connection: Connection, program: Program, scenario: Scenario, span: Span, *, everywhere: bool = False
) -> list[Zone]:
    """The customers' time zones, and when the scenario's schedule last struck in each.

    Event triggers have no schedule: for them, and with `everywhere`, it strikes now.
    """
    names = ["", *connection.scalars(_ZONE_NAMES)]
    return [_zone(program, scenario, name, span, everywhere) for name in names]


def _zone(program: Program, scenario: Scenario, name: str, span: Span, everywhere: bool) -> Zone:
    zone = zone_info(program, name)
    struck = [span.at] if everywhere else _struck(scenario, span, zone)
    today = (struck or [span.at])[-1].astimezone(zone).date()
    since = (
        today - timedelta(days=1) if everywhere or not struck else _stroke_before(scenario, struck[0], zone)
    )
    return Zone(name, zone, struck[-1] if struck else None, today, since)


def _stroke_before(scenario: Scenario, first: datetime, zone: ZoneInfo) -> date:
    """The day on which the schedule struck before this look's first stroke; days from there on are news."""
    start = first - LAST_STROKE
    before = (
        times_between(scenario.schedule, start, first - timedelta(microseconds=1), zone)
        if scenario.schedule
        else []
    )
    return (before[-1] if before else start).astimezone(zone).date()


def _struck(scenario: Scenario, span: Span, zone: ZoneInfo) -> list[datetime]:
    after = span.since or span.at - timedelta(microseconds=1)
    own = discover()[scenario.trigger].times(scenario.parameters, after, span.at, zone)
    if own is not None:
        return own
    if scenario.schedule is None:
        return [span.at]
    return times_between(scenario.schedule, after, span.at, zone)


def zone_info(program: Program, name: str | None) -> ZoneInfo:
    """The zone of this name; the program's for none or for one that nobody knows."""
    try:
        return ZoneInfo(name) if name else program.zone
    except (KeyError, OSError, ValueError):
        return program.zone


def quiet_until(program: Program, scenario: Scenario, at: datetime, zone: ZoneInfo) -> datetime | None:
    """Until when a message must wait in this zone, UTC; None if it may go now."""
    if scenario.purpose == "transactional":
        return None
    window = scenario.quiet_hours(program.quiet_hours)
    local = at.astimezone(zone)
    while True:
        if scenario.purpose == "marketing" and local.date() in program.blackout:
            local = at_local(local.date() + timedelta(days=1), time(0), zone).astimezone(zone)
        elif window and window.contains(local.timetz()):
            local = window.end_after(local)
        else:
            moved = local.astimezone(UTC)
            return moved if moved > at else None
