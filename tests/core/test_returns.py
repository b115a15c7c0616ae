"""The return of a whole receipt."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from core.customers.profiles import CUSTOMER
from core.db import Database
from core.events import EVENT
from core.ledger.adjustments import Adjustment, adjust
from core.ledger.bonuses import Request, grant
from core.ledger.expiry import expire
from core.ledger.lots import DEBT, Refusal
from core.ledger.reading import EVERY_LOT
from core.ledger.settlement import settle
from core.ledger.writing import LOT, OPERATION
from core.program import Program
from core.purchases.receipts import RECEIPT, Line, Outcome, Purchase, Recorded, record
from core.purchases.returns import Back, Return, take_back
from core.purchases.stats import STATS
from tests.core.books import START, accepted, check_books, check_statistics, program, purchase, register

LATER = START + timedelta(days=1)
REPAYING = program()
FORGIVING = program(("debt: repay", "debt: forgive"))


def buy(database: Database, *purchases: Purchase) -> None:
    """The till's requests, each at its own time."""
    with database.write() as connection:
        for bought in purchases:
            accepted(record(connection, program(), [bought], bought.at, live=True)[0])


def give_back(database: Database, receipt: str, at: datetime = LATER, program: Program = REPAYING) -> Outcome:
    """A return; the books are checked after it."""
    with database.write() as connection:
        outcome = take_back(connection, program, Return(receipt, at), at, live=True)
    with database.read() as connection:
        check_books(connection)
        check_statistics(connection)
    return outcome


def test_what_the_receipt_earned_goes_and_what_it_spent_comes_back(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 50_000), purchase("2", "anna", START, 10_000, pay=4_000))
    assert accepted(give_back(database, "2")) == {
        "receipt": "2", "customer": "anna", "earned": "6", "taken_back": "6",
        "level_bonus_taken_back": "0", "debt": "0", "given_back": "40", "balance": "50", "available": "50",
        "tier": "bronze",
    }  # fmt: skip


STEPPING = program(("  exclude", "    - {rule: step, give: 30, on: tier_up}\n  exclude"))


def test_what_a_level_brought_is_told_where_it_goes_with_the_goods_that_reached_it(
    database: Database,
) -> None:
    register(database, STEPPING, "anna")
    with database.write() as connection:
        for bought in (purchase("1", "anna", START, 50_000, 20_000), purchase("2", "anna", START, 60_000)):
            accepted(record(connection, STEPPING, [bought], bought.at, live=True)[0])
        # Silver is reached without the second line, too.
        part = Return("1", LATER, (Back(line=2),), "part")
        some = accepted(take_back(connection, STEPPING, part, LATER, live=True))
    assert (some["taken_back"], some["level_bonus_taken_back"], some["balance"]) == ("20", "0", "140")
    answer = accepted(give_back(database, "2", program=STEPPING))
    assert (answer["taken_back"], answer["level_bonus_taken_back"], answer["balance"]) == ("60", "30", "50")
    assert "corrected" not in answer


def test_a_level_bonus_that_another_purchase_loses_stands_among_what_was_corrected(
    database: Database,
) -> None:
    register(database, STEPPING, "anna")
    with database.write() as connection:
        for bought in (purchase("1", "anna", START, 50_000), purchase("2", "anna", START, 60_000)):
            accepted(record(connection, STEPPING, [bought], bought.at, live=True)[0])
    answer = accepted(give_back(database, "1", program=STEPPING))
    assert (answer["taken_back"], answer["level_bonus_taken_back"], answer["balance"]) == ("50", "0", "60")
    assert answer["corrected"] == [{"operation": "receipt:2", "points": "-30"}]


def test_a_bag_that_cost_nothing_does_not_keep_a_purchase(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 50_000, 0))
    with database.write() as connection:
        milk = Return("1", LATER, (Back(line=1),), "milk")
        assert accepted(take_back(connection, program(), milk, LATER, live=True))["taken_back"] == "50"
    with database.read() as connection:
        check_statistics(connection)
        assert connection.execute(select(STATS.c.purchases, STATS.c.spent)).all() == [(0, 0)]
        assert connection.scalar(select(RECEIPT.c.returned_at)) == LATER
    later = LATER + timedelta(days=1)
    assert accepted(give_back(database, "1", later))["taken_back"] == "0"
    with database.read() as connection:
        assert connection.scalar(select(RECEIPT.c.returned_at)) == LATER


