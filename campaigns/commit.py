"""What a live look keeps of its verdicts: enrolments, messages and decisions, in one transaction."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    String,
    and_,
    case,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy import cast as sql_cast

from campaigns.gates import FINAL, REACH, Step, expires_at
from campaigns.gates.allowance import MAY_GIVE_WAY
from campaigns.membership import keep, keep_part
from campaigns.staging import CANDIDATE
from campaigns.states import keep_states_of
from campaigns.tables import Decision, Enrolment, Message
from campaigns.verdicts import KEY
from core.db import Json, UtcDateTime, insert_ignoring, upsert
from core.program import Program

DECISION = Decision.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]

PASSED = CANDIDATE.c.gate.is_(None)
# What became of an occasion that was entered before is told already.
_NEWS = func.coalesce(CANDIDATE.c.gate, "") != "already_entered"
# Steps that end here, so that the next one may follow; what was held out has no next one.
DROPPED = ("capped", "expired")
_DROPPED = CANDIDATE.c.gate.in_(DROPPED)
_ENTERING = or_(PASSED, CANDIDATE.c.gate.in_(FINAL))
_ARM = func.coalesce(CANDIDATE.c.arm, "treatment")
# Of an enrolment that begins, by whether this is the last step already.
_STATUS = {
    last: case(
        (CANDIDATE.c.gate == "holdout", "holdout"),
        (or_(PASSED, _DROPPED), "finished" if last else "active"),
        else_="exited",
    )
    for last in (False, True)
}
_LAST = select(func.max(ENROLMENT.c.id))
_PASSING = select(func.count()).where(PASSED).select_from(CANDIDATE)
_HELD = select(CANDIDATE.c.gate, func.count()).where(~PASSED).group_by(CANDIDATE.c.gate)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A look that would enrol more than the program allows in one go. Nothing was kept.

    `count` is whom the look would write to: those whom no gate holds back, however many were looked at.
    """

    scenario: str
    count: int
    limit: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What becomes of those who are staged: how many get a message on which channel, how many of them must
    wait for it, how many each gate holds back, how many would displace a message.
    """

    channels: Counter[str]
    deferred: int
    held: Counter[str]
    victims: int

    @property
    def passed(self) -> int:
        """How many nothing holds back."""
        return self.channels.total()

    @property
    def verdicts(self) -> Counter[str]:
        """Verdict → how many."""
        passed = Counter({"planned": self.passed - self.deferred, "deferred": self.deferred})
        return self.held + passed

    @property
    def news(self) -> int:
        """How many are not those whose occasion was entered before."""
        return self.passed + self.held.total() - self.held["already_entered"]


class Kept(NamedTuple):
    """What a look found; if it is `guarded` nothing of it was kept."""

    tally: Tally
    guarded: Guarded | None = None


def passing(step: Step) -> int:
    """How many candidates nothing holds back."""
    return step.connection.scalar(_PASSING) or 0


def tally(step: Step) -> Tally:
    """Count the verdicts that are staged."""
    first, *further = step.step.send
    counted = select(
        func.count(), func.count().filter(PASSED), func.count().filter(PASSED, _waits(step)),
        func.count(CANDIDATE.c.victim_id),
        *(func.count().filter(PASSED, CANDIDATE.c.channel == channel) for channel in further),
    ).select_from(CANDIDATE)  # fmt: skip
    candidates, passed, deferred, victims, *others = step.connection.execute(counted).one()
    channels = Counter(dict(zip(further, others, strict=True)))
    channels[first] = passed - channels.total()
    held = step.connection.execute(_HELD).all() if candidates > passed else ()
    return Tally(channels, deferred, Counter(dict(map(tuple, held))), victims)


def commit(step: Step, allowed: int | None = None) -> Kept:
    """Copy the verdicts into the real tables, unless they are more than the program allows in one go.

    `allowed` is a number that somebody agreed to beforehand, above the program's `max_per_look`.
    """
    found = tally(step)
    limit = limit_of(step.program, allowed)
    if not step.index and found.passed > limit:
        return Kept(found, Guarded(step.scenario.name, found.passed, limit))
    if not step.index:
        keep(step.connection, step.running, step.scenario, step.at)
    return Kept(_copy(step, found))


def commit_part(step: Step) -> Tally:
    """The same of one part of the customers, once the blast guard has nothing against the whole look."""
    keep_part(step.connection, step.scenario, step.at)
    return _copy(step, tally(step))


def limit_of(program: Program, allowed: int | None) -> int:
    """To how many customers a look may write, by the program or by who agreed to more."""
    return max(program.max_per_look, allowed or 0)


def _copy(step: Step, found: Tally) -> Tally:
    """What is staged, into the real tables; who wanted a place that was just taken is held back after all."""
    if not found.news:
        return found
    gives_way = bool(found.victims) and _hold_victims(step)
    if step.index:
        _advance(step)
        # Known from the start. It may bear the name that the scenario had before.
        own: ColumnElement[int] = CANDIDATE.c.enrolment_id
    else:
        own = _enrol(step, found)
    if gives_way:
        _make_room(step)
    if found.passed:
        _plan(step, own)
    if found.deferred:
        _keep_deferred(step, own)
    if gives_way or found.news > found.passed:
        _remember(step)
    return tally(step) if gives_way else found


def _enrol(step: Step, found: Tally) -> ColumnElement[int]:
    """Whom the step is for, and whom it is over for; the others are looked at again.

    Returns the number of a candidate's enrolment.
    """
    at = literal(step.at, UtcDateTime)
    rows = select(
        literal(step.scenario.name), literal(step.running.version), CANDIDATE.c.customer_id,
        CANDIDATE.c.occasion, CANDIDATE.c.subject, _ARM, _STATUS[len(step.scenario.steps) == 1], literal(1),
        at, case((_DROPPED, at), else_=null()), CANDIDATE.c.facts,
    ).where(_ENTERING).order_by(CANDIDATE.c.id)  # fmt: skip
    columns = ["scenario", "version", "customer_id", "occasion", "subject", "arm", "status", "step", "at",
               "anchor_at", "facts"]  # fmt: skip
    insert = insert_ignoring(step.connection, ENROLMENT)
    if step.connection.dialect.name != "sqlite":
        step.connection.execute(insert.from_select(columns, rows))
        return _looked_up(step)
    # Nobody else writes until this transaction ends: the next numbers are known, and need not be looked up.
    number = CANDIDATE.c.id + (step.connection.scalar(_LAST) or 0)
    insert = insert.from_select([*columns, "id"], rows.add_columns(number))
    done: CursorResult[Any] = step.connection.execute(insert.execution_options(preserve_rowcount=True))
    entering = found.passed + sum(found.held[gate] for gate in FINAL)
    return number if done.rowcount == entering else _looked_up(step)


def _advance(step: Step) -> None:
    over: ColumnElement[bool] = or_(PASSED, _DROPPED)
    if step.scenario.kind != "state":
        # A state trigger asks again at the next look; an event does not come back.
        over = or_(over, CANDIDATE.c.gate.in_((*REACH, "missing_text")))
    at = literal(step.at, UtcDateTime)
    sent = select(CANDIDATE.c.enrolment_id).where(PASSED)
    values = {
        "step": step.index + 1,
        "status": "finished" if step.index + 1 == len(step.scenario.steps) else "active",
        # While a message is under way nothing waits; a step without one is over now.
        "anchor_at": case((ENROLMENT.c.id.in_(sent), null()), else_=at),
    }
    moved = select(CANDIDATE.c.enrolment_id).where(over)
    step.connection.execute(update(ENROLMENT).where(ENROLMENT.c.id.in_(moved)).values(**values))
    gone = select(CANDIDATE.c.enrolment_id).where(CANDIDATE.c.gate.in_(("exited", "no_longer_true")))
    step.connection.execute(update(ENROLMENT).where(ENROLMENT.c.id.in_(gone)).values(status="exited"))


def _hold_victims(step: Step) -> bool:
    """Lock the messages that give way; False if there are none.

    Where a sender was quicker nobody gives way, and the allowance is used.
    """
    chosen = select(CANDIDATE.c.victim_id).where(PASSED, CANDIDATE.c.victim_id.is_not(None))
    wanted = set(step.connection.scalars(chosen))
    if not wanted:
        return False
    waiting = select(MESSAGE.c.id).where(MESSAGE.c.id.in_(chosen), MAY_GIVE_WAY)
    held = set(step.connection.scalars(waiting.with_for_update(of=MESSAGE, skip_locked=True)))
    for lost in sorted(wanted - held):
        step.hold("capped", CANDIDATE.c.victim_id == lost, "what would have made room was just sent")
    return True


def _make_room(step: Step) -> None:
    """Messages of less priority that were displaced: recalled, with the name of who took their place."""
    victims = select(CANDIDATE.c.victim_id).where(PASSED, CANDIDATE.c.victim_id.is_not(None))
    mine = MESSAGE.c.id.in_(victims)
    at = literal(step.at, UtcDateTime)
    # The wait for the next step begins now, if the enrolment still stands at the step that was displaced.
    freed = select(MESSAGE.c.enrolment_id, MESSAGE.c.step_index + 1).where(mine)
    last = tuple_(ENROLMENT.c.id, ENROLMENT.c.step).in_(freed)
    step.connection.execute(update(ENROLMENT).where(last).values(anchor_at=at))
    by_whom = f"by {step.scenario.name}"
    values = {"state": "recalled", "reason": "displaced", "detail": by_whom, "changed_at": at}
    step.connection.execute(update(MESSAGE).where(mine).values(**values))
    keep_states_of(step.connection, select(MESSAGE.c.id).where(mine))


def _plan(step: Step, own: ColumnElement[int]) -> None:
    at = literal(step.at, UtcDateTime)
    deferred = _waits(step)
    rows = (
        select(
            own,
            literal(step.scenario.name),
            literal(step.running.version),
            CANDIDATE.c.customer_id,
            CANDIDATE.c.occasion,
            CANDIDATE.c.subject,
            literal(step.step.id),
            literal(step.index),
            literal(step.scenario.purpose),
            literal(step.scenario.priority),
            CANDIDATE.c.message,
            literal(list(step.step.send), Json),
            CANDIDATE.c.channel,
            case((deferred, "deferred"), else_="planned"),
            case((deferred, "quiet_hours"), else_=null()),
            CANDIDATE.c.detail,
            CANDIDATE.c.at,
            CANDIDATE.c.due_at,
            expires_at(step),
            at,
            literal(0),
            CANDIDATE.c.facts,
        )
        .select_from(CANDIDATE)
        .where(PASSED)
    )
    columns = [
        "enrolment_id",
        "scenario",
        "version",
        "customer_id",
        "occasion",
        "subject",
        "step",
        "step_index",
        "purpose",
        "priority",
        "message",
        "channels",
        "channel",
        "state",
        "reason",
        "detail",
        "planned_at",
        "due_at",
        "expires_at",
        "changed_at",
        "tries",
        "facts",
    ]
    insert = insert_ignoring(step.connection, MESSAGE).from_select(columns, rows.order_by(CANDIDATE.c.id))
    step.connection.execute(insert)


def _keep_deferred(step: Step, own: ColumnElement[int]) -> None:
    """What must wait came into that state at once."""
    theirs = and_(MESSAGE.c.enrolment_id == own, MESSAGE.c.step == step.step.id)
    waiting = select(MESSAGE.c.id).join_from(CANDIDATE, MESSAGE, theirs).where(PASSED, _waits(step))
    keep_states_of(step.connection, waiting)


def _looked_up(step: Step) -> ColumnElement[int]:
    """A candidate's enrolment on this occasion."""
    # Looked up by its key: joined, PostgreSQL expects none of a scenario that is new, and reads all the
    # candidates for each one there is.
    own = select(ENROLMENT.c.id).where(
        ENROLMENT.c.customer_id == CANDIDATE.c.customer_id, ENROLMENT.c.scenario == step.scenario.name,
        ENROLMENT.c.occasion == CANDIDATE.c.occasion,
    )  # fmt: skip
    found: ColumnElement[int] = own.correlate(CANDIDATE).scalar_subquery()
    return found


def _waits(step: Step) -> ColumnElement[bool]:
    return CANDIDATE.c.due_at > literal(step.at, UtcDateTime)


def verdict(step: Step) -> ColumnElement[str]:
    """`planned`, `deferred`, or the gate."""
    planned = case((_waits(step), "deferred"), else_="planned")
    return sql_cast(func.coalesce(CANDIDATE.c.gate, planned), String)


def _remember(step: Step) -> None:
    """Whom a gate held back, and which (promise 7)."""
    rows = select(
        CANDIDATE.c.customer_id, literal(step.scenario.name), CANDIDATE.c.occasion, literal(step.step.id),
        CANDIDATE.c.gate, CANDIDATE.c.detail, literal(step.at, UtcDateTime),
    ).where(~PASSED, _NEWS)  # fmt: skip
    said = ("verdict", "detail", "at")
    kept = upsert(step.connection, DECISION, KEY, said)
    step.connection.execute(kept.from_select([*KEY, *said], rows))
