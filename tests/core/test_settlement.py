"""What partners owe each other."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from core.customers.merging import Merge, merge
from core.db import Database
from core.ledger import settlement
from core.ledger.adjustments import Adjustment, adjust
from core.ledger.expiry import expire
from core.ledger.settlement import Settlement, settle
from core.ledger.transfers import Transfer, transfer
from core.ledger.writing import ACCOUNT, ENTRY, LOT, OPERATION
from core.program import Program
from core.purchases.receipts import Line, Purchase, record
from core.purchases.returns import Back, Return, take_back
from tests.conftest import FreshDatabase
from tests.core.books import START, accepted, check_books, program, register

PARTNERS = """partners:
  Cinema: {stores: [screen-1, screen-2]}
  Books: {stores: shelf}
  Bank: {stores: desk, earn: false}
  Bistro: {stores: table, earn: [base]}
  Bakery: {stores: oven, earn: [base, step]}
transfers: {allowed: true}
spend: {share"""
STEP_UP = "    - {rule: step, give: 30, on: tier_up}\n  exclude"
RULES = program(
    ("spend: {share", PARTNERS),
    ("worth: 1", "worth: 0.5"),
    ("from: 1000", "from: 250"),
    ("  exclude", STEP_UP),
)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)


def buy(database: Database, receipt: str, store: str, at: datetime, total: int, pay: int = 0) -> None:
    bought = Purchase(receipt, "anna", at, (Line("coffee", 1000, total),), store, pay)
    with database.write() as connection:
        accepted(record(connection, RULES, [bought], at, live=True)[0])


def settled(database: Database, since: datetime = START, until: datetime = START + YEAR) -> Settlement:
    with database.read() as connection:
        check_books(connection)
        return settle(connection, RULES, since, until)


def debts(found: Settlement) -> list[tuple[str, str, int, int]]:
    return [(it.giver, it.place, it.points, it.money) for it in found.debts]


def test_bonuses_given_by_one_and_spent_at_another_are_owed_to_the_place(database: Database) -> None:
    register(database, RULES, "anna")
    buy(database, "1", "screen-1", START, 10_000)
    buy(database, "2", "shelf", START + DAY, 1_000, pay=600)
    assert debts(settled(database)) == [("Cinema", "Books", 600, 300)]
    assert settled(database).nets == {"Books": 300, "Cinema": -300}


@pytest.mark.parametrize("arrived", list(permutations(range(3))))
def test_who_owes_does_not_depend_on_which_receipt_arrived_first(
    database: Database, arrived: tuple[int, ...]
) -> None:
    register(database, RULES, "anna")
    hour, now = timedelta(hours=1), START + 4 * timedelta(hours=1)
    # Both earn what ends on one day: the first of them pays.
    receipts = [
        Purchase("1", "anna", START + hour, (Line("coffee", 1000, 10_000),), "screen-1"),
        Purchase("2", "anna", START + 2 * hour, (Line("coffee", 1000, 10_000),), "main street"),
        Purchase("3", "anna", START + 3 * hour, (Line("coffee", 1000, 1_000),), "shelf", 600, offline=True),
    ]
    for number in arrived:
        with database.write() as connection:
            accepted(record(connection, RULES, [receipts[number]], now, live=True)[0])
    assert debts(settled(database)) == [("Cinema", "Books", 600, 300)]


def test_the_program_is_a_party_and_nobody_owes_themselves(database: Database) -> None:
    register(database, RULES, "anna")
    buy(database, "1", "main street", START, 10_000)
    buy(database, "2", "screen-1", START + DAY, 1_000, pay=200)
    buy(database, "3", "main street", START + 2 * DAY, 1_000, pay=300)
    assert debts(settled(database)) == [("Kavarnia", "Cinema", 200, 100)]


def test_a_return_takes_back_what_was_owed(database: Database) -> None:
    register(database, RULES, "anna")
    buy(database, "1", "screen-1", START, 10_000)
    buy(database, "2", "shelf", START + DAY, 1_000, pay=600)
    with database.write() as connection:
        at = START + 2 * DAY
        accepted(take_back(connection, RULES, Return("2", at), at, live=True))
    assert debts(settled(database)) == []
    # It counts in the period in which it was booked: a settled one never changes.
    assert debts(settled(database, START, START + 2 * DAY)) == [("Cinema", "Books", 600, 300)]
    assert debts(settled(database, START + 2 * DAY)) == [("Cinema", "Books", -600, -300)]


def test_what_repays_a_debt_no_more_takes_back_what_was_owed_for_it(database: Database) -> None:
    register(database, RULES, "anna")
    buy(database, "1", "main street", START + DAY, 10_000)
    buy(database, "2", "main street", START + 2 * DAY, 1_000, pay=1_000)
    with database.write() as connection:
        at = START + 3 * DAY
        accepted(take_back(connection, RULES, Return("1", at), at, live=True))
    buy(database, "3", "screen-1", START + 4 * DAY, 10_000)
    first = settled(database, START, START + 5 * DAY)
    assert debts(first) == [("Cinema", "Kavarnia", 900, 450)]
    # A receipt that comes late has paid after all: there never was a debt.
    late = Purchase("0", "anna", START, (Line("coffee", 1000, 10_000),), "main street")
    with database.write() as connection:
        accepted(record(connection, RULES, [late], START + 6 * DAY, live=True)[0])
    assert debts(settled(database, START + 5 * DAY)) == [("Cinema", "Kavarnia", -900, -450)]
    assert debts(settled(database)) == []


def test_a_return_after_a_period_was_settled_counts_on_the_day_it_comes_whatever_day_it_names(
    database: Database,
) -> None:
    register(database, RULES, "anna", "bohdan")
    buy(database, "1", "screen-1", START, 10_000)
    buy(database, "2", "shelf", START + DAY, 1_000, pay=600)
    buy(database, "3", "shelf", START + DAY, 1_000, pay=200)
    settled_once = settled(database, START, START + 2 * DAY)
    returned, at = START + DAY, START + 3 * DAY
    with database.write() as connection:
        accepted(take_back(connection, RULES, Return("2", returned), at, live=True))
        # The book that the second receipt is in is closed, too: its buyer was merged.
        accepted(merge(connection, RULES, Merge("anna", "bohdan", "maria", "same"), at, live=True))
        accepted(take_back(connection, RULES, Return("3", returned), at, live=True))
    assert settled(database, START, START + 2 * DAY) == settled_once
    assert debts(settled_once) == [("Cinema", "Books", 800, 400)]
    assert debts(settled(database, START + 2 * DAY)) == [("Cinema", "Books", -800, -400)]
    with database.read() as connection:
        said = select(ENTRY.c.corrects, ENTRY.c.recorded_at).join(
            OPERATION, OPERATION.c.id == ENTRY.c.operation_id
        )
        rows = connection.execute(said.where(OPERATION.c.key == "return:2")).all()
    assert {row.recorded_at for row in rows} == {at}
    assert all(row.corrects for row in rows)


@pytest.mark.parametrize("merged", [False, True])
def test_bonuses_that_go_in_place_of_a_partners_spent_ones_are_owed_to_that_partner(
    database: Database, merged: bool
) -> None:
    register(database, RULES, "anna", "bohdan")
    buy(database, "1", "screen-1", START, 5_000)
    buy(database, "2", "desk", START + DAY, 1_000, pay=1_000)
    buy(database, "3", "oven", START + 2 * DAY, 10_000)
    at = START + 3 * DAY
    with database.write() as connection:
        if merged:
            accepted(merge(connection, RULES, Merge("anna", "bohdan", "maria", "same"), at, live=True))
        accepted(take_back(connection, RULES, Return("1", at), at, live=True))
    found = settled(database)
    # Cinema has its goods back: what it gave for them, and had to pay Bank for, is the customer's to repay.
    by_cinema = [("Cinema", "Bank", 1_000, 500), ("Kavarnia", "Cinema", 1_000, 500)]
    assert debts(found) == [
        ("Bakery", "Kavarnia", 1_000, 500), *(by_cinema if merged else [("Kavarnia", "Bank", 1_000, 500)])
    ]  # fmt: skip
    assert {name: net for name, net in found.nets.items() if net} == {"Bank": 500, "Bakery": -500}


def test_coins_that_a_month_comes_short_of_are_owed_in_a_later_one(database: Database) -> None:
    register(database, RULES, "anna")
    buy(database, "1", "screen-1", START, 10_000)
    # A bonus is worth half a coin, and a payment is of whole coins; units of the goods are not.
    buy(database, "2", "shelf", START + DAY, 1_000, pay=30)
    returned = [START + (2 + number) * DAY for number in range(10)]
    for number, at in enumerate(returned):
        with database.write() as connection:
            tenth = Return("2", at, (Back(line=1, quantity=100),), str(number))
            accepted(take_back(connection, RULES, tenth, at, live=True))
    days = [settled(database, at, at + DAY) for at in returned]
    assert [it.debts[0].points for it in days] == [-3] * 10
    assert sorted(it.debts[0].money for it in days) == [-2] * 5 + [-1] * 5
    assert (
        sum(it.debts[0].money for it in days) == -15 == -settled(database, START, returned[0]).debts[0].money
    )
    assert settled(database).debts == ()


def bought_and_brought_back_when_dearer(database: Database) -> Program:
    """Bonuses are worth something else by now: another purchase pays with them, and receipt 2 comes back."""
    dearer = program(("spend: {share", PARTNERS), ("  exclude", STEP_UP))
    bought = Purchase("3", "anna", START + 3 * DAY, (Line("coffee", 1000, 1_000),), "shelf", 200)
    with database.write() as connection:
        accepted(record(connection, dearer, [bought], START + 3 * DAY, live=True)[0])
        accepted(take_back(connection, dearer, Return("2", START + 4 * DAY), START + 4 * DAY, live=True))
    return dearer


def test_a_settled_period_stays_as_it_was_when_bonuses_are_worth_something_else(database: Database) -> None:
    register(database, RULES, "anna")
    buy(database, "1", "screen-1", START, 10_000)
    buy(database, "2", "shelf", START + DAY, 1_000, pay=600)
    before = settled(database, START, START + 2 * DAY)
    assert debts(before) == [("Cinema", "Books", 600, 300)]
    dearer = bought_and_brought_back_when_dearer(database)
    with database.read() as connection:
        assert settle(connection, dearer, START, START + 2 * DAY) == before
        assert debts(settle(connection, dearer, START + 2 * DAY, START + YEAR)) == [
            ("Cinema", "Books", -400, -100)
        ]


def test_a_program_is_read_once_however_many_owe_each_other_by_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(database, RULES, "anna")
    buy(database, "1", "screen-1", START, 10_000)
    for number, store in enumerate(("shelf", "table", "main street"), start=2):
        buy(database, str(number), store, START + number * DAY, 1_000, pay=200)
    read: list[int] = []

    def version(_: Connection, number: int) -> Program:
        read.append(number)
        return RULES

    monkeypatch.setattr(settlement, "version", version)
    assert len(settled(database).debts) == 3
    assert len(read) == 1


def test_what_comes_to_no_bonuses_is_owed_where_they_were_worth_something_else(database: Database) -> None:
    register(database, RULES, "anna")
    buy(database, "1", "screen-1", START, 10_000)
    buy(database, "2", "shelf", START + DAY, 1_000, pay=200)
    dearer = bought_and_brought_back_when_dearer(database)
    with database.read() as connection:
        months = [
            settle(connection, dearer, since, until)
            for since, until in ((START, START + 2 * DAY), (START + 2 * DAY, START + YEAR))
        ]
        whole = settle(connection, dearer, START, START + YEAR)
    assert [debts(it) for it in months] == [[("Cinema", "Books", 200, 100)], [("Cinema", "Books", 0, 100)]]
    assert debts(whole) == [("Cinema", "Books", 200, 200)]


def test_a_statement_goes_from_what_was_open_to_what_is(database: Database) -> None:
    register(database, RULES, "anna")
    buy(database, "1", "screen-1", START, 10_000)
    buy(database, "2", "shelf", START + DAY, 1_000, pay=600)
    expire(database, RULES, START + timedelta(days=181))
    statements = {it.party: it for it in settled(database, START + DAY).statements}
    cinema = statements["Cinema"]
    assert (cinema.opening, cinema.flows["spent"], cinema.flows["expired"]) == (2_000, -600, -1_400)
    assert cinema.closing == 0
    assert statements["Books"].flows["given"] == statements["Books"].closing > 0


def test_a_transfer_leaves_the_giver_of_bonuses_as_it_was(database: Database) -> None:
    register(database, RULES, "anna", "bohdan")
    buy(database, "1", "screen-1", START, 10_000)
    with database.write() as connection:
        accepted(transfer(connection, RULES, Transfer("1", "anna", "bohdan", 500), START + DAY, live=True))
    [statement] = settled(database).statements
    assert (statement.party, statement.flows["moved"], statement.closing) == ("Cinema", 0, 2_000)


@pytest.mark.parametrize(
    ("store", "given"),
    [
        ("desk", {"Kavarnia": 3_000}),
        ("table", {"Kavarnia": 3_000, "Bistro": 6_000}),
        ("oven", {"Bakery": 9_000}),
        ("screen-1", {"Cinema": 9_000}),
        ("main street", {"Kavarnia": 9_000}),
    ],
)
def test_a_level_bonus_is_the_programs_where_the_partner_does_not_give_by_its_rule(
    database: Database, store: str, given: dict[str, int]
) -> None:
    register(database, RULES, "anna")
    buy(database, "1", store, START, 30_000)
    found = settled(database)
    assert {it.party: it.flows["given"] for it in found.statements if it.flows["given"]} == given
    buy(database, "2", "shelf", START + DAY, 30_000, pay=sum(given.values()))
    assert {it.giver: it.points for it in settled(database).debts} == given


STORES = st.sampled_from(["main street", "screen-1", "shelf", "desk", "table", "oven"])
PEOPLE = st.sampled_from(["anna", "bohdan", "clara"])
POINTS = st.integers(1, 400)
REACHES_A_LEVEL = 2_000
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), STORES, PEOPLE, st.one_of(POINTS, st.just(REACHES_A_LEVEL))),
        st.tuples(st.just("return"), st.integers(0, 9)),
        st.tuples(st.just("transfer"), PEOPLE, PEOPLE, POINTS),
        st.tuples(st.just("adjust"), PEOPLE, st.integers(-300, 300)),
        st.tuples(st.just("merge"), PEOPLE, PEOPLE),
        st.tuples(
            st.just("expire"),
        ),
    ),
    min_size=3,
    max_size=14,
)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_it_adds_up_to_the_ledger_whatever_happened(
    fresh_database: FreshDatabase, steps: list[tuple[Any, ...]]
) -> None:
    with fresh_database() as database:
        register(database, RULES, "anna", "bohdan", "clara")
        for number, (kind, *said) in enumerate(steps):
            STEP[kind](database, number, START + number * 20 * DAY, *said)
        _adds_up(database, len(steps))


def _adds_up(database: Database, steps: int) -> None:
    middle, end = START + steps * 10 * DAY, START + steps * 20 * DAY
    whole, first, second = (
        settled(database, START, end), settled(database, START, middle), settled(database, middle, end),
    )  # fmt: skip
    with database.read() as connection:
        totals = connection.scalar(select(func.sum(ACCOUNT.c.total)))
        open_ = select(LOT.c.partner, func.sum(LOT.c.remaining)).group_by(LOT.c.partner)
        lots = {row[0] or "Kavarnia": int(row[1]) for row in connection.execute(open_)}
    assert sum(it.closing for it in whole.statements) == totals
    assert {it.party: it.closing for it in whole.statements if it.closing} == {
        name: points for name, points in lots.items() if points
    }
    assert {it.party: it.closing for it in second.statements} == {
        it.party: it.closing for it in whole.statements
    }
    for found in (whole, first, second):
        assert sum(found.nets.values()) == 0
    assert _points(whole) == _added(_points(first), _points(second))
    sums = {name: first.nets.get(name, 0) + second.nets.get(name, 0) for name in whole.nets}
    assert whole.nets == sums
    assert whole.nets == {name: first.nets.get(name, 0) + second.nets.get(name, 0) for name in whole.nets}


def _points(found: Settlement) -> dict[tuple[str, str], int]:
    return {(it.giver, it.place): it.points for it in found.debts}


def _added(one: dict[tuple[str, str], int], other: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    sums = {key: one.get(key, 0) + other.get(key, 0) for key in one | other}
    return {key: points for key, points in sums.items() if points}


def _buy(database: Database, number: int, at: datetime, store: str, who: str, points: int) -> None:
    bought = Purchase(f"r{number}", who, at, (Line("coffee", 1000, points * 20),), store, points)
    with database.write() as connection:
        [outcome] = record(connection, RULES, [bought], at, live=True)
        if refused_because(outcome) == "insufficient_balance":
            record(connection, RULES, [Purchase(f"r{number}", who, at, bought.lines, store)], at, live=True)


def _return(database: Database, _number: int, at: datetime, which: int) -> None:
    with database.write() as connection:
        take_back(connection, RULES, Return(f"r{which}", at), at, live=True)


def _transfer(database: Database, number: int, at: datetime, sender: str, receiver: str, points: int) -> None:
    with database.write() as connection:
        transfer(connection, RULES, Transfer(str(number), sender, receiver, points), at, live=True)


def _adjust(database: Database, number: int, at: datetime, who: str, points: int) -> None:
    with database.write() as connection:
        request = Adjustment(str(number), who, points, "maria", "goodwill", owing=True)
        adjust(connection, RULES, request, at, live=True)


def _merge(database: Database, _number: int, at: datetime, duplicate: str, survivor: str) -> None:
    with database.write() as connection:
        merge(connection, RULES, Merge(duplicate, survivor, "maria", "same"), at, live=True)


def _expire(database: Database, _number: int, at: datetime) -> None:
    expire(database, RULES, at)


def refused_because(outcome: object) -> str:
    return str(getattr(outcome, "reason", ""))


STEP: dict[str, Callable[..., None]] = {
    "buy": _buy, "return": _return, "transfer": _transfer, "adjust": _adjust, "merge": _merge,
    "expire": _expire,
}  # fmt: skip
