"""One customer's card: what is on it, which devices carry it, and what its wallets are still to be told."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row, select

from core.links import Links
from scheduler.kit import Kit
from wallet.apple.dormancy import dormant, heard_since_pushed
from wallet.design import Face
from wallet.google.budget import AT_MOST, Budget
from wallet.tables import DEVICE, PASS, REGISTRATION

State = Literal["none", "issued", "void", "revoked"]
Push = Literal["none", "waiting", "retried", "unanswered", "dormant", "answered"]
Google = Literal["written", "waiting", "refused"]
OPAQUE = 8
EXAMPLE: dict[str, Any] = {
    "customer": "10042", "state": "issued", "serial": "b5b8cf4d1c6f4c6ab1c0a3f6a0f7c0de",
    "page": "https://loyalty.example/c/AcPgkYYkERgJhZLTMg", "short": "https://loyalty.example/k/0000H6RbgvTs",
    "issued_at": "2026-03-01T08:00:00Z", "changed_at": "2026-03-01T08:15:01Z",
    "fetched_at": "2026-03-01T08:15:03Z", "tag": 7,
    "shows": [{"place": "header", "label": "Бонуси", "value": "34.5"}], "barcode": "KV20261234", "news": None,
    "devices": [{
        "device": "5f0c2b7d", "registered_at": "2026-03-01T08:01:00Z", "push": "answered",
        "push_at": None, "pushed_at": "2026-03-01T08:15:02Z", "asked_at": "2026-03-01T08:15:03Z",
        "answered_seconds": 1.2, "attempts": 0, "unasked": 0,
    }],
    "google": {
        "object": "3388000000000000000.b5b8cf4d1c6f4c6ab1c0a3f6a0f7c0de", "saved": True,
        "saved_at": "2026-03-01T08:05:00Z", "state": "written", "try_at": None, "attempts": 0,
        "told_updates": 1, "told_messages": 0, "told_at_most": 3,
    },
    "replaced": [],
}  # fmt: skip


class ShownOut(BaseModel):
    """One field of the card, where it stands (`header`, `primary`, `secondary`, `auxiliary`, `back`)."""

    place: str
    label: str
    value: str


class DeviceOut(BaseModel):
    """An Apple device by a name that says nothing of it.

    `push` is `waiting` (due at `push_at`), `retried` (failed so many times, due again), `unanswered` (Apple
    took it, and the device has not asked since), `dormant` (so often in vain that it is left alone until it
    asks), `answered` after so many seconds, or `none` so far. `unasked` pushes were taken since then.
    """

    device: str
    registered_at: datetime
    push: Push
    push_at: datetime | None
    pushed_at: datetime | None
    asked_at: datetime | None
    answered_seconds: float | None
    attempts: int
    unasked: int


class GoogleOut(BaseModel):
    """The object at Google: `written` as the card is, `waiting` until `try_at`, or `refused` so often that it
    waits for the card's next change.

    The holder was told of so many updates and messages in the last 24 hours, of `told_at_most` each.
    """

    object: str
    saved: bool
    saved_at: datetime | None
    state: Google
    try_at: datetime | None
    attempts: int
    told_updates: int
    told_messages: int
    told_at_most: int


class ReplacedOut(BaseModel):
    """A pass that another one took the place of, or that was revoked; `devices` still carry it."""

    serial: str
    issued_at: datetime
    replaced_at: datetime
    devices: int
    waiting: bool = Field(description="Whether a device or Google is still to be told.")
    emptied_at: datetime | None = Field(description="When a phone last fetched the emptied pass, if one did.")


class CardStatus(BaseModel):
    """A customer's card. `void` is one of somebody who is gone, `revoked` one that was taken back."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    customer: str
    state: State
    page: str
    short: str
    serial: str | None
    issued_at: datetime | None
    changed_at: datetime | None = Field(description="When it last began to show something else.")
    fetched_at: datetime | None = Field(description="When somebody last got the pass.")
    tag: int | None = Field(description="The update tag of that change.")
    shows: list[ShownOut] = Field(description="What stands on it now.")
    barcode: str | None
    news: str | None
    devices: list[DeviceOut]
    google: GoogleOut | None
    replaced: list[ReplacedOut]


