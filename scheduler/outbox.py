"""Writing back what became of messages: the rows themselves, the reasons, and the wait for the next step.

A chunk is written in a handful of statements, however many messages it has.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from campaigns.states import keep_states
from campaigns.tables import WAITING, Attempt, Enrolment, Message
from channels import Accepted, Outcome, Unknown
from core.db.bulk import insert_rows
from core.db.sets import among, update_each
from scheduler import tally
from scheduler.reach import MessageRow

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]

# A message stays in these; nothing moves it on but a provider's report.
ENDS = ("sent", "unknown", "failed", "recalled", "expired")
# How many messages one transaction moves on: it stays short, and below PostgreSQL's 65,535 parameters.
MOST_AT_ONCE = 1_000


@dataclass(slots=True)
class Turn:
    """What becomes of one message: its state, why, and what else changes in its row.

    `detail` is what its customer's history says besides.
    """

    row: MessageRow
    state: str
    reason: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    detail: str | None = None


def ended(row: MessageRow, state: str, reason: str, detail: str | None = None) -> Turn:
    """The message goes no further: *unknown*, *failed*, *recalled* or *expired*.

    If a provider had taken it over before, on an earlier channel, and only nobody confirmed it, then it stays
    *sent*, and its allowance used: what failed or was recalled is the second way of saying the same.
    """
    if row.accepted_at is not None and state != "unknown":
        return Turn(row, "sent", f"fallback {state}: {reason}", detail=f"fallback {state}: {reason}")
    return Turn(row, state, reason, detail=detail)


def moved(row: MessageRow, channel: str, reason: str, at: datetime) -> Turn:
    """On to the next channel of its cascade, at once."""
    why = f"after {row.channel}: {reason}"
    return Turn(row, "planned", why, {"channel": channel, "due_at": at, "tries": 0, "fallback_at": None})


def write(connection: Connection, turns: Sequence[Turn], at: datetime) -> None:
    """Write all of it; the caller holds the rows."""
    shapes: dict[tuple[str, ...], list[Turn]] = defaultdict(list)
    for turn in turns:
        shapes[tuple(turn.values)].append(turn)
    for names, some in shapes.items():
        columns: dict[str, Sequence[Any]] = {
            "state": [turn.state for turn in some],
            "reason": [turn.reason for turn in some],
            "detail": [turn.detail for turn in some],
        }
        columns |= {name: [turn.values[name] for turn in some] for name in names}
        same = {"changed_at": at, "fence": None, "lease_until": None}
        update_each(connection, MESSAGE, *_told_apart([turn.row.id for turn in some], columns, same))
    keep_states(connection, [turn.row.id for turn in turns])
    _anchor(connection, turns, at)
    tally.count(connection, turns)


def _told_apart(
    ids: Sequence[int], columns: Mapping[str, Sequence[Any]], same: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Sequence[str], Sequence[Sequence[Any]]]:
    """What is the same in every row, and the columns that are each row's own."""
    own = [name for name, values in columns.items() if len(set(values)) > 1]
    same = {**same, **{name: values[0] for name, values in columns.items() if name not in own}}
    return same, own, list(zip(ids, *(columns[name] for name in own), strict=True))


def _anchor(connection: Connection, turns: Sequence[Turn], at: datetime) -> None:
    """A step that is over lets the wait for the next one begin; one that is tried again holds it up."""
    since: dict[datetime | None, list[int]] = defaultdict(list)
    for it in turns:
        if it.state in ENDS and it.row.state != it.state:
            since[_over_at(it, at)].append(it.row.id)
        elif it.state in WAITING and it.row.state == "sent":
            since[None].append(it.row.id)
    for moment, ids in since.items():
        anchor(connection, ids, moment)


def _over_at(turn: Turn, at: datetime) -> datetime:
    """The acceptance; a fallback that came to nothing leaves that of the channel before it."""
    accepted: datetime | None = turn.values.get("accepted_at", turn.row.accepted_at)
    return accepted if turn.state == "sent" and accepted is not None else at


def anchor(connection: Connection, ids: Sequence[int], since: datetime | None) -> None:
    """The wait for the step after these messages runs from `since`; None holds it up.

    Only while the enrolment stands at the message: a late end starts no later wait anew. After the last step
    nothing waits.
    """
    last = (MESSAGE.c.enrolment_id == ENROLMENT.c.id) & (MESSAGE.c.step_index + 1 == ENROLMENT.c.step)
    mine = (last, ENROLMENT.c.status == "active", among(MESSAGE.c.id, ids))
    connection.execute(update(ENROLMENT).where(*mine).values(anchor_at=since))


def keep_attempts(
    connection: Connection, tried: Sequence[tuple[MessageRow, int, Outcome]], at: datetime
) -> None:
    """One row for each try that was begun, for good: the message, the number of the try, its outcome."""
    columns = (
        "message_id",
        "customer_id",
        "channel",
        "number",
        "outcome",
        "reason",
        "detail",
        "provider_id",
        "at",
    )
    rows = [
        (row.id, row.customer_id, row.channel, number, name_of(outcome), getattr(outcome, "reason", None),
         getattr(outcome, "detail", None) or None, getattr(outcome, "provider_id", None), at)
        for row, number, outcome in tried
    ]  # fmt: skip
    insert_rows(connection, ATTEMPT, columns, rows)


def name_of(outcome: Outcome) -> str:
    """`accepted`, `unknown`, or the kind of the failure."""
    if isinstance(outcome, Accepted):
        return "accepted"
    return "unknown" if isinstance(outcome, Unknown) else outcome.kind


def doubtful(connection: Connection, rows: Sequence[MessageRow]) -> set[int]:
    """Which of these messages may have left in an earlier try on the channel where they stand."""
    ids = [row.id for row in rows]
    if not ids:
        return set()
    perhaps = (
        select(MESSAGE.c.id)
        .join(ATTEMPT, (ATTEMPT.c.message_id == MESSAGE.c.id) & (ATTEMPT.c.channel == MESSAGE.c.channel))
        .where(among(MESSAGE.c.id, ids), ATTEMPT.c.outcome == "unknown")
    )
    return set(connection.scalars(perhaps))
