"""Writers at one moment, and writers that are killed: the ledger neither overspends nor loses its balance."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import func, select

from core.bonuses import Request, grant, redeem
from core.consent import Choice, choose
from core.customers import CUSTOMER, Profile, save
from core.db import Database
from core.events import EVENT
from core.ledger import ACCOUNT, OPERATION, Refusal
from core.receipts import RECEIPT, Outcome, Purchase, Recorded, record
from core.returns import take_back
from tests.core.books import (
    ADDRESSES,
    START,
    accepted,
    check_books,
    check_statistics,
    program,
    purchase,
    register,
)

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


def test_tills_that_spend_one_balance_at_once_never_overspend_it(database: Database) -> None:
    register(database, program(), "anna")
    give(database, 10_000)
    outcomes = together([partial(spend, database, f"r{n}", 3_000) for n in range(8)])
    assert sum(isinstance(outcome, Recorded) for outcome in outcomes) == 3
    with database.read() as connection:
        assert connection.scalar(select(ACCOUNT.c.total)) == 1_000
        check_books(connection)


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
            return take_back(connection, program(), "r", START, START, live=True)

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


KILLED = """
import os, signal, sys
from datetime import timedelta
from core.db import Database
from core.receipts import record
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
