"""The two marks of every message, each by the shortest way that its database has.

*Sending*, before its first byte leaves, and *sent*, when a provider took it over: with its history, its try
and the wait for the next step. On PostgreSQL either is one statement, and nothing is looked up twice.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from campaigns.states import keep_states
from core.db.bulk import asked, driver, sqlite_time
from scheduler import tally
from scheduler.reach import MessageRow

_SENDING = """
UPDATE message SET state = 'sending', reason = NULL, fence = ?, lease_until = ?, changed_at = ?,
    tries = tries + 1, version = ?
WHERE id IN (SELECT value FROM json_each(?))
"""
_SENDING_AND_KEPT = """
WITH marked AS (
    UPDATE message SET state = 'sending', reason = NULL, fence = $2::text, lease_until = $3::timestamptz,
        changed_at = $4::timestamptz, tries = tries + 1, version = $5::integer
    WHERE id = ANY(ARRAY(SELECT unnest($1::bigint[])))
    RETURNING id, channel
)
INSERT INTO message_state (message_id, at, state, channel)
SELECT id, $4::timestamptz, 'sending', channel FROM marked
"""
# Found by their ids: spelled plainly, the state would lead by way of the index of what is being sent, which
# is full of what just was.
_SENT = """
UPDATE message SET state = 'sent', reason = NULL, detail = NULL, provider_id = given.value, accepted_at = ?,
    cost = ?, locale = ?, fallback_at = ?, changed_at = ?, fence = NULL, lease_until = NULL
FROM json_each(?) AS given
WHERE message.id = CAST(given.key AS INTEGER) AND message.state || '' = 'sending' AND message.fence = ?
"""
# Before, and as one text: of 1,000 rows that come back the driver would wait 1,000 times for its turn.
_MINE = """
SELECT json_group_array(id) FROM message
WHERE id IN (SELECT value FROM json_each(?)) AND state || '' = 'sending' AND fence = ?
"""
_TRIED = """
INSERT INTO attempt (message_id, customer_id, channel, number, outcome, provider_id, at)
SELECT id, customer_id, channel, tries, 'accepted', provider_id, accepted_at FROM message
WHERE id IN (SELECT value FROM json_each(?))
"""
# As `scheduler.outbox.anchor` says it.
_OVER = """
UPDATE enrolment SET anchor_at = ? FROM message
WHERE message.enrolment_id = enrolment.id AND message.step_index + 1 = enrolment.step
    AND enrolment.status = 'active' AND message.id IN (SELECT value FROM json_each(?))
"""
_SENT_AND_KEPT = """
WITH mine AS (
    UPDATE message SET state = 'sent', reason = NULL, detail = NULL,
        provider_id = (SELECT $2::jsonb) ->> id::text, accepted_at = $4::timestamptz, cost = $5::numeric,
        locale = $6::text, fallback_at = $7::timestamptz, changed_at = $4::timestamptz, fence = NULL,
        lease_until = NULL
    WHERE id = ANY(ARRAY(SELECT unnest($1::bigint[]))) AND state || '' = 'sending' AND fence = $3::text
    RETURNING id, customer_id, channel, tries, provider_id, enrolment_id, step_index
), tried AS (
    INSERT INTO attempt (message_id, customer_id, channel, number, outcome, provider_id, at)
    SELECT id, customer_id, channel, tries, 'accepted', provider_id, $4::timestamptz FROM mine
), kept AS (
    INSERT INTO message_state (message_id, at, state, channel)
    SELECT id, $4::timestamptz, 'sent', channel FROM mine
), over AS (
    UPDATE enrolment SET anchor_at = $4::timestamptz FROM mine
    WHERE enrolment.id = mine.enrolment_id AND enrolment.step = mine.step_index + 1
        AND enrolment.status = 'active'
)
SELECT id FROM mine
"""


def begin(
    connection: Connection, rows: Sequence[MessageRow], fence: str, lease_until: datetime, version: int,
    at: datetime,
) -> None:  # fmt: skip
    """Mark claimed messages *sending* under a fence and a lease; the caller holds the rows."""
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        asked(connection, _SENDING_AND_KEPT, ([row.id for row in rows], fence, lease_until, at, version))
        return
    ids = [row.id for row in rows]
    values = (fence, sqlite_time(lease_until), sqlite_time(at), version, json.dumps(ids))
    driver(connection).execute(_SENDING, values)
    keep_states(connection, ids)


@dataclass(slots=True)
class Acceptance:
    """A message that a provider took over, under its name for it; `cost` is that of all its tries."""

    row: MessageRow
    provider_id: str
    cost: Decimal | None
    locale: str | None
    fallback_at: datetime | None


def accept(
    connection: Connection, channel: str, fence: str, given: Sequence[Acceptance], at: datetime
) -> set[int]:
    """Mark messages of a channel *sent* where the fence still holds; returns which."""
    alike: dict[tuple[Decimal | None, str | None, datetime | None], list[Acceptance]] = defaultdict(list)
    for it in given:
        alike[it.cost, it.locale, it.fallback_at].append(it)
    write = _on_sqlite if connection.dialect.name == "sqlite" else _on_postgresql
    mine = {number for some in alike.values() for number in write(connection, fence, some, at)}
    if mine:
        tally.add(connection, {(tally.MESSAGE, channel, "sent", ""): len(mine)})
    return mine


def _on_postgresql(
    connection: Connection, fence: str, some: Sequence[Acceptance], at: datetime
) -> Sequence[int]:
    first, ids = some[0], [it.row.id for it in some]
    values = (ids, _named(some), fence, at, first.cost, first.locale, first.fallback_at)
    return [row[0] for row in asked(connection, _SENT_AND_KEPT, values)()]


def _on_sqlite(connection: Connection, fence: str, some: Sequence[Acceptance], at: datetime) -> Sequence[int]:
    first, now, ask = some[0], sqlite_time(at), driver(connection).execute
    cost = None if first.cost is None else float(first.cost)
    values = (now, cost, first.locale, sqlite_time(first.fallback_at), now, _named(some), fence)
    (listed,) = ask(_MINE, (json.dumps([it.row.id for it in some]), fence)).fetchone()
    mine: list[int] = json.loads(listed)
    ask(_SENT, values)
    keep_states(connection, mine)
    ask(_TRIED, (listed,))
    ask(_OVER, (now, listed))
    return mine


def _named(some: Sequence[Acceptance]) -> str:
    """Message → the provider's name for it, as JSON."""
    return json.dumps({it.row.id: it.provider_id for it in some})
