"""On to the next channel: what nobody confirmed in time, and what did not arrive."""

from datetime import datetime

from sqlalchemy import Connection, literal, select

from campaigns.running import Running
from campaigns.tables import Message
from channels.base import CARD
from core.db import UtcDateTime
from scheduler.outbox import MOST_AT_ONCE, Turn, ended, moved, write
from scheduler.outdated import refuse_outdated
from scheduler.reach import MessageRow, Reach, leave_behind, regretted
from wallet import news

MESSAGE = Message.__table__  # type: ignore[attr-defined]
NOT_CONFIRMED = "not_confirmed"


def fall_back(connection: Connection, running: Running, at: datetime, limit: int = MOST_AT_ONCE) -> int:
    """Messages that nobody confirmed in time, or that did not arrive, go out on their next channel.

    Returns how many. One that is no longer worth it (too late, its scenario removed, nothing left) stays as
    it is: *sent*, or *failed* if the provider said that it did not arrive. More than `limit` are left to the
    next call. Outdated as `Claimer.claim`.
    """
    late = select(MESSAGE).where(MESSAGE.c.fallback_at <= literal(at, UtcDateTime), MESSAGE.c.state == "sent")
    late = late.order_by(MESSAGE.c.id).limit(limit).with_for_update(skip_locked=True)
    rows = connection.execute(late).all()
    refuse_outdated(connection, running, rows)
    reach = Reach(connection, running, at, rows)
    heard = regretted(connection, rows)
    turns = [_fallen(row, running, reach, at, regretted=row.id in heard) for row in rows]
    write(connection, turns, at)
    gone = [turn.row for turn in turns if turn.state == "planned"]
    leave_behind(connection, gone)
    on_cards = {row.provider_id: row.customer_id for row in gone if running.kinds.get(row.channel) == CARD}
    news.withdraw(connection, on_cards, at)
    return len(gone)


def _fallen(row: MessageRow, running: Running, reach: Reach, at: datetime, *, regretted: bool) -> Turn:
    if regretted:
        over = ended(row, "recalled", "no_consent")
        return Turn(row, over.state, over.reason, {"fallback_at": None}, over.detail)
    worth_it = row.scenario in running.scenarios and (row.expires_at is None or at < row.expires_at)
    onward = reach.onward(row) if worth_it else None
    # A message of which the provider said that it did not arrive has given its acceptance back (`confirm`).
    undelivered = row.accepted_at is None
    if onward:
        return moved(row, onward, row.reason if undelivered else NOT_CONFIRMED, at)
    if undelivered:
        over = ended(row, "failed", row.reason, f"{row.channel}: {row.reason}")
        return Turn(row, over.state, over.reason, {"fallback_at": None}, over.detail)
    return Turn(row, "sent", None, {"fallback_at": None})
