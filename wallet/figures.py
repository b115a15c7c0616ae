"""How many cards there are, who has them, what wallets are still to be told: numbers for whoever operates.

`queues` reads partial indexes and is cheap at any size. `totals` goes over the passes and the devices once
each: some seconds for a million.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, literal, or_, select

from core.db import UtcDateTime
from core.events import EVENT
from wallet.apple.dormancy import dormant
from wallet.happenings import ADDED, REMOVED
from wallet.tables import CURRENT, DEVICE, PASS, REGISTRATION

ACTIVE = timedelta(days=30)
LATELY = timedelta(days=1)
# Seconds from a push until the device asked what is new, each bound included.
BOUNDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0, 86_400.0)


@dataclass(frozen=True, slots=True)
class Queues:
    """What is owed now. `…_wait` is how long the first of it has been due, in seconds; 0 if nothing is."""

    devices: int
    devices_wait: float
    retried: int
    objects: int
    objects_wait: float


@dataclass(frozen=True, slots=True)
class Totals:
    """All cards. `installed` and `added` have a number for each wallet.

    `answers` counts the devices that were pushed to and asked in the last day, by how soon: one number for
    each of `BOUNDS`, with those before it, and one for all; `answers_seconds` is the sum of all.
    """

    issued: int
    revoked: int
    installed: Mapping[str, int]
    held: int
    active: int
    devices: int
    dormant: int
    added: int
    removed: int
    answers: Sequence[int]
    answers_seconds: float


def queues(connection: Connection, now: datetime) -> Queues:
    """What waits for Apple's devices and for Google."""
    owed = DEVICE.c.push_at.is_not(None)
    retried = func.coalesce(func.sum(case((DEVICE.c.attempts > 0, 1), else_=0)), 0)
    devices = connection.execute(select(func.count(), func.min(DEVICE.c.push_at), retried).where(owed)).one()
    behind = PASS.c.google_try_at.is_not(None)
    objects = connection.execute(select(func.count(), func.min(PASS.c.google_try_at)).where(behind)).one()
    return Queues(devices[0], _since(devices[1], now), int(devices[2]), objects[0], _since(objects[1], now))


def totals(connection: Connection, now: datetime) -> Totals:
    """All cards and devices."""
    cards = connection.execute(_cards(now)).one()
    devices = connection.execute(_devices(now)).one()
    other = PASS.alias()
    another = exists().where(other.c.customer_id == PASS.c.customer_id, other.c.replaced_at.is_(None))
    gone = select(func.count(PASS.c.customer_id.distinct())).where(~CURRENT, ~another)
    return Totals(
        issued=cards.issued, revoked=connection.scalar(gone) or 0,
        installed={"apple": cards.apple, "google": cards.google}, held=cards.held, active=cards.active,
        devices=devices.devices, dormant=devices.dormant, added=_noted(connection, ADDED),
        removed=_noted(connection, REMOVED), answers=[*devices[4:], devices.answered],
        answers_seconds=float(devices.seconds or 0),
    )  # fmt: skip


def _cards(now: datetime) -> Any:
    since = literal(now - ACTIVE, UtcDateTime)
    asked = func.max(case((DEVICE.c.asked_at >= since, 1), else_=0)).label("asked")
    # Grouped first, then joined: half the time of asking for each pass.
    carried = select(REGISTRATION.c.serial, asked).join(DEVICE, DEVICE.c.device == REGISTRATION.c.device)
    apple = carried.group_by(REGISTRATION.c.serial).subquery()
    on_a_device = apple.c.serial.is_not(None)
    held = or_(PASS.c.google_saved, on_a_device)
    heard_of = or_(PASS.c.fetched_at >= since, apple.c.asked == 1)
    good = select(
        func.count().label("issued"), _sum(on_a_device).label("apple"),
        _sum(PASS.c.google_saved).label("google"), _sum(held).label("held"),
        _sum(and_(held, heard_of)).label("active"),
    ).select_from(PASS.outerjoin(apple, apple.c.serial == PASS.c.serial))  # fmt: skip
    return good.where(CURRENT, PASS.c.voided.is_(False))


def _devices(now: datetime) -> Any:
    lately = literal(now - LATELY, UtcDateTime)
    answered = and_(DEVICE.c.asked_at >= lately, DEVICE.c.answered_seconds.is_not(None))
    return select(
        func.count().label("devices"), _sum(dormant(now)).label("dormant"), _sum(answered).label("answered"),
        func.sum(case((answered, DEVICE.c.answered_seconds), else_=0)).label("seconds"),
        *(_sum(and_(answered, DEVICE.c.answered_seconds <= bound)) for bound in BOUNDS),
    )  # fmt: skip


def _noted(connection: Connection, kind: str) -> int:
    return connection.scalar(select(func.count()).where(EVENT.c.kind == kind)) or 0


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _since(due: datetime | None, now: datetime) -> float:
    return max(0.0, (now - due).total_seconds()) if due else 0.0
