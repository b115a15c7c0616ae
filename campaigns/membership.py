"""Who belongs to a segment, kept so that a change can be seen.

Facts have a history, belonging to a segment has none: it is compared with what was kept before. Only
segments that a scenario's trigger asks about are kept. Each look at such a scenario stages the changes in a
temporary table, the trigger reads them from there, and only a live look keeps them (promise 5). An apply
keeps them too: so the members of that moment are known to the scenarios which begin with it.
"""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Table,
    and_,
    delete,
    exists,
    false,
    func,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.schema import CreateTable

from campaigns.conditions import Audience
from campaigns.names import STATE, names_of
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.segments import uses
from campaigns.staging import METADATA
from campaigns.tables import Enrolment, SegmentChange, SegmentDefinition
from core.db import Id, UtcDateTime, insert_ignoring, upsert
from triggers import Look, discover
from triggers.base import CUSTOMER, PRESENT, Membership

CHANGE = SegmentChange.__table__  # type: ignore[attr-defined]
DEFINITION = SegmentDefinition.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]

EVERYBODY = true()

# The changes that one look has found; `news`: the customers changed, and not the segment's own file.
STAGED = Table(
    "look_segment_change", METADATA,
    Column("customer_id", Id, primary_key=True),
    Column("entered", Boolean, nullable=False),
    Column("news", Boolean, nullable=False),
    prefixes=["TEMPORARY"],
)  # fmt: skip


def informed(
    connection: Connection, running: Running, scenario: Scenario, look: Look, *, fresh: bool = False
) -> Look:
    """The look, with what its trigger may ask beyond the facts: who entered before, who is in its segment.

    `fresh` stages who has changed since the look before; without it only what was kept is known.
    """
    mine = ENROLMENT.c.scenario.in_(names_of(scenario))
    columns = (ENROLMENT.c.customer_id, ENROLMENT.c.occasion, ENROLMENT.c.at, ENROLMENT.c.facts)
    look = replace(look, entered=select(*columns).where(mine).subquery("entered"))
    segment = segment_of(scenario)
    if segment is None:
        return look
    if fresh:
        # What was found at this very time is found again: two scenarios may ask for one segment.
        earlier = CHANGE.c.at < literal(look.at, UtcDateTime)
        _stage(connection, running, segment, earlier, look.at, look.about(CUSTOMER.c.id))
    log = select(CHANGE).where(CHANGE.c.segment == segment).subquery("log")
    since = _began(connection, scenario, look.at)
    changes = _changes(segment, since, look.at, staged=fresh)
    return replace(look, segment=Membership(_condition(running, segment, look.at), changes, log))


def segment_of(scenario: Scenario) -> str | None:
    """The segment whose members the scenario's trigger asks about."""
    return discover()[scenario.trigger].segment(scenario.parameters)


def begin(connection: Connection, running: Running, at: datetime) -> None:
    """Keep who belongs to the segments of a bundle that becomes live, in the transaction that applies it."""
    for segment in sorted({it for scenario in running.scenarios.values() if (it := segment_of(scenario))}):
        # With what a look of this very moment has found.
        _stage(connection, running, segment, CHANGE.c.at <= literal(at, UtcDateTime), at)
        columns = ["segment", "customer_id", "at"], ["entered", "news"]
        _keep(connection, running, segment, at, upsert(connection, CHANGE, *columns))


def keep(connection: Connection, running: Running, scenario: Scenario, at: datetime) -> None:
    """Keep what the look for the scenario's first step has staged."""
    segment = segment_of(scenario)
    if segment is not None:
        _keep(connection, running, segment, at, insert_ignoring(connection, CHANGE))


def keep_part(connection: Connection, scenario: Scenario, at: datetime) -> None:
    """Keep what the look has staged of a part of the customers; `define` follows the last part."""
    segment = segment_of(scenario)
    if segment is not None:
        _keep_changes(connection, segment, at, insert_ignoring(connection, CHANGE))


def define(connection: Connection, running: Running, scenario: Scenario) -> None:
    """Remember what the segment that the scenario asks about meant when its members were compared."""
    segment = segment_of(scenario)
    if segment is not None:
        _define(connection, running, segment)


