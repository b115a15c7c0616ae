"""Which objects at Google are behind, who writes them, and what became of it: everything in the tables.

`google_try_at` says when an object is written next; while somebody writes it, it holds when their lease ends.
Two may write one object (a customer asks for the link while the beat is at it, a lease runs out): whoever
finds at the end that the lease is no longer theirs leaves the object due, so that the last word is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, func, null, select

from wallet.tables import PASS
from wallet.updates import lock_tags

BATCH = 500
LEASE = timedelta(minutes=2)
# Content that Google refuses is tried so often; it waits until the card changes.
ATTEMPTS_AT_MOST = 10
# Our own mistake is looked at again after a while: somebody may have mended it.
MISCONFIGURED = timedelta(minutes=15)
# What Google refuses of a pass that is over is tried so often, for as long as it takes.
OVER = timedelta(days=1)
_LONGEST_BACKOFF_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row of `wallet_pass` to be written, and when the right to do so ends."""

    row: Row[Any] = field(repr=False)
    lease: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """What Google has now: `digest` of the body, `notice` and `notices` for the budget, `news` by its id."""

    claimed: Claimed
    object_id: str
    digest: str
    notice: str | None
    notices: str
    news: str | None


@dataclass(frozen=True, slots=True)
class Later:
    """An object to be tried again `after`; None when it waits for the card's next change.

    `notice` and `notices` are those of what its holder was told of nevertheless.
    """

    claimed: Claimed
    attempts: int
    after: timedelta | None
    notice: str | None
    notices: str


def next_due(connection: Connection) -> datetime | None:
    """When the first object is due, perhaps in the past; None if none is behind."""
    first = select(func.min(PASS.c.google_try_at)).where(PASS.c.google_try_at.is_not(None))
    found: datetime | None = connection.scalar(first)
    return found


def claim(connection: Connection, now: datetime, limit: int = BATCH) -> list[Claimed]:
    """Passes whose object is behind and due; nobody else gets them for two minutes.

    Half of them are the newest, half the oldest: who stands at the till does not wait until a hundred
    thousand others are through, nor do those wait for ever.
    """
    due = select(PASS).where(PASS.c.google_try_at <= now).with_for_update(skip_locked=True)
    newest = due.order_by(PASS.c.google_try_at.desc(), PASS.c.serial).limit(limit - limit // 2)
    rows = list(connection.execute(newest))
    if len(rows) == limit - limit // 2:
        others = due.where(PASS.c.serial.not_in([row.serial for row in rows]))
        oldest = others.order_by(PASS.c.google_try_at, PASS.c.serial).limit(limit // 2)
        rows += connection.execute(oldest)
    return _leased(connection, rows, now)


def current(connection: Connection, serial: str) -> Row[Any]:
    """The pass as it is now, held until the commit."""
    return connection.execute(select(PASS).where(PASS.c.serial == serial).with_for_update()).one()


def hold(connection: Connection, row: Row[Any], now: datetime) -> Claimed:
    """Write this one now, whoever else is at it. If we go down meanwhile, the beat finds it due."""
    [claimed] = _leased(connection, [row], now)
    return claimed


def _leased(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> list[Claimed]:
    if rows:
        mine = PASS.c.serial.in_([row.serial for row in rows])
        connection.execute(PASS.update().where(mine).values(google_try_at=now + LEASE))
    return [Claimed(row, now + LEASE) for row in rows]


def telling(connection: Connection, names: dict[str, str]) -> None:
    """Note, before the first byte leaves, of which message each pass (by serial) is going to be told."""
    if names:
        lock_tags(connection)
        statement = PASS.update().where(PASS.c.serial == bindparam("pass"))
        values = [{"pass": serial, "name": asked(names[serial])} for serial in sorted(names)]
        connection.execute(statement.values(google_news=bindparam("name")), values)


def asked(name: str) -> str:
    """How a message is noted of which nobody knows yet whether Google has it."""
    return f"?{name}"


def settle(connection: Connection, done: Sequence[Done], later: Sequence[Later], now: datetime) -> None:
    """Record what became of the objects that were claimed."""
    lock_tags(connection)
    claims = [it.claimed for it in done] + [it.claimed for it in later]
    serials = [it.row.serial for it in claims]
    # All of them first, in the order in which everybody holds passes.
    held = select(PASS.c.serial).where(PASS.c.serial.in_(serials)).order_by(PASS.c.serial)
    connection.execute(held.with_for_update()).all()
    if done:
        connection.execute(_DONE, [_done(it, now) for it in done])
    if later:
        connection.execute(_LATER, [_later(it, now) for it in later])


def backoff(attempts: int, asked_for: timedelta | None = None) -> timedelta:
    """30 seconds, doubled with every attempt, an hour at most; never less than what Google asks for."""
    own = timedelta(seconds=min(30 << min(attempts, ATTEMPTS_AT_MOST), _LONGEST_BACKOFF_SECONDS))
    return max(own, asked_for or own)


def _moment(name: str) -> Any:
    return bindparam(name, type_=PASS.c.google_try_at.type)


def _if_mine(name: str, column: Any) -> Any:
    return case((_MINE, bindparam(name, type_=column.type)), else_=column)


_MINE = PASS.c.google_try_at == _moment("lease")
_TRIED = {
    "notice": PASS.c.google_notice,
    "notices": PASS.c.google_notices,
    "attempts": PASS.c.google_attempts,
}
_SEEN = bindparam("seen", type_=PASS.c.digest.type)
_DONE = (
    PASS.update()
    .where(PASS.c.serial == bindparam("pass"))
    .values(
        google_object_id=bindparam("object"),
        google_digest=case((_MINE, bindparam("body", type_=PASS.c.google_digest.type))),
        google_notice=bindparam("notice"),
        google_notices=bindparam("notices"),
        google_news=bindparam("message"),
        google_attempts=0,
        google_try_at=case(
            (and_(_MINE, PASS.c.digest == _SEEN), null()),
            else_=_moment("now"),
        ),
    )
)
# What Google has is not known for sure, so the next attempt writes it whole. Who waits for the card's next
# change and finds that it has come meanwhile does not wait for another one. What somebody else has recorded
# meanwhile stays; the object is due nevertheless.
_LATER = (
    PASS.update()
    .where(PASS.c.serial == bindparam("pass"))
    .values(
        google_digest=None,
        **{it.name: _if_mine(name, it) for name, it in _TRIED.items()},
        google_try_at=case(
            (and_(_MINE, _moment("at").is_(None), PASS.c.digest != _SEEN), _moment("now")),
            (_MINE, _moment("at")),
            else_=func.coalesce(PASS.c.google_try_at, _moment("now")),
        ),
    )
)


def _done(it: Done, now: datetime) -> dict[str, Any]:
    row = it.claimed.row
    return {
        "pass": row.serial, "lease": it.claimed.lease, "object": it.object_id, "body": it.digest,
        "notice": it.notice, "notices": it.notices, "message": it.news, "seen": row.digest, "now": now,
    }  # fmt: skip


def _later(it: Later, now: datetime) -> dict[str, Any]:
    at = None if it.after is None else now + it.after
    return {
        "pass": it.claimed.row.serial,
        "lease": it.claimed.lease,
        "notice": it.notice,
        "notices": it.notices,
        "attempts": it.attempts,
        "at": at,
        "seen": it.claimed.row.digest,
        "now": now,
    }
