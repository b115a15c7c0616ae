"""What a scenario leaves undone when it stops: who waits for a later step, which messages are planned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, exists, func, literal, literal_column, select, update

from campaigns.tables import WAITING, Attempt, Enrolment, Message
from core.db import UtcDateTime

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]

REMOVED = "scenario_removed"
# Spelled out: an index on a part of the table serves only a condition that repeats it to the letter.
_PLANNED = MESSAGE.c.state.in_([literal_column(f"'{state}'") for state in WAITING])


@dataclass(frozen=True, slots=True)
class Undone:
    """Of one scenario: customers on their way to a later step, and messages that have not left yet.

    `sending` are on their way at this moment: nothing stops them any more.
    """

    waiting: int = 0
    planned: int = 0
    sending: int = 0

    def __bool__(self) -> bool:
        return bool(self.waiting or self.planned or self.sending)


def undone(connection: Connection, scenarios: Sequence[str]) -> dict[str, Undone]:
    """Scenario → what is under way in it; every scenario that was asked for has an answer."""
    waiting = _counted(connection, ENROLMENT, scenarios, ENROLMENT.c.status == "active")
    planned = _counted(connection, MESSAGE, scenarios, _PLANNED)
    sending = _counted(connection, MESSAGE, scenarios, MESSAGE.c.state == literal_column("'sending'"))
    return {
        name: Undone(waiting.get(name, 0), planned.get(name, 0), sending.get(name, 0)) for name in scenarios
    }


def _counted(
    connection: Connection, table: Any, scenarios: Sequence[str], which: ColumnElement[bool]
) -> Mapping[str, int]:
    mine = select(table.c.scenario, func.count()).where(table.c.scenario.in_(scenarios), which)
    return {row[0]: row[1] for row in connection.execute(mine.group_by(table.c.scenario))}


def recall(connection: Connection, scenarios: Sequence[str], at: datetime) -> None:
    """Take back every message of these scenarios that has not left; its place in the allowances is free.

    What may have left in an earlier try stays *unknown*, what a provider took over before *sent*.
    """
    if not scenarios:
        return
    now = literal(at, UtcDateTime)
    perhaps = exists().where(
        ATTEMPT.c.message_id == MESSAGE.c.id,
        ATTEMPT.c.channel == MESSAGE.c.channel,
        ATTEMPT.c.outcome == "unknown",
    )
    state = case((MESSAGE.c.accepted_at.is_not(None), "sent"), (perhaps, "unknown"), else_="recalled")
    mine = update(MESSAGE).where(MESSAGE.c.scenario.in_(scenarios), _PLANNED)
    connection.execute(
        mine.values(state=state, reason=REMOVED, detail=REMOVED, changed_at=now, fallback_at=None)
    )
    taken = (MESSAGE.c.scenario.in_(scenarios), MESSAGE.c.reason == REMOVED, MESSAGE.c.changed_at == now)
    # Should the scenario come back, whoever waited for this message goes on to the next step.
    freed = select(MESSAGE.c.enrolment_id).where(*taken, MESSAGE.c.step_index + 1 == ENROLMENT.c.step)
    waited = ENROLMENT.c.id.in_(freed.correlate(ENROLMENT))
    connection.execute(update(ENROLMENT).where(waited).values(anchor_at=now))
