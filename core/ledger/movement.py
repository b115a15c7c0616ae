"""The movement of a program's bonuses: what was given by which rule, spent and written off, month by month;
and what customers had at the end, by when it ends.

All of it is reckoned from entries by when they were booked, so a month that is over never changes: what comes
late stands in the month in which it came.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

from sqlalchemy import ColumnElement, Connection, Row, case, extract, func, literal, select

from core.db import UtcDateTime
from core.ledger.flows import FLOWS, INSTEAD, Balance, booked_before, entries_with_cause, flow
from core.ledger.writing import ENTRY, LOT
from core.money import lay_out
from core.program import Program
from core.program.points import BASE
from core.program.versions import RUN, version_at
from core.units import midnight

GIVEN = "given"
# Stands in the place of a rule where goods came back after their buyer was merged or joined a household.
RETURN = "return"
# What else can be said of the end of bonuses than its month: it has come, and nobody has written them off
# yet; there is none; customers owe them.
OVER, NEVER, OWED = "over", "never", "owed"
# In the order in which a statement shows them: between the first and the others are months from year 0 on.
_OVER, _NEVER, _OWED = -1, 1_000_000, 1_000_001
_WORDS = {_OVER: OVER, _NEVER: NEVER, _OWED: OWED}


@dataclass(frozen=True, slots=True)
class Given:
    """What a rule gave, less what was taken back of it (points at scale), and to how many customers."""

    rule: str
    account: str
    points: int
    customers: int


@dataclass(frozen=True, slots=True)
class Ending:
    """Bonuses (points at scale) and their money (minor units) that end in a month (`2026-05`), or as OVER,
    NEVER and OWED say.
    """

    when: str
    points: int
    money: int


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What stood in the books at a moment: how many customers had something, how much of it had not started,
    and when it ends. Of a period that is not over it is what there is now.
    """

    at: datetime
    customers: int
    not_started: int
    endings: Sequence[Ending]

    @property
    def points(self) -> int:
        """What customers had less what they owed: the closing balance."""
        return sum(it.points for it in self.endings)

    @property
    def money(self) -> int:
        """What that is worth, minor units."""
        return sum(it.money for it in self.endings)


@dataclass(frozen=True, slots=True)
class Movement:
    """The report. The nth balance of each account is of the time from the nth edge to the next one."""

    edges: Sequence[datetime]
    accounts: Mapping[str, Sequence[Balance]]
    given: Sequence[Given]
    outstanding: Outstanding
    worth: Decimal

    @property
    def months(self) -> Sequence[Balance]:
        """All accounts together."""
        return [
            Balance(sum(it.opening for it in each), _summed(each))
            for each in zip(*self.accounts.values(), strict=True)
        ]


def whole(months: Sequence[Balance]) -> Balance:
    """One after the other as one."""
    return Balance(months[0].opening, _summed(months))


def _summed(balances: Sequence[Balance]) -> dict[str, int]:
    return {name: sum(it.flows[name] for it in balances) for name in FLOWS}


def movement(
    connection: Connection, program: Program, since: datetime, until: datetime, now: datetime
) -> Movement:
    """What was booked in [since, until), by calendar months of the program's zone."""
    edges, end = _edges(connection, program, since, until), min(until, now)
    at_end = _worked_by(connection, program, end)
    return Movement(
        edges,
        _accounts(connection, program, edges),
        _given(connection, since, until),
        _outstanding(connection, at_end, until, end),
        at_end.points.worth,
    )


def _edges(connection: Connection, program: Program, since: datetime, until: datetime) -> list[datetime]:
    """The period's ends, and the months that begin between them while anything was booked."""
    span = select(func.min(ENTRY.c.recorded_at), func.max(ENTRY.c.recorded_at))
    first, last = connection.execute(span.where(booked_before(until))).one()
    edges = [since]
    if first:
        month = max(first, since).astimezone(program.zone).date().replace(day=1)
        while (begins := midnight(month, program.zone)) <= last:
            if since < begins:
                edges.append(begins)
            month = _next(month)
    return [*edges, until]


def _next(month: date) -> date:
    years, months = divmod(month.month, 12)
    return date(month.year + years, months + 1, 1)


def _worked_by(connection: Connection, program: Program, at: datetime) -> Program:
    """The rules of that time: what bonuses were worth."""
    return version_at(connection, at)[1] if connection.scalar(select(RUN.c.id).limit(1)) else program


