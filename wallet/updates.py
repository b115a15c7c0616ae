"""Keeping cards live: which passes show something new, which devices and Google objects are owed an update.

What is owed stands in the tables and is written in the transaction that marks the pass, so a crash
between marking and sending loses nothing. A burst of changes is one update: the first change sets the
time, those after it only raise what is owed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, select, text

from wallet.apple.dormancy import dormant
from wallet.design import Face
from wallet.news import OFF
from wallet.tables import CURRENT, DEVICE, PASS, REGISTRATION

# The cards of some customers as they are now; who has none is left out.
Faces = Callable[[Connection, Sequence[int]], Mapping[int, Face]]

BATCH = 500
# What comes in one go at a till is one receipt, one transaction; a quarter of a second gathers what follows.
COALESCE = timedelta(milliseconds=250)
# What is kept in the place of a digest of a pass that another one replaced.
REPLACED = "replaced"
# Any number will do as long as nothing else in the database takes the same lock.
_TAG_LOCK = 8_320_797_251


def mark(
    connection: Connection, customers: Iterable[int], faces: Faces, now: datetime, wait: timedelta = COALESCE
) -> list[int]:
    """Mark the passes that show something else than before, and note who is owed an update after `wait`.

    `customers` are those whose balance or tier may have changed; the rest of the work is for those of
    them whose card really did. Returns their ids. Tags rise in the order of commits on both databases.
    """
    marked: list[int] = []
    for ids in _batches(customers):
        found = connection.execute(select(PASS).where(PASS.c.customer_id.in_(ids), CURRENT)).all()
        if not found:
            continue
        lock_tags(connection)  # before the cards are read: who waits here must see what the other wrote
        marked += _mark_batch(connection, [row.customer_id for row in found], faces, now, wait)
    return marked


def outdated(connection: Connection, customers: Sequence[int], faces: Faces) -> list[int]:
    """Those whose card seems to show something else than was marked: a look without a lock, before `mark`."""
    current = faces(connection, customers)
    columns: list[Any] = [PASS.c.customer_id, PASS.c.digest, PASS.c.voided]
    rows = connection.execute(select(*columns).where(CURRENT, PASS.c.customer_id.in_(current)))
    return [row.customer_id for row in rows if is_outdated(row, current[row.customer_id])]


def shown(face: Face, *, voided: bool) -> str:
    """What is kept of a card to tell whether it changed; what only Google is told stands after the dot."""
    return f"{face.digest()}{'-void' if voided else ''}.{face.google_digest()}"


def is_outdated(row: Row[Any], face: Face) -> bool:
    """Whether the card shows something else than the pass `row` was marked with."""
    if "." in row.digest:
        return bool(shown(face, voided=row.voided) != row.digest)
    before = face.digest_before_0005()
    return not before or bool(row.digest != f"{before}{'-void' if row.voided else ''}")


def _is_googles(row: Row[Any], digest: str) -> bool:
    """Whether what changed is nothing that a pass shows, so that no phone is to ask for it."""
    return "." in row.digest and row.digest.partition(".")[0] == digest.partition(".")[0]


def _mark_batch(
    connection: Connection, ids: Sequence[int], faces: Faces, now: datetime, wait: timedelta
) -> list[int]:
    current = faces(connection, ids)
    rows = connection.execute(
        select(PASS).where(PASS.c.customer_id.in_(ids), CURRENT).order_by(PASS.c.serial)
    ).all()
    changed = [
        (row, shown(current[row.customer_id], voided=row.voided))
        for row in rows
        if row.customer_id in current and is_outdated(row, current[row.customer_id])
    ]
    if changed:
        tag = _next_tag(connection)
        _write_marks(connection, changed, tag, now, now + wait)
        told = [row.serial for row, digest in changed if not _is_googles(row, digest)]
        _owe_devices(connection, told, tag, now, now + wait)
    return sorted(row.customer_id for row, _ in changed)


def retire(connection: Connection, customer_id: int, now: datetime) -> None:
    """The customer's pass is replaced: void and empty from now on, and who carries it is told at once."""
    lock_tags(connection)
    row = connection.execute(select(PASS).where(PASS.c.customer_id == customer_id, CURRENT)).first()
    if row is None:
        return
    tag = _next_tag(connection)
    _write_marks(connection, [(row, REPLACED)], tag, now, now)
    gone = PASS.update().where(PASS.c.serial == row.serial)
    connection.execute(gone.values(voided=True, replaced_at=now, look_at=None, **OFF))
    _owe_devices(connection, [row.serial], tag, now, now)


def _next_tag(connection: Connection) -> int:
    return (connection.scalar(select(func.max(PASS.c.tag))) or 0) + 1


def _write_marks(
    connection: Connection, changed: Sequence[tuple[Row[Any], str]], tag: int, now: datetime, due: datetime
) -> None:
    has_object = PASS.c.google_object_id.is_not(None)
    google = case(
        (has_object, func.coalesce(PASS.c.google_try_at, bindparam("due", type_=PASS.c.changed_at.type)))
    )
    statement = (
        PASS.update()
        .where(PASS.c.serial == bindparam("pass"))
        .values(
            digest=bindparam("new"), tag=bindparam("mark"), changed_at=bindparam("at"), google_try_at=google
        )
    )
    # In one go, in the order of serials, in which everybody holds passes.
    values = [
        {"pass": row.serial, "new": digest, "due": due, **_marked(row, digest, tag, now)}
        for row, digest in changed
    ]
    connection.execute(statement, values)


def _marked(row: Row[Any], digest: str, tag: int, now: datetime) -> dict[str, Any]:
    if _is_googles(row, digest):
        return {"mark": row.tag, "at": row.changed_at}
    return {"mark": tag, "at": _later(row.changed_at, now)}


def _later(before: datetime, now: datetime) -> datetime:
    """A Last-Modified that differs from the one before: HTTP dates know whole seconds only."""
    return max(now.replace(microsecond=0), before + timedelta(seconds=1))


def _owe_devices(
    connection: Connection, serials: Sequence[str], tag: int, now: datetime, due: datetime
) -> None:
    """A dormant device is owed, but not pushed: it hears of it when it asks again."""
    carrying = select(REGISTRATION.c.device).where(REGISTRATION.c.serial.in_(serials))
    mine = DEVICE.c.device.in_(carrying)
    # In one order, as whoever records pushes holds them, so that nobody waits in a circle.
    held = select(DEVICE.c.device).where(mine).order_by(DEVICE.c.device).with_for_update()
    if connection.dialect.name == "postgresql":
        connection.execute(held).all()
    push_at = case((dormant(now), DEVICE.c.push_at), else_=func.coalesce(DEVICE.c.push_at, due))
    connection.execute(DEVICE.update().where(mine).values(owed_tag=tag, push_at=push_at))


def lock_tags(connection: Connection) -> None:
    """One writer of tags at a time until commit: a device must never see a tag above one still to come.

    Who changes passes before marking them takes it first: two that hold half of it each would wait for ever.
    SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TAG_LOCK})


def _batches(customers: Iterable[int]) -> Iterator[list[int]]:
    ids = sorted(set(customers))
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]
