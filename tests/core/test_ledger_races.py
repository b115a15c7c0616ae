"""Writers at one moment, and writers that are killed: the ledger neither overspends nor loses its balance."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import Connection, func, select

from core.customers.consent import Choice, choose
from core.customers.erasure import Erasure, erase
from core.customers.merging import Merge, merge
from core.customers.profiles import CUSTOMER, Profile, save
from core.db import Database
from core.events import EVENT
from core.grants.acts import Told, tell
from core.ledger.bonuses import Request, grant, redeem
from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.ledger.transfers import Transfer, transfer
from core.ledger.writing import ACCOUNT, OPERATION
from core.purchases.holds import Basket, cancel, commit, hold
from core.purchases.receipts import RECEIPT, Outcome, Purchase, Recorded, record
from core.purchases.returns import Return, take_back
from tests.core.books import (
    ADDRESSES,
    START,
    Kept,
    accepted,
    check_books,
    check_statistics,
    kept_by_the_books,
    program,
    purchase,
    register,
)
from tests.core.people import SHARING
from tests.core.tills import CONFIRMER, held

Answer = TypeVar("Answer")
PROJECT = Path(__file__).resolve().parents[2]


def together(work: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Do everything at one moment, in threads of their own."""
    start = Barrier(len(work))

    def at_once(one: Callable[[], Answer]) -> Answer:
        start.wait()
        return one()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(at_once, work))


def give(database: Database, points: int) -> None:
    """Points to anna, at scale."""
    with database.write() as connection:
        request = Request("gift", "anna", points, START)
        accepted(grant(connection, program(), request, START, live=True))


def spend(database: Database, key: str, points: int) -> Outcome:
    """One till."""
    with database.write() as connection:
        return redeem(connection, program(), Request(key, "anna", points, START), START, live=True)


def buy(database: Database, bought: Purchase) -> Outcome:
    """Another."""
    with database.write() as connection:
        return record(connection, program(), [bought], START, live=True)[0]


def do(database: Database, work: Callable[[Connection], Answer]) -> Answer:
    """One request in a transaction of its own."""
    with database.write() as connection:
        return work(connection)


def test_sixteen_tills_that_spend_one_balance_at_once_never_overspend_it(database: Database) -> None:
    register(database, program(), "anna")
    give(database, 10_000)
    outcomes = together([partial(spend, database, f"r{n}", 3_000) for n in range(16)])
    assert sum(isinstance(outcome, Recorded) for outcome in outcomes) == 3
    with database.read() as connection:
        assert connection.scalar(select(ACCOUNT.c.total)) == 1_000
        check_books(connection)


def test_receipts_holds_and_gifts_that_spend_one_balance_at_once_never_overspend_it(
    database: Database,
) -> None:
    register(database, SHARING, "anna", "bohdan")
    give(database, 10_000)

    def till(number: int) -> Outcome:
        bought = purchase(f"p{number}", "anna", START, 6_000, pay=3_000)
        return do(database, lambda connection: record(connection, SHARING, [bought], START, live=True)[0])

    def aside(number: int) -> Outcome:
        basket = Basket(f"h{number}", "anna", purchase("", "", START, 6_000).lines, pay_points=3_000)
        outcome = do(database, lambda connection: hold(connection, SHARING, basket, START, CONFIRMER))
        return outcome if isinstance(outcome, Refusal) else Recorded({})

    def gift(number: int) -> Outcome:
        request = Transfer(f"t{number}", "anna", "bohdan", 3_000)
        return do(database, lambda connection: transfer(connection, SHARING, request, START, live=True))

    ways = [till, aside, gift, lambda number: spend(database, f"r{number}", 3_000)]
    outcomes = together([partial(ways[n % 4], n) for n in range(16)])
    # What the receipts among them earn is not enough for a fourth.
    assert sum(isinstance(outcome, Recorded) for outcome in outcomes) == 3
    with database.read() as connection:
        book = Book(connection, SHARING, [1], START, lock=False)
        assert book.debt(1) == 0
        assert book.total(1) >= book.held(1)
        check_books(connection)
        check_statistics(connection)


