"""Who enters at all."""

from sqlalchemy import exists, not_

from campaigns.audience import EVERYBODY
from campaigns.conditions import Audience
from campaigns.gates.step import Step
from campaigns.staging import CANDIDATE
from campaigns.tables import Enrolment
from core.tables import Customer

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]


def not_in_audience(step: Step) -> None:
    """The customer is not among those whom the scenario is for. State triggers look again next time."""
    if step.index or step.scenario.audience == EVERYBODY:
        return
    audience = Audience(step.program, step.running.segments, step.at, step.kinds)
    fits = audience.condition(step.scenario.audience)
    step.hold("not_in_audience", not_(exists().where(CUSTOMER.c.id == CANDIDATE.c.customer_id, fits)))


def already_entered(step: Step) -> None:
    """The customer entered on this occasion before. Final."""
    if step.index:
        return
    same = exists().where(
        ENROLMENT.c.scenario.in_(step.names),
        ENROLMENT.c.customer_id == CANDIDATE.c.customer_id,
        ENROLMENT.c.occasion == CANDIDATE.c.occasion,
    )
    step.hold("already_entered", same)
