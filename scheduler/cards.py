"""The wallet beat: whose card shows something new, which phones are woken, what Google is told.

Facts lead to cards by the events: each customer of an event since the last beat gets their card computed
anew, and only where it shows something else than before is anything owed to a wallet.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, literal, or_, select

from campaigns.versions import Live, live_version
from core.clock import Clock
from core.db import Database, UtcDateTime
from core.events import CURSOR, EVENT, Position, between, cursor, horizon, move_cursor
from core.links import Links
from core.program import Program
from core.tables import Customer, Lot, Receipt
from core.tiers import period_began
from scheduler.kit import Kit, KitMaker
from wallet import passes, updates
from wallet.design import Face
from wallet.google.client import Outcome, Wallet
from wallet.live import google_round, push_round
from wallet.tables import DEVICE, PASS, REGISTRATION

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
LOT = Lot.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]

READER, DAY, VERSION = "wallet", "wallet:day", "wallet:version"
# The facts of one receipt are one transaction; half a second gathers what comes at the till in one go.
COALESCE = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True)
class CardChange:
    """A card that shows something new.

    `devices` is how many were owed a push, `google` is `none`, `written` or `waiting`.
    """

    customer: str
    serial: str
    tier: str | None
    shows: dict[str, str]
    devices: int
    google: str


@dataclass(slots=True)
class CardsDone:
    """What one beat did: cards that changed, outcomes of pushes and of Google; `notes` on the set-up."""

    changed: list[CardChange] = field(default_factory=list)
    pushes: Counter[str] = field(default_factory=Counter)
    google: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changed or self.pushes or self.google)


@dataclass(frozen=True, slots=True)
class Issued:
    """A customer's card, ready to be added. A wallet that the program has not is None.

    `trouble` says why Google did not take the card.
    """

    serial: str
    face: Face
    pkpass: bytes | None
    google_link: str | None
    trouble: str | None = None
    notes: tuple[str, ...] = ()


class Cards:
    """The cards of one database: brought up to date by `beat`, handed out by `issue`.

    `outbox` takes what the folder transports write, `private` (`.tidings`) the throw-away certificates.
    """

    def __init__(
        self, database: Database, live: Live, links: Callable[[Program], Links], clock: Clock,
        *, outbox: Path, private: Path, env_file: Path | None = None,
    ) -> None:  # fmt: skip
        self._database, self._live, self._clock = database, live, clock
        self._kits = KitMaker(links, clock, outbox=outbox, private=private, env_file=env_file)

    # --- what a card is now

    def kit(self) -> Kit | None:
        """What the live version needs for its card; None if it has no card. Problems if its file is wrong."""
        return self._kits.of(self._live.running())

    def face(self, customer_id: int) -> Face | None:
        """The customer's card as it is now; None without a card in the workspace."""
        kit = self.kit()
        if kit is None:
            return None
        with self._database.read() as connection:
            return kit.deck.faces(connection, [customer_id], self._clock.now()).get(customer_id)

    def build(self, connection: Connection, row: Row[Any]) -> bytes:
        """The signed Apple pass of a row of `wallet_pass`."""
        kit = self.kit()
        if kit is None or kit.packager is None:
            raise LookupError("the live version has no Apple card")
        face = kit.deck.faces(connection, [row.customer_id], self._clock.now())[row.customer_id]
        return kit.packager.build(face, row.serial, row.token, voided=row.voided)

    # --- handing out

    def apple_pass(self, customer_id: int) -> bytes | None:
        """The customer's `.pkpass`, issued if they have none yet; None if the program has no Apple card."""
        kit = self.kit()
        if kit is None or kit.packager is None:
            return None
        with self._database.write() as connection:
            row, face = self._issued(connection, kit, customer_id)
            passes.fetched(connection, customer_id, self._clock.now())
        return kit.packager.build(face, row.serial, row.token, voided=row.voided)

    async def google_link(self, customer_id: int) -> tuple[str | None, str | None]:
        """The link that saves the card to Google Wallet, or why there is none.

        Its object is written first. Both are None if the program has no Google card.
        """
        kit = await asyncio.to_thread(self.kit)
        if kit is None or kit.google is None:
            return None, None
        row, face = await asyncio.to_thread(self._issue, kit, customer_id)
        wallet = self._kits.wallet(kit)
        written = await kit.google.cards(wallet).write(
            face, row.serial, exists=row.google_object_id is not None, voided=row.voided
        )
        if written.outcome not in (Outcome.WRITTEN, Outcome.QUOTA):
            return None, f"{written.outcome.value}: {written.reason}"
        await asyncio.to_thread(self._note_object, kit, wallet, row, face)
        return kit.google.save_link(wallet, face, row.serial, self._clock.now()), None

    async def issue(self, customer_id: int) -> Issued | None:
        """The customer's card for both wallets, the same serial ever after; None without a card."""
        kit = await asyncio.to_thread(self.kit)
        if kit is None:
            return None
        row, face = await asyncio.to_thread(self._issue, kit, customer_id)
        content = await asyncio.to_thread(self.apple_pass, customer_id)
        link, trouble = await self.google_link(customer_id)
        return Issued(row.serial, face, content, link, trouble, kit.notes)

    def _issue(self, kit: Kit, customer_id: int) -> tuple[Row[Any], Face]:
        with self._database.write() as connection:
            return self._issued(connection, kit, customer_id)

    def _issued(self, connection: Connection, kit: Kit, customer_id: int) -> tuple[Row[Any], Face]:
        face = kit.deck.faces(connection, [customer_id], self._clock.now())[customer_id]
        return passes.issue(connection, customer_id, face, self._clock.now()), face

    def _note_object(self, kit: Kit, wallet: Wallet, row: Row[Any], face: Face) -> None:
        if kit.google is None:
            return
        known, _ = kit.google.cards(wallet).ids(face, row.serial)
        with self._database.write() as connection:
            updates.google_written(connection, row, face, self._clock.now(), object_id=known, notified=False)

    # --- the beat

    async def beat(self, wait: timedelta = COALESCE) -> CardsDone:
        """Mark what changed and send what is due; a change is due `wait` after it was first seen."""
        kit = await asyncio.to_thread(self.kit)
        if kit is None:
            return CardsDone()
        marked = await asyncio.to_thread(self._mark, kit, wait)
        done = CardsDone(notes=kit.notes)
        while kit.packager is not None and await asyncio.to_thread(self._due, DEVICE.c.push_at):
            done.pushes += await push_round(self._database, self._kits.pusher(kit), self._clock)
        while kit.google is not None and await asyncio.to_thread(self._due, PASS.c.google_try_at):
            cards = kit.google.cards(self._kits.wallet(kit))
            done.google += await google_round(self._database, cards, self._faces(kit), self._clock)
        done.changed = await asyncio.to_thread(self._describe, kit, marked)
        return done

    async def close(self) -> None:
        """Give back connections to Apple and Google."""
        await self._kits.close()

    def _faces(self, kit: Kit) -> updates.Faces:
        return lambda connection, ids: kit.deck.faces(connection, ids, self._clock.now())

    def _due(self, column: Any) -> bool:
        """A cheap look, so that an idle beat takes no write lock."""
        with self._database.read() as connection:
            now = literal(self._clock.now(), UtcDateTime)
            return bool(connection.scalar(select(exists().where(column <= now))))

    def _mark(self, kit: Kit, wait: timedelta) -> list[int]:
        """Mark what changed since the last beat. A crash repeats the reading, which changes nothing twice."""
        now = self._clock.now()
        with self._database.read() as connection:
            news = _read(connection, kit.deck.running.program, now)
        marked: list[int] = []
        for ids in _batches(news.customers):
            with self._database.write() as connection:
                if duplicates := _merged(connection, ids):
                    passes.void(connection, duplicates)
                marked += updates.mark(connection, ids, self._faces(kit), now, wait)
        if news.moves:
            with self._database.write() as connection:
                for reader, position in news.moves.items():
                    move_cursor(connection, reader, position)
        return marked

    def _describe(self, kit: Kit, ids: Sequence[int]) -> list[CardChange]:
        changes: list[CardChange] = []
        for some in _batches(ids):
            with self._database.read() as connection:
                faces = self._faces(kit)(connection, some)
                rows = [row for row in _shown(connection, some) if row.customer_id in faces]
                changes += [_change(row, faces[row.customer_id]) for row in rows]
        return changes


