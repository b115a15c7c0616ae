"""Who enters at all: said in the same pass that finds the candidates, before anything is staged."""

from sqlalchemy import ColumnElement, FromClause, case, exists, false, func, not_

from campaigns.audience import EVERYBODY
from campaigns.gates.step import Step
from campaigns.tables import Enrolment

ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]


def entry_gate(step: Step, due: FromClause) -> ColumnElement[str | None]:
    """What keeps a row of `due` out, NULL if nothing does; `customer` stands beside it in the same query.

    `not_in_audience`: state triggers look again next time. `already_entered`: final for this occasion.
    """
    entered = exists().where(
        ENROLMENT.c.scenario.in_(step.names),
        ENROLMENT.c.customer_id == due.c.customer_id,
        ENROLMENT.c.occasion == due.c.occasion,
    )
    return case(*_outside(step), (entered, "already_entered"))


def _outside(step: Step) -> list[tuple[ColumnElement[bool], str]]:
    if step.scenario.audience == EVERYBODY:
        return []
    fits = step.audience.condition(step.scenario.audience)
    return [(not_(func.coalesce(fits, false())), "not_in_audience")]
