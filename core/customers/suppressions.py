"""Suppressions as people see them: whose address is left alone and why; brought in from elsewhere; lifted.

A suppression keeps a digest, so what can be listed are those of addresses that customers have now. `kinds`
are the channels whose addresses are suppressed at all, each with the kind of its addresses (email, phone).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, insert, or_, select, tuple_

from core.customers.addresses import (
    ADDRESS,
    LIFTED,
    SUPPRESSION,
    Addresses,
    Answerable,
    lift,
)
from core.customers.profiles import CUSTOMER, email_address, find, phone_number
from core.db import insert_ignoring
from core.ledger.book import CHUNK
from core.ledger.lots import Refusal

Kinds = Mapping[str, str]
# What another sender's list may say; another word would be taken for nothing that anybody knows.
REASONS = ("bounced", "complained", "unsubscribed", "stop", "imported")
IMPORTED = "imported"
# What the customer's own will began, their own will ends: by a yes on their page. A mailbox that is not
# there, or a provider that blocks the number until START, does not come back by it.
BY_WILL = ("complained", "unsubscribed")
ERASED = "erased"
REASON_AT_MOST = 500
READ = {"email": email_address, "phone": phone_number}


@dataclass(frozen=True, slots=True)
class Which:
    """Some suppressions: of a channel, for a reason, from `since` to before `until`; all if left out."""

    channel: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """An address that must be left alone, known from elsewhere."""

    channel: str
    digest: str
    reason: str
    at: datetime


def suppressed(
    connection: Connection, kinds: Kinds, which: Which, *, limit: int, after: tuple[int, str] | None = None
) -> Sequence[Any]:
    """Customers whose address now is suppressed: channel, reason, at, external_id, value, address_id.

    In the order of the addresses' numbers; `after` is the place (address_id, channel) of the last one seen.
    """
    columns = (
        SUPPRESSION.c.channel, SUPPRESSION.c.reason, SUPPRESSION.c.at, CUSTOMER.c.external_id,
        ADDRESS.c.kind, ADDRESS.c.value, ADDRESS.c.id.label("address_id"),
    )  # fmt: skip
    joined = SUPPRESSION.join(ADDRESS, _of(kinds)).join(CUSTOMER, CUSTOMER.c.id == ADDRESS.c.customer_id)
    found = select(*columns).select_from(joined).where(ADDRESS.c.active, _meant(kinds, which))
    if after is not None:
        found = found.where(tuple_(ADDRESS.c.id, SUPPRESSION.c.channel) > tuple_(*after))
    return connection.execute(found.order_by(ADDRESS.c.id, SUPPRESSION.c.channel).limit(limit)).all()


def of_nobody(connection: Connection, kinds: Kinds, which: Which) -> int:
    """How many are of addresses that no customer has now."""
    held = exists().where(_of(kinds), ADDRESS.c.active)
    counted = select(func.count()).select_from(SUPPRESSION).where(_meant(kinds, which), ~held)
    return connection.scalar(counted) or 0


def reasons(connection: Connection, kinds: Kinds, customer_id: int) -> dict[str, str]:
    """Why a customer's newest address takes nothing, by channel; without the channels on which it does."""
    newest = _newest(connection, customer_id)
    mine = {(channel, newest[kind]) for channel, kind in kinds.items() if kind in newest}
    rows = select(SUPPRESSION).where(SUPPRESSION.c.digest.in_(newest.values()))
    return {it.channel: it.reason for it in connection.execute(rows) if (it.channel, it.digest) in mine}


def put(connection: Connection, known: Sequence[Known]) -> list[str]:
    """Leave these addresses alone: `created`, or `unchanged` for one that is suppressed already, in order."""
    there = _there(connection, known)
    effects, fresh = [], []
    for it in known:
        key = (it.channel, it.digest)
        effects.append("unchanged" if key in there else "created")
        if key not in there:
            fresh.append({"channel": it.channel, "digest": it.digest, "reason": it.reason, "at": it.at})
        there.add(key)
    if fresh:
        connection.execute(insert_ignoring(connection, SUPPRESSION), fresh)
    return effects


def seen(connection: Connection, known: Sequence[Known]) -> list[bool]:
    """Which of these are suppressed already; nothing changes."""
    there = _there(connection, known)
    return [(it.channel, it.digest) in there for it in known]


