"""What the tests of the ledger share: a program, people, and the check that the books add up."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, func, select

from core.customers.addresses import Addresses
from core.customers.profiles import CUSTOMER, Profile, save
from core.db import Database
from core.ledger.book import Book
from core.ledger.lots import DEBT
from core.ledger.writing import ACCOUNT, ENTRY, LOT
from core.program import Program
from core.program.check import read_program
from core.purchases.receipts import LINE, RECEIPT, Line, Outcome, Purchase, Recorded
from core.purchases.stats import STATS

ADDRESSES = Addresses(b"a secret of the tests")
# The rows of the ledger by their ids.
Entries = dict[int, tuple[object, ...]]
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
PROGRAM = """
program: Kavarnia
currency: UAH
time_zone: Europe/Kyiv
locales: [en]
points:
  name: {en: [bonus, bonuses]}
  scale: 2
  worth: 1
  starts: at once
  lasts: 180 days
  debt: repay
tiers:
  over: 365 days
  grace: 30 days
  levels:
    - {name: bronze, from: 0, earn: 10%}
    - {name: silver, from: 1000, earn: 20%}
    - {name: gold, from: 5000, earn: 30%}
earn:
  rules:
    - {rule: base, by: tier}
    - {rule: welcome, give: 50, on: registered, lasts: 30 days}
  exclude: {category: [tobacco]}
