"""Who was invited to a level, and when: read from the events, which keep what a customer's row forgets."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from core.events import EVENT, Happening
from core.ledger.book import CHUNK

KIND = "invited"


@dataclass(frozen=True, slots=True)
class Invitation:
    """From `at` on the customer is held at `level` (None: no longer at any), until then at `previous`."""

    at: datetime
    level: str | None
    previous: str | None


def happening(customer_id: int, invitation: Invitation, author: str, reason: str) -> Happening:
    """The event of an invitation."""
    data = {"level": invitation.level, "previous": invitation.previous, "author": author, "reason": reason}
    return Happening(customer_id, KIND, invitation.at, invitation.level, data)


def all_of(connection: Connection, customer_ids: Sequence[int]) -> dict[int, list[Invitation]]:
    """Every invitation of these customers, from the earliest."""
    found: dict[int, list[Invitation]] = defaultdict(list)
    for start in range(0, len(customer_ids), CHUNK):
        theirs = EVENT.c.customer_id.in_(customer_ids[start : start + CHUNK])
        rows = select(EVENT.c.customer_id, EVENT.c.at, EVENT.c.subject, EVENT.c.data)
        rows = rows.where(theirs, EVENT.c.kind == KIND).order_by(EVENT.c.at, EVENT.c.id)
        for customer_id, at, level, data in connection.execute(rows):
            found[customer_id].append(Invitation(at, level, data.get("previous")))
    return found


def after(connection: Connection, customer_ids: Sequence[int], at: datetime) -> dict[int, list[Invitation]]:
    """The invitations of these customers after a time, from the earliest."""
    everything = all_of(connection, customer_ids)
    return {i: [it for it in some if it.at > at] for i, some in everything.items()}


def held_at(invitations: Sequence[Invitation], at: datetime, now: str | None) -> str | None:
    """The level that held the customer at a time; `now` is the one that does today."""
    before = [it for it in invitations if it.at <= at]
    if before:
        return before[-1].level
    return invitations[0].previous if invitations else now
