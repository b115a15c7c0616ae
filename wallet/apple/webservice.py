"""Apple's PassKit web service: devices register, ask what changed, fetch it, and complain.

Source: Wallet Passes documentation, "Adding a Web Service to Update Passes". `wallet.apple.routes` speaks
HTTP for it.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol

from sqlalchemy import Connection, Row, select

from core.clock import Clock
from core.db import Database
from core.http_dates import read_http_date
from wallet import news, passes, registrations
from wallet.apple import complaints
from wallet.apple.attempts import Attempts
from wallet.design import Face
from wallet.registrations import Tag
from wallet.showing import showing
from wallet.tables import PASS

SCHEME = "applepass "
DEVICE_LENGTH = 100
PUSH_TOKEN_LENGTH = 200
# For a card that cannot be filled in now, or changes faster than it is made.
RETRY_SECONDS = 30
_NOBODYS = "0" * 32


class Maker(Protocol):
    """Makes passes."""

    def faces(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, Face]:
        """The cards of customers as they are now; whose card cannot be filled in is left out."""
        ...

    def packed(self, face: Face, row: Row[Any]) -> bytes:
        """The signed pass of a row of `wallet_pass`, showing `face`."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """Whose pass a device speaks of, from which address, and the header by which it may."""

    pass_type: str
    serial: str
    authorization: str = field(repr=False)
    address: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A status; with it a pass, its Last-Modified, or in how many seconds to come again.

    `row` is the pass that was given out, of which a note is to be taken.
    """

    status: int
    content: bytes = field(default=b"", repr=False)
    changed_at: datetime | None = None
    wait: float = 0.0
    row: Row[Any] | None = field(default=None, repr=False)


class WebService:
    """The answers, one method for each call."""

    def __init__(
        self, database: Database, clock: Clock, pass_type: str, maker: Maker, attempts: Attempts
    ) -> None:
        self._database, self._clock, self._pass_type = database, clock, pass_type
        self._maker, self._attempts = maker, attempts

    def register(self, device: str, request: Request, body: bytes) -> Reply:
        """201 for a new registration, 200 for a known one (its push token may still be new)."""
        token = _push_token(body)
        if refusal := self._refusal(request):
            return refusal
        if token is None or not _is_device(device):
            return Reply(400)
        with self._database.write() as connection:
            new = registrations.register(connection, request.serial, device, token, self._clock.now())
        return Reply(201 if new else 200)

    def unregister(self, device: str, request: Request) -> Reply:
        """200, also for a registration that is already gone."""
        if refusal := self._refusal(request):
            return refusal
        if _is_device(device):
            with self._database.write() as connection:
                registrations.unregister(connection, request.serial, device, self._clock.now())
        return Reply(200)

    def changed(self, device: str, pass_type: str, since: str | None) -> tuple[bytes, bool]:
        """JSON with the serials on the device that changed strictly after the tag; empty for none.

        The second says whether `note_question` has something to write down.
        """
        if pass_type != self._pass_type or not _is_device(device):
            return b"", False
        with self._database.read() as connection:
            who = registrations.asking(connection, device)
            if who is None:
                return b"", False
            tag = Tag.read(since).believed(who.highest)
            found = registrations.changed_since(connection, device, tag)
        notable = registrations.is_worth_noting(who, self._clock.now())
        if not found:
            return b"", notable
        newest = str(tag.moved(found))
        answer = {"serialNumbers": [it.serial for it in found], "lastUpdated": newest}
        return json.dumps(answer).encode(), notable

    def latest(self, request: Request, since: str | None) -> Reply:
        """200 with the pass, 304 if the device has it already, 401, 503 if it cannot be made just now.

        Content and Last-Modified are of one snapshot (wallet.showing): a time never names two contents.
        """
        if refusal := self._refusal(request):
            return refusal
        known = read_http_date(since, self._clock.now())

        def has_it(row: Row[Any]) -> bool:
            return known is not None and self._is_current(row, known)

        found = showing(self._database, request.serial, self._maker.faces, self._clock, has_it)
        if has_it(found.row):
            return Reply(304, changed_at=found.row.changed_at)
        if found.face is None:
            return Reply(503, wait=RETRY_SECONDS)
        content = self._maker.packed(found.face, found.row)
        return Reply(200, content, found.row.changed_at, row=found.row)

    def note_question(self, device: str) -> None:
        """The device asked what changed: afterwards, since an answer should not wait for a writer."""
        with self._database.write() as connection:
            registrations.asked(connection, device, self._clock.now())

    def note_fetch(self, row: Row[Any]) -> None:
        """The pass was fetched, and with it the message that stood on it."""
        now = self._clock.now()
        with self._database.write() as connection:
            passes.fetched(connection, row.serial, now)
            news.seen(connection, row.serial, row.news_message, now)

    def log(self, body: bytes, address: str) -> None:
        """Keep what devices complain of, within limits; the rest is dropped."""
        lines = complaints.read_lines(body)
        heard = self._attempts.complaints(address, len(lines)) if lines else 0
        if heard:
            with self._database.write() as connection:
                complaints.keep(connection, lines[:heard], self._clock.now())

    def _refusal(self, request: Request) -> Reply | None:
        """Why the request is refused, if it is. An unknown serial answers like a wrong token, as fast."""
        if wait := self._attempts.barred(request.address, request.serial):
            return Reply(429, wait=wait)
        with self._database.read() as connection:
            token = connection.scalar(select(PASS.c.token).where(PASS.c.serial == _text(request.serial)))
        right = _same(_given(request.authorization), token or _NOBODYS)
        if right and token is not None and request.pass_type == self._pass_type:
            self._attempts.right(request.address, request.serial)
            return None
        wait = self._attempts.wrong(request.address, request.serial)
        return Reply(429, wait=wait) if wait else Reply(401)

    def _is_current(self, row: Row[Any], known: datetime) -> bool:
        """A time that is still to come, and later than any we gave, is none that the device had from us."""
        changed_at: datetime = row.changed_at
        return changed_at <= known <= max(changed_at, self._clock.now())


def _given(authorization: str) -> str:
    return authorization[len(SCHEME) :].strip() if authorization.lower().startswith(SCHEME) else ""


def _same(one: str, other: str) -> bool:
    """Compared in a time that tells nothing, not even lengths."""
    given, expected = (sha256(text.encode("utf-8", "replace")).digest() for text in (one, other))
    return hmac.compare_digest(given, expected)


def _text(serial: str) -> str:
    """What a database takes: a NUL is in none of our serials."""
    return serial.replace("\0", "?")


def _is_device(device: str) -> bool:
    return 0 < len(device) <= DEVICE_LENGTH and device.isprintable()


def _push_token(body: bytes) -> str | None:
    """The token of `{"pushToken": …}`, whatever the Content-Type says; None if there is none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    token = content.get("pushToken") if isinstance(content, dict) else None
    if not isinstance(token, str) or len(token) > PUSH_TOKEN_LENGTH:
        return None
    return token if token.isascii() and token.isalnum() else None
