"""Bonuses that customers give to each other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import select

from core.db import Database
from core.errors import Problem
from core.ledger.transfers import Transfer, transfer
from core.ledger.writing import OPERATION
from core.program import Program
from core.program.check import read_program
from core.purchases.receipts import Outcome, Recorded, record
from tests.core.books import PROGRAM, START, accepted, check_books, program, purchase, register
from tests.core.people import LATER, SHARING, balance, events, give, lots, refused

GIFT = Transfer("1", "anna", "bohdan", 1_000)


def hand_over(database: Database, request: Transfer = GIFT, rules: Program = SHARING) -> Outcome:
    with database.write() as connection:
        outcome = transfer(connection, rules, request, LATER, live=True)
    with database.read() as connection:
        check_books(connection)
    return outcome


def test_bonuses_arrive_with_the_expiry_that_they_had(database: Database) -> None:
    register(database, SHARING, "anna", "bohdan")
    give(database, "anna", 600)
    give(database, "anna", 700, START + timedelta(hours=20))
    assert accepted(hand_over(database)) == {
        "sender": "anna", "receiver": "bohdan", "points": "10", "balance": "3", "available": "3",
    }  # fmt: skip
    assert lots(database, "anna") == [(300, date(2026, 8, 29))]
    assert lots(database, "bohdan") == [(600, date(2026, 8, 28)), (400, date(2026, 8, 29))]


def test_each_side_has_one_operation_under_related_keys(database: Database) -> None:
    register(database, SHARING, "anna", "bohdan")
    give(database, "anna", 1_000)
    hand_over(database)
    with database.read() as connection:
        kinds = OPERATION.c.kind == "transfer"
        keys = connection.scalars(select(OPERATION.c.key).where(kinds).order_by(OPERATION.c.id)).all()
    assert keys == ["transfer:1:out", "transfer:1:in"]
    assert events(database, "anna")[-1] == "bonus_redeemed"
    assert events(database, "bohdan")[-1] == "bonus_accrued"


def test_the_same_request_again_is_one_transfer(database: Database) -> None:
    register(database, SHARING, "anna", "bohdan")
    give(database, "anna", 2_000)
    first = accepted(hand_over(database))
    assert hand_over(database) == Recorded(first, repeated=True)
    assert refused(hand_over(database, replace(GIFT, points=500))) == "conflict"
    assert (balance(database, "anna"), balance(database, "bohdan")) == (1_000, 1_000)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"receiver": "anna"}, "same_account"),
        ({"points": 2_100}, "insufficient_balance"),
        ({"points": 50}, "below_the_limit"),
        ({"points": 5_100}, "over_the_limit"),
        ({"points": -100}, "bad_amount"),
        ({"receiver": "nobody"}, "unknown_customer"),
    ],
)
def test_what_cannot_be_given_is_refused(database: Database, change: dict[str, object], reason: str) -> None:
    register(database, SHARING, "anna", "bohdan")
    give(database, "anna", 2_000)
    assert refused(hand_over(database, replace(GIFT, **change))) == reason  # type: ignore[arg-type]
    assert (balance(database, "anna"), balance(database, "bohdan")) == (2_000, 0)


def test_a_program_that_says_nothing_has_no_transfers(database: Database) -> None:
    register(database, SHARING, "anna", "bohdan")
    give(database, "anna", 2_000)
    assert refused(hand_over(database, rules=program())) == "transfers_not_allowed"


def test_what_may_not_be_given_away_stays(database: Database) -> None:
    kept = "transfers: {exclude: {account: welcome}}\nspend: {share"
    rules = program(
        ("spend: {share", kept),
        ("debt: repay", "debt: repay\n  accounts: {welcome: {lasts: 30 days}}"),
        ("lasts: 30 days}\n  exclude", "lasts: 30 days, account: welcome}\n  exclude"),
    )
    register(database, rules, "anna", "bohdan", live=True)
    give(database, "anna", 800)
    assert balance(database, "anna") == 5_800
    assert refused(hand_over(database, GIFT, rules)) == "insufficient_balance"
    accepted(hand_over(database, replace(GIFT, points=800), rules))
    assert balance(database, "anna") == 5_000
    # Also when the ledger is reckoned again from before.
    with database.write() as connection:
        late = purchase("late", "anna", START + timedelta(hours=1), 1_000)
        accepted(record(connection, rules, [late], LATER, live=True)[0])
    assert balance(database, "anna") == 5_100
    assert lots(database, "anna") == [(5_000, date(2026, 3, 31)), (100, date(2026, 8, 28))]


def test_two_who_give_to_each_other_at_once_both_succeed(database: Database) -> None:
    register(database, SHARING, "anna", "bohdan")
    give(database, "anna", 1_000)
    give(database, "bohdan", 1_000)

    def there(number: int) -> Outcome:
        return hand_over(database, Transfer(f"there {number}", "anna", "bohdan", 100))

    def back(number: int) -> Outcome:
        return hand_over(database, Transfer(f"back {number}", "bohdan", "anna", 100))

    outcomes = _together([partial(way, number) for number in range(8) for way in (there, back)])
    assert all(isinstance(outcome, Recorded) for outcome in outcomes)
    assert (balance(database, "anna"), balance(database, "bohdan")) == (1_000, 1_000)


def _together(work: list[Callable[[], Outcome]]) -> list[Outcome]:
    start = Barrier(len(work))

    def at_once(one: Callable[[], Outcome]) -> Outcome:
        start.wait()
        return one()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(at_once, work))


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("{at_least: 5, at_most: 2}", "nothing may be transferred"),
        ("{at_least: 0.001}", "more than 2 decimal places"),
        ("{exclude: {account: welcom}}", "no such account: welcom"),
    ],
)
def test_transfers_that_do_not_fit_the_program_are_found(written: str, what: str) -> None:
    problems: list[Problem] = []
    text = PROGRAM.replace("spend: {share", f"transfers: {written}\nspend: {{share")
    assert read_program(text, problems) is None
    assert [(it.path.split(".")[0], it.what) for it in problems] == [("transfers", what)]
