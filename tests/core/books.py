"""What the tests of the ledger share: a program, people, and the check that the books add up."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from core.addresses import Addresses
from core.customers import Profile, save
from core.db import Database
from core.ledger import ACCOUNT, DEBT, ENTRY, LOT
from core.program import Program
from core.program_check import read_program
from core.receipts import RECEIPT, Line, Outcome, Purchase, Recorded
from core.stats import STATS

ADDRESSES = Addresses(b"a secret of the tests")
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
    problems: list[Any] = []
    read = read_program(text, problems)
    assert read, problems
    return read


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


def check_books(connection: Connection) -> None:
    """Promise 1: balance = sum of entries = sum of what remains, lot by lot and customer by customer."""
    totals = {row[0]: row[1] for row in connection.execute(select(ACCOUNT))}
    for column in (ENTRY.c.amount, LOT.c.remaining):
        assert _sums(connection, column.table.c.customer_id, column) == _without_zeros(totals)
    rows = connection.execute(select(LOT.c.id, LOT.c.remaining, LOT.c.reason, LOT.c.amount)).all()
    of_lots = _sums(connection, ENTRY.c.lot_id, ENTRY.c.amount)
    assert _without_zeros({row.id: row.remaining for row in rows}) == of_lots
    for row in rows:
        low, high = (row.amount, 0) if row.reason == DEBT else (0, row.amount)
        assert low <= row.remaining <= high, row


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


def _sums(connection: Connection, key: Any, column: Any) -> dict[int, int]:
    rows = connection.execute(select(key, func.sum(column)).group_by(key))
    return _without_zeros({row[0]: int(row[1]) for row in rows})


def _without_zeros(sums: dict[int, int]) -> dict[int, int]:
    return {key: value for key, value in sums.items() if value}
