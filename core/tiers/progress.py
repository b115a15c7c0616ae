"""The way to the next level, and what keeps the one that is held.

A level that fell at midnight has fallen for whoever asks, before the night's look has written it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, literal, select

from core.db import UtcDateTime
from core.ledger.book import CHUNK
from core.program import Program
from core.tiers import ladder
from core.tiers.bought import RECEIPT, measured, records
from core.tiers.climb import Climb
from core.tiers.periods import period_began, periods
from core.tiers.record import Record
from core.tiers.standing import Standing, floor
from core.units import midnight

# `everybody` has the lowest level; a floor is an `invitation`; else it was reached by `purchases`.
KeptBy = Literal["everybody", "invitation", "purchases"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a customer stands. Amounts are of the measure: minor units, bonuses at scale, or purchases.

    `have` counts towards the `following` level, `missing` is what is left to it (both None at the top, and
    where levels are given by hand). `until` is the last day on which the level is kept if nothing more is
    bought (None: for ever), `to_keep` what must be bought to keep it longer. `keep_by` is the last day on
    which that does keep it; None while what is bought today would not count for it.
    """

    level: str
    kept_by: KeptBy
    have: int = 0
    following: str | None = None
    missing: int | None = None
    until: date | None = None
    to_keep: int | None = None
    keep_by: date | None = None
    since: datetime | None = field(default=None, compare=False)


def progress(program: Program, standing: Standing, record: Record, at: datetime) -> Progress:
    """A customer's progress at a time; `record` has what was bought in the period and the grace before."""
    have = record.upto(program.tiers.measure, period_began(program, at), at)
    here = _way_up(program, standing, have)
    if here.kept_by != "purchases":
        return here
    check = _lost_at(program, standing, record, at)
    until = check - timedelta(days=1)
    if program.tiers.measure == "invitation":
        return replace(here, until=until)
    rules, today = periods(program), program.day_of(at)
    to_keep = program.tier_amount(program.level(standing.tier)) - rules.target(record, check, at)
    first, last = rules.carrying(check, today)
    return replace(here, until=until, to_keep=to_keep, keep_by=last if first <= today else None)


def progress_of(
    connection: Connection, program: Program, standings: Mapping[int, Standing], at: datetime
) -> dict[int, Progress]:
    """The progress of some customers at a time, as a purchase would find them. Only of those who may lose a
    level are receipts read one by one; of the others the database adds them up.
    """
    reading = [i for i, it in standings.items() if _kept_by(program, it) == "purchases" or _gone(program, it)]
    day = periods(program).horizon(program.day_of(at))
    bought = records(connection, sorted(reading), midnight(day, program.zone), at)
    standings = {**standings, **_settled(connection, program, {i: standings[i] for i in reading}, bought, at)}
    falling = {i: standings[i] for i in reading if _kept_by(program, standings[i]) == "purchases"}
    found = {i: progress(program, it, bought[i], at) for i, it in falling.items()}
    others = [i for i in sorted(standings) if i not in falling]
    amounts = _amounts(connection, program, others, at)
    return found | {i: _way_up(program, standings[i], amounts.get(i, 0)) for i in others}


def _settled(
    connection: Connection, program: Program, standings: Mapping[int, Standing],
    bought: Mapping[int, Record], at: datetime,
) -> dict[int, Standing]:  # fmt: skip
    """Of these, those who may have fallen, as they stand then. Nothing is asked of whoever was carried."""
    fallen = {
        i: replace(it, moves=[])
        for i, it in standings.items()
        if ladder.may_fall(program, it, at) and not ladder.carried(program, it, bought[i], at)
    }
    if fallen:
        climb = Climb(connection, program, fallen, at, (), until=at)
        for customer_id in fallen:
            climb.settle(program, customer_id, at)
    return fallen


def _gone(program: Program, standing: Standing) -> bool:
    """Whether the program no longer has the level."""
    return standing.tier is not None and program.rank(standing.tier) < 0


def _way_up(program: Program, standing: Standing, have: int) -> Progress:
    level = program.level(standing.tier)
    here = Progress(level.name, _kept_by(program, standing), have, since=standing.since)
    following = program.next_level(level.name)
    if following is None or program.tiers.measure == "invitation":
        return here
    missing = max(0, program.tier_amount(following) - have)
    return replace(here, following=following.name, missing=missing)


def _amounts(connection: Connection, program: Program, ids: Sequence[int], at: datetime) -> dict[int, int]:
    opening = period_began(program, at)
    here = (RECEIPT.c.at >= literal(opening, UtcDateTime)) & (RECEIPT.c.at <= literal(at, UtcDateTime))
    rows = select(RECEIPT.c.customer_id, measured(program)).where(here, RECEIPT.c.returned_at.is_(None))
    found: dict[int, int] = {}
    for start in range(0, len(ids), CHUNK):
        chunk = rows.where(RECEIPT.c.customer_id.in_(ids[start : start + CHUNK]))
        for customer_id, amount in connection.execute(chunk.group_by(RECEIPT.c.customer_id)):
            found[customer_id] = int(amount)
    return found


def _kept_by(program: Program, standing: Standing) -> KeptBy:
    rank = max(0, program.rank(standing.tier))
    if not rank:
        return "everybody"
    return "invitation" if rank <= floor(program, standing) else "purchases"


def _lost_at(program: Program, standing: Standing, record: Record, at: datetime) -> date:
    """The first check that the level does not pass as things stand."""
    rules, today = periods(program), program.day_of(at)
    since = program.day_of(standing.since or at)
    # Levels above the lowest ask for something, and in the end nothing is counted any more.
    return next(
        check
        for check in rules.checks(record, since, today)
        if program.rank(program.tier_for(rules.counted(record, check)).name) < program.rank(standing.tier)
    )
