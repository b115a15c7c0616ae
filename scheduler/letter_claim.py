"""Which letters leave now, and what becomes of the others: one short transaction before the first byte."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, literal, select, true, update

from campaigns.running import Running
from channels.base import Channel
from channels.transport import INTERRUPTED
from core.customers.addresses import ADDRESS, SUPPRESSION
from core.customers.double_opt_in import REQUEST
from core.customers.holders import CUSTOMER
from core.customers.letters import DOUBLE_OPT_IN, LETTER, VALID
from core.db import UtcDateTime
from core.links import Links
from scheduler.claim import MOST_TRIES
from scheduler.throttle import ask, take
from scheduler.warm_up import quota_of
from templates.facts import Context, contexts, with_trigger

MOST_AT_ONCE = 50
LEASE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A letter that may go: its row with its `owner` and their `locale`, what its words need, and since when
    it has been under way.
    """

    row: Any
    address: str = field(repr=False)
    context: Context = field(repr=False)
    at: datetime


def is_due(now: datetime) -> ColumnElement[bool]:
    """Waiting, or left by a sender who died: its lease is over."""
    return and_(LETTER.c.state.in_(("planned", "sending")), LETTER.c.due_at <= literal(now, UtcDateTime))


def claim(
    connection: Connection, running: Running, links: Links, channel: Channel[Any, Any, Any], now: datetime
) -> list[Claimed]:
    """Take some letters of a channel and mark them *sending*; those that are not to go are put away."""
    rate = channel.config.rate
    leave = ask(connection, channel.name, rate, MOST_AT_ONCE, now)
    rows = _take(connection, channel.name, leave.limit, now) if leave.until is None else ()
    going: dict[int, str] = {}
    for row in rows:
        fate = _fate(connection, row, channel.policy, now)
        if isinstance(fate, str):
            going[row.id] = fate
            until = now + LEASE
            keep(connection, row.id, now, state="sending", tries=row.tries + 1, due_at=until)
        else:
            keep(connection, row.id, now, state=fate[0], reason=fate[1])
    if rate is not None and going:
        take(connection, channel.name, rate, len(going), now)
    if (quota := quota_of(channel, running.program, now)) is not None:
        quota.take(connection, len(going))
    return _with_words(connection, running, links, [row for row in rows if row.id in going], going, now)


def keep(
    connection: Connection, letter_id: int, now: datetime, *, only_if: ColumnElement[bool] | None = None,
    **values: Any,
) -> None:  # fmt: skip
    """Write what became of a letter."""
    own = update(LETTER).where(LETTER.c.id == letter_id, true() if only_if is None else only_if)
    connection.execute(own.values(changed_at=now, **values))


def _take(connection: Connection, channel: str, limit: int, now: datetime) -> Sequence[Any]:
    due = select(LETTER.c.id).where(is_due(now), LETTER.c.channel == channel).order_by(LETTER.c.due_at)
    ids = list(connection.scalars(due.limit(limit).with_for_update(skip_locked=True)))
    owner = func.coalesce(CUSTOMER.c.merged_into, CUSTOMER.c.id).label("owner")
    rows = select(LETTER, owner, CUSTOMER.c.locale).join(CUSTOMER, CUSTOMER.c.id == LETTER.c.customer_id)
    return connection.execute(rows.where(LETTER.c.id.in_(ids)).order_by(LETTER.c.id)).all() if ids else ()


def _fate(connection: Connection, row: Any, policy: str, now: datetime) -> str | tuple[str, str]:
    """The address that a letter goes to; or the state that it ends in, and why."""
    if row.state == "sending" and (policy == "at_most_once" or row.tries >= MOST_TRIES):
        return "unknown", INTERRUPTED
    if now >= row.at + VALID[row.kind]:
        return "dropped", "expired"
    if row.kind == DOUBLE_OPT_IN and _asked(connection, row) is None:
        return "dropped", "nothing_to_confirm"
    closed = exists().where(SUPPRESSION.c.channel == row.channel, SUPPRESSION.c.digest == ADDRESS.c.digest)
    own = ADDRESS.c.customer_id.in_({row.owner, row.customer_id}) & (ADDRESS.c.digest == row.digest)
    found = connection.execute(select(ADDRESS.c.value, closed).where(own, ADDRESS.c.active).limit(1)).first()
    if found is None:
        return "dropped", "address_gone"
    return ("failed", "suppressed") if found[1] else str(found.value)


def _asked(connection: Connection, row: Any) -> Any | None:
    """The newest yes that a letter is to confirm."""
    mine = (REQUEST.c.customer_id == row.customer_id) & (REQUEST.c.digest == row.digest)
    newest = select(REQUEST).where(mine, REQUEST.c.state == "open").order_by(REQUEST.c.id.desc()).limit(1)
    return connection.execute(newest).first()


def _with_words(
    connection: Connection, running: Running, links: Links, rows: Sequence[Any], addresses: Mapping[int, str],
    now: datetime,
) -> list[Claimed]:  # fmt: skip
    found = contexts(connection, running.program, [row.owner for row in rows], now, links) if rows else {}
    return [
        Claimed(
            row, addresses[row.id],
            with_trigger(found[row.owner], _facts(connection, running, links, row), row.channel), now,
        )
        for row in rows
    ]  # fmt: skip


def _facts(connection: Connection, running: Running, links: Links, row: Any) -> Mapping[str, Any]:
    """The link, and what the customer was shown when they said yes, else the wording of now."""
    asked = _asked(connection, row) if row.kind == DOUBLE_OPT_IN else None
    wording = ""
    if asked is not None:
        program = running.program
        wording = asked.proof.get("text") or program.consent_in(row.locale or program.locale)
    link = links.confirmation(row.id, row.digest)
    return {"link": link, "days": VALID[row.kind].days, "wording": wording}
