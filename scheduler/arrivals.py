"""Many messages of which somebody tells at once that they arrived: `outcomes.confirm` for sets."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from campaigns.states import keep_states
from campaigns.tables import WAITING, Feedback, Message
from core.db import insert_many
from core.db.sets import among
from scheduler import tally
from scheduler.outbox import anchor

FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
# These are messages on cards.
BY, DELIVERED = "wallet", "delivered"


def arrived(connection: Connection, seen: Mapping[str, datetime], at: datetime) -> set[str]:
    """Note that the messages of these provider's names arrived at these times; returns the names known.

    A name is not known yet if its message was seen before its chunk was written down: ask again.
    """
    mine = select(MESSAGE).where(MESSAGE.c.provider_id.in_(list(seen))).order_by(MESSAGE.c.id)
    rows = connection.execute(mine.with_for_update()).all()
    _note(connection, rows, seen)
    # Planned again after its acceptance, for its next channel: that is not needed any more.
    news = [row for row in rows if row.accepted_at is not None and row.state in ("sent", *WAITING)]
    ids = [row.id for row in news]
    if ids:
        # By now they may stand on the next channel of their cascade.
        values = {"state": DELIVERED, "reason": None, "fallback_at": None, "changed_at": at, "channel": BY}
        connection.execute(update(MESSAGE).where(among(MESSAGE.c.id, ids)).values(**values))
        keep_states(connection, ids)
    for row in news:
        if row.state in WAITING:
            # The planned fallback held up the wait for the next step; there is none now.
            anchor(connection, [row.id], row.accepted_at)
    return {row.provider_id for row in rows}


def _note(connection: Connection, rows: Collection[Any], seen: Mapping[str, datetime]) -> None:
    """Keep what was reported, once for each message."""
    told = select(FEEDBACK.c.message_id).where(
        among(FEEDBACK.c.message_id, [row.id for row in rows]), FEEDBACK.c.kind == DELIVERED
    )
    known = set(connection.scalars(told)) if rows else set()
    new = [
        {"message_id": row.id, "customer_id": row.customer_id, "kind": DELIVERED, "detail": None,
         "at": seen[row.provider_id]}
        for row in rows if row.id not in known
    ]  # fmt: skip
    if new:
        insert_many(connection, FEEDBACK, new)
        tally.add(connection, {(tally.REPORT, BY, DELIVERED, ""): len(new)})
