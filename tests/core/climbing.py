"""What the tests of levels share: a till that counts as the ledger does, and a slow, plain oracle."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, select, update

from core.db import Database
from core.events import EVENT, append
from core.ledger.book import Book
from core.ledger.writing import ACCOUNT, OPERATION
from core.program import Program
from core.program.check import read_program
from core.program.versions import kept
from core.tables import Receipt
from core.tiers import CHANGE, CUSTOMER, Climb, Move, Standing, invite, review, rewrite, standing_at, write

RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
INSTANT = timedelta(microseconds=1)
KYIV = ZoneInfo("Europe/Kyiv")
LEVELS = "{name: bronze, from: 0}, {name: silver, from: 1000}, {name: gold, from: 5000}"


def club(
    tiers: str = "over: 365 days, grace: 30 days", levels: str = LEVELS, zone: str = "Europe/Kyiv"
) -> Program:
    """A program with these levels."""
    text = f"""
program: Kavarnia
currency: UAH
time_zone: {zone}
locales: [en]
points: {{name: {{en: [bonus, bonuses]}}, scale: 0}}
tiers: {{{tiers}, levels: [{levels}]}}
earn: {{rules: [{{rule: base, by: tier}}]}}
"""
    problems: list[Any] = []
    program = read_program(text, problems)
    assert program, [str(problem) for problem in problems]
    return program


def kyiv(text: str) -> datetime:
    """A time by the clocks of Kyiv: `2026-03-01 10:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=KYIV).astimezone(UTC)


class Till:
    """Counts purchases of one customer in order at once, and late ones by a replay, as the ledger does."""

    def __init__(self, database: Database, program: Program, joined: str = "2020-01-01 00:00") -> None:
        self.database, self.program = database, program
        with database.write() as connection:
            tier = program.tier_names[0]
            values = {"external_id": "anna", "tier": tier, "attributes": {}, "updated_at": kyiv(joined)}
            values |= {"tier_since": kyiv(joined), "registered_at": kyiv(joined)}
            key = connection.execute(insert(CUSTOMER).values(**values)).inserted_primary_key
            assert key is not None
            self.id = int(key[0])
        self._receipts = 0

    def buys(self, at: datetime | str, money: int, points: int = 0) -> str:
        """A purchase of so much whole money; returns the receipt's number."""
        at = kyiv(at) if isinstance(at, str) else at
        with self.database.write() as connection:
            book = Book(connection, self.program, [self.id], at)
            self._receipts += 1
            name = f"r{self._receipts}"
            total = self.program.to_money(money)
            last = book.last_at[self.id]
            if last and at < last:
                self._insert(connection, name, at, total, points)
                self._replay(connection, at, last)
            else:
                self._count(connection, at, total, points)
                self._insert(connection, name, at, total, points)
                self._date(connection, at)
        return name

    def returns(self, receipt: str, at: str) -> None:
        """The whole receipt comes back."""
        with self.database.write() as connection:
            bought = connection.execute(select(RECEIPT).where(RECEIPT.c.external_id == receipt)).one()
            mine = update(RECEIPT).where(RECEIPT.c.id == bought.id)
            connection.execute(mine.values(returned_at=kyiv(at), total=0, earned_points=0))
            self._replay(connection, bought.at, kyiv(at))
            self._date(connection, kyiv(at))

    def looks(self, at: datetime | str) -> int:
        """The nightly review."""
        at = kyiv(at) if isinstance(at, str) else at
        with self.database.write() as connection:
            return review(connection, self.program, at)

    def invites(self, level: str | None, at: datetime | str) -> Any:
        """A level given by hand."""
        at = kyiv(at) if isinstance(at, str) else at
        with self.database.write() as connection:
            return invite(connection, self.program, "anna", level, "maria", "a friend", at, live=True)

    def moves(self) -> list[tuple[str, str, str]]:
        """What stands recorded: local time, level before, level after."""
        with self.database.read() as connection:
            rows = select(CHANGE).where(CHANGE.c.voided_at.is_(None)).order_by(CHANGE.c.at, CHANGE.c.id)
            return [(_local(it.at), it.previous, it.tier) for it in connection.execute(rows)]

    def tier(self) -> str | None:
        """The customer's."""
        with self.database.read() as connection:
            return connection.scalar(select(CUSTOMER.c.tier))

    def events(self) -> list[tuple[str, str]]:
        """The level and the way of each `tier_changed`."""
        with self.database.read() as connection:
            rows = select(EVENT).where(EVENT.c.kind == "tier_changed").order_by(EVENT.c.id)
            return [(it.subject, it.data["direction"]) for it in connection.execute(rows)]

    # --- as the ledger does

    def _count(self, connection: Connection, at: datetime, total: int, points: int) -> None:
        row = connection.execute(select(CUSTOMER.c.tier, CUSTOMER.c.tier_since, CUSTOMER.c.invited_to)).one()
        standings = {self.id: Standing(*row)}
        receipts = connection.execute(select(RECEIPT.c.total).where(RECEIPT.c.returned_at.is_(None))).all()
        spent = total + sum(it.total for it in receipts)
        may = Climb.may_rise(self.program, row.tier, spent=spent, purchases=len(receipts) + 1)
        climb = Climb(connection, self.program, standings, at, [self.id] if may else [])
        climb.settle(self.program, self.id, at)
        climb.count(self.program, self.id, at, total, points)
        append(connection, write(connection, standings, at), at, live=True)

    def _replay(self, connection: Connection, since: datetime, now: datetime) -> None:
        before = since - INSTANT
        standings = standing_at(connection, self.program, [self.id], before)
        climb = Climb(connection, self.program, standings, since, None, before)
        rows = select(RECEIPT).where(RECEIPT.c.at >= since, RECEIPT.c.returned_at.is_(None))
        for row in connection.execute(rows.order_by(RECEIPT.c.at, RECEIPT.c.id)).all():
            climb.settle(self.program, self.id, row.at)
            climb.count(self.program, self.id, row.at, row.total, row.earned_points)
        climb.settle(self.program, self.id, now)
        happened = rewrite(connection, self.program, self.id, before, standings[self.id].moves, now)
        append(connection, happened, now, live=True)

    def _insert(self, connection: Connection, name: str, at: datetime, total: int, points: int) -> None:
        version, _ = kept(connection, self.program, at)
        common = {"customer_id": self.id, "program_version": version, "at": at, "recorded_at": at}
        operation = {"kind": "purchase", "key": name, "digest": name, "result": {}, "data": {}}
        key = connection.execute(insert(OPERATION).values(**common, **operation)).inserted_primary_key
        assert key is not None
        values = {"external_id": name, "operation_id": key[0], "total": total, "earned_points": points}
        connection.execute(insert(RECEIPT).values(**common, **values, paid_points=0))

    def _date(self, connection: Connection, at: datetime) -> None:
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.customer_id == self.id).values(last_at=at))


def _local(at: datetime) -> str:
    return f"{at.astimezone(KYIV):%Y-%m-%d %H:%M}"


# --- the oracle


@dataclass
class Fact:
    """A purchase, which counts so much, or an invitation; `number` orders those of one moment."""

    at: datetime
    number: int
    amount: int = 0
    invites: bool = False
    level: str | None = None


@dataclass
class Oracle:
    """Walks through every day, one by one."""

    program: Program
    facts: Sequence[Fact]
    upto: datetime
    moves: list[Move] = field(default_factory=list)

    def run(self, joined: datetime) -> list[Move]:
        """All moves until `upto`."""
        self.tier, self.since, self.floor, self.past = self.program.tier_names[0], joined, 0, list[Fact]()
        facts = sorted(self.facts, key=lambda fact: (fact.at, fact.number))
        first = min([joined, *[it.at for it in facts]])
        day = self.program.day_of(first)
        while self._midnight(day) <= self.upto:
            self._check(day)
            while facts and facts[0].at < self._midnight(day + timedelta(days=1)):
                self._happens(facts.pop(0))
            day += timedelta(days=1)
        return self.moves

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(0), tzinfo=self.program.zone).astimezone(UTC)

    def _happens(self, fact: Fact) -> None:
        if not fact.invites:
            self.past.append(fact)
            day = self.program.day_of(fact.at)
            self._move(max(self._rank(self._sum(self._opens(day), day)), self.rank), fact.at)
            return
        before, self.floor = self.floor, max(0, self.program.rank(fact.level))
        if self.rank == before > self.floor:
            tomorrow = self.program.day_of(fact.at) + timedelta(days=1)
            self._move(max(self._carried(tomorrow), self.floor), fact.at)
        self._move(max(self.rank, self.floor), fact.at)

    @property
    def rank(self) -> int:
        """The level's."""
        return self.program.rank(self.tier)

    def _move(self, rank: int, at: datetime) -> None:
        if rank != self.rank:
            tier = self.program.tier_names[rank]
            self.moves.append(Move(self.tier, tier, "up" if rank > self.rank else "down", at))
            self.tier, self.since = tier, at

    def _rank(self, amount: int) -> int:
        return self.program.rank(self.program.tier_for(amount).name)

    def _sum(self, start: date, end: date) -> int:
        return sum(it.amount for it in self.past if start <= self.program.day_of(it.at) <= end)

    @property
    def _grace(self) -> timedelta:
        return timedelta(days=self.program.tiers.grace.days)

    def _opens(self, day: date) -> date:
        over = self.program.tiers.over
        if not over.calendar:
            return day - timedelta(days=over.days)
        month = {"year": 1, "quarter": (day.month - 1) // 3 * 3 + 1, "month": day.month}[over.calendar]
        return day.replace(month=month, day=1)

    def _check(self, day: date) -> None:
        yesterday, since = day - timedelta(days=1), self.program.day_of(self.since)
        if not self.program.tiers.over.calendar:
            due = since + self._grace < self._opens(day)
        else:
            ended = day - self._grace
            due = self._opens(ended) == ended and since < ended
        if due:
            self._move(min(self.rank, max(self._carried(day), self.floor)), self._midnight(day))
        assert yesterday < day

    def _carried(self, day: date) -> int:
        """The rank that what was done before a day carries over its midnight."""
        last = day - timedelta(days=1)
        if not self.program.tiers.over.calendar:
            return self._rank(self._sum(self._opens(day) - self._grace, last))
        opening, best = self._opens(last - self._grace), 0
        while opening <= last:
            closing = opening
            while self._opens(closing) == opening:
                closing += timedelta(days=1)
            best = max(best, self._rank(self._sum(opening, min(last, closing - timedelta(days=1)))))
            opening = closing
        return best
