"""What customers did with their messages: opened them, followed a link. Kept once, told apart from machines.

A message of a customer who was erased, or that is no longer kept, is not counted any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, func, literal, select, update

from campaigns.tables import Feedback, Message
from core.customers.profiles import CUSTOMER
from core.db import UtcDateTime, insert_many

FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]

OPENED, CLICKED = "opened", "clicked"
# The same again within this time is the same: a picture is fetched twice, a link is tapped twice.
ONCE_IN = timedelta(minutes=1)
# Nobody reads a mail as soon as its server has taken it: what looks at it then is a filter.
SOON = timedelta(seconds=10)
# Nobody follows two links at once: what does is checking them.
AT_ONCE = timedelta(seconds=1)
# "reacted", as a number: nobody else's advisory lock on this database.
KEEPING = int.from_bytes(b"reacted")
# Whoever plays one link over and over does not fill the table.
MOST_OF_A_MESSAGE = 50


@dataclass(frozen=True, slots=True)
class Reaction:
    """`link` is the label of the link that was followed. `machine` if the request itself says so."""

    message_id: int
    kind: Literal["opened", "clicked"]
    at: datetime
    link: str | None = None
    machine: bool = False


def keep(connection: Connection, reactions: Sequence[Reaction]) -> int:
    """Keep what is news; returns how many. They may come twice, out of order, and to several processes."""
    _wait_for_others(connection)
    ids = sorted({it.message_id for it in reactions})
    messages = _messages(connection, ids)
    known = _known(connection, ids)
    news: list[Reaction] = []
    hasty: list[Reaction] = []
    for reaction in sorted(reactions, key=lambda it: it.at):
        message = messages.get(reaction.message_id)
        before = known[reaction.message_id]
        if message is None or len(before) >= MOST_OF_A_MESSAGE:
            continue
        if _at_once(reaction, before):
            hasty.append(reaction)
        machine = reaction.machine or reaction in hasty or _too_soon(reaction, message)
        judged = replace(reaction, machine=machine)
        if not _repeated(judged, before):
            before.append(judged)
            news.append(judged)
    insert_many(connection, FEEDBACK, [_row(it, messages[it.message_id]) for it in news])
    for reaction in hasty:
        _doubt(connection, reaction)
    return len(news)


def _wait_for_others(connection: Connection) -> None:
    """Two processes that looked at one moment would each keep the same tap; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(KEEPING)))


def _messages(connection: Connection, ids: Sequence[int]) -> dict[int, Any]:
    of_message = select(
        MESSAGE.c.id, MESSAGE.c.customer_id, MESSAGE.c.scenario, MESSAGE.c.channel, MESSAGE.c.accepted_at
    ).join(CUSTOMER, CUSTOMER.c.id == MESSAGE.c.customer_id)
    rows = connection.execute(of_message.where(MESSAGE.c.id.in_(ids), CUSTOMER.c.erased_at.is_(None)))
    return {row.id: row for row in rows}


def _known(connection: Connection, ids: Sequence[int]) -> dict[int, list[Reaction]]:
    found: dict[int, list[Reaction]] = {message_id: [] for message_id in ids}
    mine = select(FEEDBACK).where(FEEDBACK.c.message_id.in_(ids), FEEDBACK.c.kind.in_((OPENED, CLICKED)))
    for row in connection.execute(mine.order_by(FEEDBACK.c.at)):
        found[row.message_id].append(Reaction(row.message_id, row.kind, row.at, row.detail, row.machine))
    return found


def _too_soon(reaction: Reaction, message: Any) -> bool:
    """Filters read mail on its way; nobody else's messages."""
    if message.channel != "email":
        return False
    return message.accepted_at is None or reaction.at < message.accepted_at + SOON


def _at_once(reaction: Reaction, before: Sequence[Reaction]) -> bool:
    return reaction.kind == CLICKED and any(
        it.kind == CLICKED and it.link != reaction.link and abs(reaction.at - it.at) <= AT_ONCE
        for it in before
    )


def _repeated(reaction: Reaction, before: Sequence[Reaction]) -> bool:
    """The same in the last minute; a person's is news after a machine's."""
    return any(
        (it.kind, it.link) == (reaction.kind, reaction.link)
        and abs(reaction.at - it.at) < ONCE_IN
        and (reaction.machine or not it.machine)
        for it in before
    )


def _row(reaction: Reaction, message: Any) -> dict[str, Any]:
    return {
        "message_id": reaction.message_id, "customer_id": message.customer_id, "kind": reaction.kind,
        "detail": reaction.link, "at": reaction.at, "scenario": message.scenario, "machine": reaction.machine,
    }  # fmt: skip


def _doubt(connection: Connection, reaction: Reaction) -> None:
    """Of links that were followed at once the first was a machine's, too."""
    those = (FEEDBACK.c.message_id == reaction.message_id) & (FEEDBACK.c.kind == CLICKED)
    first, last = reaction.at - AT_ONCE, reaction.at + AT_ONCE
    near = FEEDBACK.c.at.between(literal(first, UtcDateTime), literal(last, UtcDateTime))
    connection.execute(update(FEEDBACK).where(those, near).values(machine=True))
