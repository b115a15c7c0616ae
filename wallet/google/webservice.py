"""What Google asks of us: the card's pictures, and an ear for cards that were saved or deleted."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection

from core.clock import Clock
from core.db import Database, insert_ignoring
from wallet import happenings
from wallet.artwork import Artwork
from wallet.google.callback import Callback, Forged, UnknownKey, proved, read
from wallet.requests import body
from wallet.tables import NONCE, PASS

if TYPE_CHECKING:
    from fastapi import APIRouter


class Keys(Protocol):
    """Google's published keys as JSON."""

    def __call__(self, *, anew: bool = False) -> bytes:
        """The keys; `anew` if those known do not fit. Raises `httpx.HTTPError` if there are none."""
        ...


def note(connection: Connection, callback: Callback, now: datetime) -> bool:
    """Record a genuine callback; false if it was known, or changes nothing."""
    connection.execute(NONCE.delete().where(NONCE.c.expires_at <= now))
    heard = {"nonce": callback.nonce[:200], "expires_at": callback.expires_at}
    first = insert_ignoring(connection, NONCE).values(heard).returning(NONCE.c.nonce)
    if connection.execute(first).first() is None:
        return False
    saved = callback.kind == "save"
    mine = (PASS.c.google_object_id == callback.object_id) & (PASS.c.google_saved != saved)
    since = {"google_saved": saved, "google_saved_at": now if saved else None}
    change = PASS.update().where(mine).values(since)
    serial = connection.execute(change.returning(PASS.c.serial)).scalar_one_or_none()
    if serial is None:
        return False
    told = happenings.came if saved else happenings.went
    told(connection, serial, "google", now, callback.object_id)
    return True


def callback_router(database: Database, clock: Clock, issuer: str, keys: Keys) -> "APIRouter":
    """`POST /callback`, the address for `callbackOptions.url`."""
    from fastapi import APIRouter, Depends, Response
    from httpx import HTTPError

    routes = APIRouter(tags=["Google Wallet"], include_in_schema=False)

    @routes.post("/callback")
    def callback(content: bytes = Depends(body())) -> Response:
        try:
            heard = _heard(content, issuer, keys, clock.now())
        except Forged:
            return Response(status_code=400)
        except HTTPError:
            return Response(status_code=503)  # Google tries again
        if heard.concerns(issuer):
            with database.write() as connection:
                note(connection, heard, clock.now())
        return Response(status_code=200)

    return routes


def _heard(content: bytes, issuer: str, keys: Keys, now: datetime) -> Callback:
    """The callback; Google may have changed its keys since we fetched them. What is none asks for no keys."""
    claim = read(content, now)
    try:
        return proved(claim, issuer, keys(), now)
    except UnknownKey:
        return proved(claim, issuer, keys(anew=True), now)


def picture_router(artwork: Callable[[], Artwork]) -> "APIRouter":
    """`GET /logo.png` and the wide pictures, the address for `GoogleIssuer.images`."""
    from fastapi import APIRouter, HTTPException, Response

    routes = APIRouter(tags=["Google Wallet"], include_in_schema=False)

    @routes.get("/{name}")
    def picture(name: str) -> Response:
        found = artwork().google.get(name)
        if found is None:
            raise HTTPException(404)
        return Response(found, media_type="image/png", headers={"Cache-Control": "public, max-age=3600"})

    return routes
