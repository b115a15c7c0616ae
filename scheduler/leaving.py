"""Who has left their scenario while a message for them waited: promise 9 holds for goals and steps too.

Between planning and sending lie quiet hours, retries and slow providers. A purchase in that time meets the
goal, or is what the step's `unless` names: the message is recalled, and the enrolment is over.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, func, literal, select, update

from campaigns.conditions import Audience
from campaigns.gates.exits import made_since, says_no
from campaigns.running import Running
from campaigns.scenario import Scenario, Step
from campaigns.tables import Enrolment, Message
from core.db import UtcDateTime
from core.tables import Receipt
from scheduler.outbox import Turn
from scheduler.reach import MessageRow

ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
_OWN = ENROLMENT.c.id == MESSAGE.c.enrolment_id
EXITED = "exited"


def left(
    connection: Connection, running: Running, rows: Sequence[MessageRow], at: datetime
) -> dict[int, str]:
    """Message id → why its enrolment is over, as the look would say it; who stays is not in it."""
    found = dict(_goals_met(connection, running, rows, at))
    steps = {(row.scenario, row.step) for row in rows}
    for name, step_id in sorted(steps):
        step = _step(running.scenarios[name], step_id)
        if step is not None and (step.unless or step.only_if):
            ids = [row.id for row in rows if (row.scenario, row.step) == (name, step_id)]
            found |= _asked(connection, running, step, ids, at)
    return found


def leave(connection: Connection, turns: Sequence[Turn]) -> None:
    """End the enrolments of the messages that were recalled because their customer had left."""
    ids = [turn.row.enrolment_id for turn in turns if turn.reason == EXITED]
    if ids:
        mine = update(ENROLMENT).where(ENROLMENT.c.id.in_(ids))
        connection.execute(mine.values(status="exited"))


def _step(scenario: Scenario, step_id: str) -> Step | None:
    # Steps are those of today by their id: one that is gone asks nothing any more.
    return next((step for step in scenario.steps if step.id == step_id), None)


def _goals_met(
    connection: Connection, running: Running, rows: Sequence[MessageRow], at: datetime
) -> Iterator[tuple[int, str]]:
    goals = {name: scenario.goal for name, scenario in running.scenarios.items() if scenario.goal is not None}
    wanted = {row.id: row for row in rows if row.scenario in goals}
    if not wanted:
        return
    # The first purchase decides: if that was too late, so were the others.
    first = (
        select(MESSAGE.c.id, ENROLMENT.c.at.label("entered"), func.min(RECEIPT.c.at).label("bought"))
        .select_from(MESSAGE.join(ENROLMENT, _OWN).join(RECEIPT, _bought(at)))
        .where(MESSAGE.c.id.in_(wanted))
        .group_by(MESSAGE.c.id, ENROLMENT.c.at)
    )
    for row in connection.execute(first):
        within = goals[wanted[row.id].scenario].purchase.within
        if row.bought <= within.after(row.entered, running.program.zone):
            yield row.id, "goal met"


def _asked(
    connection: Connection, running: Running, step: Step, ids: Sequence[int], at: datetime
) -> Mapping[int, str]:
    found: dict[int, str] = {}
    audience = Audience(running.program, running.segments, at, running.kinds)
    bought = exists().where(_bought(at)).correlate(MESSAGE, ENROLMENT)
    mine = select(MESSAGE.c.id).join_from(MESSAGE, ENROLMENT, _OWN).where(MESSAGE.c.id.in_(ids))
    for where, detail in says_no(step, audience, bought, MESSAGE.c.customer_id):
        found = dict.fromkeys(connection.scalars(mine.where(where)), detail) | found
    return found


def _bought(at: datetime) -> ColumnElement[bool]:
    """A purchase that stands, made since the enrolment."""
    return and_(
        RECEIPT.c.customer_id == ENROLMENT.c.customer_id,
        made_since(ENROLMENT.c.at),
        RECEIPT.c.at <= literal(at, UtcDateTime),
    )
