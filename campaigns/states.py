"""The states of messages through time: kept with each change, never changed afterwards."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from campaigns.tables import Feedback, Message, MessageState
from core.db.bulk import driver
from core.db.sets import among

FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
STATE = MessageState.__table__  # type: ignore[attr-defined]
_KEPT = ("message_id", "at", "state", "reason", "channel")
# Twice for every message that leaves; on PostgreSQL `scheduler.marking` does it by the way.
_KEEP = """
INSERT INTO message_state (message_id, at, state, reason, channel)
SELECT id, changed_at, state, reason, channel FROM message WHERE id IN (SELECT value FROM json_each(?))
"""


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on a message was in this state on this channel; `reason` says why.

    A report that came back of it is one too: `state` is then what was reported.
    """

    at: datetime
    state: str
    channel: str
    reason: str | None = None
    is_report: bool = False

    def as_json(self) -> dict[str, str | None]:
        """For programs."""
        said = "reported" if self.is_report else "state"
        return {"at": self.at.isoformat(), said: self.state, "channel": self.channel, "reason": self.reason}


def keep_states(connection: Connection, ids: Sequence[int]) -> None:
    """Keep that these messages have just come into the state that they are in."""
    if ids and connection.dialect.name == "sqlite":
        driver(connection).execute(_KEEP, (json.dumps(ids),))
    elif ids:
        keep_states_of(connection, select(MESSAGE.c.id).where(among(MESSAGE.c.id, ids)))


def keep_states_of(connection: Connection, chosen: Select[tuple[int]]) -> None:
    """The same of messages that a query chooses."""
    now = chosen.with_only_columns(
        MESSAGE.c.id, MESSAGE.c.changed_at, MESSAGE.c.state, MESSAGE.c.reason, MESSAGE.c.channel
    )
    connection.execute(STATE.insert().from_select(_KEPT, now))


def history(connection: Connection, ids: Sequence[int]) -> Mapping[int, Sequence[Change]]:
    """Every change of these messages, and what was reported of them, the earliest first."""
    messages = connection.execute(select(MESSAGE).where(among(MESSAGE.c.id, ids))).all()
    found: dict[int, list[Change]] = {row.id: [] for row in messages}
    states = select(STATE).where(among(STATE.c.message_id, list(found))).order_by(STATE.c.id)
    for row in connection.execute(states):
        found[row.message_id].append(Change(row.at, row.state, row.channel, row.reason))
    for row in messages:
        found[row.id] = _whole(row, found[row.id])
    reports = select(FEEDBACK).where(among(FEEDBACK.c.message_id, list(found))).order_by(FEEDBACK.c.id)
    channels = {row.id: row.channel for row in messages}
    for row in connection.execute(reports):
        report = Change(row.at, row.kind, channels[row.message_id], row.detail, is_report=True)
        found[row.message_id].append(report)
    return {number: sorted(changes, key=lambda it: it.at) for number, changes in found.items()}


def _whole(row: Row[Any], kept: Sequence[Change]) -> list[Change]:
    """With the beginning, which stands in the message itself, and the end that an erasure put to it."""
    changes = list(kept)
    if not changes or changes[-1].state != row.state:
        changes.append(Change(row.changed_at, row.state, row.channel, row.reason))
    if changes[0].state == "planned" and changes[0].reason is None:
        return changes
    first = row.channels[0] if row.channels else row.channel
    return [Change(min(row.planned_at, changes[0].at), "planned", first), *changes]
