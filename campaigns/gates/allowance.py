"""How much a customer may be told: rolling allowances, and who gives way to whom."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    true,
    update,
)

from campaigns.gates.entry import DUPLICATE, HEARD
from campaigns.gates.reach import THIS, close, narrow, open_further
from campaigns.gates.step import Step
from campaigns.staging import CANDIDATE, OPTION, RESERVATION
from campaigns.tables import RESERVED, WAITING, Attempt, Message
from core.db import UtcDateTime, looked_up
from core.units import Allowance, at_local

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
MARKETING = MESSAGE.c.purpose == "marketing"
# When the customer hears it: a late look or a quiet night does not make a message older than it is.
HEARD_AT = func.coalesce(MESSAGE.c.accepted_at, MESSAGE.c.due_at)
_UNDER_WAY = MESSAGE.c.state.in_((*WAITING, "sending"))
_COUNTS = MESSAGE.c.state.in_(RESERVED)
_PERHAPS_LEFT = exists().where(ATTEMPT.c.message_id == MESSAGE.c.id, ATTEMPT.c.outcome == "unknown")
# What may give way: nothing of it has reached the customer, on this channel or an earlier one.
MAY_GIVE_WAY = and_(
    MESSAGE.c.state.in_(WAITING),
    MESSAGE.c.accepted_at.is_(None),
    MESSAGE.c.tries == 0,
    ~_PERHAPS_LEFT.correlate(MESSAGE),
)


def counts(allowance: Allowance, at: datetime, zone: ZoneInfo) -> ColumnElement[bool]:
    """The messages that an allowance counts at a time.

    A window of days is so many days of the program's calendar, today among them: what was heard a few seconds
    after last week's look does not stand in the way of this week's. One of hours is elapsed time.
    What has not left yet is always counted: however late it is, it will be heard now or later.
    """
    window = allowance.window
    if window.days:
        first = at.astimezone(zone).date() - timedelta(days=window.days - 1)
        heard = literal(at_local(first, time(0), zone), UtcDateTime) <= HEARD_AT
    else:
        heard = literal(window.ago(at, zone), UtcDateTime) < HEARD_AT
    return or_(heard, _UNDER_WAY)


def number_places(step: Step, *, several: bool) -> Iterator[Step]:
    """The step once for each occasion that the most burdened customer has at this look.

    After each place, whoever has used an allowance up is capped in all further places at once: there are as
    many turns as allowances let through, not as many as somebody has occasions. `several`: somebody had more
    than one before the gates spoke.
    """
    if not (several and is_limited(step)):
        if step.anybody:
            yield step
        return
    candidates, people = _free_and_whose(step)
    if candidates == people:
        if candidates:
            yield step
        return
    burdened = select(CANDIDATE.c.customer_id).where(step.free).group_by(CANDIDATE.c.customer_id)
    order = func.row_number().over(
        partition_by=CANDIDATE.c.customer_id, order_by=(CANDIDATE.c.at, CANDIDATE.c.occasion)
    )
    numbered = select(CANDIDATE.c.id, order.label("place")).where(
        step.free, CANDIDATE.c.customer_id.in_(burdened.having(func.count() > 1))
    ).subquery("numbered")  # fmt: skip
    place = select(numbered.c.place).where(numbered.c.id == CANDIDATE.c.id).scalar_subquery()
    step.connection.execute(
        update(CANDIDATE).where(CANDIDATE.c.id.in_(select(numbered.c.id))).values(place=place)
    )
    number: int | None = 1
    while number is not None:
        yield replace(step, place=number)
        rest = replace(step, place=number, rest=True)
        capped(rest)
        number = step.connection.scalar(select(func.min(CANDIDATE.c.place)).where(rest.free))


def _free_and_whose(step: Step) -> tuple[int, int]:
    """How many candidates nothing holds back, and how many customers they are."""
    customers = CANDIDATE.c.customer_id
    counted = select(func.count(), func.count(customers.distinct())).where(step.free)
    candidates, people = step.connection.execute(counted).one()
    return candidates, people


def is_limited(step: Step) -> bool:
    """Some allowance applies to the step."""
    return step.marketing and bool(_allowances(step))


def _allowances(step: Step) -> list[Allowance]:
    """Those that apply to the step: the scenario's own, its channels', and that of all marketing."""
    marketing, own = step.program.allowances.marketing, step.scenario.limits.at_most
    of_program = [marketing[name] for name in ("all", *step.step.send) if name in marketing]
    return of_program if own is None else [own, *of_program]


class _Use:
    """What is used of one allowance by those whom a table names (`look_candidate`, `look_option`).

    What duplicates of theirs heard before a merger counts too: it is the same person's. What still waits for
    a duplicate is recalled.
    """

    def __init__(
        self,
        step: Step,
        allowance: Allowance,
        whose: Table,
        *,
        scenarios: tuple[str, ...] = (),
        channel: str | None = None,
    ) -> None:
        self.step, self.allowance, self.whose = step, allowance, whose
        meant = [
            MARKETING, counts(allowance, step.at, step.program.zone),
            MESSAGE.c.scenario.in_(scenarios) if scenarios else true(),
            MESSAGE.c.channel == channel if channel else true(),
        ]  # fmt: skip
        self._kept = [MESSAGE.c.customer_id == whose.c.customer_id, _COUNTS, *meant]
        self._merged = [*_of_duplicates(whose), *meant] if step.merged else []
        self._new = [
            RESERVATION.c.customer_id == whose.c.customer_id,
            RESERVATION.c.scenario.in_(scenarios) if scenarios else true(),
            RESERVATION.c.channel == channel if channel else true(),
        ]
        self._anything_new = _anything_reserved(step)
        if self._anything_new:
            gone = exists().where(
                RESERVATION.c.customer_id == whose.c.customer_id, RESERVATION.c.victim_id == MESSAGE.c.id
            )
            self._kept.append(~gone.correlate(MESSAGE, whose))

    @property
    def used(self) -> Any:
        """How many messages count."""
        used: Any = select(func.count()).select_from(MESSAGE).where(*self._kept).scalar_subquery()
        if self._merged:
            used += select(func.count(MESSAGE.c.id)).where(*self._merged).scalar_subquery()
        if self._anything_new:
            used += select(func.count()).select_from(RESERVATION).where(*self._new).scalar_subquery()
        return used

    @property
    def victim(self) -> ColumnElement[int | None]:
        """The waiting message of least priority that stands behind this scenario; ties go by the name."""
        mine = self.step.scenario
        behind = or_(
            MESSAGE.c.priority < mine.priority,
            and_(MESSAGE.c.priority == mine.priority, MESSAGE.c.scenario > mine.name),
        )
        found = select(MESSAGE.c.id).where(*self._kept, MAY_GIVE_WAY, behind)
        found = found.order_by(MESSAGE.c.priority, MESSAGE.c.scenario.desc(), MESSAGE.c.id).limit(1)
        return found.scalar_subquery()

    @property
    def by_whom(self) -> ColumnElement[str]:
        """`2 per 7 days used by win-back`: the scenario of the newest message that counts."""
        newest: Any = _newest(self._kept)
        if self._merged:
            newest = func.coalesce(newest, _newest(self._merged))
        if self._anything_new:
            fresh = select(func.max(RESERVATION.c.scenario)).where(*self._new).scalar_subquery()
            newest = func.coalesce(fresh, newest)
        said: ColumnElement[str] = f"{self.allowance} used by " + newest
        return said


def _of_duplicates(whose: Table) -> list[ColumnElement[bool]]:
    """What was heard by profiles that were merged into theirs."""
    return [DUPLICATE.c.merged_into == whose.c.customer_id, MESSAGE.c.customer_id == DUPLICATE.c.id, HEARD]


def _newest(which: list[ColumnElement[bool]]) -> Any:
    """The scenario of the newest of some messages."""
    order = (HEARD_AT.desc(), MESSAGE.c.id.desc())
    return select(MESSAGE.c.scenario).where(*which).order_by(*order).limit(1).scalar_subquery()


def capped(step: Step) -> bool:
    """Limits of the scenario and of the program; whether a planned message of less priority may give way.

    If nobody was told anything that still counts, one question settles it.
    """
    if not is_limited(step):
        return False
    told = _was_told(step)
    if not step.any_free(told):
        return False
    if (own := step.scenario.limits.at_most) is not None:
        use = _Use(step, own, CANDIDATE, scenarios=step.names)
        step.hold("capped", use.used >= own.count, use.by_whom)
    if of_channels := _of_channels(step):
        open_further(step, told)
        closed = [_cap_channel(step, channel, allowance) for channel, allowance in of_channels]
        if any(closed):
            narrow(step, "capped")
    in_all = step.program.allowances.marketing.get("all")
    full = in_all is not None and _cap_all(step, in_all)
    return full or bool(of_channels)


def _was_told(step: Step) -> ColumnElement[bool]:
    """The candidate's customer was told something that an allowance counts, or is by this look."""
    counted = or_(*(counts(it, step.at, step.program.zone) for it in _allowances(step)))
    # Looked up: joined, PostgreSQL compared every candidate with everybody who was ever told anything.
    told = looked_up(MESSAGE.c.customer_id == CANDIDATE.c.customer_id, _COUNTS, MARKETING, counted)
    if step.merged:
        told = or_(told, looked_up(*_of_duplicates(CANDIDATE), MARKETING, counted))
    if not _anything_reserved(step):
        return told
    return or_(told, exists().where(RESERVATION.c.customer_id == CANDIDATE.c.customer_id))


