"""What customers write back: feedback on the last message that they had on the channel."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, func, select

from campaigns.tables import Feedback, Message
from core.db import insert_many

FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]

REPLIED = "replied"


def replied(
    connection: Connection, channel: str, customers: Sequence[int], word: str | None, at: datetime
) -> None:
    """Remember that they answered, and with which word (stop, start, help); what else they wrote is not kept.

    The same word to the same message is remembered once: a provider may call twice.
    """
    last = (
        select(func.max(MESSAGE.c.id).label("id"), MESSAGE.c.customer_id)
        .where(
            MESSAGE.c.customer_id.in_(customers), MESSAGE.c.channel == channel,
            MESSAGE.c.accepted_at.is_not(None),
        )
        .group_by(MESSAGE.c.customer_id)
        .subquery()
    )  # fmt: skip
    same = and_(
        FEEDBACK.c.message_id == last.c.id,
        FEEDBACK.c.kind == REPLIED,
        FEEDBACK.c.detail.is_not_distinct_from(word),
    )
    news = select(last.c.id, last.c.customer_id).where(~select(FEEDBACK.c.id).where(same).exists())
    rows = [
        {"message_id": it.id, "customer_id": it.customer_id, "kind": REPLIED, "detail": word, "at": at}
        for it in connection.execute(news)
    ]
    if rows:
        insert_many(connection, FEEDBACK, rows)
