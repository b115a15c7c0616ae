"""Bonuses given and taken by hand."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.db import Database
from core.ledger.adjustments import Adjustment, adjust, told
from core.ledger.writing import LOT, OPERATION
from core.program.lifetime import Lasts
from core.purchases.receipts import Outcome, Recorded, record
from tests.core.books import START, accepted, check_books, program, purchase, register
from tests.core.people import balance, events, give, lots, refused

GOODWILL = Adjustment("1", "anna", 1_000, "maria", "goodwill")


def by_hand(database: Database, request: Adjustment = GOODWILL) -> Outcome:
    with database.write() as connection:
        return adjust(connection, program(), request, START, live=True)


def test_bonuses_given_by_hand_keep_who_gave_them_and_why(database: Database) -> None:
    register(database, program(), "anna")
    assert accepted(by_hand(database)) == {
        "customer": "anna", "points": "10", "balance": "10", "available": "10",
    }  # fmt: skip
    with database.read() as connection:
        operation = connection.execute(select(OPERATION)).one()
        check_books(connection)
    assert operation.author == "maria"
    assert told(operation.author, operation.data) == "adjustment by maria: goodwill"
    assert events(database, "anna") == ["registered", "bonus_accrued"]


def test_they_may_have_a_lifetime_of_their_own(database: Database) -> None:
    register(database, program(), "anna")
    by_hand(database, replace(GOODWILL, lasts=Lasts.parse("7 days")))
    assert lots(database, "anna") == [(1_000, (START + timedelta(days=7)).date())]


def test_bonuses_taken_by_hand_go_from_the_earliest_to_expire(database: Database) -> None:
    register(database, program(), "anna")
    give(database, "anna", 1_000)
    by_hand(database, replace(GOODWILL, lasts=Lasts.parse("7 days")))
    accepted(by_hand(database, replace(GOODWILL, key="2", points=-1_200)))
    assert balance(database, "anna") == 800
    with database.read() as connection:
        assert connection.scalars(select(LOT.c.remaining).order_by(LOT.c.id)).all() == [800, 0]


def test_no_more_is_taken_than_there_is_unless_a_debt_is_asked_for(database: Database) -> None:
    register(database, program(), "anna")
    give(database, "anna", 1_000)
    too_much = replace(GOODWILL, points=-1_500)
    assert refused(by_hand(database, too_much)) == "insufficient_balance"
    assert balance(database, "anna") == 1_000
    assert accepted(by_hand(database, replace(too_much, owing=True)))["balance"] == "-5"
    assert balance(database, "anna") == -500


def test_the_same_request_again_is_one_adjustment(database: Database) -> None:
    register(database, program(), "anna")
    first = accepted(by_hand(database))
    assert by_hand(database) == Recorded(first, repeated=True)
    assert refused(by_hand(database, replace(GOODWILL, points=2_000))) == "conflict"
    assert balance(database, "anna") == 1_000


def test_a_request_that_is_sent_again_is_answered_as_it_was_though_its_account_is_gone(
    database: Database,
) -> None:
    register(database, program(), "anna")
    gift, now = replace(GOODWILL, account="gift"), START
    accounts = program(("debt: repay", "debt: repay\n  accounts: {gift: {lasts: 7 days}}"))
    with database.write() as connection:
        first = accepted(adjust(connection, accounts, gift, now, live=True))
    assert by_hand(database, gift) == Recorded(first, repeated=True)
    assert refused(by_hand(database, replace(gift, key="2"))) == "unknown_account"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"author": " "}, "no_author"),
        ({"reason": ""}, "no_reason"),
        ({"points": 0}, "bad_amount"),
        ({"points": -100, "lasts": Lasts.parse("7 days")}, "bad_amount"),
        ({"account": "birthday"}, "unknown_account"),
        ({"customer": "nobody"}, "unknown_customer"),
    ],
)
def test_what_cannot_be_is_refused(database: Database, change: dict[str, object], reason: str) -> None:
    register(database, program(), "anna")
    assert refused(by_hand(database, replace(GOODWILL, **change))) == reason  # type: ignore[arg-type]


def test_an_adjustment_of_one_bonus_account_leaves_the_others_alone(database: Database) -> None:
    rules = program(("debt: repay", "debt: repay\n  accounts: {welcome: {lasts: 30 days}}"))
    register(database, rules, "anna")
    with database.write() as connection:
        for key, account, points in (("1", "welcome", 500), ("2", None, 300), ("3", "base", -200)):
            request = Adjustment(key, "anna", points, "maria", "goodwill", account)
            accepted(adjust(connection, rules, request, START, live=True))
        short = Adjustment("4", "anna", -200, "maria", "goodwill", "base")
        assert refused(adjust(connection, rules, short, START, live=True)) == "insufficient_balance"
    assert [remaining for remaining, _ in lots(database, "anna")] == [500, 100]


def test_what_was_taken_from_one_account_is_taken_from_it_again_when_a_receipt_comes_late(
    database: Database,
) -> None:
    rules = program(("debt: repay", "debt: repay\n  accounts: {welcome: {lasts: 30 days}}"))
    register(database, rules, "anna")
    with database.write() as connection:
        for key, account, points in (("1", "welcome", 500), ("2", None, 300), ("3", "base", -200)):
            request = Adjustment(key, "anna", points, "maria", "goodwill", account)
            accepted(adjust(connection, rules, request, START, live=True))
        late = purchase("late", "anna", START - timedelta(hours=1), 1_000)
        accepted(record(connection, rules, [late], START, live=True)[0])
    # Of the base account, first what came an hour earlier.
    assert sorted(remaining for remaining, _ in lots(database, "anna") if remaining) == [200, 500]
