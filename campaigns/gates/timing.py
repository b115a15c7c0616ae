"""Which channel it is, in which words, and when."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, select

from campaigns.gates.holdout import drawn_as, salt
from campaigns.gates.reach import THIS, close, open_option, per_channel
from campaigns.gates.step import Step
from campaigns.staging import CANDIDATE, DEADLINE, OPTION, ZONE, put_deadlines
from core.db import UtcDateTime, hash_bucket


def missing_text(step: Step) -> None:
    """No text on any open channel, in any locale: set aside and reported."""
    closed = False
    for channel in step.step.send:
        if not all(step.running.library.has(name, channel, None) for name in step.step.messages):
            closed |= close(step, "missing_text", OPTION.c.channel == channel)
    if closed:
        step.hold("missing_text", ~open_option(), per_channel(step))


def plan(step: Step) -> None:
    """The first open channel of the cascade, the variant, and when it may go.

    Quiet hours defer to their end; what would then be too late is dropped at once (`expired`).
    """
    values: dict[str, Any] = {
        "channel": _first_open(step),
        "message": _variant(step),
        "due_at": _due_at(step),
    }
    valid_for = step.scenario.limits.valid_for
    if valid_for is None:
        step.set(**values)
        return
    planned = step.connection.scalars(select(CANDIDATE.c.at).where(step.free).distinct()).all()
    put_deadlines(step.connection, {at: valid_for.after(at, step.program.zone) for at in planned})
    until = select(DEADLINE.c.until).where(DEADLINE.c.at == CANDIDATE.c.at).scalar_subquery()
    step.set(**values, expires_at=until)
    step.hold("expired", CANDIDATE.c.due_at >= CANDIDATE.c.expires_at, "valid_for")


def _first_open(step: Step) -> Any:
    if len(step.step.send) == 1:
        return step.step.send[0]
    first = select(OPTION.c.channel).where(THIS, OPTION.c.gate.is_(None))
    return first.order_by(OPTION.c.position).limit(1).scalar_subquery()


def _variant(step: Step) -> Any:
    variants = step.step.choices
    if len(variants) == 1:
        return variants[0].message
    whole = sum(variant.weight for variant in variants)
    text = salt(step.program.seed, f"{drawn_as(step)}:variant:{step.step.id}")
    draw = hash_bucket(text + CANDIDATE.c.external_id) % whole
    reached, branches = 0, []
    for variant in variants:
        reached += variant.weight
        branches.append((draw < reached, variant.message))
    return case(*branches)


def _due_at(step: Step) -> ColumnElement[datetime]:
    now = literal(step.at, UtcDateTime)
    quiet = select(ZONE.c.quiet_until).where(ZONE.c.quiet_until.is_not(None))
    if step.connection.scalar(quiet.limit(1)) is None:
        return now
    theirs = quiet.where(ZONE.c.name == CANDIDATE.c.zone).scalar_subquery()
    return func.coalesce(theirs, now)
