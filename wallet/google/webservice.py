"""What Google asks of us: the card's pictures, and an ear for cards that were saved or deleted."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from core.clock import Clock
from core.db import Database, insert_ignoring
from wallet import registrations
from wallet.artwork import Artwork
from wallet.google.callback import Callback, Forged, verified
from wallet.tables import NONCE, PASS

if TYPE_CHECKING:
    from fastapi import APIRouter

KEYS_LAST = timedelta(hours=12)
BODY_AT_MOST = 64 * 1024
TIMEOUT_SECONDS = 10.0


class RootKeys:
    """Google's published keys, fetched twice a day."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url, self._clock = url, clock
        self._keys = b""
        self._fetched_at: datetime | None = None

    def __call__(self) -> bytes:
        """The keys as JSON; raises `httpx.HTTPError` if they cannot be had."""
        import httpx

        now = self._clock.now()
        if self._fetched_at is None or now - self._fetched_at >= KEYS_LAST:
            answer = httpx.get(self._url, timeout=TIMEOUT_SECONDS).raise_for_status()
            self._keys, self._fetched_at = answer.content, now
        return self._keys


def note(connection: Connection, callback: Callback, now: datetime) -> bool:
    """Record a genuine callback; false if it was known, or changes nothing."""
    connection.execute(NONCE.delete().where(NONCE.c.expires_at <= now))
    heard = {"nonce": callback.nonce[:200], "expires_at": callback.expires_at}
    first = insert_ignoring(connection, NONCE).values(heard).returning(NONCE.c.nonce)
    if connection.execute(first).first() is None:
        return False
    saved = callback.kind == "save"
    mine = (PASS.c.google_object_id == callback.object_id) & (PASS.c.google_saved != saved)
    change = PASS.update().where(mine).values(google_saved=saved).returning(PASS.c.customer_id)
    customer = connection.execute(change).scalar_one_or_none()
    if customer is None:
        return False
    kind = registrations.ADDED if saved else registrations.REMOVED
    registrations.note(connection, kind, customer, "google", callback.object_id, now)
    return True


def callback_router(database: Database, clock: Clock, issuer: str, keys: Callable[[], bytes]) -> "APIRouter":
    """`POST /callback`, the address for `callbackOptions.url`."""
    from fastapi import APIRouter, Depends, HTTPException, Request, Response
    from httpx import HTTPError

    routes = APIRouter(tags=["Google Wallet"], include_in_schema=False)

    async def content(request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_AT_MOST:
                raise HTTPException(413)
        return bytes(body)

    @routes.post("/callback")
    def callback(body: bytes = Depends(content)) -> Response:
        try:
            heard = verified(body, issuer, keys(), clock.now())
        except Forged:
            return Response(status_code=400)
        except HTTPError:
            return Response(status_code=503)  # Google tries again
        with database.write() as connection:
            note(connection, heard, clock.now())
        return Response(status_code=200)

    return routes


def picture_router(artwork: Callable[[], Artwork]) -> "APIRouter":
    """`GET /logo.png` and `/hero.png`, the address for `GoogleIssuer.images`."""
    from fastapi import APIRouter, HTTPException, Response

    routes = APIRouter(tags=["Google Wallet"], include_in_schema=False)

    @routes.get("/{name}")
    def picture(name: str) -> Response:
        found = artwork().google.get(name)
        if found is None:
            raise HTTPException(404)
        return Response(found, media_type="image/png", headers={"Cache-Control": "public, max-age=3600"})

    return routes
