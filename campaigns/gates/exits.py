"""Who has left a scenario between its steps."""

from sqlalchemy import ColumnElement, exists, literal, select

from campaigns.gates.step import Step
from campaigns.staging import CANDIDATE, DEADLINE, put_deadlines
from campaigns.tables import Enrolment
from core.db import UtcDateTime
from core.tables import Receipt
from core.units import Duration
from triggers import discover

ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]


def exited(step: Step) -> None:
    """What the step's `unless` names has happened since the enrolment, or the goal is met."""
    if not step.index:
        return
    if "purchase" in step.step.unless:
        step.hold("exited", exists().where(*_bought(step)), "unless purchase")
    if step.scenario.goal is not None:
        step.hold("exited", _goal_met(step, step.scenario.goal.purchase.within), "goal met")
    _no_longer_true(step)


def _bought(step: Step) -> tuple[ColumnElement[bool], ...]:
    """A purchase that stands, made after the entry and known at the look."""
    return (
        ENROLMENT.c.id == CANDIDATE.c.enrolment_id,
        RECEIPT.c.customer_id == ENROLMENT.c.customer_id,
        RECEIPT.c.returned_at.is_(None),
        RECEIPT.c.at > ENROLMENT.c.at,
        RECEIPT.c.at <= literal(step.at, UtcDateTime),
    )


def _goal_met(step: Step, within: Duration) -> ColumnElement[bool]:
    """Such a purchase, in time."""
    entered = select(ENROLMENT.c.at).distinct().join(CANDIDATE, CANDIDATE.c.enrolment_id == ENROLMENT.c.id)
    times = step.connection.scalars(entered).all()
    put_deadlines(step.connection, {at: within.after(at, step.program.zone) for at in times})
    in_time = (DEADLINE.c.at == ENROLMENT.c.at, RECEIPT.c.at <= DEADLINE.c.until)
    return exists().where(*_bought(step), *in_time)


def _no_longer_true(step: Step) -> None:
    """A state that has ended needs no further step; a fact that happened stays one."""
    trigger = discover()[step.scenario.trigger]
    if trigger.kind != "state":
        return
    due = CANDIDATE.alias("due")
    still = trigger.still_true(step.scenario.parameters, step.look, due).subquery("still")
    step.hold("no_longer_true", CANDIDATE.c.id.not_in(select(still.c.id)))
