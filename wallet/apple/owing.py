"""Which devices are due a push, who has them in hand, and what became of it: a few statements a batch.

A claim is a lease: `push_at` is moved into the future, and only who finds it where they moved it records an
outcome. Who comes too late, because somebody else has claimed the device meanwhile, changes nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, select

from core.db import UtcDateTime
from wallet.apple.dormancy import heard_since_pushed
from wallet.tables import DEVICE

BATCH = 1_000
LEASE = timedelta(minutes=2)
# With waits that double up to an hour this is a day; after it the device asks by itself, at its next start.
ATTEMPTS_AT_MOST = 30
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Owed:
    """A device that should ask us what is new, claimed until `lease`.

    `tag` is what it is owed, `push_token` where it listens, `attempts` how often a push has failed before.
    """

    device: str
    push_token: str = field(repr=False)
    tag: int
    registered_at: datetime
    lease: datetime
    attempts: int = 0


def claim(connection: Connection, now: datetime, limit: int = BATCH) -> list[Owed]:
    """Devices whose push is due, each once whatever it is owed; nobody else gets them for two minutes."""
    lease = now + LEASE
    due = (
        select(DEVICE).where(DEVICE.c.push_at <= now).order_by(DEVICE.c.push_at, DEVICE.c.device).limit(limit)
    )
    rows = connection.execute(due.with_for_update(skip_locked=True)).all()
    if rows:
        _update(connection, [row.device for row in rows], push_at=lease, woken_at=now)
    return [
        Owed(row.device, row.push_token, row.owed_tag, row.registered_at, lease, row.attempts) for row in rows
    ]


def next_due(connection: Connection) -> datetime | None:
    """When the earliest push is due, perhaps in the past; None if nothing is owed."""
    earliest = select(func.min(DEVICE.c.push_at)).where(DEVICE.c.push_at.is_not(None))
    found: datetime | None = connection.scalar(earliest)
    return found


def backoff(attempts: int) -> timedelta:
    """Five seconds, doubled with every attempt, an hour at most."""
    return min(FIRST_WAIT * (1 << min(attempts, 20)), LONGEST_WAIT)


@dataclass(slots=True)
class Settling:
    """Records what became of claimed pushes, in one transaction: first `held`, then the outcomes."""

    connection: Connection
    now: datetime

    def held(self, owed: Collection[Owed]) -> dict[str, Row[Any]]:
        """The devices that are still ours, locked until the commit in the order in which all lock them."""
        claims = {it.device: it.lease for it in owed}
        rows = self.connection.execute(
            select(DEVICE).where(DEVICE.c.device.in_(claims)).order_by(DEVICE.c.device).with_for_update()
        )
        return {row.device: row for row in rows if row.push_at == claims[row.device]}

    def accepted(self, owed: Sequence[Owed], held: Mapping[str, Row[Any]]) -> None:
        """Apple took them. What came to be owed meanwhile, or listens elsewhere by now, is due at once."""
        mine = [it for it in owed if it.device in held]
        again = {it.device for it in mine if _is_behind(it, held[it.device])}
        silent = case((heard_since_pushed(), 1), else_=DEVICE.c.unasked + 1)
        since = case((heard_since_pushed(), _moment(self.now)), else_=DEVICE.c.unasked_since)
        values = {"attempts": 0, "unasked": silent, "unasked_since": since}
        # When it was taken in hand: a quick phone asks before the answer about its push is recorded.
        values["pushed_at"] = max((it.lease for it in mine), default=self.now + LEASE) - LEASE
        done = [it.device for it in mine if it.device not in again]
        _update(self.connection, done, **values, pushed_tag=DEVICE.c.owed_tag, push_at=None)
        _update(self.connection, sorted(again), **values, push_at=self.now)

    def failed(self, waits: Mapping[Owed, timedelta], held: Mapping[str, Row[Any]]) -> None:
        """Try again, each after its wait; after a day of it leave the device to ask by itself."""
        alike: dict[tuple[int, timedelta], list[str]] = defaultdict(list)
        for owed, wait in waits.items():
            if owed.device in held:
                alike[held[owed.device].attempts + 1, wait].append(owed.device)
        for (attempts, wait), devices in alike.items():
            given_up = attempts >= ATTEMPTS_AT_MOST
            again = {"attempts": attempts, "push_at": self.now + wait}
            _update(self.connection, devices, **({"attempts": 0, "push_at": None} if given_up else again))

    def put_off(self, owed: Sequence[Owed], wait: timedelta, held: Mapping[str, Row[Any]]) -> None:
        """Try again after a wait; it was not the devices' fault, and counts for nothing."""
        devices = [it.device for it in owed if it.device in held]
        _update(self.connection, devices, push_at=self.now + wait)


def _is_behind(owed: Owed, row: Row[Any]) -> bool:
    return bool(row.owed_tag > owed.tag or row.push_token != owed.push_token)


def _update(connection: Connection, devices: Sequence[str], **values: Any) -> None:
    if devices:
        connection.execute(DEVICE.update().where(DEVICE.c.device.in_(devices)).values(values))


def _moment(at: datetime) -> Any:
    return bindparam(None, at, type_=UtcDateTime())
