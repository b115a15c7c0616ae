"""Returns of receipts whose own book is closed: the buyer was merged, or went to a household."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.customers.holders import people
from core.customers.households import Change, join, leave
from core.customers.merging import Merge, merge
from core.customers.profiles import CUSTOMER
from core.db import Database
from core.ledger.settlement import settle
from core.ledger.writing import ACCOUNT, LOT
from core.program import Program
from core.purchases.receipts import record
from core.purchases.returns import Back, Return, take_back
from tests.core.books import START, accepted, check_books, check_statistics, program, purchase, register

LATER = START + timedelta(days=1)
NEXT = START + timedelta(days=2)


@pytest.fixture
def shop(database: Database) -> Database:
    """Anna and her duplicate; each joined with 50 welcome bonuses for 30 days."""
    register(database, program(), "anna", "twin", live=True)
    return database


def buy(database: Database, receipt: str, who: str, *lines: int, pay: int = 0, day: int = 0) -> None:
    at = START + timedelta(days=day)
    with database.write() as connection:
        [outcome] = record(
            connection, program(), [purchase(receipt, who, at, *lines, pay=pay)], at, live=True
        )
    accepted(outcome)


def give_back(database: Database, receipt: str, *lines: Back) -> dict[str, object]:
    with database.write() as connection:
        outcome = take_back(connection, program(), Return(receipt, NEXT, lines), NEXT, live=True)
    with database.read() as connection:
        check_books(connection)
        check_statistics(connection)
    return accepted(outcome)


def merged(database: Database, rules: Program) -> None:
    with database.write() as connection:
        accepted(merge(connection, rules, Merge("twin", "anna", "maria", "one person"), LATER, live=True))


def balance(database: Database, who: str) -> int:
    with database.read() as connection:
        holder = people(connection, [who])[who].holder
        return connection.scalar(select(ACCOUNT.c.total).where(ACCOUNT.c.customer_id == holder)) or 0


def test_what_a_merged_duplicate_had_paid_comes_back_with_its_own_end(shop: Database) -> None:
    buy(shop, "r", "twin", 20_000, pay=3_000)
    with shop.read() as connection:
        ends = connection.scalars(select(LOT.c.expires_on).where(LOT.c.reason == "welcome")).first()
    merged(shop, program())
    answer = give_back(shop, "r")
    assert (answer["given_back"], answer["taken_back"]) == ("30", "17")
    assert balance(shop, "anna") == 10_000
    with shop.read() as connection:
        returned = connection.execute(select(LOT).where(LOT.c.reason == "returned")).one()
    assert (returned.remaining, returned.expires_on) == (3_000, ends)


def test_a_level_that_a_merged_receipt_made_goes_with_its_return(shop: Database) -> None:
    buy(shop, "one", "anna", 60_000)
    buy(shop, "two", "twin", 60_000)
    merged(shop, program())
    with shop.read() as connection:
        level = select(CUSTOMER.c.tier).where(CUSTOMER.c.external_id == "anna")
        assert connection.scalar(level) == "silver"
    assert give_back(shop, "two")["tier"] == "bronze"
    with shop.read() as connection:
        assert connection.scalar(level) == "bronze"


@pytest.mark.parametrize("debt", ["repay", "forgive"])
@pytest.mark.parametrize("had", [0, 5_000])
def test_what_a_merged_receipt_could_not_pay_is_neither_owed_nor_given_once_its_goods_are_back(
    database: Database, debt: str, had: int
) -> None:
    rules = program(("debt: repay", f"debt: {debt}"))
    register(database, rules, "anna", "twin", live=bool(had))
    offline = replace(purchase("r", "twin", START, 10_000, 10_000, pay=9_000), offline=True)
    with database.write() as connection:
        accepted(record(connection, rules, [offline], START, live=True)[0])
    merged(database, rules)
    for line in (1, 2):
        with database.write() as connection:
            back = Return("r", NEXT, (Back(line=line),), f"{line}")
            accepted(take_back(connection, rules, back, NEXT, live=True))
    with database.read() as connection:
        check_books(connection)
    # Both have what they had.
    assert balance(database, "anna") == 2 * had


@pytest.mark.parametrize("buyer", ["anna", "twin"])
def test_a_level_that_merging_brought_stays_when_something_else_comes_back(
    shop: Database, buyer: str
) -> None:
    buy(shop, "much", "twin", 150_000)
    buy(shop, "little", buyer, 1_000, day=1)
    with shop.write() as connection:
        accepted(merge(connection, program(), Merge("twin", "anna", "maria", "one person"), NEXT, live=True))
    assert give_back(shop, "little")["tier"] == "silver"
    # What reached it is another matter.
    assert give_back(shop, "much")["tier"] == "bronze"


def test_a_member_who_left_a_household_returns_at_its_cost(shop: Database) -> None:
    with shop.write() as connection:
        accepted(join(connection, program(), Change("anna", "twin"), START, live=True))
    buy(shop, "r", "twin", 10_000)
    assert balance(shop, "anna") == 10_000 + 1_000
    with shop.write() as connection:
        accepted(leave(connection, program(), Change("anna", "twin"), LATER, live=True))
    give_back(shop, "r")
    assert (balance(shop, "anna"), balance(shop, "twin")) == (10_000, 0)


def test_units_of_a_merged_receipt_come_back_by_their_share(shop: Database) -> None:
    buy(shop, "r", "twin", 10_000, 5_000)
    merged(shop, program())
    assert give_back(shop, "r", Back(line=1, quantity=500))["taken_back"] == "5"
    assert balance(shop, "anna") == 10_000 + 1_000


def test_a_receipt_from_before_a_fall_that_a_return_worked_out_earns_by_the_level_of_then(
    shop: Database,
) -> None:
    short = program(("over: 365 days", "over: 5 days"), ("grace: 30 days", "grace: 3 days"))
    buy(shop, "one", "anna", 120_000)
    buy(shop, "two", "twin", 10_000)
    merged(shop, short)
    now = START + timedelta(days=20)
    with shop.write() as connection:
        # It came back on the second day, and is told when the level has fallen.
        accepted(take_back(connection, short, Return("two", NEXT), now, live=True))
        late = purchase("three", "anna", NEXT + timedelta(hours=1), 10_000)
        [outcome] = record(connection, short, [late], now, live=True)
    assert accepted(outcome)["earned"] == "20"


def test_what_had_paid_at_a_partner_comes_back_as_bonuses_of_whoever_gave_them(database: Database) -> None:
    rules = program(("spend: {share", "partners: {cinema: {stores: c1}}\nspend: {share"))
    register(database, rules, "anna", "twin", live=True)
    bought = replace(purchase("r", "twin", START, 20_000, pay=3_000), store="c1")
    with database.write() as connection:
        accepted(record(connection, rules, [bought], START, live=True)[0])
    merged(database, rules)
    with database.write() as connection:
        accepted(take_back(connection, rules, Return("r", NEXT), NEXT, live=True))
    with database.read() as connection:
        check_books(connection)
        assert connection.scalar(select(LOT.c.partner).where(LOT.c.reason == "returned")) is None
        assert settle(connection, rules, START, NEXT + timedelta(days=1)).debts == ()