def _shown(connection: Connection, ids: Sequence[int]) -> Sequence[Row[Any]]:
    devices = select(func.count()).where(REGISTRATION.c.customer_id == PASS.c.customer_id).scalar_subquery()
    rows = select(PASS, CUSTOMER.c.external_id, devices.label("devices"))
    own = rows.join(CUSTOMER, CUSTOMER.c.id == PASS.c.customer_id)
    return connection.execute(own.where(PASS.c.customer_id.in_(ids)).order_by(PASS.c.customer_id)).all()


def _change(row: Row[Any], face: Face) -> CardChange:
    google = "none" if row.google_object_id is None else "waiting" if row.google_try_at else "written"
    shows = {shown.label: shown.value for shown in face.front}
    return CardChange(row.external_id, row.serial, face.tier, shows, row.devices, google)


@dataclass(slots=True)
class _News:
    """Customers with a pass whose card may have changed, and how far that was read."""

    customers: list[int] = field(default_factory=list)
    moves: dict[str, Position] = field(default_factory=dict)


def _read(connection: Connection, program: Program, now: datetime) -> _News:
    upto, after = horizon(connection), cursor(connection, READER)
    version, day = live_version(connection), program.day_of(now).toordinal()
    holders = select(PASS.c.customer_id)
    if after is None or _place(connection, VERSION) != version:
        # A new version may have another design, other tiers, other words: every card is looked at once.
        everybody = sorted(connection.scalars(holders))
        return _News(everybody, {READER: upto, VERSION: Position(0, version), DAY: Position(0, day)})
    news = _News()
    here = between(after, upto)
    if connection.scalar(select(EVENT.c.id).where(here).limit(1)) is not None:
        news.moves[READER] = upto
        moved = select(EVENT.c.customer_id).where(here)
        news.customers += connection.scalars(holders.where(PASS.c.customer_id.in_(moved)))
    if (before := _place(connection, DAY)) != day:
        news.moves[DAY] = Position(0, day)
        since = now - timedelta(days=day - before) if before else now
        news.customers += connection.scalars(holders.where(_by_time(program, now, since)))
    news.customers = sorted(set(news.customers))
    return news