def test_gifts_that_cross_each_other_wait_for_nobody_for_ever(database: Database) -> None:
    register(database, SHARING, "anna", "bohdan")
    give(database, 10_000)

    def gift(number: int) -> Outcome:
        pair = ("anna", "bohdan") if number % 2 else ("bohdan", "anna")
        request = Transfer(f"t{number}", *pair, 500)
        return do(database, lambda connection: transfer(connection, SHARING, request, START, live=True))

    for turn in range(3):
        together([partial(gift, turn * 16 + n) for n in range(16)])
    with database.read() as connection:
        assert connection.scalar(select(func.sum(ACCOUNT.c.total))) == 10_000
        check_books(connection)


def test_a_hold_that_is_committed_and_cancelled_at_once_ends_in_one_way(database: Database) -> None:
    register(database, SHARING, "anna")
    give(database, 10_000)
    for turn in range(4):
        name = f"h{turn}"
        basket = Basket(name, "anna", purchase("", "", START, 4_000).lines, pay_points=2_000)
        with database.write() as connection:
            held(hold(connection, SHARING, basket, START, CONFIRMER))

        def pay(name: str = name) -> Outcome:
            return do(database, lambda connection: commit(connection, SHARING, name, None, START, CONFIRMER))

        def let_go(name: str = name) -> Outcome:
            return do(database, lambda connection: cancel(connection, name, START))

        outcomes = together([pay, let_go, pay, let_go])
        paid = isinstance(outcomes[0], Recorded)
        assert [isinstance(it, Recorded) for it in outcomes] == [paid, not paid, paid, not paid]
        with database.read() as connection:
            made = select(func.count()).select_from(RECEIPT).where(RECEIPT.c.external_id == name)
            assert connection.scalar(made) == paid
            check_books(connection)


def test_late_receipts_and_returns_beside_purchases_come_out_as_if_in_order(database: Database) -> None:
    register(database, program(), "anna", "bohdan")
    history = [purchase(str(n), "anna", START + timedelta(hours=n), 30_000) for n in range(12)]
    now = START + timedelta(days=2)

    def till(who: str, bought: Purchase) -> Outcome:
        mine = replace(bought, customer=who, external_id=f"{who} {bought.external_id}")
        return do(database, lambda connection: record(connection, program(), [mine], now, live=True)[0])

    def desk(who: str) -> Outcome:
        wanted = Return(f"{who} 0", now)
        return do(database, lambda connection: take_back(connection, program(), wanted, now, live=True))

    for bought in history:
        accepted(till("anna", bought))
    accepted(desk("anna"))
    accepted(till("bohdan", history[0]))
    together([partial(desk, "bohdan"), *(partial(till, "bohdan", it) for it in reversed(history[1:]))])
    with database.read() as connection:
        anna, bohdan = (kept_by_the_books(connection, program(), who, now) for who in ("anna", "bohdan"))
        check_books(connection)
        check_statistics(connection)
    assert (anna.total, anna.tier, anna.living) == (bohdan.total, bohdan.tier, bohdan.living)


def test_on_sqlite_a_reader_finishes_while_somebody_writes(sqlite_database: Database) -> None:
    database = sqlite_database
    register(database, program(), "anna")
    give(database, 10_000)
    with database.write() as writing:
        accepted(redeem(writing, program(), Request("r", "anna", 4_000, START), START, live=True))
        with ThreadPoolExecutor(1) as pool:
            seen = pool.submit(kept, database).result()
        # The reader saw what was committed, and did not wait for the rest.
        assert seen.total == 10_000
    assert kept(database).total == 6_000


def kept(database: Database) -> Kept:
    """What a reader sees of anna."""
    with database.read() as connection:
        return kept_by_the_books(connection, program(), "anna", START)


def test_one_request_that_arrives_many_times_at_once_is_one_operation(database: Database) -> None:
    register(database, program(), "anna")
    give(database, 10_000)
    outcomes = together([lambda: spend(database, "the same", 3_000) for _ in range(6)])
    answers = [accepted(outcome) for outcome in outcomes]
    assert answers == [answers[0]] * 6
    receipts = together([lambda: buy(database, purchase("r", "anna", START, 500)) for _ in range(6)])
    assert sum(not it.repeated for it in receipts if isinstance(it, Recorded)) == 1
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(OPERATION)) == 3
        check_books(connection)


def test_two_customers_receipts_of_one_number_at_once_are_one_receipt_and_a_refusal(
    database: Database,
) -> None:
    register(database, program(), "anna", "bohdan")
    both = [purchase("r", "anna", START, 500), purchase("r", "bohdan", START, 500)]
    outcomes = together([partial(buy, database, bought) for bought in both])
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert [refusal.reason for refusal in refused] == ["conflict"]
    with database.read() as connection:
        check_books(connection)
        check_statistics(connection)


