"""Devices that Apple takes pushes for, but that never ask: a phone in a drawer, a card hidden for good.

They are owed what their cards show anew, like everybody, but are pushed no more until they ask by themselves
(a phone does after its start) or register again. Nothing is deleted: only Apple can say that a token is dead.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, func, literal, or_, select

from core.db import UtcDateTime
from wallet.tables import DEVICE

PUSHES = 10
SILENT_FOR = timedelta(days=30)


def heard_since_pushed() -> ColumnElement[bool]:
    """The device asked, or registered, after the last push that Apple took; or there was none."""
    pushed = DEVICE.c.pushed_at
    # Of one moment: the device is faster than our clock can tell.
    return or_(pushed.is_(None), DEVICE.c.asked_at >= pushed, DEVICE.c.registered_at >= pushed)


def dormant(now: datetime) -> ColumnElement[bool]:
    """Ten pushes over thirty days, and it never asked."""
    return and_(
        DEVICE.c.unasked >= PUSHES,
        DEVICE.c.unasked_since <= literal(now - SILENT_FOR, UtcDateTime),
        or_(DEVICE.c.asked_at.is_(None), DEVICE.c.asked_at < DEVICE.c.pushed_at),
        DEVICE.c.registered_at < DEVICE.c.pushed_at,
    )


def count(connection: Connection, now: datetime) -> int:
    """How many devices are dormant. Reads every device: it is asked for by people and scrapes only."""
    return connection.scalar(select(func.count()).select_from(DEVICE).where(dormant(now))) or 0
