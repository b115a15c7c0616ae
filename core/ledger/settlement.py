"""Settlement: what the partners of a program owe each other for the bonuses of a period.

Bonuses given by one and spent at another are owed by the giver to the place: it got bonuses for its goods.
The program itself is a party, under its own name. A correction counts in the period in which it was
booked, so that a settled period never changes, and the periods of a year come to the year.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, case, func, select

from core.ledger.flows import INSTEAD, Balance, booked_before, entries_with_cause, flow
from core.ledger.writing import ENTRY, LOT, OPERATION
from core.program import Program
from core.program.versions import version

# Between customers nothing is won or lost, but a debt may be paid with another party's bonuses.
PASSED_ON = ("repaid", "moved", INSTEAD)


@dataclass(frozen=True, slots=True)
class Debt:
    """What `giver` owes `place` for bonuses spent there, less returns: points at scale, money in minor units.

    Below nothing when more came back in the period than was spent. What is less than a coin is carried over
    to the next period.
    """

    giver: str
    place: str
    points: int
    money: int


@dataclass(slots=True)
class Statement(Balance):
    """One party's bonuses over the period: what customers had and have of them, and what became of them."""

    party: str = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Settlement:
    """The report. `debts` are gross, by giver and place; `nets` what each party gets (+) or pays (-), money
    in minor units: they come to nothing.
    """

    since: datetime
    until: datetime
    statements: tuple[Statement, ...]
    debts: tuple[Debt, ...]

    @property
    def nets(self) -> dict[str, int]:
        """Party → money."""
        nets = {statement.party: 0 for statement in self.statements}
        for debt in self.debts:
            nets[debt.giver] = nets.get(debt.giver, 0) - debt.money
            nets[debt.place] = nets.get(debt.place, 0) + debt.money
        return dict(sorted(nets.items()))


def settle(connection: Connection, program: Program, since: datetime, until: datetime) -> Settlement:
    """What was booked in [since, until), by party; bonuses are worth what they were when they were booked."""
    statements: dict[str, Statement] = {}
    owed: dict[tuple[str, str], _Owed] = defaultdict(_Owed)
    worth: dict[int, Decimal] = {}
    for row in connection.execute(_flows(since, until)).all():
        giver, place = row.giver or program.name, row.place or program.name
        statement = statements.setdefault(giver, Statement(party=giver))
        statement.opening += int(row.before)
        statement.flows["repaid" if row.flow == INSTEAD else row.flow] += int(row.within)
        for pair in _owing(row.flow, giver, place, program.name):
            number = row.program_version
            if number not in worth:
                worth[number] = version(connection, number).point_in_money
            owed[pair].add(-int(row.before), -int(row.within), worth[number])
    # Bonuses that were worth more or less when others came back leave money to be owed, and no bonuses.
    debts = tuple(
        Debt(giver, place, it.points, it.money)
        for (giver, place), it in sorted(owed.items())
        if it.points or it.money
    )
    return Settlement(since, until, tuple(statements[name] for name in sorted(statements)), debts)


@dataclass(slots=True)
class _Owed:
    """Points of the period, and minor units, not rounded, before it and with it."""

    points: int = 0
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)

    def add(self, before: int, within: int, worth: Decimal) -> None:
        self.points += within
        self.before += before * worth
        self.after += (before + within) * worth

    @property
    def money(self) -> int:
        """What is owed in all is rounded towards nothing: months come to the year, and a return to what the
        purchase came to.
        """
        return int(self.after) - int(self.before)


def _owing(flow: str, giver: str, place: str, house: str) -> list[tuple[str, str]]:
    """Who owes whom what left in a flow: spent bonuses are owed to the place; what repaid a debt, to the
    program. It stands between whose bonuses repaid and whose were owed, and owes it on to these.
    """
    pairs = []
    if flow == "spent":
        pairs = [(giver, place)]
    elif flow in PASSED_ON:
        pairs = [(giver, house), (house, place)] if flow == INSTEAD else [(giver, house)]
    return [(one, other) for one, other in pairs if one != other]


def _flows(since: datetime, until: datetime) -> Any:
    """Entries by giver, place, program and flow: what stood before the period, and what came within."""
    which = flow().label("flow")
    earlier = booked_before(since)
    columns = (
        LOT.c.partner.label("giver"), OPERATION.c.partner.label("place"), OPERATION.c.program_version, which,
        func.sum(case((earlier, ENTRY.c.amount), else_=0)).label("before"),
        func.sum(case((earlier, 0), else_=ENTRY.c.amount)).label("within"),
    )  # fmt: skip
    rows = select(*columns).select_from(entries_with_cause()).where(booked_before(until))
    return rows.group_by(LOT.c.partner, OPERATION.c.partner, OPERATION.c.program_version, which)
