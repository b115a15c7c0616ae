"""Who has left a scenario: what a step asks, the goal, and whether its reason still stands."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, and_, exists, false, func, literal, not_, or_, select

from campaigns.audience import Node
from campaigns.conditions import Audience
from campaigns.gates.step import Step
from campaigns.scenario import Step as ScenarioStep
from campaigns.staging import CANDIDATE, DEADLINE, put_deadlines
from core.db import UtcDateTime
from core.tables import Customer, Receipt
from core.units import Duration
from triggers import discover

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]


def exited(step: Step) -> None:
    """What the step asks of the customer says no, or the goal is met. Final: the enrolment is over."""
    # Who enters at this look has done nothing since.
    bought = exists().where(*_bought(step)) if step.index else false()
    for where, detail in says_no(step.step, step.audience, bought, CANDIDATE.c.customer_id):
        step.hold("exited", where, detail)
    if not step.index:
        return
    if step.scenario.goal is not None:
        step.hold("exited", _goal_met(step, step.scenario.goal.purchase.within), "goal met")
    _no_longer_true(step)


def says_no(
    step: ScenarioStep, audience: Audience, bought: ColumnElement[bool], customer: ColumnElement[int]
) -> Iterator[tuple[ColumnElement[bool], str]]:
    """The conditions by which a step is not for a customer any more, each with its detail.

    `bought`: whether they bought since the enrolment. A list is *one of*: one of `unless` is enough to leave,
    and one of `only_if` to stay.
    """
    if asked := step.asks("unless"):
        yield or_(*_answers(asked, audience, bought, customer)), f"unless {_words(step, 'unless')}"
    if asked := step.asks("only_if"):
        stays = or_(*_answers(asked, audience, bought, customer))
        yield not_(stays), f"only if {_words(step, 'only_if')}"


def _answers(
    asked: tuple[Literal["purchase"] | Node, ...],
    audience: Audience,
    bought: ColumnElement[bool],
    customer: ColumnElement[int],
) -> list[ColumnElement[bool]]:
    return [
        bought
        if isinstance(it, str)
        else exists().where(CUSTOMER.c.id == customer, func.coalesce(audience.condition(it), false()))
        for it in asked
    ]


def _words(step: ScenarioStep, key: Literal["unless", "only_if"]) -> str:
    """The fields that were asked for, as the file names them: `purchase or balance and tier`."""
    return " or ".join(it if isinstance(it, str) else " and ".join(it) for it in getattr(step, key))


def made_since(entered: ColumnElement[datetime]) -> ColumnElement[bool]:
    """A purchase that stands, made after a customer entered.

    One that was recorded by then was not, though a till whose clock is ahead says so: it may be the very one
    that they entered by.
    """
    return and_(RECEIPT.c.returned_at.is_(None), RECEIPT.c.at > entered, RECEIPT.c.recorded_at > entered)


def _bought(step: Step) -> tuple[ColumnElement[bool], ...]:
    """A purchase since the entry, known at the look."""
    return (
        RECEIPT.c.customer_id == CANDIDATE.c.customer_id,
        made_since(CANDIDATE.c.entered_at),
        RECEIPT.c.at <= literal(step.at, UtcDateTime),
    )


def _goal_met(step: Step, within: Duration) -> ColumnElement[bool]:
    """Such a purchase, in time."""
    times = step.connection.scalars(select(CANDIDATE.c.entered_at).where(step.free).distinct()).all()
    put_deadlines(step.connection, {at: within.after(at, step.program.zone) for at in times})
    in_time = and_(DEADLINE.c.at == CANDIDATE.c.entered_at, RECEIPT.c.at <= DEADLINE.c.until)
    return exists().where(*_bought(step), in_time)


def _no_longer_true(step: Step) -> None:
    """A state that has ended needs no further step; a fact that happened stays one."""
    trigger = discover()[step.scenario.trigger]
    if trigger.kind != "state":
        return
    due = CANDIDATE.alias("due")
    still = trigger.still_true(step.scenario.parameters, step.look, due).subquery("still")
    step.hold("no_longer_true", CANDIDATE.c.id.not_in(select(still.c.id)))
