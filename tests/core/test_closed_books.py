"""Returns of receipts whose own book is closed: the buyer was merged, or went to a household."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from core.customers.holders import people
from core.customers.households import Change, join, leave
from core.customers.merging import Merge, merge
from core.customers.profiles import CUSTOMER
from core.db import Database
from core.ledger.expiry import expire
from core.ledger.settlement import settle
from core.ledger.writing import ACCOUNT, LOT
from core.money import lay_out_more
from core.program import Program
from core.purchases.receipts import Outcome, Purchase, record
from core.purchases.returns import Back, Return, take_back
from tests.conftest import FreshDatabase
from tests.core.books import START, accepted, check_books, check_statistics, program, purchase, read, register
from tests.core.budget import Budget
from tests.core.test_ledger_laws import TERMS, histories
from tests.core.twins import NOW, Twins

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


@given(weights=st.lists(st.integers(0, 60), min_size=1, max_size=5), data=st.data())
def test_what_is_laid_bit_by_bit_comes_to_what_is_laid_at_once(
    weights: list[int], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, sum(weights)), max_size=6)))
    whole, found, done = sum(weights), [0] * len(weights), 0
    for cut in [*cuts, whole]:
        more = lay_out_more(done, cut - done, weights)
        assert min(more) >= 0
        found, done = [a + b for a, b in zip(found, more, strict=True)], cut
        assert found == lay_out_more(0, done, weights)
        assert sum(found) == done
    assert found == weights


OWING = sorted(name for name, it in TERMS.items() if it.debt == "repay")


def test_lines_of_a_merged_receipt_that_come_back_one_by_one_are_lines_that_come_back_at_once(
    fresh_database: FreshDatabase,
) -> None:
    @Budget(sqlite=12, postgresql=4).on(fresh_database)
    @given(name=st.sampled_from(OWING), history=histories(at_least=1), data=st.data())
    def law(name: str, history: list[Purchase], data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(history))
        back = [
            Back(line=number, quantity=part)
            for number, it in enumerate(chosen.lines, start=1)
            for part in data.draw(st.sampled_from([(), (it.quantity,), (it.quantity // 4,) * 3]))
        ]
        with fresh_database() as database:
            twins = Twins(database, read(TERMS[name].yaml))
            for who in ("anna", "bohdan"):
                _as_a_duplicate(twins, who, history)
            twins.bring_one_by_one_and_at_once(chosen.external_id, data.draw(st.permutations(back)))
            # Between two returns a debt may have been repaid that would have come later.
            anna, bohdan = ((it.total, it.receipts, it.tier) for it in map(twins.of, ("anna", "bohdan")))
        assert anna == bohdan

    law()


def _as_a_duplicate(twins: Twins, who: str, history: list[Purchase]) -> None:
    """What they bought under another number, which turns out to be theirs."""
    other = f"{who}'s other number"
    register(twins.database, twins.program, other)
    for bought in history:
        mine = replace(bought, external_id=f"{who} {bought.external_id}", customer=other)
        accepted(twins.do(partial(_record, twins.program, mine)))
    one = Merge(other, who, "maria", "one person")
    accepted(twins.do(lambda connection: merge(connection, twins.program, one, NOW, live=True)))


def _record(rules: Program, bought: Purchase, connection: Connection) -> Outcome:
    return record(connection, rules, [bought], NOW, live=True)[0]


SELLERS = """partners:
  Cinema: {stores: screen}
  Books: {stores: shelf}
