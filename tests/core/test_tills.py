"""Tills of one process: purchases of one moment share a transaction, and nobody notices."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import Connection, func, select

from core.db import Database
from core.ledger.lots import Refusal
from core.program import Program
from core.purchases import tills as tills_module
from core.purchases.receipts import RECEIPT, Outcome, Purchase, Recorded, record
from core.purchases.tills import Tills
from tests.core.books import START, check_books, check_statistics, program, purchase, register

RULES = program()


def at_once(work: Sequence[Callable[[], Outcome]]) -> list[Outcome | BaseException]:
    """Do everything at one moment, in threads of their own; what it gave or raised."""
    start = Barrier(len(work))

    def one(it: Callable[[], Outcome]) -> Outcome | BaseException:
        start.wait()
        try:
            return it()
        except ValueError as fault:
            return fault

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(one, work))


def sold(tills: Tills, bought: Purchase) -> Callable[[], Outcome]:
    return partial(tills.record, RULES, bought, START)


def receipts(database: Database) -> int:
    with database.read() as connection:
        check_books(connection)
        check_statistics(connection)
        return connection.scalar(select(func.count()).select_from(RECEIPT)) or 0


def test_every_till_gets_the_answer_to_its_own_purchase(database: Database) -> None:
    register(database, RULES, *(f"c{number}" for number in range(4)))
    tills = Tills(database)
    bought = [purchase(f"r{number}", f"c{number % 4}", START, 1_000 + number) for number in range(24)]
    answers = at_once([sold(tills, it) for it in bought])
    assert [it.answer["receipt"] for it in answers if isinstance(it, Recorded)] == [
        f"r{n}" for n in range(24)
    ]
    assert receipts(database) == 24


def test_a_refused_purchase_does_not_hold_up_those_beside_it(database: Database) -> None:
    register(database, RULES, "anna")
    tills = Tills(database)
    bought = [purchase(f"r{n}", "anna" if n % 2 else "nobody", START, 1_000) for n in range(12)]
    answers = at_once([sold(tills, it) for it in bought])
    refused = [it.reason for it in answers if isinstance(it, Refusal)]
    assert refused == ["unknown_customer"] * 6
    assert receipts(database) == 6


def test_one_balance_is_never_overspent_from_many_tills(database: Database) -> None:
    register(database, RULES, "anna")
    tills = Tills(database)
    tills.record(RULES, purchase("first", "anna", START, 10_000), START)
    answers = at_once([sold(tills, purchase(f"r{n}", "anna", START, 900, pay=400)) for n in range(8)])
    assert sum(isinstance(it, Recorded) for it in answers) in range(2, 5)
    with database.read() as connection:
        check_books(connection)


def test_the_same_receipt_from_two_tills_at_once_is_recorded_once(database: Database) -> None:
    register(database, RULES, "anna")
    doors = [Tills(database) for _ in range(4)]
    answers = at_once([sold(doors[n % 4], purchase("r1", "anna", START, 1_000)) for n in range(8)])
    first = [it for it in answers if isinstance(it, Recorded) and not it.repeated]
    assert len(first) == 1
    assert all(isinstance(it, Recorded) and it.answer == first[0].answer for it in answers)
    assert receipts(database) == 1


def test_what_breaks_is_told_to_its_own_till_alone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(
        connection: Connection, program: Program, purchases: Sequence[Purchase], now: datetime,
        *, live: bool, again: bool, last: bool,
    ) -> list[Outcome]:  # fmt: skip
        found = record(connection, program, purchases, now, live=live, again=again)
        if any(it.external_id == "r5" for it in purchases):
            raise ValueError("r5 cannot be recorded")
        return found

    register(database, RULES, "anna")
    monkeypatch.setattr(tills_module, "record", broken)
    tills = Tills(database)
    answers = at_once([sold(tills, purchase(f"r{n}", "anna", START, 1_000)) for n in range(10)])
    assert [n for n, it in enumerate(answers) if isinstance(it, ValueError)] == [5]
    assert sum(isinstance(it, Recorded) for it in answers) == 9
    assert receipts(database) == 9
    assert isinstance(tills.record(RULES, purchase("r10", "anna", START, 1_000), START), Recorded)
