"""Letting go what `retention` does not keep: in small transactions, from the oldest on, as long as it may.

Rows are walked by their ids, which rise with time. How far each walk came is kept with what it took, so a
night that was broken off is gone on with, and the next one begins where the last one ended: it reads what
has grown old since, not what exists. What was passed by, since something still needed it, is looked at
again once a month.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    func,
    literal,
    select,
    text,
    true,
    update,
)

from campaigns.gone import note_gone
from campaigns.running import Running
from campaigns.tables import Decision
from campaigns.versions import Live
from campaigns.windows import of_all
from core.clock import Clock
from core.db import Database, UtcDateTime
from core.db.sets import among
from core.events import CURSOR, START, Position, cursor, move_cursor
from core.imports.parts import forget_left
from core.tables import Customer
from scheduler.forgetting import forget_again
from scheduler.retention import KINDS, Kind

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
DECISION = Decision.__table__  # type: ignore[attr-defined]

# Rows, messages with what hangs on them, and customers with their decisions, in one transaction.
ROWS, MESSAGES, CUSTOMERS = 2_000, 500, 500
# So often a walk begins anew; within as many nights the decisions of all customers are gone through.
ROUND_DAYS = 30
# The cursors of a night: when it was, when the round began, how far the decisions were gone through.
NIGHT, ROUND, DECISIONS = "kept:night", "kept:round", "kept:decisions"
# From this hour of the program on, for so long at a stretch; seconds in which others come to write.
NIGHTLY_HOUR, STRETCH, BREATH = 3, timedelta(seconds=60), 0.02
LOG = structlog.get_logger("tidings.retention")


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows of which kind went, or would; `more` is left for another time."""

    rows: Counter[str] = field(default_factory=Counter)
    more: bool = False


class Nights:
    """Lets go what has grown old, once a night, in the process that beats by the clock."""

    def __init__(self, database: Database, live: Live, clock: Clock) -> None:
        self._database, self._live, self._clock, self._stopped = database, live, clock, Event()

    def stop(self) -> None:
        """End after the transaction under way; the next night goes on."""
        self._stopped.set()

    async def look(self) -> None:
        """The beat's work. What took its minute goes on at the next ring."""
        done = await asyncio.to_thread(self.prune)
        if done is not None and done.rows.total():
            LOG.info("retention", **done.rows)

    def prune(self) -> Pruned | None:
        """What `look` does; None while it is day, or when it was done."""
        at, running = self._clock.now(), self._live.running()
        local = at.astimezone(running.program.zone)
        tonight = Position(0, local.date().toordinal())
        with self._database.read() as connection:
            if local.hour < NIGHTLY_HOUR or (cursor(connection, NIGHT) or START) >= tonight:
                return None
        done = prune(self._database, running, at, go_on=lambda: self._go_on(at + STRETCH), nights=ROUND_DAYS)
        if not done.more:
            with self._database.write() as connection:
                move_cursor(connection, NIGHT, tonight)
        return done

    def _go_on(self, until: datetime) -> bool:
        return not self._stopped.wait(BREATH) and self._clock.now() < until


def prune(
    database: Database, running: Running, at: datetime, *, go_on: Callable[[], bool] = lambda: True,
    dry: bool = False, nights: int = 1,
) -> Pruned:  # fmt: skip
    """Let go what is too old at a time; `dry` counts it and changes nothing.

    `go_on` is asked after each transaction; it may wait, so that others come to write. `nights` is in how
    many calls all decisions are gone through.
    """
    done = Pruned()
    anew = _round_is_over(database, running, at)
    if anew and not dry:
        _begin_round(database, running, at)
    if not dry:
        forget_again(database, at)
        with database.write() as connection:
            forget_left(connection, at)
    decisions = _decisions_counted if dry else partial(_decisions, nights=nights)
    for steps in (_by_id(database, running, at, dry, anew), decisions(database, running, at)):
        for name, rows in steps:
            done.rows[name] += rows
            if not go_on():
                return Pruned(done.rows, more=True)
    return done


def oldest_kept(running: Running, kind: str, at: datetime) -> datetime | None:
    """What is older may go; None if nothing may. What the files ask for stays, whatever `retention` says."""
    program = running.program
    before = program.retention.of(kind).before(at, program.zone)
    asked = of_all(program, running.scenarios.values(), running.segments)
    if before is None or kind not in asked:
        return before
    span = asked[kind]
    return min(before, span.ago(at, program.zone)) if span is not None else None


def _round_is_over(database: Database, running: Running, at: datetime) -> bool:
    with database.read() as connection:
        begun = cursor(connection, ROUND)
    return begun is None or running.program.day_of(at).toordinal() - begun.event_id >= ROUND_DAYS


def _begin_round(database: Database, running: Running, at: datetime) -> None:
    """Walk from the beginning once a month: what was still needed then may go now."""
    with database.write() as connection:
        connection.execute(delete(CURSOR).where(CURSOR.c.reader.in_([kind.mark for kind in KINDS])))
        move_cursor(connection, ROUND, Position(0, running.program.day_of(at).toordinal()))


