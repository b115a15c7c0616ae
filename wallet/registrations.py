"""Which device carries which pass. Adding and removing a card are events that scenarios may wait for."""

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
    known = {"device": device, "push_token": push_token, "registered_at": now}
    connection.execute(upsert(connection, DEVICE, ["device"], ["push_token", "registered_at"]).values(known))
    carried = {"device": device, "serial": row.serial, "customer_id": row.customer_id, "at": now}
    insert = insert_ignoring(connection, REGISTRATION).values(carried).returning(REGISTRATION.c.device)
    new = connection.execute(insert).first() is not None
    if new:
        _catch_up(connection, row, device, now)
        note(connection, ADDED, row.customer_id, "apple", f"{device}/{row.serial}", now)
    return new


def _catch_up(connection: Connection, row: Row[Any], device: str, now: datetime) -> None:
    """Owe a push if the pass was marked between being fetched and registered: nobody else would tell."""
    if row.tag > 0 and row.fetched_at is not None and row.changed_at >= row.fetched_at.replace(microsecond=0):
        statement = DEVICE.update().where(DEVICE.c.device == device)
        connection.execute(statement.values(owed_tag=row.tag, push_at=func.coalesce(DEVICE.c.push_at, now)))


def unregister(connection: Connection, row: Row[Any], device: str, now: datetime) -> None:
    """Forget that `device` carries the pass `row`, and the device if it carries nothing else."""
    gone = (REGISTRATION.c.device == device) & (REGISTRATION.c.serial == row.serial)
    if connection.execute(REGISTRATION.delete().where(gone)).rowcount:
        note(connection, REMOVED, row.customer_id, "apple", f"{device}/{row.serial}", now)
    carries = exists(select(REGISTRATION.c.serial).where(REGISTRATION.c.device == device))
    connection.execute(DEVICE.delete().where(DEVICE.c.device == device, ~carries))


def forget_device(connection: Connection, device: str, now: datetime) -> None:
    """The device is gone for good (the push service says so): so are its passes."""
    rows = connection.execute(select(REGISTRATION).where(REGISTRATION.c.device == device)).all()
    connection.execute(REGISTRATION.delete().where(REGISTRATION.c.device == device))
    connection.execute(DEVICE.delete().where(DEVICE.c.device == device))
    for row in rows:
        note(connection, REMOVED, row.customer_id, "apple", f"{device}/{row.serial}", now)


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
