"""The way to the next level, and what keeps the one that is held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, literal, select

from core.db import UtcDateTime
from core.ledger.book import CHUNK
from core.program import Program
from core.tiers.bought import RECEIPT, measured, records
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
    bought (None: for ever), `to_keep` what must be bought by then to keep it longer.
    """

    level: str
    kept_by: KeptBy
    have: int = 0
    following: str | None = None
    missing: int | None = None
    until: date | None = None
    to_keep: int | None = None


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
    counted = periods(program).target(record, check, at)
    return replace(here, until=until, to_keep=program.tier_amount(program.level(standing.tier)) - counted)


def progress_of(
    connection: Connection, program: Program, standings: Mapping[int, Standing], at: datetime
) -> dict[int, Progress]:
    """The progress of some customers at a time. Only of those who may lose a level are receipts read one by
    one; of the others the database adds them up.
    """
    falling = {i: it for i, it in standings.items() if _kept_by(program, it) == "purchases"}
    day = periods(program).horizon(program.day_of(at))
    bought = records(connection, sorted(falling), midnight(day, program.zone), at)
    found = {i: progress(program, it, bought[i], at) for i, it in falling.items()}
    others = [i for i in sorted(standings) if i not in falling]
    amounts = _amounts(connection, program, others, at)
    return found | {i: _way_up(program, standings[i], amounts.get(i, 0)) for i in others}


def _way_up(program: Program, standing: Standing, have: int) -> Progress:
    level = program.level(standing.tier)
    here = Progress(level.name, _kept_by(program, standing), have)
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