spend: {share"""
WAITING = (("starts: at once", "starts: after 14 days"), ("spend: {share", SELLERS))


def sold(database: Database, rules: Program, receipt: str, who: str, store: str, *, day: int = 0) -> None:
    at = START + timedelta(days=day)
    bought = replace(purchase(receipt, who, at, 10_000), store=store)
    with database.write() as connection:
        accepted(record(connection, rules, [bought], at, live=True)[0])


def moves(database: Database, rules: Program, how: str, at: datetime) -> None:
    """What the twin has goes to Anna, and from her to Clara."""
    with database.write() as connection:
        if how == "join":
            accepted(join(connection, rules, Change("anna", "twin"), at, live=True))
        else:
            accepted(merge(connection, rules, Merge("twin", "anna", "maria", "one"), at, live=True))
        if how == "merge, then join":
            accepted(join(connection, rules, Change("clara", "anna"), at, live=True))


@pytest.mark.parametrize("how", ["merge", "join", "merge, then join"])
@pytest.mark.parametrize("debt", ["repay", "forgive"])
def test_bonuses_that_have_not_started_go_with_their_goods_wherever_they_moved(
    database: Database, how: str, debt: str
) -> None:
    rules = program(*WAITING, ("debt: repay", f"debt: {debt}"))
    register(database, rules, "anna", "clara", "twin")
    sold(database, rules, "old", "anna", "screen")
    at = START + timedelta(days=15)
    sold(database, rules, "new", "twin", "shelf", day=15)
    moves(database, rules, how, at)
    with database.write() as connection:
        answer = accepted(take_back(connection, rules, Return("new", at), at, live=True))
    # What Anna may spend is hers still, and nobody owes or is made a present of anything.
    assert (answer["taken_back"], answer["debt"], answer["balance"], answer["available"]) == (
        "10", "0", "10", "10",
    )  # fmt: skip
    with database.read() as connection:
        check_books(connection)


@pytest.mark.parametrize("how", ["merge", "join", "merge, then join"])
def test_goods_that_come_back_take_the_bonuses_of_the_partner_who_gave_them(
    database: Database, how: str
) -> None:
    rules = program(WAITING[1])
    register(database, rules, "anna", "clara", "twin")
    sold(database, rules, "old", "anna", "screen")
    sold(database, rules, "new", "twin", "shelf", day=1)
    moves(database, rules, how, LATER)
    with database.write() as connection:
        accepted(take_back(connection, rules, Return("new", NEXT), NEXT, live=True))
        # What comes late has the books of then reckoned again, with the same end.
        late = replace(purchase("late", "anna", START, 5_000), store="screen")
        accepted(record(connection, rules, [late], NEXT, live=True)[0])
    with database.read() as connection:
        check_books(connection)
        found = settle(connection, rules, START, NEXT + timedelta(days=1))
    assert {it.party: it.closing for it in found.statements} == {"Books": 0, "Cinema": 1_500}


@pytest.mark.parametrize("debt", ["repay", "forgive"])
@pytest.mark.parametrize("how", ["merge", "join", "merge, then join"])
def test_what_lapsed_of_bonuses_that_moved_is_owed_by_nobody_when_their_goods_come_back(
    database: Database, how: str, debt: str
) -> None:
    rules = program(WAITING[1], ("lasts: 180 days", "lasts: 10 days"), ("debt: repay", f"debt: {debt}"))
    register(database, rules, "anna", "clara", "twin")
    sold(database, rules, "new", "twin", "shelf")
    with database.write() as connection:
        paid = replace(purchase("paid", "twin", LATER, 1_000, pay=400), store="main street")
        accepted(record(connection, rules, [paid], LATER, live=True)[0])
    moves(database, rules, how, NEXT)
    sold(database, rules, "other", "anna", "screen", day=12)
    at = START + timedelta(days=13)
    expire(database, rules, at)
    balances = []
    for quantity in (500, 300, 200):
        with database.write() as connection:
            back = Return("new", at, (Back(line=1, quantity=quantity),), f"{quantity}")
            balances.append(accepted(take_back(connection, rules, back, at, live=True))["balance"])
    # 10 were given, 6 lapsed: the other 4 paid for something, and these go from what there is.
    assert balances == ["10", "8", "6"]
    with database.read() as connection:
        check_books(connection)