def test_a_return_by_a_number_of_its_own_is_not_that_of_a_receipt_which_is_called_like_both(
    database: Database,
) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 50_000, 10_000), purchase("1:a", "anna", START, 20_000))
    with database.write() as connection:
        part = Return("1", LATER, (Back(line=1),), "a")
        accepted(take_back(connection, program(), part, LATER, live=True))
    whole = accepted(give_back(database, "1:a"))
    assert whole["receipt"] == "1:a"
    assert give_back(database, "1:a") == Recorded(whole, repeated=True)


def test_a_return_that_was_recorded_before_colons_were_spelled_out_is_known(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1:a", "anna", START, 20_000))
    whole = accepted(give_back(database, "1:a"))
    with database.write() as connection:
        earlier = update(OPERATION).where(OPERATION.c.key == "return:1%3Aa").values(key="return:1:a")
        assert connection.execute(earlier).rowcount == 1
    assert give_back(database, "1:a") == Recorded(whole, repeated=True)


def test_a_return_is_not_one_of_another_receipt_that_was_recorded_before_colons_were_spelled_out(
    database: Database,
) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 50_000, 10_000), purchase("1:a", "anna", START, 20_000))
    whole = accepted(give_back(database, "1:a"))
    with database.write() as connection:
        earlier = update(OPERATION).where(OPERATION.c.key == "return:1%3Aa").values(key="return:1:a")
        assert connection.execute(earlier).rowcount == 1
    part = Return("1", LATER, (Back(line=1),), "a")
    with database.write() as connection:
        outcome = accepted(take_back(connection, program(), part, LATER, live=True))
    assert outcome["receipt"] == "1"
    with database.write() as connection:
        assert take_back(connection, program(), part, LATER, live=True) == Recorded(outcome, repeated=True)
    assert give_back(database, "1:a") == Recorded(whole, repeated=True)


def test_spent_bonuses_go_back_to_the_lots_they_came_from(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 1_000), purchase("2", "anna", START, 1_000))
    buy(database, purchase("3", "anna", START, 1_000, pay=150))
    give_back(database, "3")
    with database.read() as connection:
        assert connection.scalars(select(LOT.c.remaining).order_by(LOT.c.id)).all() == [100, 100, 0]


@pytest.mark.parametrize(
    ("back", "given_back", "left"),
    [
        # Of the 100 for sweets alone, 25 lay on these and 75 on the coffee: that is owed, and paid in money.
        (("chocolate",), "25", {"sweet": 10_000, "base": -7_500}),
        (("coffee",), "75", {"sweet": 7_500}),
        (("chocolate", "coffee"), "100", {"sweet": 10_000}),
    ],
)
def test_bonuses_for_some_goods_pay_for_no_others_once_these_came_back(
    database: Database, back: tuple[str, ...], given_back: str, left: dict[str, int]
) -> None:
    rules = program(
        ("debt: repay", "debt: repay\n  accounts: {sweet: {goods: {category: sweets}}}"),
        ("[tobacco]", "[sweets, drinks]"),
    )
    chocolate = Line("chocolate", 1000, 10_000, category="sweets")
    bought = (chocolate, Line("coffee", 1000, 30_000, category="drinks"))
    wanted = Return("1", LATER, tuple(Back(sku=sku) for sku in back))
    register(database, rules, "anna")
    with database.write() as connection:
        gift = Adjustment("gift", "anna", 10_000, "maria", "a birthday", account="sweet")
        accepted(adjust(connection, rules, gift, START, live=True))
        paying = Purchase("1", "anna", START, bought, pay_points=10_000)
        accepted(record(connection, rules, [paying], START, live=True)[0])
        answer = accepted(take_back(connection, rules, wanted, LATER, live=True))
        lots = connection.execute(select(LOT).where(LOT.c.remaining != 0)).all()
        check_books(connection)
    assert answer["given_back"] == given_back
    assert {lot.account: lot.remaining for lot in lots} == left


