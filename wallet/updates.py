"""Keeping cards live: which passes show something new, which devices and Google objects are owed an update.

What is owed stands in the tables and is written in the transaction that marks the pass, so a crash
between marking and sending loses nothing. A burst of changes is one update: the first change sets the
time, those after it only raise what is owed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, select, text

from wallet.design import Face
from wallet.tables import DEVICE, PASS, REGISTRATION

# The cards of some customers as they are now; who has none is left out.
Faces = Callable[[Connection, Sequence[int]], Mapping[int, Face]]

BATCH = 500
COALESCE = timedelta(seconds=5)
LEASE = timedelta(minutes=2)
ATTEMPTS_AT_MOST = 10
# Any number will do as long as nothing else in the database takes the same lock.
_TAG_LOCK = 8_320_797_251


@dataclass(frozen=True, slots=True)
class Owed:
    """A device that should ask us what is new. `tag` is what it is owed, `push_token` where it listens."""

    device: str
    push_token: str
    tag: int
    registered_at: datetime


def mark(
    connection: Connection, customers: Iterable[int], faces: Faces, now: datetime, wait: timedelta = COALESCE
) -> list[int]:
    """Mark the passes that show something else than before, and note who is owed an update after `wait`.

    `customers` are those whose balance or tier may have changed; the rest of the work is for those of
    them whose card really did. Returns their ids. Tags rise in the order of commits on both databases.
    """
    marked: list[int] = []
    for ids in _batches(customers):
        found = connection.execute(select(PASS).where(PASS.c.customer_id.in_(ids))).all()
        if not found:
            continue
        _lock_tags(connection)  # before the cards are read: who waits here must see what the other wrote
        marked += _mark_batch(connection, [row.customer_id for row in found], faces, now, wait)
    return marked


def shown(face: Face, *, voided: bool) -> str:
    """What is kept of a card to tell whether it changed."""
    return f"{face.digest()}{'-void' if voided else ''}"


def _mark_batch(
    connection: Connection, ids: Sequence[int], faces: Faces, now: datetime, wait: timedelta
) -> list[int]:
    current = faces(connection, ids)
    rows = connection.execute(
        select(PASS).where(PASS.c.customer_id.in_(ids)).order_by(PASS.c.customer_id)
    ).all()
    changed = [
        (row, digest)
        for row in rows
        if row.customer_id in current
        and (digest := shown(current[row.customer_id], voided=row.voided)) != row.digest
    ]
    if changed:
        tag = (connection.scalar(select(func.max(PASS.c.tag))) or 0) + 1
        _write_marks(connection, changed, tag, now, now + wait)
        _owe_devices(connection, [row.customer_id for row, _ in changed], tag, now + wait)
    return [row.customer_id for row, _ in changed]


def _write_marks(
    connection: Connection, changed: Sequence[tuple[Row[Any], str]], tag: int, now: datetime, due: datetime
) -> None:
    has_object = PASS.c.google_object_id.is_not(None)
    google = case(
        (has_object, func.coalesce(PASS.c.google_try_at, bindparam("due", type_=PASS.c.changed_at.type)))
    )
    statement = (
        PASS.update()
        .where(PASS.c.customer_id == bindparam("id"))
        .values(digest=bindparam("new"), tag=tag, changed_at=bindparam("at"), google_try_at=google)
    )
    values = [
        {"id": row.customer_id, "new": digest, "at": _later(row.changed_at, now), "due": due}
        for row, digest in changed
    ]
    connection.execute(statement, values)


def _later(before: datetime, now: datetime) -> datetime:
    """A Last-Modified that differs from the one before: HTTP dates know whole seconds only."""
    return max(now.replace(microsecond=0), before + timedelta(seconds=1))


def _owe_devices(connection: Connection, customers: Sequence[int], tag: int, due: datetime) -> None:
    carrying = select(REGISTRATION.c.device).where(REGISTRATION.c.customer_id.in_(customers))
    statement = DEVICE.update().where(DEVICE.c.device.in_(carrying))
    connection.execute(statement.values(owed_tag=tag, push_at=func.coalesce(DEVICE.c.push_at, due)))


def _lock_tags(connection: Connection) -> None:
    """One writer of tags at a time until commit: a device must never see a tag above one still to come.

    SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TAG_LOCK})