def _place(connection: Connection, reader: str) -> int:
    return connection.scalar(select(CURSOR.c.event_id).where(CURSOR.c.reader == reader)) or 0


def _by_time(program: Program, now: datetime, since: datetime) -> Any:
    """What time alone changes on a card: bonuses that began, purchases that the tier's period left behind."""
    at, then = literal(now, UtcDateTime), literal(since, UtcDateTime)
    own_lot = and_(LOT.c.customer_id == PASS.c.customer_id, LOT.c.remaining != 0)
    began = exists().where(own_lot, LOT.c.active_from > then, LOT.c.active_from <= at)
    left = exists().where(
        RECEIPT.c.customer_id == PASS.c.customer_id,
        RECEIPT.c.at >= literal(period_began(program, since), UtcDateTime),
        RECEIPT.c.at < literal(period_began(program, now), UtcDateTime),
    )
    return or_(began, left)


def _merged(connection: Connection, ids: Sequence[int]) -> Sequence[int]:
    """Duplicates of somebody else: their card is the survivor's, and a till must not take it."""
    gone = select(CUSTOMER.c.id).where(CUSTOMER.c.id.in_(ids), CUSTOMER.c.merged_into.is_not(None))
    return connection.scalars(gone).all()


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), updates.BATCH):
        yield ids[start : start + updates.BATCH]