def test_what_was_already_spent_becomes_a_debt_that_the_next_accruals_repay(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 10_000), purchase("2", "anna", START, 2_000, pay=1_000))
    # 10 earned and spent on the second receipt, whose own bonus of 1 pays the first part of what is owed.
    answer = accepted(give_back(database, "1"))
    assert (answer["taken_back"], answer["debt"], answer["balance"], answer["available"]) == (
        "10", "9", "-9", "0",
    )  # fmt: skip
    buy(database, purchase("3", "anna", LATER, 4_000))
    with database.read() as connection:
        assert connection.scalar(select(LOT.c.remaining).where(LOT.c.reason == DEBT)) == -500
    buy(database, purchase("4", "anna", LATER, 8_000))
    with database.read() as connection:
        left = {row.reason: row.remaining for row in connection.execute(select(LOT).order_by(LOT.c.id))}
    assert left == {DEBT: 0, "purchase": 300}


def test_a_forgiving_program_takes_only_what_is_left(database: Database) -> None:
    register(database, FORGIVING, "anna")
    buy(database, purchase("1", "anna", START, 10_000), purchase("2", "anna", START, 2_000, pay=700))
    answer = accepted(give_back(database, "1", program=FORGIVING))
    assert (answer["taken_back"], answer["debt"], answer["balance"]) == ("10", "0", "1.3")


def test_what_has_expired_is_owed_by_nobody(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 10_000))
    over = START + timedelta(days=200)
    assert expire(database, program(), over) == 1
    answer = accepted(give_back(database, "1", over))
    assert (answer["earned"], answer["debt"], answer["balance"]) == ("10", "0", "0")


def test_bonuses_of_a_lot_that_has_ended_live_on_for_the_grace(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 10_000), purchase("2", "anna", START, 2_000, pay=600))
    over = START + timedelta(days=200)
    assert expire(database, program(), over) == 2
    # What the second receipt had earned itself was lost before it came back: nobody is paid for that.
    answer = accepted(give_back(database, "2", over))
    assert (answer["given_back"], answer["balance"], answer["available"]) == ("6", "6", "6")
    assert expire(database, program(), over + timedelta(days=13)) == 0
    assert expire(database, program(), over + timedelta(days=15)) == 1
    with database.read() as connection:
        check_books(connection)
        assert set(connection.scalars(select(LOT.c.remaining))) == {0}


def test_what_lives_on_for_the_grace_keeps_its_account_and_whoever_gave_it(database: Database) -> None:
    rules = program(
        ("debt: repay", "debt: repay\n  accounts: {welcome: {lasts: 30 days}}"),
        ("lasts: 30 days}\n  exclude", "account: welcome}\n  exclude"),
        ("spend: {share", "partners: {cinema: {stores: c1}, books: {stores: b1}}\nspend: {share"),
    )
    register(database, rules, "anna", live=True)
    seen = replace(purchase("1", "anna", START, 10_000), store="c1")
    spent = replace(purchase("2", "anna", START, 20_000, pay=6_000), store="b1")
    with database.write() as connection:
        for bought in (seen, spent):
            accepted(record(connection, rules, [bought], bought.at, live=True)[0])
    over = START + timedelta(days=200)
    expire(database, rules, over)
    accepted(give_back(database, "2", over, rules))
    open_lots = select(LOT.c.account, LOT.c.partner, LOT.c.remaining).where(LOT.c.remaining != 0)
    with database.read() as connection:
        found = {tuple(row) for row in connection.execute(open_lots)}
        assert found == {("welcome", None, 5_000), ("base", "cinema", 1_000)}
        assert settle(connection, rules, START, over + timedelta(days=1)).debts == ()


def test_without_a_grace_bonuses_of_a_lot_that_has_ended_are_lost(database: Database) -> None:
    strict = program(("debt: repay", "debt: repay\n  return_grace: 0 days"))
    register(database, strict, "anna")
    buy(database, purchase("1", "anna", START, 10_000), purchase("2", "anna", START, 2_000, pay=600))
    over = START + timedelta(days=200)
    assert expire(database, strict, over) == 2
    assert accepted(give_back(database, "2", over, strict))["available"] == "0"
    expire(database, strict, over)
    with database.read() as connection:
        check_books(connection)
        assert set(connection.scalars(select(LOT.c.remaining))) == {0}