spend: {share_at_most: 50%}
"""


def program(*changes: tuple[str, str]) -> Program:
    """The program of these tests, with pieces of its text replaced."""
    text = PROGRAM
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return read(text)


@cache
def read(text: str) -> Program:
    """A program from its text."""
    problems: list[Any] = []
    found = read_program(text, problems)
    assert found, problems
    return found


def register(
    database: Database, program: Program, *names: str, at: datetime = START, live: bool = False
) -> None:
    """Customers by their external ids."""
    with database.write() as connection:
        save(connection, program, ADDRESSES, [Profile(name) for name in names], at, live=live)


def purchase(
    receipt: str, customer: str, at: datetime, *hundredths: int, pay: int = 0, sku: str = "coffee"
) -> Purchase:
    """A receipt with a line for each amount (minor units)."""
    lines = tuple(Line(sku, 1000, amount) for amount in hundredths)
    return Purchase(receipt, customer, at, lines, pay_points=pay)


def accepted(outcome: Outcome) -> dict[str, Any]:
    """The answer of a request that must have been carried out."""
    assert isinstance(outcome, Recorded), outcome
    return outcome.answer


def check_books(connection: Connection, before: Entries | None = None) -> Entries:
    """Promise 1: balance = sum of entries = sum of what remains, lot by lot and customer by customer.

    With the entries of `before`, none of them was changed or removed; returns those of now.
    """
    totals = {row.customer_id: row.total for row in connection.execute(select(ACCOUNT))}
    entries = {row.id: tuple(row) for row in connection.execute(select(ENTRY))}
    lots = connection.execute(select(LOT)).all()
    of_customers: dict[int, int] = defaultdict(int)
    of_lots: dict[int, int] = defaultdict(int)
    for entry in connection.execute(select(ENTRY.c.customer_id, ENTRY.c.lot_id, ENTRY.c.amount)):
        of_customers[entry.customer_id] += entry.amount
        of_lots[entry.lot_id] += entry.amount
    remaining: dict[int, int] = defaultdict(int)
    for lot in lots:
        remaining[lot.customer_id] += lot.remaining
        low, high = (lot.amount, 0) if lot.reason == DEBT else (0, lot.amount)
        assert low <= lot.remaining <= high, lot
    assert _without_zeros(totals) == _without_zeros(of_customers) == _without_zeros(remaining)
    assert _without_zeros({lot.id: lot.remaining for lot in lots}) == _without_zeros(of_lots)
    assert not before or {i: entries.get(i) for i in before} == before
    return entries


def check_what_operations_came_to(connection: Connection) -> None:
    """By the operation that they are the effect of, entries are what one in-order booking would have made:
    one sign a kind, and as much in each lot as the lot was given.
    """
    effective = func.coalesce(ENTRY.c.corrects, ENTRY.c.operation_id)
    sums = select(effective, ENTRY.c.lot_id, ENTRY.c.kind, func.sum(ENTRY.c.amount).label("points"))
    amounts = {row.id: row for row in connection.execute(select(LOT))}
    accrued: dict[int, int] = defaultdict(int)
    for row in connection.execute(sums.group_by(effective, ENTRY.c.lot_id, ENTRY.c.kind)):
        if row.kind in ("accrual", "forgiveness"):
            assert row.points >= 0
            accrued[row.lot_id] += int(row.points)
        # What moves to another account takes its debts along.
        elif row.kind not in ("repayment", "merge", "household", "erasure"):
            assert row.points <= 0
    given = {i: lot.amount for i, lot in amounts.items() if lot.reason != DEBT}
    assert _without_zeros(given) == _without_zeros(accrued)


@dataclass(frozen=True)
class Kept:
    """What the books say of a customer: what is left by account, start and end, and of each receipt (money,
    points paid, points by line) and the points of each rule.
    """

    tier: str | None
    total: int
    available: int
    debt: int
    living: dict[tuple[str, datetime, datetime | None], int]
    receipts: dict[str, tuple[int, int, tuple[int, ...]]]
    by_rule: dict[str, dict[str, int]]


def kept_by_the_books(connection: Connection, program: Program, who: str, now: datetime) -> Kept:
    """The state of a customer at a time."""
    customer = connection.execute(select(CUSTOMER).where(CUSTOMER.c.external_id == who)).one()
    book = Book(connection, program, [customer.id], now, lock=False)
    living: dict[tuple[str, datetime, datetime | None], int] = defaultdict(int)
    for lot in book.lots[customer.id]:
        if lot.remaining > 0 and not lot.ended(now):
            living[lot.account, lot.active_from, lot.expires_at] += lot.remaining
    return Kept(
        customer.tier,
        book.total(customer.id),
        book.available(customer.id, now),
        book.debt(customer.id),
        dict(living),
        _receipts(connection, customer.id),
        _by_rule(connection, customer.id),
    )


def _receipts(connection: Connection, customer_id: int) -> dict[str, tuple[int, int, tuple[int, ...]]]:
    lines: dict[int, list[int]] = defaultdict(list)
    mine = select(LINE).where(LINE.c.customer_id == customer_id)
    for line in connection.execute(mine.order_by(LINE.c.receipt_id, LINE.c.line)):
        lines[line.receipt_id].append(line.earned_points)
    found = {}
    for row in connection.execute(select(RECEIPT).where(RECEIPT.c.customer_id == customer_id)):
        assert row.earned_points == sum(lines[row.id])
        found[row.external_id] = (row.total, row.paid_points, tuple(lines[row.id]))
    return found


def _by_rule(connection: Connection, customer_id: int) -> dict[str, dict[str, int]]:
    effective = func.coalesce(ENTRY.c.corrects, ENTRY.c.operation_id)
    given = (
        select(RECEIPT.c.external_id, ENTRY.c.rule, func.sum(ENTRY.c.amount).label("points"))
        .join(RECEIPT, RECEIPT.c.operation_id == effective)
        .join(LOT, LOT.c.id == ENTRY.c.lot_id)
        .where(RECEIPT.c.customer_id == customer_id, ENTRY.c.kind == "accrual", LOT.c.reason == "purchase")
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in connection.execute(given.group_by(RECEIPT.c.external_id, ENTRY.c.rule)):
        if row.points:
            found[row.external_id][row.rule] = int(row.points)
    return dict(found)


def check_statistics(connection: Connection) -> None:
    """What is kept of customers equals what their receipts say."""
    receipts = select(
        RECEIPT.c.customer_id,
        func.min(RECEIPT.c.at),
        func.max(RECEIPT.c.at),
        func.count(),
        func.sum(RECEIPT.c.total),
    ).where(RECEIPT.c.returned_at.is_(None))
    counted = {row[0]: tuple(row[1:]) for row in connection.execute(receipts.group_by(RECEIPT.c.customer_id))}
    kept = {row[0]: tuple(row[1:]) for row in connection.execute(select(STATS)) if row.purchases}
    assert kept == counted


def _without_zeros(sums: Mapping[int, int]) -> dict[int, int]:
    return {key: value for key, value in sums.items() if value}
