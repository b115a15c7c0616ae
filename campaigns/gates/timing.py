"""Which channel it is, in which words, and when; and what is then without words, or too late."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, case, func, literal, select, true

from campaigns.gates.entry import NO_CONSENT
from campaigns.gates.holdout import drawn_as, salt
from campaigns.gates.reach import close, first_reached, narrow, open_further, without_consent
from campaigns.gates.step import Step, Who
from campaigns.staging import CANDIDATE, DEADLINE, OPTION, ZONE, put_deadlines
from core.db import UtcDateTime, hash_bucket


def plan(step: Step, who: Who, gate: ColumnElement[str | None]) -> dict[str, ColumnElement[Any]]:
    """What a customer would be sent if no gate is against it, as columns of `CANDIDATE`; `gate` has spoken.

    The first channel of the cascade that reaches them (NULL if none does), the variant, and when it may go:
    quiet hours defer to their end.
    """
    free = gate.is_(None)
    return {
        "detail": case((gate == NO_CONSENT, without_consent(step))),
        "channel": case((free, first_reached(step, who))),
        "message": case((free, _variant(step, who))),
        "due_at": case((free, _due_at(step, who))),
    }


def missing_text(step: Step) -> None:
    """No text on any open channel, in any locale: set aside and reported."""
    library = step.running.library
    wordless = [
        channel for channel in step.step.send
        if not all(library.has(name, channel, None) for name in step.step.messages)
    ]  # fmt: skip
    if not wordless:
        return
    open_further(step, true())
    if close(step, "missing_text", OPTION.c.channel.in_(wordless)):
        narrow(step, "missing_text")


def good_until(step: Step) -> None:
    """Lay down until when messages of each planned time are good; see `expires_at`."""
    valid_for = step.scenario.limits.valid_for
    if valid_for is not None:
        planned = step.connection.scalars(select(CANDIDATE.c.at).where(step.free).distinct()).all()
        put_deadlines(step.connection, {at: valid_for.after(at, step.program.zone) for at in planned})


def expires_at(step: Step) -> ColumnElement[datetime | None]:
    """From when on a candidate's message is no good any more; NULL if it always is."""
    if step.scenario.limits.valid_for is None:
        return literal(None, UtcDateTime)
    return select(DEADLINE.c.until).where(DEADLINE.c.at == CANDIDATE.c.at).scalar_subquery()


def expired(step: Step) -> None:
    """What would be too late at the end of quiet hours, or is by now, is dropped at once."""
    if step.scenario.limits.valid_for is None:
        return
    first = step.connection.scalar(select(func.min(DEADLINE.c.until)))
    last = step.quiet_until or step.at
    if first is not None and first <= last:
        step.drop("expired", CANDIDATE.c.due_at >= expires_at(step), "valid_for")


def _variant(step: Step, who: Who) -> ColumnElement[str]:
    variants = step.step.choices
    if len(variants) == 1:
        return literal(variants[0].message, String)
    whole = sum(variant.weight for variant in variants)
    text = salt(step.program.seed, f"{drawn_as(step)}:variant:{step.step.id}")
    draw = hash_bucket(text + who.external_id) % whole
    reached, branches = 0, []
    for variant in variants:
        reached += variant.weight
        branches.append((draw < reached, variant.message))
    return case(*branches)


def _due_at(step: Step, who: Who) -> ColumnElement[datetime]:
    now = literal(step.at, UtcDateTime)
    if step.quiet_until is None:
        return now
    theirs = select(ZONE.c.quiet_until).where(ZONE.c.name == who.zone).scalar_subquery()
    return func.coalesce(theirs, now)
