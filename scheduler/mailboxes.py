"""Mailboxes that took nothing for days: refused in the SMTP dialogue, or sent back as bounces.

A day counts once, whatever was tried on it. Refusals by policy, and what speaks of the provider, say nothing
of the mailbox.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, Row, exists, func, literal, or_, select

from campaigns.tables import Attempt, Feedback, Message
from channels import Failed, Outcome
from channels.email.replies import DEAD, SOFT
from core.customers.addresses import ADDRESS, LIFTED, suppress
from core.db import UtcDateTime
from core.db.sets import among
from scheduler.claim import Claimed

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]

EMAIL, BOUNCED = "email", "bounced"
POLICY = "blocked_by_policy"
SOFT_BOUNCES = "soft_bounces"
# So many days on which nothing but refusals came; a full mailbox or a broken server is mended by then.
GIVE_UP_AFTER = 5
LOOK_BACK = 100

_OF_THE_MAILBOX = (*SOFT, *DEAD.values())


def give_up_refused(connection: Connection, refused: Iterable[tuple[Claimed, Outcome]], at: datetime) -> None:
    """Suppress the addresses that servers have refused, or sent back, on `GIVE_UP_AFTER` different days.

    Nobody is asked about but those who were refused now and had come to nothing days before.
    """
    soft = [
        claimed
        for claimed, outcome in refused
        if claimed.row.channel == EMAIL and isinstance(outcome, Failed) and outcome.reason in SOFT
    ]
    long_since = _refused_before(connection, {it.row.customer_id for it in soft}, at) if soft else ()
    for claimed in soft:
        if claimed.row.customer_id not in long_since:
            continue
        address = _address(connection, claimed)
        if address is not None and is_given_up(connection, address, at):
            suppress(connection, EMAIL, address.digest, SOFT_BOUNCES, at)


def is_given_up(connection: Connection, address: Row[Any], until: datetime) -> bool:
    """Whether emails to the address came to nothing on `GIVE_UP_AFTER` days in a row, up to and with `until`.

    One that was taken over and did not come back ends the row; what was before a suppression was lifted
    counts no more. Later ones are not asked: their bounces may still be on the way.
    """
    lifted = connection.scalar(
        select(func.max(LIFTED.c.lifted_at)).where(
            LIFTED.c.channel == EMAIL, LIFTED.c.digest == address.digest
        )
    )
    bounce = (
        select(func.min(FEEDBACK.c.detail))
        .where(FEEDBACK.c.message_id == ATTEMPT.c.message_id, FEEDBACK.c.kind == BOUNCED)
        .scalar_subquery()
    )
    taken_over = ATTEMPT.c.outcome == "accepted"
    told = or_(taken_over, ATTEMPT.c.reason.in_(_OF_THE_MAILBOX))
    tried = (
        select(ATTEMPT.c.message_id, ATTEMPT.c.at, taken_over.label("taken_over"), bounce.label("bounce"))
        .join(MESSAGE, MESSAGE.c.id == ATTEMPT.c.message_id)
        .where(MESSAGE.c.customer_id == address.customer_id, ATTEMPT.c.channel == EMAIL, told)
        .where(ATTEMPT.c.at <= literal(until, UtcDateTime))
        .where(ATTEMPT.c.at >= literal(max(address.since, lifted or address.since), UtcDateTime))
        .order_by(ATTEMPT.c.at.desc(), ATTEMPT.c.id.desc())
        .limit(LOOK_BACK)
    )
    # A message that is tried over midnight has one day, that of its last try.
    days: dict[int, date] = {}
    for attempt in connection.execute(tried):
        if attempt.taken_over and attempt.bounce is None:
            break
        if not attempt.taken_over or attempt.bounce != POLICY:
            days.setdefault(attempt.message_id, attempt.at.date())
    return len(set(days.values())) >= GIVE_UP_AFTER


def _refused_before(connection: Connection, customers: Collection[int], at: datetime) -> set[int]:
    """Of these customers those to whom an email came to nothing on the first of so many days, or before."""
    first_day = at - timedelta(days=GIVE_UP_AFTER - 2)
    before = datetime.combine(first_day.date(), time(), at.tzinfo)
    came_back = exists().where(FEEDBACK.c.message_id == ATTEMPT.c.message_id, FEEDBACK.c.kind == BOUNCED)
    tried = (
        select(MESSAGE.c.customer_id)
        .join(ATTEMPT, MESSAGE.c.id == ATTEMPT.c.message_id)
        .where(among(MESSAGE.c.customer_id, list(customers)), ATTEMPT.c.channel == EMAIL)
        .where(ATTEMPT.c.at < literal(before, UtcDateTime))
        .where(or_(ATTEMPT.c.reason.in_(_OF_THE_MAILBOX), came_back))
        .distinct()
    )
    return set(connection.scalars(tried))


def _address(connection: Connection, claimed: Claimed) -> Row[Any] | None:
    own = select(ADDRESS).where(
        ADDRESS.c.customer_id == claimed.row.customer_id,
        ADDRESS.c.kind == EMAIL,
        ADDRESS.c.value == claimed.address,
    )
    return connection.execute(own).first()
