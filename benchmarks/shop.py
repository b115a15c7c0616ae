"""A shop for the measurements of the ledger: its program, its customers, and what they buy."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from core.customers.addresses import Addresses
from core.customers.profiles import Profile, save
from core.db import Database
from core.db.bulk import insert_rows
from core.program import Program
from core.program.check import read_program
from core.purchases.receipts import Line, Outcome, Purchase, Recorded, record
from core.tables import Product
from tests.support.databases import load_tables

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
PRODUCTS = 1_000
BATCH = 1_000
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
tiers:
  over: 365 days
  grace: 30 days
  levels:
    - {name: bronze, from: 0, earn: 3%}
    - {name: silver, from: 1000, earn: 5%}
    - {name: gold, from: 5000, earn: 7%}
earn:
  rules:
    - {rule: base, by: tier}
    - {rule: welcome, give: 50, on: registered, lasts: 30 days}
  exclude: {category: [tobacco]}
spend: {share_at_most: 50%}
"""


def program() -> Program:
    """The shop's rules."""
    problems: list[Any] = []
    found = read_program(PROGRAM, problems)
    if found is None:
        raise SystemExit("\n".join(map(str, problems)))
    return found


def opened(database: Database, rules: Program, customers: int) -> None:
    """Tables, a catalogue, and customers of whom each has bought once, by history of every level."""
    load_tables()
    database.create_all()
    names = [f"c{number}" for number in range(customers)]
    goods = [
        (f"sku{number}", f"category {number % 40}", f"brand {number % 90}") for number in range(PRODUCTS)
    ]
    with database.write() as connection:
        insert_rows(connection, Product.__table__, ("sku", "category", "brand"), goods)  # type: ignore[attr-defined]
        profiles = [Profile(name, registered_at=START - timedelta(days=90)) for name in names]
        save(connection, rules, Addresses(b"benchmark"), profiles, START - timedelta(days=90), live=False)
    first = [
        Purchase(f"first-{name}", name, START - timedelta(days=30),
                 (Line("sku1", 1000, 50_000 + number % 60 * 10_000),))
        for number, name in enumerate(names)
    ]  # fmt: skip
    for start in range(0, customers, BATCH):
        keep(database, rules, first[start : start + BATCH], START, live=False)
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE")


def keep(
    database: Database, rules: Program, purchases: Sequence[Purchase], now: datetime, *, live: bool = True
) -> None:
    """Record them in one transaction."""
    with database.write() as connection:
        for outcome in record(connection, rules, purchases, now, live=live):
            accept(outcome)


def accept(outcome: Outcome) -> None:
    """Every purchase must go through."""
    if not isinstance(outcome, Recorded):
        raise RuntimeError(f"a purchase of the benchmark was refused: {outcome}")


def bought(random: Random, key: str, customers: int, at: datetime) -> Purchase:
    """Three lines of about 40.00, paid with one bonus and money."""
    lines = tuple(
        Line(f"sku{random.randrange(PRODUCTS)}", 1000, total)
        for total in (random.randrange(1_000, 3_000), random.randrange(500, 2_000), 700)
    )
    return Purchase(key, f"c{random.randrange(customers)}", at, lines, "shop 1", 100)