def test_a_level_reached_by_receipts_of_one_moment_changes_once(database: Database) -> None:
    register(database, program(), "anna")
    bought = [purchase(f"r{n}", "anna", START, 60_000) for n in range(4)]
    together([partial(buy, database, one) for one in bought])
    with database.read() as connection:
        changes = connection.scalars(select(EVENT.c.subject).where(EVENT.c.kind == "tier_changed")).all()
        assert changes == ["silver"]
        check_statistics(connection)


def test_a_receipt_returned_at_two_desks_at_once_is_returned_once(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("r", "anna", START, 5_000))

    def desk() -> Outcome:
        with database.write() as connection:
            return take_back(connection, program(), Return("r", START), START, live=True)

    outcomes = together([desk, desk, desk])
    assert sum(not it.repeated for it in outcomes if isinstance(it, Recorded)) == 1
    with database.read() as connection:
        assert connection.scalar(select(ACCOUNT.c.total)) == 0
        check_books(connection)


def test_a_customer_registered_twice_at_once_is_one_customer(database: Database) -> None:
    def desk() -> str:
        with database.write() as connection:
            return save(connection, program(), ADDRESSES, [Profile("anna")], START, live=True)[0].effect

    assert sorted(together([desk] * 4)) == ["created", "unchanged", "unchanged", "unchanged"]
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(CUSTOMER)) == 1
        check_books(connection)


def test_a_consent_told_twice_at_once_is_one_consent(database: Database) -> None:
    register(database, program(), "anna")

    def desk() -> list[str]:
        with database.write() as connection:
            return choose(connection, [Choice(1, "sms", True, START, "form")], START, live=True)

    together([desk] * 4)
    with database.read() as connection:
        told = connection.scalar(select(func.count()).where(EVENT.c.kind == "consent_given"))
    assert told == 1


def test_people_who_brought_each_other_are_forgotten_and_merged_at_once(database: Database) -> None:
    """Each writes into rows of the others: they wait in a line, and none is ended for waiting in a circle."""

    def forget(name: str) -> Outcome:
        request = Erasure(name, ADDRESSES, {"email": "email"}, keep_bonuses=True)
        return do(database, lambda connection: erase(connection, SHARING, request, START))

    def unite(duplicate: str, survivor: str) -> Outcome:
        request = Merge(duplicate, survivor, "dpo", "one person")
        return do(database, lambda connection: merge(connection, SHARING, request, START, live=True))

    for turn in range(5):
        inviter, *friends = (f"{turn}-{number}" for number in range(7))
        register(database, SHARING, inviter, *friends)
        for friend in friends:
            brought = Told(f"of {friend}", inviter, "referral", START, friend)
            with database.write() as connection:
                accepted(tell(connection, SHARING, brought, START, live=True))
            accepted(buy(database, purchase(f"R {friend}", friend, START, 20_000)))
        first, second, third, *rest = friends
        merged = [partial(unite, first, second), partial(unite, third, inviter)]
        together([*merged, *(partial(forget, name) for name in (inviter, second, *rest))])
        with database.read() as connection:
            check_books(connection)


KILLED = """
import os, signal, sys
from datetime import timedelta
from core.db import Database
from core.purchases.receipts import record
from tests.core.books import START, program, purchase

database = Database(sys.argv[1])
for number in range(10_000):
    at = START + timedelta(minutes=number)
    with database.write() as connection:
        batch = [purchase(f"{number}-{n}", "anna", at, 1_000, pay=50 if number else 0) for n in range(3)]
        record(connection, program(), batch, at, live=True)
        if number == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("at", [0, 7])
def test_a_process_killed_in_the_middle_of_a_transaction_leaves_the_books_balanced(
    database: Database, at: int
) -> None:
    register(database, program(), "anna")
    command = [sys.executable, "-c", KILLED, database.url, str(at)]
    died = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, env=os.environ)
    assert died.returncode == -signal.SIGKILL, died.stderr
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(RECEIPT)) == at * 3
        check_books(connection)
        check_statistics(connection)
    assert isinstance(buy(database, purchase(f"{at}-0", "anna", START, 1_000)), Recorded)
