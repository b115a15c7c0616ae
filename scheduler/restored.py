"""After a database was restored to an earlier moment: what may have been sent since is not sent again.

Between that moment and now another life of this installation looked, planned and sent, and nobody here
remembers it. So its time is lived through once more, in small steps, with nothing sent: what became due in a
step is planned, as that life did, and set aside as *unknown*. Providers that can be asked are asked about
it, the rest is reported. What is due later nobody has sent yet.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from campaigns.tables import Message, MessageState
from campaigns.versions import STATE, Live
from core.clock import Clock, MovableClock
from core.db import Database
from core.db.sets import among
from core.errors import UserError
from core.events import CURSOR, EVENT, number_anew
from core.tables import Letter
from scheduler.card_changes import VERSION
from scheduler.claim import IS_SENDING, IS_WAITING
from scheduler.outbox import Turn, anchor, write
from scheduler.presence import MISSING, PROCESS, present
from scheduler.reach import MessageRow, after
from scheduler.shards import abandon
from scheduler.tick import decide
from wallet.tables import CURRENT, PASS

MESSAGE = Message.__table__  # type: ignore[attr-defined]
MESSAGE_STATE = MessageState.__table__  # type: ignore[attr-defined]
LETTER = Letter.__table__  # type: ignore[attr-defined]

RESTORED = "restored"
AT_ONCE = 1_000
# The looks that make up for the time between are as large as they are: nobody is written to by them.
_ANY_NUMBER = 2**31 - 1
# More marks than the lost life can have given.
_MARKS_BETWEEN = 2**32
# How far apart these looks are; of a long time no more than so many are made.
_STRIDE, _MOST_LOOKS = timedelta(minutes=15), 400


@dataclass(slots=True)
class Restored:
    """What was set aside, by channel; `broken` scenarios could not be looked at, and why.

    At `idle` ones nobody looked, since they are paused or held here: perhaps they ran in the other life.
    """

    since: datetime
    until: datetime
    unknown: Counter[str] = field(default_factory=Counter)
    letters: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    idle: list[str] = field(default_factory=list)


def last_sign(connection: Connection) -> datetime | None:
    """The latest moment of which this database knows: about the one that it was restored to."""
    columns = (EVENT.c.recorded_at, MESSAGE_STATE.c.at, PROCESS.c.seen_at)
    found = [connection.scalar(select(func.max(column))) for column in columns]
    return max((at for at in found if at is not None), default=None)


def set_aside(database: Database, live: Live, clock: Clock, since: datetime) -> Restored:
    """Set aside what may have been sent since the moment to which the database was restored.

    Nothing else may work on the database meanwhile: UserError if somebody seems to. Broken off, it is to be
    done again; once more sets aside what became due since.
    """
    done = Restored(since, clock.now())
    with database.write() as connection:
        _nobody_works(connection, done.until)
        number_anew(connection)
        abandon(connection)
        idle = select(STATE.c.name).where(STATE.c.status.in_(("paused", "held"))).order_by(STATE.c.name)
        done.idle = list(connection.scalars(idle))
    try:
        begun = since
        for at in _moments(since, done.until):
            _live_through(database, live, done, begun, at)
            begun = at
    finally:
        _agree(database, None)
    with database.write() as connection:
        _no_fallbacks(connection)
        _all_cards(connection, done.until)
        done.letters = _letters(connection, done.until)
    return done


def _nobody_works(connection: Connection, at: datetime) -> None:
    for it in present(connection):
        if timedelta(0) <= at - it.seen_at < MISSING:
            raise UserError(
                f"{it.kind} on {it.host} (process {it.pid}) worked on this database within the last minute; "
                "stop it, or wait a minute if that was before the restore"
            )


def _moments(since: datetime, until: datetime) -> Iterator[datetime]:
    stride = max(_STRIDE, (until - since) / _MOST_LOOKS)
    at = since
    while at < until:
        yield at
        at += stride
    yield until


def _live_through(database: Database, live: Live, done: Restored, begun: datetime, at: datetime) -> None:
    """What became due between the two moments; steps of a series follow on it, as soon as they may have."""
    _agree(database, _ANY_NUMBER)
    for looked in decide(database, live, MovableClock(at)).looks:
        if looked.error:
            done.broken[looked.scenario] = looked.error
    while _some(database, done, begun, at):
        pass


def _agree(database: Database, allowed: int | None) -> None:
    """To looks of any size, or no more; what somebody had agreed to before is to be agreed to again."""
    with database.write() as connection:
        connection.execute(update(STATE).where(STATE.c.status == "active").values(allowed=allowed))


def _some(database: Database, done: Restored, begun: datetime, at: datetime) -> bool:
    """Set some aside; whether there were any."""
    with database.write() as connection:
        due = select(MESSAGE).where(or_(IS_WAITING, IS_SENDING), MESSAGE.c.due_at <= at)
        rows = connection.execute(due.order_by(MESSAGE.c.id).limit(AT_ONCE).with_for_update()).all()
        # As if it had left at once after the restore: a provider is asked about the time since then.
        write(connection, [Turn(row, "sending", RESTORED) for row in rows], done.since)
        write(connection, [Turn(row, "unknown", RESTORED, detail="may have left before") for row in rows],
              done.until)  # fmt: skip
        anchor(connection, [row.id for row in rows], begun)
        _end_cascades(connection, rows)
        done.unknown.update(row.channel for row in rows)
    return bool(rows)


def _no_fallbacks(connection: Connection) -> None:
    """What was sent before goes out on no other channel: that it arrived may be among what is lost."""
    late = select(MESSAGE).where(MESSAGE.c.fallback_at.is_not(None), MESSAGE.c.state == "sent")
    while rows := connection.execute(late.order_by(MESSAGE.c.id).limit(AT_ONCE).with_for_update()).all():
        _end_cascades(connection, rows)


def _end_cascades(connection: Connection, rows: Sequence[MessageRow]) -> None:
    """The channels behind may have been used; whatever is heard of these messages, they go no further."""
    ways: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row in rows:
        ways[tuple(row.channels[: len(row.channels) - len(after(row))])].append(row.id)
    for channels, ids in ways.items():
        ended: dict[str, Any] = {"channels": list(channels), "fallback_at": None}
        connection.execute(update(MESSAGE).where(among(MESSAGE.c.id, ids)).values(ended))


def _all_cards(connection: Connection, at: datetime) -> None:
    """Wallets may show what the lost life told them: every card is marked anew, above any mark that phones
    know, and written to Google whatever it had there.
    """
    above = (connection.scalar(select(func.max(PASS.c.tag))) or 0) + _MARKS_BETWEEN
    connection.execute(update(PASS).where(CURRENT).values(digest="", tag=above))
    at_google = CURRENT & PASS.c.google_object_id.is_not(None)
    connection.execute(update(PASS).where(at_google).values(google_digest=None, google_try_at=at))
    connection.execute(CURSOR.delete().where(CURSOR.c.reader == VERSION))


def _letters(connection: Connection, until: datetime) -> int:
    due = LETTER.c.state.in_(("planned", "sending")) & (LETTER.c.due_at <= until)
    lost = update(LETTER).where(due).values(state="unknown", reason=RESTORED, changed_at=until)
    return connection.execute(lost).rowcount
