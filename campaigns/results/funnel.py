"""What became of the messages to those who entered in a period, step by step and text by text."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import Connection, case, distinct, exists, func, select

from campaigns.results.entered import ENROLMENT, Entered
from campaigns.tables import Decision, Feedback, Message
from campaigns.verdicts import KEY, of_messages

DECISION = Decision.__table__  # type: ignore[attr-defined]
FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]

WAITING = ("planned", "deferred")
# What customers and providers report, by the column that counts it; a message counts once in each.
REPORTED: Mapping[str, str] = {
    "opened": "opened", "read": "opened", "clicked": "clicked",
    "bounced": "bounced", "undelivered": "bounced", "complained": "complained", "replied": "stopped",
}  # fmt: skip


@dataclass(slots=True)
class Told:
    """Messages of one step with one text: how many were planned, and what became of them.

    `sent` were taken over by a provider, of these `delivered` were reported to have arrived. `opened` and
    `clicked` leave programs out. `lost` says by reason what never left. `cost` is None if no price is known.
    """

    step: str
    message: str
    channels: Counter[str] = field(default_factory=Counter)
    planned: int = 0
    waiting: int = 0
    sent: int = 0
    delivered: int = 0
    unknown: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    reports: Counter[str] = field(default_factory=Counter)
    cost: Decimal | None = None


def told(connection: Connection, entered: Entered) -> list[Told]:
    """The steps in their order, and the texts of a step that draws one of several by name."""
    found: dict[tuple[str, str], Told] = {}
    own = MESSAGE.join(ENROLMENT, ENROLMENT.c.id == MESSAGE.c.enrolment_id)
    verdict = of_messages().label("verdict")
    key = (MESSAGE.c.step_index, MESSAGE.c.step, MESSAGE.c.message, MESSAGE.c.channel)
    arrived = func.count().filter(MESSAGE.c.state == "delivered")
    counted = (
        select(*key, verdict, func.count(), arrived, func.sum(MESSAGE.c.cost))
        .select_from(own)
        .where(entered.where)
        .group_by(*key, verdict)
        .order_by(*key, verdict)
    )
    for _, step, message, channel, word, count, delivered, cost in connection.execute(counted):
        row = found.setdefault((step, message), Told(step, message))
        _count(row, channel, word, int(count))
        row.delivered += int(delivered)
        if cost is not None:
            row.cost = (row.cost or Decimal(0)) + Decimal(str(cost))
    _add_reports(connection, entered, found)
    return list(found.values())


def _count(row: Told, channel: str, verdict: str, count: int) -> None:
    row.planned += count
    if verdict == "sent":
        row.sent += count
        row.channels[channel] += count
    elif verdict in WAITING:
        row.waiting += count
    elif verdict == "unknown":
        row.unknown += count
    else:
        row.lost[verdict] += count


def _add_reports(connection: Connection, entered: Entered, found: Mapping[tuple[str, str], Told]) -> None:
    column = case(REPORTED, value=FEEDBACK.c.kind).label("reported")
    reported = (
        select(MESSAGE.c.step, MESSAGE.c.message, column, func.count(distinct(MESSAGE.c.id)))
        .select_from(FEEDBACK)
        .join(MESSAGE, MESSAGE.c.id == FEEDBACK.c.message_id)
        .join(ENROLMENT, ENROLMENT.c.id == MESSAGE.c.enrolment_id)
        .where(entered.where, FEEDBACK.c.kind.in_(list(REPORTED)), FEEDBACK.c.machine.is_not(True))
        .group_by(MESSAGE.c.step, MESSAGE.c.message, column)
    )
    for step, message, kind, count in connection.execute(reported):
        found[step, message].reports[kind] += int(count)


def silent(connection: Connection, entered: Entered) -> Counter[str]:
    """Steps of occasions that came to no message, by the gate that had the last word in that time."""
    planned = exists().where(*(MESSAGE.c[name] == DECISION.c[name] for name in KEY))
    counted = (
        select(DECISION.c.verdict, func.count())
        .where(entered.decided(DECISION), DECISION.c.verdict != "holdout", ~planned)
        .group_by(DECISION.c.verdict)
    )
    return Counter({verdict: int(count) for verdict, count in connection.execute(counted)})