def status_of(
    connection: Connection, kit: Kit, links: Links, customer: Row[Any], now: datetime
) -> CardStatus:
    """The card of a customer (their row) at `now`, as the live version shows it."""
    mine = select(PASS).where(PASS.c.customer_id == customer.id).order_by(PASS.c.issued_at, PASS.c.serial)
    rows = connection.execute(mine).all()
    current = next((row for row in rows if row.replaced_at is None), None)
    devices = _devices(connection, [row.serial for row in rows], now)
    face = kit.deck.faces(connection, [customer.id], now).get(customer.id)
    return CardStatus(
        customer=customer.external_id, state=_state(rows, current), page=links.card(customer.id),
        short=links.card_short(customer.id), serial=current.serial if current else None,
        issued_at=current.issued_at if current else None, changed_at=current.changed_at if current else None,
        fetched_at=current.fetched_at if current else None, tag=current.tag if current else None,
        shows=_shows(face), barcode=face.barcode.message if face and face.barcode else None,
        news=current.news if current else None,
        devices=[_device(it) for it in devices if current is not None and it.serial == current.serial],
        google=_google(current, now) if current else None,
        replaced=[_replaced(row, devices) for row in rows if row.replaced_at is not None],
    )  # fmt: skip


def _state(rows: Sequence[Row[Any]], current: Row[Any] | None) -> State:
    if current is None:
        return "revoked" if rows else "none"
    return "void" if current.voided else "issued"


def _devices(connection: Connection, serials: Sequence[str], now: datetime) -> Sequence[Row[Any]]:
    asleep, heard = dormant(now).label("dormant"), heard_since_pushed().label("heard")
    carrying = select(DEVICE, REGISTRATION.c.serial, REGISTRATION.c.at, asleep, heard).join(
        REGISTRATION, REGISTRATION.c.device == DEVICE.c.device
    )
    mine = carrying.where(REGISTRATION.c.serial.in_(serials))
    return connection.execute(mine.order_by(REGISTRATION.c.at, DEVICE.c.device)).all()


def _shows(face: Face | None) -> list[ShownOut]:
    if face is None:
        return []
    places = ("header", "primary", "secondary", "auxiliary", "back")
    return [
        ShownOut(place=place, label=it.label, value=it.value)
        for place in places
        for it in getattr(face, place)
    ]


def _device(row: Row[Any]) -> DeviceOut:
    return DeviceOut(
        device=opaque(row.device), registered_at=row.at, push=_push(row), push_at=row.push_at,
        pushed_at=row.pushed_at, asked_at=row.asked_at, answered_seconds=row.answered_seconds,
        # The row keeps the count until the next push.
        attempts=row.attempts, unasked=0 if row.heard else row.unasked,
    )  # fmt: skip


def _push(row: Row[Any]) -> Push:
    if row.push_at is not None:
        return "retried" if row.attempts else "waiting"
    if row.dormant:
        return "dormant"
    if row.pushed_at is None:
        return "none"
    return "answered" if row.heard else "unanswered"


def opaque(device: str) -> str:
    """A device by a name that is the same every time, and that nobody can ask Apple about."""
    return hashlib.sha256(device.encode()).hexdigest()[:OPAQUE]


def _google(row: Row[Any], now: datetime) -> GoogleOut | None:
    if row.google_object_id is None:
        return None
    budget = Budget.of(row.google_notices, now)
    return GoogleOut(
        object=row.google_object_id, saved=row.google_saved, saved_at=row.google_saved_at,
        state=_written(row), try_at=row.google_try_at,
        attempts=row.google_attempts, told_updates=len(budget.updates), told_messages=len(budget.messages),
        told_at_most=AT_MOST,
    )  # fmt: skip


def _written(row: Row[Any]) -> Google:
    if row.google_try_at is not None:
        return "waiting"
    return "written" if row.google_digest is not None else "refused"


def _replaced(row: Row[Any], devices: Sequence[Row[Any]]) -> ReplacedOut:
    carrying = [it for it in devices if it.serial == row.serial]
    waiting = row.google_try_at is not None or any(it.push_at is not None for it in carrying)
    return ReplacedOut(
        serial=row.serial, issued_at=row.issued_at, replaced_at=row.replaced_at, devices=len(carrying),
        waiting=waiting,
        emptied_at=row.fetched_at if row.fetched_at and row.fetched_at > row.replaced_at else None,
    )  # fmt: skip
