"""Receipts at the till: what they earn, spend and move, and what is refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select

from core.customers.profiles import CUSTOMER
from core.db import Database
from core.events import EVENT
from core.ledger.bonuses import Request, grant
from core.ledger.lots import Refusal
from core.ledger.writing import ENTRY
from core.program import Program
from core.purchases.goods import PRODUCT
from core.purchases.receipts import LINE, RECEIPT, Outcome, Purchase, Recorded, record
from core.purchases.stats import STATS
from tests.core.books import START, accepted, check_books, check_statistics, program, purchase, register

KYIV = ZoneInfo("Europe/Kyiv")


def buy(database: Database, program: Program, *purchases: Purchase, at: datetime = START) -> list[Outcome]:
    """The till's requests, one transaction."""
    with database.write() as connection:
        return record(connection, program, purchases, at, live=True)


def test_a_receipt_earns_the_percentage_of_the_level(database: Database) -> None:
    register(database, program(), "anna")
    outcome = buy(database, program(), purchase("1", "anna", START, 12_345))[0]
    assert accepted(outcome) == {
        "receipt": "1", "customer": "anna", "earned": "12.34", "spent": "0",
        "balance": "12.34", "available": "12.34", "tier": "bronze",
        "rules": [{"rule": "base", "points": "12.34", "why": "bronze: 10% of 123.45"}],
    }  # fmt: skip


def test_the_part_paid_with_bonuses_earns_nothing(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, program(), purchase("1", "anna", START, 50_000))
    answer = accepted(buy(database, program(), purchase("2", "anna", START, 10_000, pay=4_000))[0])
    assert (answer["spent"], answer["earned"], answer["balance"]) == ("40", "6", "16")


def test_goods_of_an_excluded_category_earn_nothing(database: Database) -> None:
    register(database, program(), "anna")
    with database.write() as connection:
        connection.execute(insert(PRODUCT), {"sku": "tobacco-1", "category": "tobacco"})
    bought = purchase("1", "anna", START, 10_000, sku="tobacco-1")
    bought = Purchase("1", "anna", START, (*bought.lines, *purchase("", "", START, 5_000).lines))
    assert accepted(buy(database, program(), bought)[0])["earned"] == "5"
    with database.read() as connection:
        assert connection.scalars(select(LINE.c.earned_points).order_by(LINE.c.line)).all() == [0, 500]


@pytest.mark.parametrize(
    ("lines", "pay", "earned"),
    [
        ((333, 333, 334), 0, [33, 33, 34]),
        # 50 hundredths pay 16, 17 and 17 of the lines, by largest remainder; the rest earns 26 in all.
        ((101, 103, 107), 50, [8, 9, 9]),
    ],
)
def test_what_a_receipt_earned_is_laid_on_its_lines_to_the_last_hundredth(
    database: Database, lines: tuple[int, ...], pay: int, earned: list[int]
) -> None:
    register(database, program(), "anna")
    buy(database, program(), purchase("0", "anna", START, 1_000))
    accepted(buy(database, program(), purchase("1", "anna", START, *lines, pay=pay))[0])
    with database.read() as connection:
        laid = select(LINE.c.earned_points).where(LINE.c.receipt_id == 2).order_by(LINE.c.line)
        assert connection.scalars(laid).all() == earned


def test_a_level_is_reached_with_the_receipt_that_reaches_it_and_earns_from_the_next(
    database: Database,
) -> None:
    register(database, program(), "anna")
    first, second = buy(
        database, program(), purchase("1", "anna", START, 100_000), purchase("2", "anna", START, 100)
    )
    assert (accepted(first)["earned"], accepted(first)["tier"]) == ("100", "silver")
    assert accepted(second)["earned"] == "0.2"
    with database.read() as connection:
        happened = connection.execute(select(EVENT).where(EVENT.c.kind == "tier_changed")).one()
    assert happened.data == {"tier": "silver", "previous": "bronze", "direction": "up"}


def test_a_receipt_that_arrives_late_counts_towards_the_level_of_today(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, program(), purchase("2", "anna", START, 60_000))
    late = buy(database, program(), purchase("1", "anna", START - timedelta(days=5), 60_000))[0]
    assert accepted(late)["tier"] == "silver"
    with database.read() as connection:
        since = connection.scalar(select(CUSTOMER.c.tier_since))
        kept = connection.execute(select(STATS)).one()
    assert since == START
    assert (kept.first_purchase_at, kept.last_purchase_at) == (START - timedelta(days=5), START)


def test_spend_of_more_than_a_period_ago_reaches_no_level(database: Database) -> None:
    register(database, program(), "anna")
    buy(database, program(), purchase("1", "anna", START - timedelta(days=365), 60_000))
    assert accepted(buy(database, program(), purchase("2", "anna", START, 60_000))[0])["tier"] == "bronze"
    assert accepted(buy(database, program(), purchase("3", "anna", START, 40_000))[0])["tier"] == "silver"


