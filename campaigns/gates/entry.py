"""Who enters at all: said in the same pass that finds the candidates, before anything is staged."""

from sqlalchemy import ColumnElement, case, false, func, not_

from campaigns.audience import EVERYBODY
from campaigns.gates.step import Step
from campaigns.tables import Enrolment
from core.db import looked_up

ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
ENTRY = ("not_in_audience", "already_entered")


def entry_gate(
    step: Step, customer_id: ColumnElement[int], occasion: ColumnElement[str]
) -> ColumnElement[str | None]:
    """What keeps who is due out, NULL if nothing does; `customer` stands in the same query.

    `not_in_audience`: state triggers look again next time. `already_entered`: final for this occasion.
    """
    entered = looked_up(
        ENROLMENT.c.scenario.in_(step.names),
        ENROLMENT.c.customer_id == customer_id,
        ENROLMENT.c.occasion == occasion,
    )
    return case(*_outside(step), (entered, "already_entered"))


def _outside(step: Step) -> list[tuple[ColumnElement[bool], str]]:
    if step.scenario.audience == EVERYBODY:
        return []
    fits = step.audience.condition(step.scenario.audience)
    return [(not_(func.coalesce(fits, false())), "not_in_audience")]