def _anything_reserved(step: Step) -> bool:
    if not _reserves(step):
        return False
    return step.connection.scalar(select(literal(1)).select_from(RESERVATION).limit(1)) is not None


def _of_channels(step: Step) -> list[tuple[str, Allowance]]:
    """The allowances of the program that concern one channel of the step."""
    marketing = step.program.allowances.marketing
    return [(channel, marketing[channel]) for channel in step.step.send if channel in marketing]


def _cap_all(step: Step, allowance: Allowance) -> bool:
    """Whether anybody has used it up."""
    use = _Use(step, allowance, CANDIDATE)
    if not step.any_free(use.used >= allowance.count):
        return False
    makes_room = use.used == allowance.count
    step.set(
        or_(makes_room, CANDIDATE.c.victim_id.is_not(None)),
        victim_id=case((makes_room, use.victim), else_=null()),
    )
    full = and_(CANDIDATE.c.victim_id.is_(None), use.used >= allowance.count)
    step.hold("capped", full, use.by_whom)
    return True


def _cap_channel(step: Step, channel: str, allowance: Allowance) -> bool:
    """Whether it closed the channel to anybody."""
    use = _Use(step, allowance, OPTION, channel=channel)
    this = and_(OPTION.c.channel == channel, OPTION.c.gate.is_(None))
    now = select(CANDIDATE.c.id).where(step.free)
    makes_room = update(OPTION).where(this, OPTION.c.candidate_id.in_(now), use.used == allowance.count)
    step.connection.execute(makes_room.values(victim_id=use.victim))
    full = and_(this, OPTION.c.victim_id.is_(None), use.used >= allowance.count)
    return close(step, "capped", full, use.by_whom)


