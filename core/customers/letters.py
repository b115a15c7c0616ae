"""Letters that somebody waits for: each has a link by which its reader confirms something about themselves.

A letter is a row, made in the transaction of what it is about and sent by scheduler.letters: no crash loses
it. Only the owner of an address can read what is sent there, so answering proves more than having a link
that somebody may have forwarded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, exists, insert, select, update

from core.customers.addresses import ADDRESS, SUPPRESSION
from core.customers.consent import hold
from core.customers.holders import CUSTOMER
from core.tables import Letter

LETTER = Letter.__table__  # type: ignore[attr-defined]

DOUBLE_OPT_IN, EXPORT, ERASURE = "double-opt-in", "your-data", "erase-your-data"
VALID = {DOUBLE_OPT_IN: timedelta(days=7), EXPORT: timedelta(days=1), ERASURE: timedelta(days=1)}
# One address is not asked again so soon, and nobody gets more of one kind in a day.
PAUSE, WINDOW, WITHIN_WINDOW = timedelta(minutes=10), timedelta(hours=24), 5
CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A letter to be written; `digest` is that of the address."""

    customer_id: int
    kind: str
    channel: str
    digest: str = field(repr=False)


def plan(connection: Connection, wanted: Sequence[Wanted], at: datetime) -> set[int]:
    """Write letters, in the caller's transaction; returns the customers who get none now.

    Those had one to the same address a moment ago, or several within the day; of two who ask at one moment
    the second sees the first.
    """
    hold(connection, sorted({it.customer_id for it in wanted}))
    refused, rows = set(), []
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        earlier = _earlier(connection, {it.customer_id for it in chunk}, at)
        for it in chunk:
            if _too_many(it, earlier.get((it.customer_id, it.kind), ()), at):
                refused.add(it.customer_id)
                continue
            rows.append(
                {"customer_id": it.customer_id, "kind": it.kind, "channel": it.channel, "digest": it.digest,
                 "state": "planned", "tries": 0, "at": at, "due_at": at, "changed_at": at}
            )  # fmt: skip
    if rows:
        connection.execute(insert(LETTER), rows)
    return refused


def find(connection: Connection, letter_id: int, now: datetime) -> Any | None:
    """The letter whose link was followed, with whom its customer was `merged_into`, if they were a duplicate.

    None if there is none, if it was answered too late, or if the customer was erased.
    """
    own = select(LETTER, CUSTOMER.c.merged_into).join(CUSTOMER, CUSTOMER.c.id == LETTER.c.customer_id)
    row = connection.execute(own.where(LETTER.c.id == letter_id, CUSTOMER.c.erased_at.is_(None))).first()
    return None if row is None or now >= row.at + VALID[row.kind] else row


def answered(connection: Connection, letter_id: int, at: datetime) -> None:
    """Its reader has confirmed what it asked."""
    own = update(LETTER).where(LETTER.c.id == letter_id, LETTER.c.answered_at.is_(None))
    connection.execute(own.values(answered_at=at))


def reachable(connection: Connection, customer_id: int) -> tuple[str, str, str] | None:
    """Where a letter about a customer's own data goes: channel, address and its digest; None if nowhere.

    By email, else by SMS; never to an address that must be left alone.
    """
    for channel, kind in (("email", "email"), ("sms", "phone")):
        closed = exists().where(SUPPRESSION.c.channel == channel, SUPPRESSION.c.digest == ADDRESS.c.digest)
        own = select(ADDRESS.c.value, ADDRESS.c.digest).where(
            ADDRESS.c.customer_id == customer_id, ADDRESS.c.kind == kind, ADDRESS.c.active, ~closed
        )
        row = connection.execute(own.order_by(ADDRESS.c.since.desc(), ADDRESS.c.id.desc()).limit(1)).first()
        if row is not None:
            return channel, str(row.value), str(row.digest)
    return None


def _earlier(
    connection: Connection, ids: Iterable[int], at: datetime
) -> dict[tuple[int, str], list[tuple[str, datetime]]]:
    """The letters of the last day by customer and kind; what certainly did not leave does not count."""
    own = select(LETTER.c.customer_id, LETTER.c.kind, LETTER.c.digest, LETTER.c.at).where(
        LETTER.c.customer_id.in_(sorted(ids)), LETTER.c.at > at - WINDOW,
        LETTER.c.state.not_in(("failed", "dropped")),
    )  # fmt: skip
    found: dict[tuple[int, str], list[tuple[str, datetime]]] = {}
    for row in connection.execute(own):
        found.setdefault((row.customer_id, row.kind), []).append((row.digest, row.at))
    return found


def _too_many(wanted: Wanted, earlier: Sequence[tuple[str, datetime]], at: datetime) -> bool:
    just_asked = any(digest == wanted.digest and at < when + PAUSE for digest, when in earlier)
    return just_asked or len(earlier) >= WITHIN_WINDOW