def _condition(running: Running, segment: str, at: datetime) -> ColumnElement[bool]:
    audience = Audience(running.program, running.segments, at, running.kinds)
    return func.coalesce(audience.condition(running.segments[segment]), false())


def _stage(
    connection: Connection, running: Running, segment: str, earlier: ColumnElement[bool], at: datetime,
    among: ColumnElement[bool] = EVERYBODY,
) -> None:  # fmt: skip
    """Stage who belongs otherwise at a time than the last of the `earlier` changes says."""
    connection.execute(CreateTable(STAGED, if_not_exists=True))
    connection.execute(delete(STAGED))
    theirs = and_(CHANGE.c.segment == segment, CHANGE.c.customer_id == CUSTOMER.c.id)
    last = select(CHANGE.c.entered).where(theirs, earlier).order_by(CHANGE.c.at.desc()).limit(1)
    compared = select(
        CUSTOMER.c.id, _condition(running, segment, at).label("now"),
        func.coalesce(last.scalar_subquery(), false()).label("before"),
    ).where(PRESENT, among).subquery("compared")  # fmt: skip
    known = connection.scalar(select(DEFINITION.c.digest).where(DEFINITION.c.segment == segment))
    news = true() if known == _digest(running, segment) else false()
    rows = select(compared.c.id, compared.c.now, news).where(compared.c.now != compared.c.before)
    connection.execute(STAGED.insert().from_select(["customer_id", "entered", "news"], rows))


def _digest(running: Running, segment: str) -> str:
    """What tells a segment from one of the same name that means something else."""
    names = [segment]
    for name in names:
        names += [it for it in uses(running.segments[name]) if it not in names]
    meaning = repr([(name, running.segments[name]) for name in sorted(names)])
    return hashlib.sha256(meaning.encode()).hexdigest()[:32]


def _began(connection: Connection, scenario: Scenario, at: datetime) -> datetime:
    """Since when changes count; one that was not applied by then begins now."""
    mine = select(STATE.c.began_at).where(STATE.c.name.in_(names_of(scenario)), STATE.c.status != "removed")
    began: datetime | None = connection.scalar(mine.order_by(STATE.c.began_at).limit(1))
    return began if began is not None and began <= at else at


def _changes(segment: str, since: datetime, at: datetime, *, staged: bool) -> FromClause:
    """The last change of each customer (customer_id, entered, at), if it was theirs and after `since`."""
    later = CHANGE.alias("later")
    before = literal(at, UtcDateTime)
    outdone = exists().where(
        later.c.segment == segment, later.c.customer_id == CHANGE.c.customer_id,
        later.c.at > CHANGE.c.at, later.c.at < before,
    )  # fmt: skip
    kept = select(CHANGE.c.customer_id, CHANGE.c.entered, CHANGE.c.at).where(
        CHANGE.c.segment == segment, CHANGE.c.news, CHANGE.c.at > literal(since, UtcDateTime),
        CHANGE.c.at < before, ~outdone,
    )  # fmt: skip
    if not staged:
        return kept.subquery("changes")
    kept = kept.where(~exists().where(STAGED.c.customer_id == CHANGE.c.customer_id))
    found = select(STAGED.c.customer_id, STAGED.c.entered, before).where(
        STAGED.c.news, before > literal(since, UtcDateTime)
    )
    return union_all(kept, found).subquery("changes")


def _keep(connection: Connection, running: Running, segment: str, at: datetime, insert: Any) -> None:
    _keep_changes(connection, segment, at, insert)
    _define(connection, running, segment)


def _keep_changes(connection: Connection, segment: str, at: datetime, insert: Any) -> None:
    rows = select(
        literal(segment), STAGED.c.customer_id, literal(at, UtcDateTime), STAGED.c.entered, STAGED.c.news
    ).order_by(STAGED.c.customer_id)
    columns = ["segment", "customer_id", "at", "entered", "news"]
    connection.execute(insert.from_select(columns, rows))


def _define(connection: Connection, running: Running, segment: str) -> None:
    definition = upsert(connection, DEFINITION, ["segment"], ["digest"])
    connection.execute(definition.values(segment=segment, digest=_digest(running, segment)))
