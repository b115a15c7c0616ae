"""What would have become of the messages that are due: asked once more, as before a real sending."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, false, literal, select, update

from campaigns.conditions import Audience
from campaigns.gates.exits import made_since, says_no
from campaigns.membership import informed
from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.staging import DEADLINE, ZONE, put_deadlines
from campaigns.tables import WAITING, Enrolment, Message
from channels.base import CARD, NO_ADDRESS
from core.customers.consent import MARKETING
from core.db import UtcDateTime
from core.events import START
from core.tables import Address, Consent, Receipt, Suppression
from triggers import Look, discover
from wallet.holding import in_a_wallet

ADDRESS = Address.__table__  # type: ignore[attr-defined]
CONSENT = Consent.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
SUPPRESSION = Suppression.__table__  # type: ignore[attr-defined]


def deliver(connection: Connection, running: Running, scenario: Scenario, at: datetime) -> bool:
    """Send, recall or drop what is due, in the replay's own tables; False if nothing was.

    What was sent has `accepted_at` = `at`.
    """
    now = literal(at, UtcDateTime)
    due = and_(MESSAGE.c.scenario == scenario.name, MESSAGE.c.state.in_(WAITING), MESSAGE.c.due_at <= now)
    if not _any(connection, due):
        return False
    # What was decided at this very look need not be asked again.
    waited = and_(due, MESSAGE.c.changed_at < now)
    if _any(connection, waited):
        _end(connection, scenario, and_(waited, MESSAGE.c.expires_at <= now), "expired", "expired", at)
        for gate, closed in _closed(running, scenario):
            _end(connection, scenario, and_(waited, closed), "recalled", gate, at)
        for gone in _left(connection, running, scenario, waited, at):
            _end(connection, scenario, and_(waited, gone), "recalled", "exited", at)
        _exit(connection, scenario, at)
        untrue = and_(waited, _untrue(connection, running, scenario, waited, at))
        _end(connection, scenario, untrue, "recalled", "no_longer_true", at)
    _end(connection, scenario, due, "sent", "sent", at, accepted_at=at)
    return True


def _any(connection: Connection, which: ColumnElement[bool]) -> bool:
    return connection.scalar(select(MESSAGE.c.id).where(which).limit(1)) is not None


def _closed(running: Running, scenario: Scenario) -> list[tuple[str, ColumnElement[bool]]]:
    """The gates of reaching, for the channel on which a message stands."""
    kind = case(*((MESSAGE.c.channel == name, kind) for name, kind in running.kinds.items()))
    theirs = and_(ADDRESS.c.customer_id == MESSAGE.c.customer_id, ADDRESS.c.kind == kind, ADDRESS.c.active)
    blocked = exists().where(
        SUPPRESSION.c.channel == MESSAGE.c.channel, SUPPRESSION.c.digest == ADDRESS.c.digest
    ).correlate(ADDRESS, MESSAGE)  # fmt: skip
    given = exists().where(
        CONSENT.c.customer_id == MESSAGE.c.customer_id, CONSENT.c.channel == MESSAGE.c.channel,
        CONSENT.c.purpose == MARKETING, CONSENT.c.granted,
    )  # fmt: skip
    missing = case(
        (kind == NO_ADDRESS, false()),
        (kind == CARD, ~in_a_wallet(MESSAGE.c.customer_id)),
        else_=~exists().where(theirs),
    )
    found = [
        ("suppressed", and_(exists().where(theirs), ~exists().where(theirs, ~blocked))),
        ("unreachable", missing),
    ]
    return [("no_consent", ~given), *found] if scenario.purpose == "marketing" else found


def _left(
    connection: Connection, running: Running, scenario: Scenario, waited: ColumnElement[bool], at: datetime
) -> Iterator[ColumnElement[bool]]:
    """Whose goal is met, or whom the step of their message is not for any more."""
    own = select(ENROLMENT.c.at).where(ENROLMENT.c.id == MESSAGE.c.enrolment_id)
    entered = own.correlate(MESSAGE).scalar_subquery()
    bought = (
        RECEIPT.c.customer_id == MESSAGE.c.customer_id, made_since(entered),
        RECEIPT.c.at <= literal(at, UtcDateTime),
    )  # fmt: skip
    if scenario.goal is not None:
        times = select(ENROLMENT.c.at).join(MESSAGE, MESSAGE.c.enrolment_id == ENROLMENT.c.id).where(waited)
        within, zone = scenario.goal.purchase.within, running.program.zone
        until = {time: within.after(time, zone) for time in connection.scalars(times.distinct())}
        put_deadlines(connection, until)
        last = select(DEADLINE.c.until).where(DEADLINE.c.at == entered).scalar_subquery()
        yield exists().where(*bought, RECEIPT.c.at <= last)
    audience = Audience(running.program, running.segments, at, running.kinds)
    for step in scenario.steps:
        for where, _ in says_no(step, audience, exists().where(*bought), MESSAGE.c.customer_id):
            yield and_(MESSAGE.c.step == step.id, where)


def _exit(connection: Connection, scenario: Scenario, at: datetime) -> None:
    """Whose message was recalled because they had left is through with the scenario."""
    gone = exists().where(
        MESSAGE.c.enrolment_id == ENROLMENT.c.id, MESSAGE.c.scenario == scenario.name,
        MESSAGE.c.reason == "exited", MESSAGE.c.changed_at == literal(at, UtcDateTime),
    )  # fmt: skip
    connection.execute(update(ENROLMENT).where(gone).values(status="exited"))


def _untrue(
    connection: Connection, running: Running, scenario: Scenario, waited: ColumnElement[bool], at: datetime
) -> ColumnElement[bool]:
    mine = MESSAGE.alias("mine")
    columns = (mine.c.id, mine.c.customer_id, mine.c.occasion, mine.c.subject, mine.c.facts)
    due = select(*columns).where(mine.c.id.in_(select(MESSAGE.c.id).where(waited))).subquery("due")
    look = informed(connection, running, scenario, Look(at, running.program, ZONE, (), START, START))
    still = discover()[scenario.trigger].still_true(scenario.parameters, look, due).subquery("still")
    gone: ColumnElement[bool] = MESSAGE.c.id.not_in(select(still.c.id))
    return gone


def _end(
    connection: Connection, scenario: Scenario, which: ColumnElement[bool], state: str, verdict: str,
    at: datetime, **more: Any,
) -> None:  # fmt: skip
    """That is what becomes of them: the last word on their occasions, and the next step's wait begins."""
    values = {"state": state, "reason": verdict, "detail": None, "changed_at": at, **more}
    if not connection.execute(update(MESSAGE).where(which).values(**values)).rowcount:
        return
    ended = and_(
        MESSAGE.c.scenario == scenario.name, MESSAGE.c.state == state, MESSAGE.c.reason == verdict,
        MESSAGE.c.changed_at == literal(at, UtcDateTime),
    )  # fmt: skip
    over = exists().where(
        MESSAGE.c.enrolment_id == ENROLMENT.c.id, MESSAGE.c.step_index + 1 == ENROLMENT.c.step, ended
    )
    connection.execute(update(ENROLMENT).where(over).values(anchor_at=at))
