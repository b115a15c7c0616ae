"""Who reads the stream of events, and how far behind each is."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, select, true

from campaigns.running import Running
from campaigns.versions import STATE, reader_of
from core.events import CURSOR, EVENT, START, Position, between
from scheduler.card_changes import READER as CARDS
from triggers import discover
from triggers.base import EventTrigger

# Beyond the horizon, too: a transaction that does not end holds up every reader.
END = Position(2**62, 2**62)


class Reader(NamedTuple):
    """A scenario on events of a `kind`, in a `status`; `place` is how far it has read, None for never."""

    scenario: str
    kind: str
    status: str
    place: Position | None


def on_events(connection: Connection, running: Running) -> Iterator[Reader]:
    """Every scenario on events that was ever applied."""
    places = _places(connection)
    status = {row.name: row.status for row in connection.execute(select(STATE.c.name, STATE.c.status))}
    for name, scenario in running.scenarios.items():
        trigger = discover()[scenario.trigger]
        if isinstance(trigger, EventTrigger) and name in status:
            kind = trigger.event_of(scenario.parameters)
            yield Reader(name, kind, status[name], places.get(reader_of(name)))


def _places(connection: Connection) -> Mapping[str, Position]:
    rows = connection.execute(select(CURSOR))
    return {row.reader: Position(row.transaction, row.event_id) for row in rows}


def lags(connection: Connection, running: Running, at: datetime) -> dict[str, float]:
    """Seconds since the oldest event that a reader has yet to read was recorded; 0 for one that is through.

    Readers are the active scenarios on events, by their names, and `cards`; one that never read is left out.
    """
    behind = {
        it.scenario: _first_unread(connection, it.place, _meant_for(it.kind))
        for it in on_events(connection, running)
        if it.status == "active" and it.place is not None
    }
    if (cards := _places(connection).get(CARDS)) is not None:
        behind["cards"] = _first_unread(connection, cards, true())
    return {name: max(0.0, (at - first).total_seconds()) if first else 0.0 for name, first in behind.items()}


def slowest(connection: Connection, running: Running) -> Mapping[str, Position]:
    """Kind of events → how far the slowest scenario on them has read; one that is paused reads on later."""
    found: dict[str, Position] = {}
    for it in on_events(connection, running):
        if it.status != "removed":
            place = it.place or START
            found[it.kind] = min(found.get(it.kind, place), place)
    return found


def unread_since(connection: Connection, running: Running) -> Mapping[str, datetime]:
    """Kind of events → when the first was recorded that some scenario on it has not read."""
    found = {}
    for kind, place in slowest(connection, running).items():
        if (first := _first_unread(connection, place, _meant_for(kind))) is not None:
            found[kind] = first
    return found


def _meant_for(kind: str) -> ColumnElement[bool]:
    return and_(EVENT.c.kind == kind, EVENT.c.live)


def _first_unread(connection: Connection, after: Position, mine: ColumnElement[bool]) -> datetime | None:
    # Every event has the transaction 0 on SQLite, which seeks within one only (core.events).
    end = END if connection.dialect.name == "postgresql" else Position(after.transaction, 2**62)
    unread = select(EVENT.c.recorded_at).where(mine, between(after, end))
    first: datetime | None = connection.scalar(unread.order_by(EVENT.c.transaction, EVENT.c.id).limit(1))
    return first
