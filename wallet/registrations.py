"""Which device carries which pass. Adding and removing a card are events that scenarios may wait for.

A customer has the card while one of their devices carries it: only the first one adds it, only the last one
removes it. Who writes here holds the passes first, then the device, so that nobody waits in a circle.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, or_, select

from core.db import insert_ignoring, upsert
from wallet import copies, happenings
from wallet.tables import DEVICE, PASS, REGISTRATION

APPLE = "apple"
# A question is noted once in so long, so that asking stays reading; the first one after a push always is.
NOTED_EVERY = timedelta(minutes=1)
_TAG = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Changed:
    """A pass that a device is to fetch: the tag of its mark, and `late` if the device may have an old one."""

    serial: str
    tag: int
    late: int


@dataclass(frozen=True, slots=True)
class Tag:
    """What a device knows: every mark up to `mark`, and of its late registrations those up to `late`.

    `asked` is false for a device that knows nothing: it is told all that it carries.
    """

    mark: int
    late: int
    asked: bool = True

    @classmethod
    def read(cls, text: str | None) -> "Tag":
        """Our own words come back; anything else means that the device knows nothing yet."""
        found = _TAG.fullmatch(text or "")
        return cls(int(found[1]), int(found[2] or 0)) if found else NOTHING

    def believed(self, highest: int) -> "Tag":
        """Itself, or that of who knows nothing: after a backup was restored no mark is so high."""
        return self if self.mark <= highest else NOTHING

    def moved(self, found: Sequence[Changed]) -> "Tag":
        """What the device knows once it has fetched these."""
        mark, late = max(it.tag for it in found), max(it.late for it in found)
        return Tag(max(self.mark, mark), max(self.late, late))

    def __str__(self) -> str:
        return f"{self.mark}-{self.late}"


NOTHING = Tag(-1, -1, asked=False)


def register(connection: Connection, serial: str, device: str, push_token: str, now: datetime) -> bool:
    """Note that `device` carries the pass `serial`; true if that is new. The push token is always updated."""
    # Read under the lock: a change that is committed at this moment is either seen here or sees us.
    [row] = _hold(connection, serial)
    _meet(connection, device, push_token, now)
    first = not _carried(connection, serial)
    late = _late(connection, device, now) if copies.may_be_old(row, now) else 0
    carried = {
        "device": device, "serial": serial, "customer_id": row.customer_id, "at": now,
        "tag": 0 if late else row.tag, "late": late,
    }  # fmt: skip
    insert = insert_ignoring(connection, REGISTRATION).values(carried).returning(REGISTRATION.c.device)
    new = connection.execute(insert).first() is not None
    if new and late:
        _owe(connection, device, row.tag, now)
    if new and first:
        happenings.came(connection, serial, APPLE, now)
    return new


def _hold(connection: Connection, *serials: str) -> Sequence[Row[Any]]:
    """Hold the passes until commit: of two devices at one moment, one is the first (or the last)."""
    held = select(PASS).where(PASS.c.serial.in_(serials)).order_by(PASS.c.serial)
    return connection.execute(held.with_for_update()).all()


def _hold_device(connection: Connection, device: str) -> Row[Any] | None:
    return connection.execute(select(DEVICE).where(DEVICE.c.device == device).with_for_update()).first()


def _meet(connection: Connection, device: str, push_token: str, now: datetime) -> None:
    """Write down where the device listens. What it was told at another place, it may not have heard."""
    before = _hold_device(connection, device)
    known = {"device": device, "push_token": push_token, "registered_at": now}
    connection.execute(upsert(connection, DEVICE, ["device"], ["push_token", "registered_at"]).values(known))
    if before is None or before.push_token == push_token or not before.owed_tag:
        return
    if before.owed_tag > before.pushed_tag or _unanswered(before):
        _owe(connection, device, before.owed_tag, now)


def _unanswered(device: Row[Any]) -> bool:
    """Whether the device was pushed and has not asked since: perhaps before Apple's answer was noted."""
    return device.woken_at is not None and (device.asked_at is None or device.asked_at < device.woken_at)


def _late(connection: Connection, device: str, now: datetime) -> int:
    """A number above that of any late registration of the device before, also of those it forgot."""
    before = select(func.max(REGISTRATION.c.late)).where(REGISTRATION.c.device == device)
    return max(int(now.timestamp() * 1000), (connection.scalar(before) or 0) + 1)


def _owe(connection: Connection, device: str, tag: int, now: datetime) -> None:
    """Owe the device a push: nobody else would tell it."""
    higher = func.max if connection.dialect.name == "sqlite" else func.greatest
    due = func.coalesce(DEVICE.c.push_at, bindparam(None, now, type_=DEVICE.c.push_at.type))
    owed = DEVICE.update().where(DEVICE.c.device == device)
    connection.execute(owed.values(owed_tag=higher(DEVICE.c.owed_tag, tag), push_at=due))