def lift_one(
    connection: Connection, addresses: Addresses, kinds: Kinds, channel: str, who: str, by: Answerable,
    at: datetime,
) -> int | Refusal:  # fmt: skip
    """Lift the suppression of an address, or of a customer's addresses now; how many were lifted.

    `who` is an address, or an external id or card. Refused, and nothing changed: `unknown_customer`,
    `not_suppressed`, `no_author`, `no_reason`; what was sent is not repeated in the words.
    """
    if refusal := _unanswered(by):
        return refusal
    digests = _digests(connection, addresses, kinds[channel], who)
    if isinstance(digests, Refusal):
        return digests
    lifted = sum(lift(connection, channel, it, by, at) for it in digests)
    return lifted or Refusal("not_suppressed", f"nothing of theirs is suppressed on {channel}")


def lift_many(
    connection: Connection, kinds: Kinds, which: Which, by: Answerable, at: datetime
) -> int | Refusal:
    """Lift all of these, also of addresses that nobody has now; how many. Whoever was erased stays so.

    Refused: `no_author`, `no_reason`.
    """
    if refusal := _unanswered(by):
        return refusal
    gone = delete(SUPPRESSION).where(_meant(kinds, which), SUPPRESSION.c.reason != ERASED)
    rows = connection.execute(gone.returning(*SUPPRESSION.c)).all()
    said = {"lifted_at": at, "author": by.author, "why": by.why}
    for start in range(0, len(rows), CHUNK):
        chunk = [{**row._mapping, **said} for row in rows[start : start + CHUNK]]  # noqa: SLF001
        connection.execute(insert(LIFTED), chunk)
    return len(rows)


def count(connection: Connection, kinds: Kinds, which: Which) -> int:
    """How many `lift_many` would lift."""
    meant = _meant(kinds, which) & (SUPPRESSION.c.reason != ERASED)
    return connection.scalar(select(func.count()).select_from(SUPPRESSION).where(meant)) or 0


def lift_own(
    connection: Connection, kinds: Kinds, customer_id: int, channel: str, why: Answerable, at: datetime
) -> bool:
    """After the customer's own yes: lift what their own will began; False if nothing of it was there."""
    if reasons(connection, kinds, customer_id).get(channel) not in BY_WILL:
        return False
    return lift(connection, channel, _newest(connection, customer_id)[kinds[channel]], why, at)


def _newest(connection: Connection, customer_id: int) -> dict[str, str]:
    """The digest of a customer's newest address, by kind."""
    own = select(ADDRESS.c.kind, ADDRESS.c.digest).where(
        ADDRESS.c.customer_id == customer_id, ADDRESS.c.active
    )
    rows = connection.execute(own.order_by(ADDRESS.c.since, ADDRESS.c.id))
    return {row.kind: row.digest for row in rows}  # of several the last


def _of(kinds: Kinds) -> ColumnElement[bool]:
    """A suppression is of an address: by its digest, and by the kind that its channel writes to."""
    fits = [and_(SUPPRESSION.c.channel == name, ADDRESS.c.kind == kind) for name, kind in kinds.items()]
    return and_(SUPPRESSION.c.digest == ADDRESS.c.digest, or_(*fits))


def _meant(kinds: Kinds, which: Which) -> ColumnElement[bool]:
    wanted = [SUPPRESSION.c.channel.in_(list(kinds) if which.channel is None else [which.channel])]
    if which.reason is not None:
        wanted.append(SUPPRESSION.c.reason == which.reason)
    if which.since is not None:
        wanted.append(SUPPRESSION.c.at >= which.since)
    if which.until is not None:
        wanted.append(SUPPRESSION.c.at < which.until)
    return and_(*wanted)


def _there(connection: Connection, known: Sequence[Known]) -> set[tuple[str, str]]:
    found = set()
    for start in range(0, len(known), CHUNK):
        digests = {it.digest for it in known[start : start + CHUNK]}
        rows = select(SUPPRESSION.c.channel, SUPPRESSION.c.digest).where(SUPPRESSION.c.digest.in_(digests))
        found |= {(row.channel, row.digest) for row in connection.execute(rows)}
    return found


def _digests(connection: Connection, addresses: Addresses, kind: str, who: str) -> Sequence[str] | Refusal:
    try:
        return [addresses.digest(kind, READ[kind](who.strip()))]
    except ValueError:
        person = find(connection, who)
    if person is None:
        return Refusal("unknown_customer", f"this is no {kind}, and no external id or card of a customer")
    mine = (ADDRESS.c.customer_id == person.id) & (ADDRESS.c.kind == kind) & ADDRESS.c.active
    return connection.scalars(select(ADDRESS.c.digest).where(mine).distinct()).all()


def _unanswered(by: Answerable) -> Refusal | None:
    if not by.author.strip():
        return Refusal("no_author", "say who lifts it")
    if not by.why.strip():
        return Refusal("no_reason", "say why it is lifted")
    if len(by.why) > REASON_AT_MOST:
        return Refusal("no_reason", f"say why in {REASON_AT_MOST} characters at most")
    return None