def test_the_same_request_again_gets_the_same_answer_and_changes_nothing(database: Database) -> None:
    register(database, program(), "anna")
    first = accepted(buy(database, program(), purchase("1", "anna", START, 5_000))[0])
    buy(database, program(), purchase("2", "anna", START, 5_000))
    in_kyiv = purchase("1", "anna", START.astimezone(KYIV), 5_000)
    assert buy(database, program(), in_kyiv, in_kyiv) == [Recorded(first, True), Recorded(first, True)]
    with database.read() as connection:
        assert connection.scalars(select(RECEIPT.c.external_id)).all() == ["1", "2"]


@pytest.mark.parametrize(
    ("bought", "reason"),
    [
        (purchase("1", "nobody", START, 100), "unknown_customer"),
        (purchase("known", "anna", START, 1), "conflict"),
        (purchase("known", "bohdan", START, 10_000), "conflict"),
        (purchase("1", "anna", START, -100), "bad_amount"),
        (purchase("1", "anna", START, 100, pay=-1), "bad_amount"),
        (purchase("1", "anna", START + timedelta(days=2), 100), "in_the_future"),
        (purchase("1", "anna", START, 1_000, pay=501), "over_the_limit"),
        (purchase("1", "anna", START, 100_000, pay=1_001), "insufficient_balance"),
    ],
)
def test_a_refused_receipt_changes_nothing_and_holds_up_no_other(
    database: Database, bought: Purchase, reason: str
) -> None:
    register(database, program(), "anna", "bohdan")
    buy(database, program(), purchase("known", "anna", START, 10_000))
    refused, other = buy(database, program(), bought, purchase("9", "bohdan", START, 100))
    assert isinstance(refused, Refusal)
    assert refused.reason == reason
    assert accepted(other)["earned"] == "0.1"
    with database.read() as connection:
        assert connection.scalars(select(RECEIPT.c.external_id).order_by("id")).all() == ["known", "9"]
        check_books(connection)
        check_statistics(connection)


def test_bonuses_that_have_not_started_cannot_be_spent_yet(database: Database) -> None:
    slow = program(("starts: at once", "starts: after 3 days"))
    register(database, slow, "anna")
    answer = accepted(buy(database, slow, purchase("1", "anna", START, 100_000))[0])
    assert (answer["balance"], answer["available"]) == ("100", "0")
    early = purchase("2", "anna", START + timedelta(days=1), 1_000, pay=100)
    assert isinstance(buy(database, slow, early, at=early.at)[0], Refusal)
    later = purchase("3", "anna", datetime(2026, 3, 3, 22, 0, tzinfo=UTC), 1_000, pay=100)
    assert accepted(buy(database, slow, later, at=later.at)[0])["spent"] == "1"


def test_the_earliest_to_expire_is_spent_first(database: Database) -> None:
    register(database, program(), "anna")
    with database.write() as connection:
        for days, key in ((0, "old"), (10, "new")):
            request = Request(key, "anna", 1_000, START + timedelta(days=days), key)
            grant(connection, program(), request, request.at, live=True)
    at = START + timedelta(days=11)
    buy(database, program(), purchase("1", "anna", at, 10_000, pay=1_500), at=at)
    with database.read() as connection:
        spent = connection.scalars(select(ENTRY.c.amount).where(ENTRY.c.kind == "redemption").order_by("id"))
        assert list(spent) == [-1_000, -500]


def test_a_batch_over_a_long_time_spends_what_was_good_at_each_moment(database: Database) -> None:
    patient = program(("spend: {", "receipts: {late_at_most: 300 days}\nspend: {"))
    register(database, patient, "anna")
    buy(database, patient, purchase("1", "anna", START, 100_000))
    early, late = START + timedelta(days=10), START + timedelta(days=190)
    spent, refused = buy(
        database,
        patient,
        purchase("2", "anna", early, 10_000, pay=4_000),
        purchase("3", "anna", late, 20_000, pay=6_100),
        at=late,
    )
    assert accepted(spent)["spent"] == "40"
    # Of the first receipt's bonuses 60 were left, but by then they were over.
    assert isinstance(refused, Refusal)
    assert refused.reason == "insufficient_balance"


def test_history_is_recorded_and_triggers_nothing(database: Database) -> None:
    register(database, program(), "anna")
    with database.write() as connection:
        record(connection, program(), [purchase("1", "anna", START, 500_000)], START, live=False)
    with database.read() as connection:
        kinds = connection.execute(select(EVENT.c.kind, EVENT.c.live).order_by(EVENT.c.id)).all()
    assert [tuple(row) for row in kinds] == [
        ("registered", False), ("purchase", False), ("tier_changed", False), ("bonus_accrued", False),
    ]  # fmt: skip


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00"])
def test_a_time_that_nobody_can_mean_is_refused_and_the_rest_goes_in(database: Database, at: str) -> None:
    register(database, program(), "anna")
    odd = purchase("odd", "anna", datetime.fromisoformat(at), 10_000)
    refused, fine = buy(database, program(), odd, purchase("fine", "anna", START, 10_000))
    assert isinstance(refused, Refusal)
    assert refused.reason == "impossible_time"
    assert accepted(fine)["earned"] == "10"
