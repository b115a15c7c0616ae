"""Whose card may show something new: by the events since the last look, and by a sweep over all cards.

A fact leads to cards by its event: to its customer's, and to those of everybody who shares their account;
once more when its own time comes, if a till whose clock is ahead of ours recorded it before, or our own clock
has been ahead of itself.
What changes without an event is found by the sweep: a new version of the files, another day (bonuses begin,
an expiry comes near, a level's period moves on), a store that moved.
"""

import hashlib
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, Select, func, or_, select

from core.clock import Clock
from core.db import Database, dumps
from core.db.sets import among
from core.events import CURSOR, EVENT, START, Position, between, cursor, horizon, move_cursor
from core.tables import Customer, Store
from scheduler.kit import Kit
from wallet import updates
from wallet.tables import CURRENT, PASS
from wallet.updates import Faces

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
STORE = Store.__table__  # type: ignore[attr-defined]

READER, SWEEP = "wallet", "wallet:sweep"
# What every card may depend on, as it was when the last sweep began.
VERSION, DAY, STORES = "wallet:version", "wallet:day", "wallet:stores"
# Events read at once, so that an import of a million rows is no million rows in memory.
EVENTS_AT_ONCE = 5_000
# Cards filled in under one lock: a till waits no longer than for these.
CARDS_AT_ONCE = 100
# How old the look at the stores may be.
STORES_AGE = timedelta(minutes=1)
# With them a card comes to show what others have: also what was recorded before its time.
JOINED = ("household_joined", "customer_joined")


@dataclass(slots=True)
class Marked:
    """Customers whose cards were marked; `more` if there is more to look at already."""

    customers: list[int] = field(default_factory=list)
    more: bool = False