# --- what has ids


def _by_id(
    database: Database, running: Running, at: datetime, dry: bool, anew: bool
) -> Iterator[tuple[str, int]]:
    for kind in KINDS:
        before = oldest_kept(running, kind.name, at)
        walk = _walk(database, running, kind, before, dry, anew) if before is not None else ()
        yield from ((kind.name, rows) for rows in walk)


def _walk(
    database: Database, running: Running, kind: Kind, before: datetime, dry: bool, anew: bool
) -> Iterator[int]:
    """One transaction after the other; how many rows went in each."""
    after = 0 if anew else None
    while True:
        with database.read() if dry else database.write() as connection:
            if after is None:
                after = (cursor(connection, kind.mark) or START).event_id
            last = _end(connection, kind, before, after)
            if last is None:
                return
            rows = _which(kind, before, after, last).where(kind.may_go(connection, running))
            went = _count(connection, rows) if dry else _take(connection, kind, rows, before, last)
        after = last
        yield went


def _end(connection: Connection, kind: Kind, before: datetime, after: int) -> int | None:
    """The last of the next rows that is old; None if none of them is."""
    number = kind.table.c.id
    page = select(number, kind.born.label("born")).where(number > after).order_by(number)
    next_ones = page.limit(MESSAGES if kind.with_it else ROWS).subquery("next_ones")
    old = next_ones.c.born < literal(before, UtcDateTime)
    last: int | None = connection.scalar(select(func.max(next_ones.c.id)).where(old))
    return last


def _which(kind: Kind, before: datetime, after: int, last: int) -> Select[Any]:
    """The ids of those that go. The newest row of a table stays: SQLite gives its number to the next one."""
    number = kind.table.c.id
    other = kind.table.alias("other")
    newest = number < select(func.max(other.c.id)).scalar_subquery()
    old = and_(number > after, number <= last, kind.aged < literal(before, UtcDateTime))
    return select(number).where(old, newest if kind.values is None else true())


def _count(connection: Connection, rows: Select[Any]) -> int:
    return connection.scalar(select(func.count()).select_from(rows.subquery("rows"))) or 0


def _take(connection: Connection, kind: Kind, rows: Select[Any], before: datetime, last: int) -> int:
    """Delete or empty them, and remember how far the walk has come."""
    _wipe_freed_space(connection)
    # Held, where others hang on them: what comes to one of these meanwhile is seen here, or finds it gone.
    ids = list(connection.scalars(rows.with_for_update(of=kind.table) if kind.with_it else rows))
    mine = among(kind.table.c.id, ids)
    if ids and kind.values is not None:
        connection.execute(update(kind.table).where(mine).values(**kind.values))
    elif ids:
        for table in kind.with_it:
            connection.execute(delete(table).where(among(table.c.message_id, ids)))
        connection.execute(delete(kind.table).where(mine))
        note_gone(connection, kind.name, before)
    move_cursor(connection, kind.mark, Position(0, last))
    return len(ids)


def _wipe_freed_space(connection: Connection) -> None:
    """SQLite leaves removed text in the file unless it is told not to."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA secure_delete = ON"))


# --- decisions, which have none


def _decisions(
    database: Database, running: Running, at: datetime, *, nights: int
) -> Iterator[tuple[str, int]]:
    """Some customers at a time, in the order of the key: an index by age would cost every look more."""
    before = oldest_kept(running, "decisions", at)
    if before is None:
        return
    with database.read() as connection:
        everybody = connection.scalar(select(func.max(CUSTOMER.c.id))) or 0
    for _ in range(everybody // nights // CUSTOMERS + 1):
        with database.write() as connection:
            rows = _of_some(connection, before, everybody)
        yield "decisions", rows


def _of_some(connection: Connection, before: datetime, everybody: int) -> int:
    first = (cursor(connection, DECISIONS) or START).event_id
    end = first + CUSTOMERS
    theirs = and_(DECISION.c.customer_id > first, DECISION.c.customer_id <= end)
    rows = connection.execute(delete(DECISION).where(theirs, _is_old(before))).rowcount
    if rows:
        note_gone(connection, "decisions", before)
    move_cursor(connection, DECISIONS, Position(0, end if end < everybody else 0))
    return rows


def _decisions_counted(database: Database, running: Running, at: datetime) -> Iterator[tuple[str, int]]:
    before = oldest_kept(running, "decisions", at)
    if before is not None:
        with database.read() as connection:
            rows = connection.scalar(select(func.count()).select_from(DECISION).where(_is_old(before)))
        yield "decisions", rows or 0


def _is_old(before: datetime) -> ColumnElement[bool]:
    old: ColumnElement[bool] = DECISION.c.at < literal(before, UtcDateTime)
    return old
