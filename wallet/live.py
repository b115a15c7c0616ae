"""One round of bringing wallets up to date: claim what is due, send it, record what became of it.

The database is never held while the network is waited for, nor the event loop while the database is.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from core.clock import Clock
from core.db import Database
from wallet import registrations, updates
from wallet.apple import push
from wallet.apple.push import Pushed, Pusher
from wallet.design import Card, Face
from wallet.google import client as google
from wallet.google.bodies import GoogleIssuer, class_id, loyalty_class, loyalty_object, object_id
from wallet.google.client import Wallet, Written
from wallet.tables import DEVICE
from wallet.updates import BATCH, Faces, Owed

# Our own mistake is looked at again after a while: somebody may have mended it.
MISCONFIGURED = timedelta(minutes=15)
# Requests to Google under way together; how many start in a second is the client's to limit.
AT_ONCE = 8


async def push_round(database: Database, pusher: Pusher, clock: Clock, limit: int = BATCH) -> Counter[str]:
    """Push to the devices that are due. Counts outcomes, those not accepted with their reason."""

    def claim() -> list[Owed]:
        with database.write() as connection:
            return updates.claim(connection, clock.now(), limit)

    def settle(results: Sequence[Pushed]) -> None:
        with database.write() as connection:
            for result in results:
                _settle(connection, result, clock.now())

    owed = await asyncio.to_thread(claim)
    if not owed:
        return Counter()
    results = await pusher.push(owed)
    await asyncio.to_thread(settle, results)
    return Counter(_word(result.outcome.value, result.reason) for result in results)


def _settle(connection: Connection, result: Pushed, now: datetime) -> None:
    owed = result.owed
    match result.outcome:
        case push.Outcome.ACCEPTED:
            updates.pushed(connection, owed, now)
        case push.Outcome.GONE:
            _forget(connection, result, now)
        case push.Outcome.RETRY:
            attempts = connection.scalar(select(DEVICE.c.attempts).where(DEVICE.c.device == owed.device)) or 0
            updates.push_later(connection, owed, updates.backoff(attempts), now)
        case push.Outcome.CONFIGURATION:
            updates.push_later(connection, owed, MISCONFIGURED, now, counts=False)


def _forget(connection: Connection, result: Pushed, now: datetime) -> None:
    """Delete the device, unless it has registered again since Apple saw the token die."""
    row = connection.execute(select(DEVICE).where(DEVICE.c.device == result.owed.device)).first()
    if row is None:
        return
    returned = result.gone_since is not None and row.registered_at > result.gone_since
    if returned or row.push_token != result.owed.push_token:
        updates.push_later(connection, result.owed, updates.backoff(row.attempts), now)
    else:
        registrations.forget_device(connection, result.owed.device, now)


def _word(outcome: str, reason: str) -> str:
    return f"{outcome}: {reason}" if reason else outcome


class GoogleCards:
    """Writes one version of a card to Google: the class once, then each customer's object."""

    def __init__(self, wallet: Wallet, issuer: GoogleIssuer, name: str, card: Card, *, hero: bool) -> None:
        """`name` is the card's file name, `hero` whether there is a `hero.png`."""
        self._wallet, self._issuer, self._name, self._card, self._hero = wallet, issuer, name, card, hero
        self._classes: set[str] = set()
        self._writing = asyncio.Lock()

    def ids(self, face: Face, serial: str) -> tuple[str, str]:
        """Object and class id, as the save link wants them."""
        return object_id(self._issuer.issuer, serial), class_id(self._issuer.issuer, self._name, face)

    async def write(
        self, face: Face, serial: str, *, exists: bool, voided: bool = False, notify: bool = False
    ) -> Written:
        """Make the object show `face`; its class first, if this process has not written it yet."""
        prepared = await self._prepare(face)
        if prepared.outcome is not google.Outcome.WRITTEN:
            return prepared
        content = loyalty_object(self._issuer, self._name, face, serial, voided=voided, notify=notify)
        return await self._wallet.save_object(content, exists=exists)

    async def _prepare(self, face: Face) -> Written:
        """Write the class of a face, once: who comes at the same time waits for it."""
        kind = class_id(self._issuer.issuer, self._name, face)
        async with self._writing:
            if kind in self._classes:
                return Written(google.Outcome.WRITTEN)
            body = loyalty_class(self._issuer, self._name, self._card, face, hero=self._hero)
            result = await self._wallet.save_class(body)
            if result.outcome is google.Outcome.WRITTEN:
                self._classes.add(kind)
            return result


async def google_round(
    database: Database, cards: GoogleCards, faces: Faces, clock: Clock, limit: int = BATCH
) -> Counter[str]:
    """Bring the objects that are due up to date. Counts outcomes, those not written with their reason.

    A holder is told of a change only in fields that say so (`notify`) and at most three times a day;
    further changes are written silently.
    """

    def claim() -> tuple[list[Row[Any]], Mapping[int, Face]]:
        with database.write() as connection:
            rows = updates.claim_google(connection, clock.now(), limit)
        with database.read() as connection:
            return rows, faces(connection, [row.customer_id for row in rows]) if rows else {}

    def record(results: Sequence[_Result]) -> None:
        with database.write() as connection:
            for result in results:
                _record(connection, cards, result, clock.now())

    rows, current = await asyncio.to_thread(claim)
    if not rows:
        return Counter()
    gate = asyncio.Semaphore(AT_ONCE)
    results = await asyncio.gather(*(_write(cards, row, current, gate, clock.now()) for row in rows))
    await asyncio.to_thread(record, results)
    return Counter(_word(it.written.outcome.value, it.written.reason) for it in results)


@dataclass(frozen=True, slots=True)
class _Result:
    row: Row[Any]
    face: Face | None
    notified: bool
    written: Written


async def _write(
    cards: GoogleCards, row: Row[Any], current: Mapping[int, Face], gate: asyncio.Semaphore, now: datetime
) -> _Result:
    face = current.get(row.customer_id)
    if face is None:
        return _Result(row, None, False, Written(google.Outcome.REFUSED, "no card"))
    notify = row.google_notice not in (None, face.notice()) and updates.may_notify(row, now)
    async with gate:
        written = await cards.write(face, row.serial, exists=True, voided=row.voided, notify=notify)
    return _Result(row, face, notify, written)


def _record(connection: Connection, cards: GoogleCards, result: _Result, now: datetime) -> None:
    row, face, outcome = result.row, result.face, result.written.outcome
    if face is not None and outcome in (google.Outcome.WRITTEN, google.Outcome.QUOTA):
        known, _ = cards.ids(face, row.serial)
        updates.google_written(connection, row, face, now, object_id=known, notified=result.notified)
    elif outcome is google.Outcome.RETRY:
        updates.google_later(connection, row, updates.backoff(row.google_attempts), now)
    else:
        counts = outcome is not google.Outcome.CONFIGURATION
        updates.google_later(connection, row, MISCONFIGURED, now, counts=counts)
