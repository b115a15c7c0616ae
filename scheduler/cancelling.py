"""A scenario's waiting messages are taken back by hand: what was planned until then leaves no more.

The moment is kept with the scenario. What a sender has in hand is put back as soon as it reads of it, and
recalled when it is claimed once more; so is what would be tried again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, literal, literal_column, or_, select, update

from campaigns.states import keep_states
from campaigns.tables import WAITING, Message
from campaigns.versions import STATE
from core.db import Database, UtcDateTime
from core.db.sets import among
from scheduler import tally
from scheduler.outbox import Turn, anchor, doubtful, ended, write

MESSAGE = Message.__table__  # type: ignore[attr-defined]
CANCELLED = "cancelled"
# How many messages one transaction takes back: senders and looks go on in between.
AT_A_TIME = 5_000

# Scenario, and the moment of its cancellation or None while it is paused.
Halt = tuple[str, datetime | None]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """How many messages were recalled; how many may have left, or are on their way and come to their end."""

    recalled: int
    perhaps: int
    leaving: int


def cancelled(connection: Connection) -> dict[str, datetime]:
    """Scenario → until when what was planned has been cancelled."""
    found = select(STATE.c.name, STATE.c.cancelled_at).where(STATE.c.cancelled_at.is_not(None))
    return {row.name: row.cancelled_at for row in connection.execute(found)}


def halts(connection: Connection) -> frozenset[Halt]:
    """What somebody has paused or cancelled: a sender that finds a new one looks at what it has in hand."""
    paused = STATE.c.status == "paused"
    found = select(STATE.c.name, STATE.c.status, STATE.c.cancelled_at)
    rows = connection.execute(found.where(or_(paused, STATE.c.cancelled_at.is_not(None)))).all()
    return frozenset(
        {(row.name, None) for row in rows if row.status == "paused"}
        | {(row.name, row.cancelled_at) for row in rows if row.cancelled_at is not None}
    )


def waiting_of(connection: Connection, scenario: str) -> int:
    """How many messages of a scenario wait."""
    waits = select(func.count()).select_from(MESSAGE).where(_waits(), MESSAGE.c.scenario == scenario)
    return connection.scalar(waits) or 0


def cancel(database: Database, scenario: str, at: datetime) -> Cancelled:
    """Recall what waits, in steps; their places in allowances are free again."""
    with database.write() as connection:
        until = _mark(connection, scenario, at)
    recalled = perhaps = 0
    while True:
        with database.write() as connection:
            rows = _some(connection, scenario, until)
            doubts = _take_back(connection, rows, at)
        recalled, perhaps = recalled + len(rows) - doubts, perhaps + doubts
        if len(rows) < AT_A_TIME:
            break
    with database.read() as connection:
        sending = (MESSAGE.c.state == literal_column("'sending'")) & (MESSAGE.c.scenario == scenario)
        leaving = connection.scalar(select(func.count()).select_from(MESSAGE).where(sending)) or 0
    return Cancelled(recalled, perhaps, leaving)


def _mark(connection: Connection, scenario: str, at: datetime) -> datetime:
    """Until when what was planned is cancelled: all that waits, also by a clock that is ahead of ours."""
    mine = update(STATE).where(STATE.c.name == scenario)
    # First: a look under way is waited for.
    connection.execute(mine.values(cancelled_at=at))
    newest = select(func.max(MESSAGE.c.planned_at)).where(_waits(), MESSAGE.c.scenario == scenario)
    until = max(at, connection.scalar(newest) or at)
    if until > at:
        connection.execute(mine.values(cancelled_at=until))
    return until


def _waits() -> Any:
    # Spelled out: an index on a part of the table serves only a condition that repeats it to the letter.
    return MESSAGE.c.state.in_([literal_column(f"'{state}'") for state in WAITING])


def _some(connection: Connection, scenario: str, until: datetime) -> Sequence[Any]:
    mine = select(MESSAGE).where(_waits(), MESSAGE.c.scenario == scenario)
    mine = mine.where(MESSAGE.c.planned_at <= literal(until, UtcDateTime)).limit(AT_A_TIME)
    return connection.execute(mine.with_for_update(skip_locked=True)).all()


def _take_back(connection: Connection, rows: Sequence[Any], at: datetime) -> int:
    """Returns of how many an earlier try may have left: these are *unknown*."""
    perhaps = doubtful(connection, [row for row in rows if row.tries])
    others = [row for row in rows if row.id in perhaps or row.accepted_at is not None]
    theirs = {row.id for row in others}
    plain = [row.id for row in rows if row.id not in theirs]
    values = {"state": "recalled", "reason": CANCELLED, "detail": None, "changed_at": at}
    connection.execute(update(MESSAGE).where(among(MESSAGE.c.id, plain)).values(**values))
    keep_states(connection, plain)
    anchor(connection, plain, at)
    channels = Counter(row.channel for row in rows if row.id not in theirs)
    tally.add(connection, {(tally.MESSAGE, it, "recalled", CANCELLED): n for it, n in channels.items()})
    write(connection, [_turn(row, row.id in perhaps) for row in others], at)
    return len(perhaps)


def _turn(row: Any, perhaps: bool) -> Turn:
    return ended(row, "unknown" if perhaps else "recalled", CANCELLED)
