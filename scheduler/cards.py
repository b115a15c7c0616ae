"""The wallet beat: whose card shows something new, which phones are woken, what Google is told.

Facts lead to cards by the events: each customer of an event since the last beat gets their card computed
anew, and only where it shows something else than before is anything owed to a wallet.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Row, func, select

from campaigns.versions import Live
from core.clock import Clock
from core.db import Database
from core.errors import EnvironmentFault
from core.links import Links
from core.program import Program
from core.tables import Customer
from scheduler.board import report, take_off
from scheduler.card_changes import CardChanges, note_next
from scheduler.kit import Kit, KitMaker
from wallet import copies, passes, updates
from wallet.apple import owing
from wallet.apple.live import Rest, Waking
from wallet.design import Face
from wallet.google.due import next_due as next_object_due
from wallet.google.live import GOOD, google_round, write_now
from wallet.showing import showing
from wallet.tables import CURRENT, PASS, REGISTRATION
from wallet.updates import COALESCE

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
LOG = structlog.get_logger("tidings.cards")

# Of so many changed cards it is told what they show; the others are counted.
TOLD_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class CardChange:
    """A card that shows something new.

    `devices` is how many were owed a push, `google` is `none`, `written` or `waiting`.
    """

    customer: str
    serial: str
    tier: str | None
    shows: dict[str, str] = field(repr=False)
    devices: int
    google: str


@dataclass(slots=True)
class CardsDone:
    """What one beat did: how many cards were `marked`, outcomes of pushes and of Google.

    `changed` are the first of the marked cards (100 at most), `notes` is on the set-up. There is `more` to
    look at already, or nothing before `next_at`; None if nothing is owed.
    """

    changed: list[CardChange] = field(default_factory=list)
    marked: int = 0
    pushes: Counter[str] = field(default_factory=Counter)
    google: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()
    more: bool = False
    next_at: datetime | None = None

    def __bool__(self) -> bool:
        return bool(self.marked or self.pushes or self.google)


@dataclass(frozen=True, slots=True)
class Issued:
    """A customer's card, ready to be added. A wallet that the program has not is None.

    `trouble` says why Google did not take the card.
    """

    serial: str
    face: Face
    pkpass: bytes | None = field(repr=False)
    google_link: str | None = field(repr=False)
    trouble: str | None = None
    notes: tuple[str, ...] = ()


class Unfillable(EnvironmentFault):
    """the card cannot be filled in just now; the log says why"""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


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
        self._changes, self._rest = CardChanges(database, clock), Rest()
        self._waking = asyncio.Lock()

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

    def faces(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, Face]:
        """The cards of customers as they are now; whose card cannot be filled in is left out."""
        kit = self.kit()
        return kit.deck.faces(connection, ids, self._clock.now()) if kit else {}

    def packed(self, face: Face, row: Row[Any]) -> bytes:
        """The signed Apple pass of a row of `wallet_pass`, showing `face`; empty if it was replaced."""
        kit = self.kit()
        if kit is None or kit.packager is None:
            raise LookupError("the live version has no Apple card")
        if row.replaced_at is not None:
            face = face.emptied()
        return kit.packager.build(face, row.serial, row.token, row.changed_at, voided=row.voided)

    # --- handing out

    def apple_pass(self, customer_id: int) -> bytes | None:
        """The customer's `.pkpass`, issued if they have none yet; None if the program has no Apple card."""
        kit = self.kit()
        if kit is None or kit.packager is None:
            return None
        with self._database.write() as connection:
            row, _ = self._issued(connection, kit, customer_id)
        found = showing(self._database, row.serial, self.faces, self._clock)
        if found.face is None:
            raise Unfillable
        with self._database.write() as connection:
            copies.handed_out(connection, found.row, self._clock.now())
        return self.packed(found.face, found.row)

    async def google_link(self, customer_id: int) -> tuple[str | None, str | None]:
        """The link that saves the card to Google Wallet, or why there is none.

        Its object is written first. Both are None if the program has no Google card.
        """
        kit = await asyncio.to_thread(self.kit)
        if kit is None or kit.google is None:
            return None, None
        row, face = await asyncio.to_thread(self._issue, kit, customer_id)
        wallet = self._kits.wallet(kit)
        cards, faces = kit.google.cards(wallet), self._faces(kit)
        written = await write_now(self._database, cards, row.serial, faces, self._clock)
        if written.outcome not in GOOD:
            return None, f"{written.outcome.value}: {written.reason}"
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
        now = self._clock.now()
        face = kit.deck.faces(connection, [customer_id], now).get(customer_id)
        if face is None:
            raise Unfillable
        row = passes.issue(connection, customer_id, face, now)
        if row.issued_at == now:
            note_next(connection, customer_id, now)
        return row, face

    # --- the beat

    async def beat(self, wait: timedelta = COALESCE) -> CardsDone:
        """Mark what changed and send what is due, until nothing is: `wait` after a change was seen."""
        done, told = CardsDone(), list[int]()
        while True:
            part, marked = await self._look(wait)
            done.notes, done.marked, done.pushes = (
                part.notes,
                done.marked + part.marked,
                done.pushes + part.pushes,
            )
            told += marked[: TOLD_AT_MOST - len(told)]
            if not part.more:
                break
        done.google = await self.tell_google()
        if told and (kit := await asyncio.to_thread(self.kit)) is not None:
            done.changed = await asyncio.to_thread(self._describe, kit, told)
        return done

    async def look(self, wait: timedelta = COALESCE) -> CardsDone:
        """A part of it, soon over: what events say, the phones that are due, and a step of the sweep."""
        return (await self._look(wait))[0]

    async def _look(self, wait: timedelta) -> tuple[CardsDone, list[int]]:
        kit = await asyncio.to_thread(self.kit)
        if kit is None:
            return CardsDone(), []
        try:
            pushes = await self._push(kit)  # what is due goes before what comes to be due
        except EnvironmentFault:  # a setting of Apple's that is wrong holds up no card at Google
            await asyncio.to_thread(self._mark, kit, wait)
            raise
        marked, more = await asyncio.to_thread(self._mark, kit, wait)
        done = CardsDone(marked=len(marked), pushes=pushes, notes=kit.notes, more=more)
        if kit.packager is not None:
            done.pushes += await self._push(kit)
        done.next_at = await asyncio.to_thread(self._next, kit)
        await asyncio.to_thread(report, self._database, self._clock.now())
        return done, marked

    async def wake(self) -> Counter[str]:
        """Wake the phones that are due, as other processes do; nothing while this one is at it already."""
        kit = await asyncio.to_thread(self.kit)
        return await self._push(kit) if kit is not None and not self._waking.locked() else Counter[str]()

    async def tell_google(self, at_most: timedelta | None = None) -> Counter[str]:
        """Bring the objects that are due up to date, for so long `at_most`. Counts outcomes."""
        counts: Counter[str] = Counter()
        kit = await asyncio.to_thread(self.kit)
        begun = self._clock.now()
        while kit is not None and kit.google is not None and await asyncio.to_thread(self._google_is_due):
            cards = kit.google.cards(self._kits.wallet(kit))
            counts += await google_round(self._database, cards, self._faces(kit), self._clock)
            if at_most is not None and self._clock.now() - begun >= at_most:
                break
        return counts

    async def close(self) -> None:
        """Give back connections to Apple and Google."""
        await self._kits.close()

    def _faces(self, kit: Kit) -> updates.Faces:
        return lambda connection, ids: kit.deck.faces(connection, ids, self._clock.now())

    def _mark(self, kit: Kit, wait: timedelta) -> tuple[list[int], bool]:
        """Live changes first: the sweep goes on only when all that happened was looked at."""
        faces, at = self._faces(kit), self._clock.now()
        heard = self._changes.hear(faces, wait)
        marked = heard.customers + self._changes.begin(faces) + take_off(self._database, faces, at)
        if heard.more:
            return marked, True
        swept = self._changes.sweep(kit, faces, wait)
        return marked + swept.customers, swept.more

    async def _push(self, kit: Kit) -> Counter[str]:
        async with self._waking:
            return await self._push_all(kit)

    async def _push_all(self, kit: Kit) -> Counter[str]:
        """Wake the phones that are due. What stops all of them is told once, and when it is over."""
        counts, before = Counter[str](), self._rest.trouble
        waking = Waking(self._database, self._clock, self._rest)
        while kit.packager is not None and await asyncio.to_thread(self._push_is_due):
            if not (pushed := await waking.push_due(self._kits.pusher(kit))):
                break  # somebody else has them in hand
            counts += pushed
        if (trouble := self._rest.trouble) != before:
            if trouble is None:
                LOG.info("apple takes pushes again")
            else:
                LOG.error("apple takes no pushes; cards wait", reason=trouble)
        return counts

    def _push_is_due(self) -> bool:
        due, now = self._next_push(), self._clock.now()
        return due is not None and due <= now

    def _next(self, kit: Kit) -> datetime | None:
        """When there is something to do without anything happening before."""
        moments = [self._changes.next_at(), self._next_push() if kit.packager is not None else None]
        return min((moment for moment in moments if moment is not None), default=None)

    def _next_push(self) -> datetime | None:
        """When the next push may be made. A cheap look, so that an idle beat takes no write lock."""
        with self._database.read() as connection:
            due = owing.next_due(connection)
        return max(due, self._rest.until) if due and self._rest.until else due

    def _google_is_due(self) -> bool:
        with self._database.read() as connection:
            first = next_object_due(connection)
        return first is not None and first <= self._clock.now()

    def _describe(self, kit: Kit, ids: Sequence[int]) -> list[CardChange]:
        with self._database.read() as connection:
            faces = self._faces(kit)(connection, ids)
            rows = [row for row in _shown(connection, ids) if row.customer_id in faces]
            return [_change(row, faces[row.customer_id]) for row in rows]


def _shown(connection: Connection, ids: Sequence[int]) -> Sequence[Row[Any]]:
    devices = select(func.count()).where(REGISTRATION.c.serial == PASS.c.serial).scalar_subquery()
    rows = select(PASS, CUSTOMER.c.external_id, devices.label("devices"))
    own = rows.join(CUSTOMER, CUSTOMER.c.id == PASS.c.customer_id)
    return connection.execute(
        own.where(PASS.c.customer_id.in_(ids), CURRENT).order_by(PASS.c.customer_id)
    ).all()


def _change(row: Row[Any], face: Face) -> CardChange:
    google = "none" if row.google_object_id is None else "waiting" if row.google_try_at else "written"
    shows = {shown.label: shown.value for shown in face.front}
    return CardChange(row.external_id, row.serial, face.tier, shows, row.devices, google)
