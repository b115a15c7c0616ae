"""How a level moves: up with a purchase or an invitation, down at a check. Nothing here reads a database."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from core.program import Program
from core.tiers.periods import period_began, periods
from core.tiers.record import Record
from core.tiers.standing import Standing, floor
from core.units import midnight


def climb(program: Program, standing: Standing, record: Record, at: datetime) -> None:
    """Move up if what was bought in the period until `at`, which is in the record, reaches a higher level."""
    standing.rise(program, record.upto(program.tiers.measure, period_began(program, at), at), at)


def settle(program: Program, standing: Standing, record: Record, after: datetime, upto: datetime) -> None:
    """Move down at every check in (after, upto] that the level does not pass.

    Until `after` the standing is right; `record` has what was bought before `upto`. A level that the program
    no longer has is replaced at `upto` by the one that the last purchases reach.
    """
    if standing.tier is not None and program.rank(standing.tier) < 0:
        _replace(program, standing, record, upto)
    while due := _falls(program, standing, record, after, upto):
        tier, at = due
        standing.move(program, tier, at)


def may_fall(program: Program, standing: Standing, upto: datetime) -> bool:
    """Whether there may be something to settle until then: told without looking at purchases."""
    return bool(falling(program, {0: standing}, upto))


def falling(program: Program, standings: Mapping[int, Standing], upto: datetime) -> set[int]:
    """Of whom there may be."""
    rules, last, found = periods(program), program.day_of(upto), set()
    for i, standing in standings.items():
        rank = program.rank(standing.tier)
        if standing.tier is None or standing.since is None or 0 <= rank <= floor(program, standing):
            continue
        if rank < 0 or rules.first_check(program.day_of(standing.since)) <= last:
            found.add(i)
    return found


def carried(program: Program, standing: Standing, record: Record, upto: datetime) -> bool:
    """Whether the last check until then was passed; with nothing bought since, so were those before it."""
    rules = periods(program)
    check = rules.last_check(program.day_of(upto))
    return (
        program.rank(program.tier_for(rules.counted(record, check)).name) >= program.rank(standing.tier) >= 0
    )


def invite(program: Program, standing: Standing, record: Record, level: str | None, at: datetime) -> None:
    """Hold the customer at a level from `at` on; None takes an invitation back.

    Who held a level by an invitation alone falls at once to what the purchases reach.
    """
    before = floor(program, standing)
    standing.invited_to = level
    rank, now = program.rank(standing.tier), floor(program, standing)
    if rank == before > now:
        now = max(now, _reached(program, record, at))
    if now > rank or rank == before > now:
        standing.move(program, program.tier_names[now], at)


def join(program: Program, standing: Standing, record: Record, tier: str | None, at: datetime) -> None:
    """Become one with somebody of a level at `at`: the record has what both bought.

    What both reach counts at once; the other's level as far as the purchases of the period and its grace
    still carry it, so that what was returned since does not; and an invitation of either.
    """
    climb(program, standing, record, at)
    rank = max(min(program.rank(tier), _reached(program, record, at)), floor(program, standing))
    if rank > program.rank(standing.tier):
        standing.move(program, program.tier_names[rank], at)


def _replace(program: Program, standing: Standing, record: Record, at: datetime) -> None:
    rank = max(_reached(program, record, at), floor(program, standing))
    standing.move(program, program.tier_names[rank], at)


def _reached(program: Program, record: Record, at: datetime) -> int:
    """The rank that a check would leave, were it tomorrow."""
    tomorrow = program.day_of(at) + timedelta(days=1)
    return program.rank(program.tier_for(periods(program).counted(record, tomorrow)).name)


def _falls(
    program: Program, standing: Standing, record: Record, after: datetime, upto: datetime
) -> tuple[str, datetime] | None:
    """The first move down, if there is any."""
    if not may_fall(program, standing, upto) or standing.since is None:
        return None
    rules, last = periods(program), program.day_of(upto)
    for check in rules.checks(record, program.day_of(standing.since), program.day_of(after)):
        if check > last:
            return None
        reached = program.rank(program.tier_for(rules.counted(record, check)).name)
        reached = max(reached, floor(program, standing))
        if reached < program.rank(standing.tier):
            return program.tier_names[reached], midnight(check, program.zone)
    return None
