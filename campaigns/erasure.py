"""What decisions and messages keep of a person, and forget when they ask for it.

That somebody was written to, when and with which outcome stays for the reports; what was said does not.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Table, or_, select

from campaigns.tables import WAITING, Attempt, Decision, Enrolment, Feedback, Message, TrackedLink
from core.customers.erasure import Wipe, are, inviters, is_filled
from core.db import json_without

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
DECISION = Decision.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
LINK = TrackedLink.__table__  # type: ignore[attr-defined]
TABLES = (ATTEMPT, DECISION, ENROLMENT, FEEDBACK, MESSAGE)

ERASED = "erased"
# Whom somebody brought, in the facts of a message about it (triggers.event).
OF_FRIEND = ("attributes", "friend")


def wipes(ids: Sequence[int]) -> tuple[Wipe, ...]:
    """Facts and subjects of messages, what providers said, and whatever is still to come."""
    mine = {table: table.c.customer_id.in_(ids) for table in (DECISION, ENROLMENT, FEEDBACK, MESSAGE)}
    # By their messages: neither table is indexed by customer, and both are among the largest.
    theirs = select(MESSAGE.c.id).where(mine[MESSAGE])
    waiting = mine[MESSAGE] & MESSAGE.c.state.in_(WAITING)
    said = or_(
        is_filled(MESSAGE.c.facts),
        *(MESSAGE.c[name].is_not(None) for name in ("subject", "provider_id", "detail")),
    )
    about = or_(is_filled(ENROLMENT.c.facts), ENROLMENT.c.subject.is_not(None))
    tried = or_(ATTEMPT.c.detail.is_not(None), ATTEMPT.c.provider_id.is_not(None))
    others = [
        Wipe(f"their name in {what} of others", table, _tells_of(table, ids),
             {"facts": json_without(table.c.facts, *OF_FRIEND)})
        for what, table in (("messages", MESSAGE), ("reasons", ENROLMENT))
    ]  # fmt: skip
    return (
        *others,
        Wipe("messages still to be sent", MESSAGE, waiting, {"state": "recalled", "reason": ERASED}),
        Wipe("contents of messages", MESSAGE, mine[MESSAGE] & said,
             {"facts": {}, "subject": None, "provider_id": None, "locale": None, "detail": None}),
        Wipe("running scenarios", ENROLMENT, mine[ENROLMENT] & (ENROLMENT.c.status == "active"),
             {"status": "exited"}),
        Wipe("reasons of messages", ENROLMENT, mine[ENROLMENT] & about, {"facts": {}, "subject": None}),
        Wipe("answers of providers", ATTEMPT, ATTEMPT.c.message_id.in_(theirs) & tried,
             {"detail": None, "provider_id": None}),
        Wipe("details of decisions", DECISION, mine[DECISION] & DECISION.c.detail.is_not(None),
             {"detail": None}),
        Wipe("opens and clicks", FEEDBACK, mine[FEEDBACK] & FEEDBACK.c.machine.is_not(None)),
        Wipe("links of their own", LINK, LINK.c.customer_id.in_(ids)),
        Wipe("reactions to messages", FEEDBACK,
             FEEDBACK.c.message_id.in_(theirs) & FEEDBACK.c.detail.is_not(None), {"detail": None}),
    )  # fmt: skip


def _tells_of(table: Table, ids: Sequence[int]) -> ColumnElement[bool]:
    """What was said to those who brought these customers, and names them."""
    friend = table.c.facts[OF_FRIEND].as_string()
    return table.c.customer_id.in_(inviters(ids)) & are(friend, ids)