class CardChanges:
    """Finds and marks the cards of a database that show something new."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._stores: tuple[datetime, int] | None = None
        self._latest: datetime | None = None

    def hear(self, faces: Faces, wait: timedelta) -> Marked:
        """Mark the cards that the next events concern; they are due `wait` after the first was recorded.

        A crash repeats the reading, which changes nothing twice.
        """
        begun = self._clock.now()
        with self._database.read() as connection:
            heard = _heard(connection, begun)
            ahead = heard.holders if self._stepped_back(connection, begun) else heard.ahead
        marked: list[int] = []
        for ids in _some(heard.holders):
            with self._database.write() as connection:
                updates.lock_tags(connection)
                for gone in _gone(connection, ids):
                    updates.retire(connection, gone, self._clock.now())
                now = self._clock.now()
                left = max(timedelta(), (heard.first or now) + wait - now)
                marked += updates.mark(connection, ids, faces, now, left)
        self._look_again(ahead, begun)
        if heard.reached is not None:
            with self._database.write() as connection:
                move_cursor(connection, READER, heard.reached)
        return Marked(marked, heard.more)

    def begin(self, faces: Faces) -> list[int]:
        """Mark the cards for which something begins by now that was recorded before its time."""
        now, marked = self._clock.now(), list[int]()
        with self._database.read() as connection:
            due = connection.scalars(select(PASS.c.customer_id).where(CURRENT, PASS.c.look_at <= now)).all()
        for ids in _some(due):
            with self._database.write() as connection:
                marked += updates.mark(connection, ids, faces, now, timedelta(0))
        self._look_again(due, now)
        return marked

    def next_at(self) -> datetime | None:
        """When something begins next that was recorded before its time."""
        with self._database.read() as connection:
            ahead = select(PASS.c.look_at).where(CURRENT, PASS.c.look_at.is_not(None))
            first = ahead.order_by(PASS.c.look_at)
            found: datetime | None = connection.scalar(first.limit(1))
            return found

    def _look_again(self, customers: Sequence[int], after: datetime) -> None:
        for ids in _some(customers):
            with self._database.write() as connection:
                for customer_id in ids:
                    note_next(connection, customer_id, after)

    def _stepped_back(self, connection: Connection, now: datetime) -> bool:
        """Whether the clock has been later than now: what was recorded then is ahead once more.

        What it was before this process began, the newest events know.
        """
        if self._latest is None:
            newest = select(EVENT.c.recorded_at).order_by(EVENT.c.id.desc()).limit(EVENTS_AT_ONCE).subquery()
            self._latest = connection.scalar(select(func.max(newest.c.recorded_at))) or now
        self._latest = max(self._latest, now)
        return now < self._latest

    def sweep(self, kit: Kit, faces: Faces, wait: timedelta) -> Marked:
        """Look at some cards of a sweep, which begins when something has changed that all depend on.

        Where it stands is in the database: it goes on after a restart, and begins anew if something else
        changes meanwhile.
        """
        now = self._clock.now()
        with self._database.read() as connection:
            back = self._stepped_back(connection, now)
            begun = _begun(connection, self._conditions(connection, kit))
            place = START if begun else cursor(connection, SWEEP)
            if place is None:
                return Marked()
            ids = _next_holders(connection, place.event_id)
            # Under the lock only what seems to have changed: a quiet night writes next to nothing.
            changed, gone = updates.outdated(connection, ids, faces), _gone(connection, ids)
        with self._database.write() as connection:
            for customer_id in gone:
                updates.retire(connection, customer_id, self._clock.now())
            marked = updates.mark(connection, changed, faces, self._clock.now(), wait)
            for customer_id in marked if back else ():
                note_next(connection, customer_id, now)
            for reader, position in begun.items():
                move_cursor(connection, reader, position)
            _move_sweep(connection, ids[-1] if len(ids) == CARDS_AT_ONCE else None)
        return Marked(marked, more=len(ids) == CARDS_AT_ONCE)

    def _conditions(self, connection: Connection, kit: Kit) -> dict[str, Position]:
        running = kit.deck.running
        day = running.program.day_of(self._clock.now()).toordinal()
        near = self._near(connection) if kit.deck.card.near is not None else 0
        return {
            VERSION: Position(0, running.version), DAY: Position(0, day), STORES: Position(0, near),
        }  # fmt: skip

    def _near(self, connection: Connection) -> int:
        """A number that changes when a store does."""
        now = self._clock.now()
        if self._stores is None or now - self._stores[0] >= STORES_AGE:
            rows = connection.execute(select(STORE).order_by(STORE.c.code))
            said = hashlib.sha256(dumps([list(row) for row in rows]).encode()).digest()
            self._stores = now, int.from_bytes(said[:7])
        return self._stores[1]


@dataclass(frozen=True, slots=True)
class _Heard:
    """Holders of cards whom some events concern: the first recorded at `first`, the last at `reached`.

    `ahead` are those for whom an event's own time may be still to come.
    """

    holders: Sequence[int] = ()
    ahead: Sequence[int] = ()
    first: datetime | None = None
    reached: Position | None = None
    more: bool = False


def _heard(connection: Connection, now: datetime) -> _Heard:
    upto, after = horizon(connection), cursor(connection, READER)
    if after is None:  # the first sweep looks at everybody
        return _Heard(reached=upto)
    columns = (
        EVENT.c.transaction, EVENT.c.id, EVENT.c.customer_id, EVENT.c.kind, EVENT.c.at, EVENT.c.recorded_at,
    )  # fmt: skip
    order = select(*columns).where(between(after, upto)).order_by(EVENT.c.transaction, EVENT.c.id)
    rows = connection.execute(order.limit(EVENTS_AT_ONCE)).all()
    if not rows:
        return _Heard()
    more = len(rows) == EVENTS_AT_ONCE
    reached = Position(rows[-1].transaction, rows[-1].id) if more else upto
    holders = _holders(connection, {row.customer_id for row in rows})
    early = {row.customer_id for row in rows if row.at > now or row.kind in JOINED}
    ahead = _holders(connection, early) if early else ()
    return _Heard(holders, ahead, min(row.recorded_at for row in rows), reached, more)


def note_next(connection: Connection, customer_id: int, after: datetime) -> None:
    """Keep when the next of what is recorded already begins, with all cards that show this customer's.

    Whoever makes a card asks for it: the events were heard before there was a card.
    """
    updates.lock_tags(connection)  # several passes are changed
    sharing: list[int] = list(connection.scalars(_sharing(connection, {customer_id})))
    duplicates = connection.scalars(select(CUSTOMER.c.id).where(among(CUSTOMER.c.merged_into, sharing)))
    theirs = among(EVENT.c.customer_id, [*sharing, *duplicates])
    begins = select(func.min(EVENT.c.at)).where(theirs, EVENT.c.at > after)
    cards = PASS.update().where(CURRENT, among(PASS.c.customer_id, sharing))
    connection.execute(cards.values(look_at=connection.scalar(begins)))


def _holders(connection: Connection, customers: AbstractSet[int]) -> list[int]:
    """Who has a card and shares an account with one of these customers: what one buys, all of them see."""
    sharing = _sharing(connection, customers)
    holders = select(PASS.c.customer_id).where(CURRENT, PASS.c.customer_id.in_(sharing))
    return list(connection.scalars(holders.order_by(PASS.c.customer_id)))


def _sharing(connection: Connection, customers: AbstractSet[int]) -> Select[tuple[int]]:
    ids = sorted(customers)
    account = func.coalesce(CUSTOMER.c.household_id, CUSTOMER.c.id)
    heads = connection.scalars(select(account).where(among(CUSTOMER.c.id, ids)).distinct()).all()
    return select(CUSTOMER.c.id).where(
        or_(among(CUSTOMER.c.id, [*ids, *heads]), among(CUSTOMER.c.household_id, heads))
    )


def _begun(connection: Connection, conditions: dict[str, Position]) -> dict[str, Position]:
    """The conditions that are others than when the last sweep began."""
    rows = connection.execute(select(CURSOR).where(CURSOR.c.reader.in_(conditions)))
    known = {row.reader: Position(row.transaction, row.event_id) for row in rows}
    return {name: position for name, position in conditions.items() if known.get(name) != position}


def _next_holders(connection: Connection, after: int) -> list[int]:
    found = select(PASS.c.customer_id).where(CURRENT, PASS.c.customer_id > after)
    return list(connection.scalars(found.order_by(PASS.c.customer_id).limit(CARDS_AT_ONCE)))


def _move_sweep(connection: Connection, to: int | None) -> None:
    """The sweep has come so far; None: it is over."""
    if to is None:
        connection.execute(CURSOR.delete().where(CURSOR.c.reader == SWEEP))
    else:
        move_cursor(connection, SWEEP, Position(0, to))


def _gone(connection: Connection, ids: Sequence[int]) -> Sequence[int]:
    """Who was erased, and duplicates of somebody else, whose card is the survivor's: no till must take it."""
    gone = or_(CUSTOMER.c.merged_into.is_not(None), CUSTOMER.c.erased_at.is_not(None))
    return connection.scalars(select(CUSTOMER.c.id).where(CUSTOMER.c.id.in_(ids), gone)).all()


def _some(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), CARDS_AT_ONCE):
        yield ids[start : start + CARDS_AT_ONCE]
