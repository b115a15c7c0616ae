"""One message through the log, at the level debug: a line when it is planned, and one for each try.

Only opaque ids: the customer's and the event's number, the message's, the attempt's, the provider's.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select

from campaigns.gates import Step
from campaigns.staging import CANDIDATE
from campaigns.tables import Enrolment, Message
from scheduler.outbox import name_of
from triggers.base import whole_number

if TYPE_CHECKING:
    from scheduler.outcomes import Settled

LOG = structlog.get_logger("tidings.messages")
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]


def wanted() -> bool:
    """Whether somebody wants a line for each message: a program that has set up no log does not."""
    return structlog.is_configured() and bool(LOG.is_enabled_for(logging.DEBUG))


def planned(step: Step) -> None:
    """What a look has just committed, each message with the event that caused it."""
    if not wanted():
        return
    entered = (
        (ENROLMENT.c.customer_id == CANDIDATE.c.customer_id)
        & (ENROLMENT.c.occasion == CANDIDATE.c.occasion)
        & (ENROLMENT.c.scenario == step.scenario.name)
    )
    own = (MESSAGE.c.enrolment_id == ENROLMENT.c.id) & (MESSAGE.c.step_index == step.index)
    event = whole_number(CANDIDATE.c.facts, "event")
    rows = (
        select(MESSAGE.c.id, MESSAGE.c.enrolment_id, MESSAGE.c.customer_id, MESSAGE.c.channel, event)
        .join_from(CANDIDATE, ENROLMENT, entered)
        .join(MESSAGE, own)
        .where(CANDIDATE.c.gate.is_(None))
    )
    for message, enrolment, customer, channel, cause in step.connection.execute(rows.order_by(MESSAGE.c.id)):
        LOG.debug(
            "message planned", message=message, enrolment=enrolment, customer=customer, event_id=cause,
            scenario=step.scenario.name, step=step.step.id, channel=channel,
        )  # fmt: skip


def tried(channel: str, settled: Sequence["Settled"]) -> None:
    """What became of messages that were handed to a channel."""
    if not wanted():
        return
    for it in settled:
        row, outcome = it.claimed.row, it.outcome
        LOG.debug(
            "message tried", message=row.id, customer=row.customer_id, scenario=row.scenario, channel=channel,
            attempt=row.tries + 1, outcome=name_of(outcome), reason=getattr(outcome, "reason", None),
            provider_id=getattr(outcome, "provider_id", None),
        )  # fmt: skip