def _accounts(
    connection: Connection, program: Program, edges: Sequence[datetime]
) -> dict[str, Sequence[Balance]]:
    place = case(*((booked_before(edge), number) for number, edge in enumerate(edges))).label("place")
    which = _flow().label("flow")
    points = func.sum(ENTRY.c.amount).label("points")
    rows = select(LOT.c.account, place, which, points).select_from(entries_with_cause())
    rows = rows.where(booked_before(edges[-1])).group_by(LOT.c.account, place, which)
    found: dict[str, list[Balance]] = defaultdict(lambda: [Balance() for _ in edges])
    for row in connection.execute(rows):
        found[row.account][row.place].flows[row.flow] += int(row.points)
    for balances in found.values():
        for before, after in pairwise(balances):
            after.opening = before.closing
    # What came before the first edge has become the opening of what follows.
    order = sorted(found or [BASE], key=lambda it: (program.spend_rank(it), it))
    return {account: found[account][1:] for account in order}


def _flow() -> ColumnElement[str]:
    """Of the whole program: whose bonuses go back is the same to it."""
    which = flow()
    return case((which == INSTEAD, GIVEN), else_=which)


def _given(connection: Connection, since: datetime, until: datetime) -> list[Given]:
    # What no rule gave was granted under a reason of its own; where a book is closed, goods take back what
    # several rules gave in one sum.
    reason = case((ENTRY.c.kind == "accrual", LOT.c.reason), else_=RETURN)
    rule = func.coalesce(ENTRY.c.rule, reason).label("rule")
    columns = (
        rule, LOT.c.account, func.sum(ENTRY.c.amount).label("points"),
        func.count(ENTRY.c.customer_id.distinct()).label("customers"),
    )  # fmt: skip
    rows = select(*columns).select_from(entries_with_cause())
    rows = rows.where(~booked_before(since), booked_before(until), _flow() == GIVEN)
    found = connection.execute(rows.group_by(rule, LOT.c.account)).all()
    given = [Given(it.rule, it.account, int(it.points), it.customers) for it in found]
    return sorted(given, key=lambda it: (-it.points, it.rule, it.account))


def _outstanding(connection: Connection, program: Program, until: datetime, at: datetime) -> Outstanding:
    left = func.sum(ENTRY.c.amount)
    rest = select(ENTRY.c.lot_id, left.label("points")).where(booked_before(until))
    rests = rest.group_by(ENTRY.c.lot_id).having(left != 0).subquery()
    of_lots = LOT.join(rests, rests.c.lot_id == LOT.c.id)
    ends = _ends(rests.c.points, at).label("ends")
    waits = case((LOT.c.active_from > literal(at, UtcDateTime), rests.c.points), else_=0)
    columns = (ends, func.sum(rests.c.points).label("points"), func.sum(waits).label("waits"))
    rows = connection.execute(select(*columns).select_from(of_lots).group_by(ends)).all()
    who = select(func.count(LOT.c.customer_id.distinct())).select_from(of_lots)
    customers = connection.scalar(who.where(rests.c.points > 0)) or 0
    return Outstanding(at, customers, sum(int(it.waits) for it in rows), _endings(program, rows))


def _ends(points: ColumnElement[int], at: datetime) -> ColumnElement[int]:
    """The number of the month in which lots end, or what else there is to say of it."""
    month = extract("year", LOT.c.expires_on) * 12 + extract("month", LOT.c.expires_on) - 1
    over = LOT.c.expires_at <= literal(at, UtcDateTime)
    return case((points < 0, _OWED), (over, _OVER), (LOT.c.expires_at.is_(None), _NEVER), else_=month)


def _endings(program: Program, rows: Sequence[Row[tuple[int, int, int]]]) -> list[Ending]:
    """Each with its money: what customers had comes to what all of it is worth, to the last minor unit."""
    points = {int(it.ends): int(it.points) for it in rows}
    owed = points.pop(_OWED, 0)
    had = sorted(points)
    money = lay_out(int(sum(points.values()) * program.point_in_money), [points[it] for it in had])
    found = [Ending(_told(it), points[it], coins) for it, coins in zip(had, money, strict=True)]
    return found + ([Ending(OWED, owed, int(owed * program.point_in_money))] if owed else [])


def _told(ends: int) -> str:
    return _WORDS.get(ends) or f"{ends // 12:04}-{ends % 12 + 1:02}"