def test_both_receipts_returned_leave_nothing_owed_even_after_the_expiry(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 10_000), purchase("2", "anna", START, 2_000, pay=600))
    over = START + timedelta(days=200)
    expire(database, program(), over)
    # The second receipt's own bonus of 1.4 would have repaid a part, had the debt been known.
    assert accepted(give_back(database, "1", over))["balance"] == "-4.6"
    assert accepted(give_back(database, "2", over))["balance"] == "0"


def test_a_returned_receipt_no_longer_counts(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 100), purchase("2", "anna", LATER, 200))
    give_back(database, "2")
    with database.read() as connection:
        kept = connection.execute(select(STATS)).one()
    assert (kept.purchases, kept.spent, kept.last_purchase_at) == (1, 100, START)
    give_back(database, "1")
    with database.read() as connection:
        assert tuple(connection.execute(select(STATS)).one())[1:] == (None, None, 0, 0)


def test_a_level_that_only_the_returned_receipt_carried_is_lost(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 60_000), purchase("2", "anna", START, 60_000))
    assert accepted(give_back(database, "1"))["tier"] == "bronze"
    with database.read() as connection:
        happened = connection.execute(select(EVENT).where(EVENT.c.kind == "tier_changed")).all()[-1]
        assert happened.data == {"tier": "bronze", "previous": "silver", "direction": "down"}
        assert connection.scalar(select(CUSTOMER.c.tier)) == "bronze"


def test_a_level_that_other_receipts_had_reached_is_kept_for_its_time(database: Database) -> None:
    register(database, program(), "anna")
    small = purchase("2", "anna", START + timedelta(days=300), 1_000)
    buy(database, purchase("1", "anna", START, 120_000), small)
    # A year after the level was reached its spend has left the period, but it is kept for the grace.
    at = START + timedelta(days=380)
    assert accepted(give_back(database, "2", at))["tier"] == "silver"


def test_a_return_is_told_as_an_event(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 10_000))
    give_back(database, "1")
    with database.read() as connection:
        happened = connection.execute(select(EVENT).where(EVENT.c.kind == "return")).one()
    assert (happened.subject, happened.at, happened.live) == ("1", LATER, True)
    assert happened.data == {
        "total": 10_000, "store": None, "returned": 10_000, "taken_back": 1_000, "given_back": 0
    }  # fmt: skip


def test_a_receipt_is_returned_once(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 10_000))
    first = accepted(give_back(database, "1"))
    assert give_back(database, "1", LATER + timedelta(days=1)) == Recorded(first, repeated=True)


@pytest.mark.parametrize(
    ("receipt", "at", "reason"),
    [
        ("9", LATER, "unknown_receipt"),
        ("1", START - timedelta(hours=1), "before_the_purchase"),
    ],
)
def test_a_return_that_cannot_be_is_refused(
    database: Database, receipt: str, at: datetime, reason: str
) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 10_000))
    outcome = give_back(database, receipt, at)
    assert isinstance(outcome, Refusal)
    assert outcome.reason == reason


def test_a_debt_is_paid_at_once_from_what_is_left(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, purchase("1", "anna", START, 10_000), purchase("2", "anna", START, 2_000, pay=1_000))
    with database.write() as connection:
        request = Request("gift", "anna", 5_000, LATER)
        accepted(grant(connection, program(), request, LATER, live=True))
    answer = accepted(give_back(database, "1"))
    assert (answer["balance"], answer["available"]) == ("41", "41")
    with database.read() as connection:
        assert connection.scalars(select(LOT.c.remaining).where(LOT.c.remaining < 0)).all() == []


def test_a_return_looks_for_the_lots_of_its_account_and_not_through_those_of_everybody(
    database: Database,
) -> None:
    kind = database.dialect
    question = EVERY_LOT.text(kind).replace("$1", "1").replace("?", "1")
    with database.write() as connection:
        if kind != "sqlite":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        word = "EXPLAIN QUERY PLAN" if kind == "sqlite" else "EXPLAIN"
        plan = " ".join(str(row[-1]) for row in connection.exec_driver_sql(f"{word} {question}"))
    assert "lot_of_operation" in plan
    assert "SCAN lot" not in plan
