"""Who enters at all: said in the same pass that finds the candidates, before anything is staged."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, case, false, func, not_, select

from campaigns.audience import EVERYBODY
from campaigns.gates.step import Step
from campaigns.tables import Enrolment, Message
from core.db import looked_up
from core.tables import Customer

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
# One person under another number, whose profile was merged into theirs.
DUPLICATE = CUSTOMER.alias("duplicate")
_MERGED = select(CUSTOMER.c.id).where(CUSTOMER.c.merged_into.is_not(None)).limit(1)
# What the person has heard, or may have.
HEARD = MESSAGE.c.state.in_(("sending", "sent", "delivered", "unknown"))
ENTRY = ("not_in_audience", "already_entered")
NO_CONSENT = "no_consent"


def entry_gate(
    step: Step, customer_id: ColumnElement[int], occasion: ColumnElement[str]
) -> ColumnElement[str | None]:
    """What keeps who is due out, NULL if nothing does; `customer` stands in the same query.

    `not_in_audience`: state triggers look again next time. `already_entered`: final for this occasion, also
    for whom a duplicate of theirs was told of it. `no_consent` of those who agreed on no channel.
    """
    entered = looked_up(
        ENROLMENT.c.scenario.in_(step.names),
        ENROLMENT.c.customer_id == customer_id,
        ENROLMENT.c.occasion == occasion,
    )
    told = [(_told_before(step, customer_id, occasion), "already_entered")] if step.merged else []
    return case(
        *_outside(step), (entered, "already_entered"), *told, *agreed_nowhere(step, CUSTOMER.c.opted_in)
    )


def agreed_nowhere(step: Step, opted_in: ColumnElement[str | None]) -> list[tuple[ColumnElement[bool], str]]:
    """A gate of its own, where the customer's row says it: the whole cascade is closed to marketing, and
    nothing else is asked of them.
    """
    return [(opted_in == "", NO_CONSENT)] if step.marketing else []


def any_merged(connection: Connection) -> bool:
    """Whether two profiles were ever merged: most shops never did, and are spared the question who."""
    return connection.scalar(_MERGED) is not None


def survivors(connection: Connection, who: Collection[int]) -> dict[int, int]:
    """Duplicates that were merged into some customers → into whom."""
    theirs = select(DUPLICATE.c.id, DUPLICATE.c.merged_into).where(DUPLICATE.c.merged_into.in_(who))
    return {row.id: row.merged_into for row in connection.execute(theirs)}


def _told_before(
    step: Step, customer_id: ColumnElement[int], occasion: ColumnElement[str]
) -> ColumnElement[bool]:
    """They heard it before their profiles were merged. What was not sent yet will not be: they enter anew."""
    return looked_up(
        DUPLICATE.c.merged_into == customer_id, MESSAGE.c.customer_id == DUPLICATE.c.id, HEARD,
        MESSAGE.c.scenario.in_(step.names), MESSAGE.c.occasion == occasion,
    )  # fmt: skip


def _outside(step: Step) -> list[tuple[ColumnElement[bool], str]]:
    if step.scenario.audience == EVERYBODY:
        return []
    fits = step.audience.condition(step.scenario.audience)
    return [(not_(func.coalesce(fits, false())), "not_in_audience")]