def _carried(connection: Connection, serial: str) -> bool:
    """Whether any device carries the pass."""
    carries = select(REGISTRATION.c.device).where(REGISTRATION.c.serial == serial)
    return connection.scalar(carries.limit(1)) is not None


def _removed(connection: Connection, serial: str, now: datetime) -> None:
    """A device carries the pass no more; if it was the last one, the card is gone."""
    if not _carried(connection, serial):
        happenings.went(connection, serial, APPLE, now)


def unregister(connection: Connection, serial: str, device: str, now: datetime) -> None:
    """Forget that `device` carries the pass `serial`, and the device if it carries nothing else."""
    _hold(connection, serial)
    gone = (REGISTRATION.c.device == device) & (REGISTRATION.c.serial == serial)
    if connection.execute(REGISTRATION.delete().where(gone)).rowcount:
        _removed(connection, serial, now)
    # A statement of its own after the wait: it sees what somebody registered meanwhile.
    _hold_device(connection, device)
    carries = exists(select(REGISTRATION.c.serial).where(REGISTRATION.c.device == device))
    connection.execute(DEVICE.delete().where(DEVICE.c.device == device, ~carries))


def forget_device(
    connection: Connection, device: str, now: datetime, push_token: str | None = None,
    gone_since: datetime | None = None,
) -> bool:  # fmt: skip
    """The device is gone for good (the push service says so): so are its passes.

    False, and nothing is done, if it listens elsewhere than at `push_token` by now, or has registered
    again after `gone_since`.
    """
    theirs = select(REGISTRATION).where(REGISTRATION.c.device == device).order_by(REGISTRATION.c.serial)
    _hold(connection, *(row.serial for row in connection.execute(theirs).all()))
    known = _hold_device(connection, device)
    if known is None:
        return True
    returned = gone_since is not None and known.registered_at > gone_since
    if returned or push_token not in (None, known.push_token):
        return False
    rows = connection.execute(theirs).all()
    connection.execute(REGISTRATION.delete().where(REGISTRATION.c.device == device))
    connection.execute(DEVICE.delete().where(DEVICE.c.device == device))
    for row in rows:
        _removed(connection, row.serial, now)
    return True


# Made once: a statement takes as long to build as to answer. All go by the device's own rows.
_CARRIED = (
    select(PASS.c.serial, PASS.c.tag, REGISTRATION.c.late)
    .select_from(REGISTRATION.join(PASS, PASS.c.serial == REGISTRATION.c.serial))
    .where(REGISTRATION.c.device == bindparam("device"))
    .order_by(PASS.c.tag, PASS.c.serial)
)
_CHANGED = _CARRIED.where(
    or_(
        and_(PASS.c.tag > bindparam("mark"), PASS.c.tag > REGISTRATION.c.tag),
        REGISTRATION.c.late > bindparam("late"),
    )
)
_HIGHEST = func.coalesce(select(func.max(PASS.c.tag)).scalar_subquery(), 0)
_DEVICE = select(DEVICE, _HIGHEST.label("highest")).where(DEVICE.c.device == bindparam("device"))
QUESTION = (_DEVICE, _CARRIED, _CHANGED)
"""What is asked of the database when a device asks what changed."""


def changed_since(connection: Connection, device: str, tag: Tag) -> Sequence[Changed]:
    """The passes on `device` that were marked after `tag` and after it came with them, or that came late."""
    known = {"mark": tag.mark, "late": tag.late} if tag.asked else {}
    found = connection.execute(_CHANGED if tag.asked else _CARRIED, {"device": device, **known})
    return [Changed(row.serial, row.tag, row.late) for row in found]


def asking(connection: Connection, device: str) -> Row[Any] | None:
    """The device that asks, with `highest`, the highest mark of all; None for one that carries nothing."""
    return connection.execute(_DEVICE, {"device": device}).first()


def is_worth_noting(device: Row[Any], now: datetime) -> bool:
    """Whether a question of this device is to be written down: not too often."""
    return _unanswered(device) or device.asked_at is None or now - device.asked_at >= NOTED_EVERY


def asked(connection: Connection, device: str, now: datetime) -> None:
    """The device asked what changed. The first question after a push tells how long the answer took."""
    row = _hold_device(connection, device)
    if row is None:
        return
    values: dict[str, Any] = {"asked_at": now}
    if _unanswered(row) and not row.attempts:
        values["answered_seconds"] = max(0.0, (now - row.woken_at).total_seconds())
    connection.execute(DEVICE.update().where(DEVICE.c.device == device).values(values))
