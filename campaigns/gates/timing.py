"""Which channel it is, in which words, and when."""

from datetime import datetime

from sqlalchemy import ColumnElement, case, func, literal, select

from campaigns.gates.holdout import CUSTOMER, drawn_as, salt
from campaigns.gates.reach import THIS, close, open_option, per_channel
from campaigns.gates.step import Step
from campaigns.staging import CANDIDATE, DEADLINE, OPTION, ZONE, put_deadlines
from core.db import UtcDateTime, hash_bucket


def missing_text(step: Step) -> None:
    """No text on any open channel, in any locale: set aside and reported."""
    for channel in step.step.send:
        if not all(step.running.library.has(name, channel, None) for name in step.step.messages):
            close(step, "missing_text", OPTION.c.channel == channel)
    step.hold("missing_text", ~open_option(), per_channel(step))


def choose_channel(step: Step) -> None:
    """The first open channel of the cascade, and the variant that the customer's hash falls on."""
    first = select(OPTION.c.channel).where(THIS, OPTION.c.gate.is_(None)).order_by(OPTION.c.position).limit(1)
    step.set(channel=first.scalar_subquery(), message=_variant(step))


def _variant(step: Step) -> object:
    variants = step.step.choices
    if len(variants) == 1:
        return variants[0].message
    whole = sum(variant.weight for variant in variants)
    text = salt(step.program.seed, f"{drawn_as(step.scenario)}:variant:{step.step.id}")
    theirs = select(CUSTOMER.c.external_id).where(CUSTOMER.c.id == CANDIDATE.c.customer_id).scalar_subquery()
    draw = hash_bucket(text + theirs) % whole
    reached, branches = 0, []
    for variant in variants:
        reached += variant.weight
        branches.append((draw < reached, variant.message))
    return case(*branches)


def set_times(step: Step) -> None:
    """Quiet hours defer to their end; what would then be too late is dropped at once (`expired`)."""
    now = literal(step.at, UtcDateTime)
    quiet = select(ZONE.c.name).where(ZONE.c.quiet_until.is_not(None)).limit(1)
    anywhere = step.connection.scalar(quiet) is not None
    step.set(due_at=func.coalesce(_quiet_until(), now) if anywhere else now)
    valid_for = step.scenario.limits.valid_for
    if valid_for is None:
        return
    planned = step.connection.scalars(select(CANDIDATE.c.at).where(step.free).distinct()).all()
    put_deadlines(step.connection, {at: valid_for.after(at, step.program.zone) for at in planned})
    step.set(expires_at=select(DEADLINE.c.until).where(DEADLINE.c.at == CANDIDATE.c.at).scalar_subquery())
    step.hold("expired", CANDIDATE.c.due_at >= CANDIDATE.c.expires_at, "valid_for")


def _quiet_until() -> ColumnElement[datetime]:
    zone = select(ZONE.c.quiet_until).join(CUSTOMER, ZONE.c.name == func.coalesce(CUSTOMER.c.time_zone, ""))
    return zone.where(CUSTOMER.c.id == CANDIDATE.c.customer_id).scalar_subquery()
