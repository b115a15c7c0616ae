"""Which device carries which pass. Adding and removing a card are events that scenarios may wait for.

A customer has the card while one of their devices carries it: only the first one adds it, only the last one
removes it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, func, select

from core import events
from core.db import insert_ignoring, upsert
from core.events import Happening
from wallet.tables import DEVICE, PASS, REGISTRATION

ADDED, REMOVED = "card_added", "card_removed"


def register(connection: Connection, row: Row[Any], device: str, push_token: str, now: datetime) -> bool:
    """Note that `device` carries the pass `row`; true if that is new. The push token is always updated."""
    _hold(connection, row.serial)
    known = {"device": device, "push_token": push_token, "registered_at": now}
    connection.execute(upsert(connection, DEVICE, ["device"], ["push_token", "registered_at"]).values(known))
    carried = {"device": device, "serial": row.serial, "customer_id": row.customer_id, "at": now}
    first = not _carried(connection, row.customer_id, row.serial)
    insert = insert_ignoring(connection, REGISTRATION).values(carried).returning(REGISTRATION.c.device)
    new = connection.execute(insert).first() is not None
    if new:
        _catch_up(connection, row, device, now)
    if new and first:
        note(connection, ADDED, row.customer_id, "apple", row.serial, now)
    return new


def _hold(connection: Connection, *serials: str) -> None:
    """Hold the passes until commit: of two devices at one moment, one is the first (or the last)."""
    passes = select(PASS.c.serial).where(PASS.c.serial.in_(serials)).order_by(PASS.c.customer_id)
    connection.execute(passes.with_for_update()).all()


def _carried(connection: Connection, customer_id: int, serial: str) -> bool:
    """Whether any device carries the customer's pass."""
    carries = select(REGISTRATION.c.device).where(REGISTRATION.c.customer_id == customer_id)
    return connection.scalar(carries.where(REGISTRATION.c.serial == serial).limit(1)) is not None


def _removed(connection: Connection, customer_id: int, serial: str, now: datetime) -> None:
    """A device carries the pass no more; if it was the last one, the card is gone."""
    if not _carried(connection, customer_id, serial):
        note(connection, REMOVED, customer_id, "apple", serial, now)


def _catch_up(connection: Connection, row: Row[Any], device: str, now: datetime) -> None:
    """Owe a push if the pass was marked between being fetched and registered: nobody else would tell."""
    if row.tag > 0 and row.fetched_at is not None and row.changed_at >= row.fetched_at.replace(microsecond=0):
        statement = DEVICE.update().where(DEVICE.c.device == device)
        connection.execute(statement.values(owed_tag=row.tag, push_at=func.coalesce(DEVICE.c.push_at, now)))


def unregister(connection: Connection, row: Row[Any], device: str, now: datetime) -> None:
    """Forget that `device` carries the pass `row`, and the device if it carries nothing else."""
    _hold(connection, row.serial)
    gone = (REGISTRATION.c.device == device) & (REGISTRATION.c.serial == row.serial)
    if connection.execute(REGISTRATION.delete().where(gone)).rowcount:
        _removed(connection, row.customer_id, row.serial, now)
    carries = exists(select(REGISTRATION.c.serial).where(REGISTRATION.c.device == device))
    connection.execute(DEVICE.delete().where(DEVICE.c.device == device, ~carries))


def forget_device(connection: Connection, device: str, now: datetime) -> None:
    """The device is gone for good (the push service says so): so are its passes."""
    theirs = select(REGISTRATION).where(REGISTRATION.c.device == device).order_by(REGISTRATION.c.serial)
    _hold(connection, *(row.serial for row in connection.execute(theirs).all()))
    rows = connection.execute(theirs).all()
    connection.execute(REGISTRATION.delete().where(REGISTRATION.c.device == device))
    connection.execute(DEVICE.delete().where(DEVICE.c.device == device))
    for row in rows:
        _removed(connection, row.customer_id, row.serial, now)


def changed_since(connection: Connection, device: str, tag: int) -> Sequence[tuple[str, int]]:
    """Serial and tag of the passes on `device` that were marked after `tag`."""
    found = (
        select(PASS.c.serial, PASS.c.tag)
        .join(REGISTRATION, REGISTRATION.c.customer_id == PASS.c.customer_id)
        .where(REGISTRATION.c.device == device, REGISTRATION.c.serial == PASS.c.serial, PASS.c.tag > tag)
        .order_by(PASS.c.tag, PASS.c.serial)
    )
    return [(row.serial, row.tag) for row in connection.execute(found)]


def note(
    connection: Connection, kind: str, customer_id: int, wallet: str, subject: str, now: datetime
) -> None:
    """Tell the stream of events that a card came to a wallet or left it."""
    happening = Happening(customer_id, kind, now, subject, {"wallet": wallet})
    events.append(connection, [happening], now, live=True)
