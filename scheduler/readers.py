"""Who reads the stream of events, and how far behind each is."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select, true

from campaigns.running import Running
from campaigns.versions import STATE, reader_of
from core.events import CURSOR, EVENT, Position, between
from scheduler.card_changes import READER as CARDS
from triggers import discover
from triggers.base import EventTrigger

# Beyond the horizon, too: a transaction that does not end holds up every reader.
END = Position(2**62, 2**62)


def lags(connection: Connection, running: Running, at: datetime) -> dict[str, float]:
    """Seconds since the oldest event that a reader has yet to read was recorded; 0 for one that is through.

    Readers are the active scenarios on events, by their names, and `cards`; one that never read is left out.
    """
    reached = {row.reader: row for row in connection.execute(select(CURSOR))}
    active = set(connection.scalars(select(STATE.c.name).where(STATE.c.status == "active")))
    found: dict[str, float] = {}
    for name, scenario in running.scenarios.items():
        trigger = discover()[scenario.trigger]
        row = reached.get(reader_of(name))
        if isinstance(trigger, EventTrigger) and row is not None and name in active:
            mine = (EVENT.c.kind == trigger.event_of(scenario.parameters)) & EVENT.c.live
            found[name] = _lag(connection, Position(row.transaction, row.event_id), mine, at)
    if (row := reached.get(CARDS)) is not None:
        found["cards"] = _lag(connection, Position(row.transaction, row.event_id), true(), at)
    return found


def _lag(connection: Connection, after: Position, mine: ColumnElement[bool], at: datetime) -> float:
    # Every event has the transaction 0 on SQLite, which seeks within one only (core.events).
    end = END if connection.dialect.name == "postgresql" else Position(after.transaction, 2**62)
    unread = select(EVENT.c.recorded_at).where(mine, between(after, end))
    first: datetime | None = connection.scalar(unread.order_by(EVENT.c.transaction, EVENT.c.id).limit(1))
    return max(0.0, (at - first).total_seconds()) if first is not None else 0.0