def make_room(step: Step) -> None:
    """Name the message that gives way: on the chosen channel, else in all; and in the reason, whose it is."""
    makes_room = OPTION.c.victim_id.is_not(None)
    if step.connection.scalar(select(literal(1)).where(makes_room).limit(1)) is not None:
        there = and_(THIS, OPTION.c.channel == CANDIDATE.c.channel, makes_room)
        step.set(exists().where(there), victim_id=select(OPTION.c.victim_id).where(there).scalar_subquery())
    somebody = CANDIDATE.c.victim_id.is_not(None)
    if step.any_free(somebody):
        whose = select(MESSAGE.c.scenario).where(MESSAGE.c.id == CANDIDATE.c.victim_id).scalar_subquery()
        step.set(somebody, detail="displaces " + whose)


def _reserves(step: Step) -> bool:
    """Something is decided before it is kept: by an earlier place, or an earlier step of a dry run."""
    return step.rehearsal or step.place is not None


def reserve(step: Step) -> None:
    """Count what was decided here for whoever comes after: occasions, steps, and in a dry run scenarios."""
    if not step.marketing or not _reserves(step):
        return
    columns = ["customer_id", "scenario", "step_index", "channel", "victim_id"]
    rows = select(
        CANDIDATE.c.customer_id, literal(step.scenario.name), literal(step.index), CANDIDATE.c.channel,
        CANDIDATE.c.victim_id,
    )  # fmt: skip
    step.connection.execute(RESERVATION.insert().from_select(columns, rows.where(step.free)))


def forget(step: Step) -> None:
    """Give back what a step has reserved in a dry run: a live look would not have been kept."""
    mine = and_(RESERVATION.c.scenario == step.scenario.name, RESERVATION.c.step_index == step.index)
    step.connection.execute(delete(RESERVATION).where(mine))
