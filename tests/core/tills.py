"""What the tests of the till's conversation share: a rich program, carts, and a confirmer that is seen."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from core.customers.holders import people
from core.customers.profiles import Profile, save
from core.db import Database
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.reading import HOLD
from core.purchases.confirmations import Confirmer
from core.purchases.holds import Basket, Held
from core.purchases.receipts import Line
from tests.core.books import ADDRESSES, START, program

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
RULES = """    - {rule: welcome, give: 50, on: registered, lasts: 30 days}
    - {rule: three-lines, give: 20, when: {lines: {at_least: 3}}}
    - {rule: big, give: [{from: 500, points: 25}, {from: 1000, points: 70}]}
    - {rule: fifth, give: 15, when: {purchase: {every: 5}}}
    - {rule: spring, give: 30, code: SPRING, per_customer: 1}
"""
TILL_CHANGES = (
    ("    - {rule: welcome, give: 50, on: registered, lasts: 30 days}\n", RULES),
    ("  debt: repay\n", "  debt: repay\n  accounts: {coffee: {goods: {sku: coffee}}}\n"),
    ("spend: {share_at_most: 50%}",
     "spend: {share_at_most: 50%, confirm_above: 100, hold_for: 10 minutes, exclude: {sku: cigarettes}}"),
    ("{name: silver, from: 1000, earn: 20%}", "{name: silver, from: 1000, earn: 20%, discount: 5%}"),
)  # fmt: skip
TILL = program(*TILL_CHANGES)
CONFIRMER = Confirmer(b"a secret of the tests", iter(f"{n:06}" for n in range(1, 10**6)).__next__)


def join(database: Database, *names: str, phone: str | None = "+380501234567", at: datetime = START) -> None:
    """Customers with a phone; the first one has the number, the next ones the numbers after it."""
    profiles = [
        Profile(name, phone=phone and f"+{int(phone[1:]) + place}") for place, name in enumerate(names)
    ]
    with database.write() as connection:
        save(connection, TILL, ADDRESSES, profiles, at, live=False)


def give(database: Database, name: str, points: int, at: datetime = START, account: str = "base") -> None:
    """So many hundredths of a bonus, in one of the accounts."""
    with database.write() as connection:
        holder = people(connection, [name])[name].holder
        book = Book(connection, TILL, [holder], at)
        op = book.operation(holder, "grant", f"gift:{name}:{points}:{at}:{account}", [], at)
        life = TILL.life(at, account=account)
        book.accrue(op, points, reason="gift", life=life, account=account, slot=account)
        book.close()


def basket(
    receipt: str, name: str = "anna", *hundredths: int, pay: int = 0, sku: str = "coffee", **more: Any
) -> Basket:
    """A cart with a line for each amount (minor units)."""
    lines = tuple(Line(sku, 1000, amount) for amount in hundredths or (40_000,))
    return Basket(receipt, name, lines, pay_points=pay, **more)


def held(outcome: Held | Refusal) -> Held:
    """A hold that must have come about."""
    assert isinstance(outcome, Held), outcome
    return outcome


def reason(outcome: object) -> str:
    """Why something was refused."""
    assert isinstance(outcome, Refusal), outcome
    return outcome.reason


def state(connection: Connection, receipt: str) -> str:
    """The state of a hold as it is kept."""
    kept: str = connection.scalars(select(HOLD.c.state).where(HOLD.c.external_id == receipt)).one()
    return kept
