"""Failed messages are planned again by hand: somebody mended what they failed on.

Only *failed* ones: of an *unknown* message nobody knows that it did not leave. Everything is asked once more
when it is claimed, as of any message.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from campaigns.tables import Message
from core.db.sets import among
from scheduler.outbox import MOST_AT_ONCE, Turn, anchor, write

MESSAGE = Message.__table__  # type: ignore[attr-defined]
BY_HAND = "retried by hand"


@dataclass(frozen=True, slots=True)
class Retried:
    """Which messages go again, which are too late, and which are not *failed* (id → their state)."""

    again: tuple[int, ...]
    late: tuple[int, ...]
    others: dict[int, str]
    missing: tuple[int, ...]


def failed_of(connection: Connection, scenario: str) -> Sequence[int]:
    """The failed messages of a scenario."""
    mine = (MESSAGE.c.scenario == scenario) & (MESSAGE.c.state == "failed")
    return connection.scalars(select(MESSAGE.c.id).where(mine).order_by(MESSAGE.c.id)).all()


def retry(connection: Connection, ids: Sequence[int], at: datetime) -> Retried:
    """Plan these again, from the first channel of their cascade on; the wait for the next step is held up."""
    again: list[int] = []
    late: list[int] = []
    others: dict[int, str] = {}
    for start in range(0, len(ids), MOST_AT_ONCE):
        some = ids[start : start + MOST_AT_ONCE]
        own = select(MESSAGE).where(among(MESSAGE.c.id, some)).order_by(MESSAGE.c.id)
        turns: list[Turn] = []
        for row in connection.execute(own.with_for_update()).all():
            if row.state != "failed":
                others[row.id] = row.state
            elif row.expires_at is not None and row.expires_at <= at:
                late.append(row.id)
            else:
                first = row.channels[0] if row.channels else row.channel
                values = {"channel": first, "due_at": at, "tries": 0, "provider_id": None}
                turns.append(Turn(row, "planned", BY_HAND, values, detail=BY_HAND))
        write(connection, turns, at)
        anchor(connection, [turn.row.id for turn in turns], None)
        again += [turn.row.id for turn in turns]
    missing = sorted(set(ids) - {*again, *late, *others})
    return Retried(tuple(again), tuple(late), others, tuple(missing))
