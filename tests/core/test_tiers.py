"""Levels go up at once, and down when the period and its grace no longer carry them."""

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import func, select

from core.customers.profiles import CUSTOMER
from core.db import Database
from core.events import EVENT, append
from core.program.versions import begin
from core.purchases.receipts import record
from core.tiers import CHANGE, review, review_of_the_day
from tests.core.books import START, accepted, program, purchase, register
from tests.core.climbing import LEVELS, Till, club, kyiv


def test_a_level_is_reached_at_once_and_lost_after_its_period_and_grace(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2025-03-01 10:00", 1000)
    assert anna.tier() == "silver"
    assert anna.looks("2026-03-31 23:59") == 0
    assert anna.looks("2026-04-01 00:00") == 1
    assert anna.looks("2026-04-02 00:00") == 0
    assert anna.moves() == [
        ("2025-03-01 10:00", "bronze", "silver"),
        ("2026-04-01 00:00", "silver", "bronze"),
    ]
    assert anna.events() == [("silver", "up"), ("bronze", "down")]


def test_a_late_look_dates_the_move_to_the_midnight_at_which_it_fell_due(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2025-03-01 10:00", 1000)
    anna.looks("2027-08-15 03:00")
    assert anna.moves()[-1] == ("2026-04-01 00:00", "silver", "bronze")
    with database.read() as connection:
        last = connection.execute(select(CHANGE).order_by(CHANGE.c.id.desc()).limit(1)).one()
    assert (last.direction, last.recorded_at) == ("down", kyiv("2027-08-15 03:00"))


def test_a_level_falls_as_far_as_the_purchases_say(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2025-03-01 10:00", 5000)
    anna.buys("2025-09-17 10:00", 1000)
    anna.looks("2026-04-01 00:00")
    assert anna.moves()[-1] == ("2026-04-01 00:00", "gold", "silver")
    anna.looks("2027-05-01 00:00")
    assert anna.tier() == "silver", "the lower level is kept for a period and its grace of its own"
    anna.looks("2027-05-02 00:00")
    assert anna.moves()[-1] == ("2027-05-02 00:00", "silver", "bronze")


def test_a_level_is_kept_for_as_long_as_the_purchases_carry_it(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2025-03-01 10:00", 1000)
    anna.buys("2025-06-09 10:00", 1000)
    anna.looks("2026-07-09 00:00")
    assert anna.tier() == "silver"
    anna.looks("2026-07-10 00:00")
    assert anna.moves()[-1] == ("2026-07-10 00:00", "silver", "bronze")


def test_a_purchase_after_the_fall_finds_it_done_without_any_review(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2023-03-01 10:00", 5000)
    anna.buys("2023-09-17 10:00", 1000)
    anna.buys("2026-10-01 12:00", 1000)
    assert anna.moves() == [
        ("2023-03-01 10:00", "bronze", "gold"),
        ("2024-03-31 00:00", "gold", "silver"),
        ("2025-05-01 00:00", "silver", "bronze"),
        ("2026-10-01 12:00", "bronze", "silver"),
    ]


def test_without_grace_a_level_falls_at_the_periods_end(database: Database) -> None:
    anna = Till(database, club("over: 30 days"))
    anna.buys("2026-01-01 23:59", 1000)
    anna.looks("2026-01-31 23:59")
    assert anna.tier() == "silver"
    anna.looks("2026-02-01 00:00")
    assert anna.moves()[-1] == ("2026-02-01 00:00", "silver", "bronze")


def test_the_nightly_look_may_come_in_any_zone_but_falls_are_at_the_programs_midnight(
    database: Database,
) -> None:
    anna = Till(database, club("over: 30 days"))
    anna.buys("2026-03-15 10:00", 1000)
    # The clocks went forward on 29 March: midnight is an hour earlier in UTC.
    assert anna.looks(kyiv("2026-04-15 00:00")) == 1
    with database.read() as connection:
        event = connection.execute(select(EVENT).where(EVENT.c.subject == "bronze")).one()
    assert event.at.isoformat() == "2026-04-14T21:00:00+00:00"


def test_a_day_without_midnight_begins_when_its_clocks_do(database: Database) -> None:
    # In Cairo clocks go from 23:59 on 23 April 2026 to 01:00 on the 24th.
    anna = Till(database, club("over: 10 days", zone="Africa/Cairo"))
    anna.buys("2026-04-13 12:00", 1000)
    anna.looks("2026-04-24 12:00")
    assert anna.moves()[-1][0] == "2026-04-24 01:00"


def test_a_leap_day_is_a_day_of_the_period(database: Database) -> None:
    anna = Till(database, club("over: 365 days"))
    anna.buys("2027-03-01 10:00", 1000)
    anna.looks("2028-03-01 00:00")
    assert anna.moves()[-1] == ("2028-03-01 00:00", "silver", "bronze")


@pytest.mark.parametrize(
    ("tiers", "levels", "amounts"),
    [
        ("measure: points", "{name: a, from: 0}, {name: b, from: 100}", [(7, 60), (7, 40)]),
        ("measure: purchases", "{name: a, from: 0}, {name: b, from: 2}", [(7, 0), (7, 0)]),
    ],
)
def test_points_and_purchases_measure_as_money_does(
    database: Database, tiers: str, levels: str, amounts: list[tuple[int, int]]
) -> None:
    anna = Till(database, club(f"{tiers}, over: 100 days", levels))
    for number, (money, points) in enumerate(amounts, start=1):
        anna.buys(f"2026-01-0{number} 10:00", money, points)
    assert anna.moves() == [("2026-01-02 10:00", "a", "b")]
    anna.looks("2026-04-12 23:59")
    assert anna.tier() == "b", "reached on 2 January, kept for a hundred days after it"
    anna.looks("2026-04-13 00:00")
    assert anna.tier() == "a"


def test_a_look_at_some_customers_leaves_the_others(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2025-03-01 10:00", 1000)
    with database.write() as connection:
        assert review(connection, club(), kyiv("2027-01-01 00:00"), among=[anna.id + 1], live=False) == 0
        assert review(connection, club(), kyiv("2027-01-01 00:00"), among=[anna.id], live=False) == 1
        last = connection.execute(select(EVENT).where(EVENT.c.kind == "tier_changed")).all()[-1]
    assert last.live is False


def test_a_level_that_the_program_no_longer_has_is_replaced_without_news(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2026-01-01 10:00", 1500)
    anna.program = club(levels=LEVELS.replace("silver", "plus"))
    assert anna.looks("2026-01-05 03:00") == 1
    assert anna.moves()[-1] == ("2026-01-05 03:00", "silver", "plus")
    assert anna.events() == [("silver", "up")]


def test_a_removed_top_level_leaves_the_one_that_purchases_reach(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2026-01-01 10:00", 6000)
    anna.program = club(levels="{name: bronze, from: 0}, {name: silver, from: 1000}")
    anna.buys("2026-01-07 12:00", 10)
    assert anna.moves()[-1] == ("2026-01-07 12:00", "gold", "silver")


def test_a_shorter_grace_takes_no_level_away_before_the_last_purchase(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2024-03-01 10:00", 1000)
    anna.buys("2025-03-20 10:00", 10)
    anna.program = club("over: 365 days")
    anna.looks("2025-03-25 03:00")
    assert anna.moves()[-1] == ("2025-03-21 00:00", "silver", "bronze")


# --- late receipts, and returned ones


def test_a_late_receipt_moves_the_level_up_at_its_own_time(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2026-01-01 10:00", 600)
    anna.buys("2026-03-01 10:00", 300)
    assert anna.tier() == "bronze"
    anna.buys("2026-02-01 10:00", 500)
    assert anna.moves() == [("2026-02-01 10:00", "bronze", "silver")]
    assert anna.events() == [("silver", "up")]


def test_a_late_receipt_undoes_a_fall_that_was_told_already(database: Database) -> None:
    anna = Till(database, club("over: 30 days"))
    anna.buys("2026-01-01 10:00", 1000)
    anna.looks("2026-02-01 01:00")
    anna.buys("2026-01-31 20:00", 1000)
    assert anna.moves() == [("2026-01-01 10:00", "bronze", "silver")]
    assert anna.events() == [("silver", "up"), ("bronze", "down"), ("silver", "up")]
    with database.read() as connection:
        voided = connection.execute(select(CHANGE).where(CHANGE.c.voided_at.is_not(None))).one()
    assert (voided.tier, voided.direction) == ("bronze", "down")


def test_a_returned_receipt_takes_its_level_away(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2026-01-01 10:00", 600)
    receipt = anna.buys("2026-01-02 10:00", 600)
    assert anna.tier() == "silver"
    anna.returns(receipt, "2026-01-10 12:00")
    assert (anna.tier(), anna.moves()) == ("bronze", [])
    assert anna.events() == [("silver", "up"), ("bronze", "down")]


def test_a_return_that_changes_no_level_in_the_end_is_no_news(database: Database) -> None:
    anna = Till(database, club())
    receipt = anna.buys("2026-01-01 10:00", 1000)
    anna.buys("2026-01-05 10:00", 1000)
    anna.returns(receipt, "2026-01-10 12:00")
    assert anna.moves() == [("2026-01-05 10:00", "bronze", "silver")]
    assert anna.events() == [("silver", "up")]


def test_a_night_of_many_falls_holds_few_accounts_at_once_and_may_be_broken_off(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("anna", "bohdan", "chrystyna")
    register(database, program(), *names)
    with database.write() as connection:
        for name in names:
            accepted(
                record(connection, program(), [purchase(name, name, START, 100_000)], START, live=True)[0]
            )
    looking, falls = import_module("core.tiers.review"), []

    def breaks_off(*told: Any, **how: Any) -> None:
        append(*told, **how)
        falls.append(1)
        if len(falls) == 3:
            raise InterruptedError

    monkeypatch.setattr(looking, "AT_ONCE", 1)
    monkeypatch.setattr(looking, "append", breaks_off)
    night = START + timedelta(days=500)
    with pytest.raises(InterruptedError):
        review_of_the_day(database, program(), night)
    with database.read() as connection:
        fallen = select(func.count()).where(CUSTOMER.c.tier == "bronze")
        assert connection.scalar(fallen) == 2
    assert review_of_the_day(database, program(), night) == 1
    assert review_of_the_day(database, program(), night) is None


def test_a_midnight_that_nobody_looked_at_is_judged_by_the_levels_of_its_time(database: Database) -> None:
    anna, longer = Till(database, club()), club("over: 730 days, grace: 30 days")
    with database.write() as connection:
        begin(connection, anna.program, kyiv("2025-03-01 00:00"))
    anna.buys("2025-03-01 10:00", 1000)
    review_of_the_day(database, anna.program, kyiv("2026-03-31 00:01"))
    # Stopped before midnight; what is started again the next noon has other levels.
    with database.write() as connection:
        begin(connection, longer, kyiv("2026-04-01 12:00"))
    assert review_of_the_day(database, longer, kyiv("2026-04-01 12:01")) == 1
    assert anna.moves()[-1] == ("2026-04-01 00:00", "silver", "bronze")
    assert review_of_the_day(database, longer, kyiv("2026-04-02 00:01")) == 0


def test_who_bought_by_the_new_levels_before_the_missed_midnight_was_looked_at_keeps_theirs(
    database: Database,
) -> None:
    anna, longer = Till(database, club()), club("over: 730 days, grace: 30 days")
    with database.write() as connection:
        begin(connection, anna.program, kyiv("2025-03-01 00:00"))
    anna.buys("2025-03-01 10:00", 1000)
    with database.write() as connection:
        begin(connection, longer, kyiv("2026-04-01 12:00"))
    anna.program = longer
    anna.buys("2026-04-01 12:01", 100)
    assert review_of_the_day(database, longer, kyiv("2026-04-01 12:02")) == 0
    assert anna.tier() == "silver"