def claim(connection: Connection, now: datetime, limit: int = BATCH) -> list[Owed]:
    """Devices whose push is due, each once whatever it is owed; nobody else gets them for two minutes."""
    due = (
        select(DEVICE).where(DEVICE.c.push_at <= now).order_by(DEVICE.c.push_at, DEVICE.c.device).limit(limit)
    )
    rows = connection.execute(due.with_for_update(skip_locked=True)).all()
    mine = DEVICE.c.device.in_([row.device for row in rows])
    connection.execute(DEVICE.update().where(mine).values(push_at=now + LEASE))
    return [Owed(row.device, row.push_token, row.owed_tag, row.registered_at) for row in rows]


def pushed(connection: Connection, owed: Owed, now: datetime) -> None:
    """The push was accepted; what came to be owed meanwhile is due at once."""
    again = case((DEVICE.c.owed_tag > owed.tag, _moment(now)))
    done = DEVICE.update().where(DEVICE.c.device == owed.device)
    connection.execute(done.values(pushed_tag=owed.tag, pushed_at=now, attempts=0, push_at=again))


def push_later(
    connection: Connection, owed: Owed, after: timedelta, now: datetime, *, counts: bool = True
) -> None:
    """Try again; after ten attempts leave it: the device asks by itself after its next start."""
    more = DEVICE.c.attempts + (1 if counts else 0)
    again = case((more < ATTEMPTS_AT_MOST, _moment(now + after)))
    statement = DEVICE.update().where(DEVICE.c.device == owed.device)
    connection.execute(
        statement.values(attempts=case((more < ATTEMPTS_AT_MOST, more), else_=0), push_at=again)
    )


def backoff(attempts: int) -> timedelta:
    """30 seconds, doubled with every attempt, an hour at most."""
    return timedelta(seconds=min(30 << attempts, 3600))


def claim_google(connection: Connection, now: datetime, limit: int = BATCH) -> list[Row[Any]]:
    """Passes whose Google object is behind and due; nobody else gets them for two minutes."""
    due = (
        select(PASS)
        .where(PASS.c.google_try_at <= now)
        .order_by(PASS.c.google_try_at, PASS.c.customer_id)
        .limit(limit)
    )
    rows = list(connection.execute(due.with_for_update(skip_locked=True)))
    mine = PASS.c.customer_id.in_([row.customer_id for row in rows])
    connection.execute(PASS.update().where(mine).values(google_try_at=now + LEASE))
    return rows


def google_written(
    connection: Connection, row: Row[Any], face: Face, now: datetime, *, object_id: str, notified: bool
) -> None:
    """The Google object now shows `face`; if the pass was marked since `row` was read it is due at once."""
    digest = shown(face, voided=row.voided)
    notices = [*recent_notices(row, now), now] if notified else recent_notices(row, now)
    values = {
        "google_object_id": object_id,
        "google_digest": digest,
        "google_notice": face.notice(),
        "google_notices": " ".join(str(int(at.timestamp())) for at in notices),
        "google_attempts": 0,
        "google_try_at": case((PASS.c.digest != row.digest, _moment(now))),
    }
    connection.execute(PASS.update().where(PASS.c.customer_id == row.customer_id).values(values))


def google_later(
    connection: Connection, row: Row[Any], after: timedelta, now: datetime, *, counts: bool = True
) -> None:
    """Try again; after ten attempts leave it until the card changes once more."""
    attempts = row.google_attempts + (1 if counts else 0)
    given_up = attempts >= ATTEMPTS_AT_MOST
    values = {
        "google_attempts": 0 if given_up else attempts,
        "google_try_at": None if given_up else now + after,
    }
    connection.execute(PASS.update().where(PASS.c.customer_id == row.customer_id).values(values))


GOOGLE_NOTICES_A_DAY = 3


def recent_notices(row: Row[Any], now: datetime) -> list[datetime]:
    """When Google notified the holder of an update in the last 24 hours, as far as we asked it to."""
    times = (datetime.fromtimestamp(int(second), now.tzinfo) for second in row.google_notices.split())
    return [at for at in times if at > now - timedelta(days=1)]


def may_notify(row: Row[Any], now: datetime) -> bool:
    """Whether one more visible update is within what Google allows: three a pass in 24 hours."""
    return len(recent_notices(row, now)) < GOOGLE_NOTICES_A_DAY


def _moment(at: datetime) -> Any:
    return bindparam(None, at, type_=PASS.c.changed_at.type)


def _batches(customers: Iterable[int]) -> Iterator[list[int]]:
    ids = sorted(set(customers))
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]
