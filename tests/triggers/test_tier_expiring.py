"""A tier that ends: on the day that the program's own review takes it away, and not a day later."""

from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from core.db import Database
from core.tiers import Standing, progress_of
from core.tiers.review import review
from tests.support.happenings import still_waits, told
from tests.support.world import CUSTOMER, World, kyiv, scenario

LEVELS = [
    {"name": "bronze", "from": 0, "earn": "10%"},
    {"name": "silver", "from": 1000, "earn": "20%"},
    {"name": "gold", "from": 5000, "earn": "30%"},
]
TWO_STEPS = "[{id: hello, message: hello, send: [sms]}, {id: more, wait: 1 day, message: hello, send: [sms]}]"


def world_of(
    database: Database,
    ahead: str = "30 days",
    *,
    at: str = "2026-03-01 09:00",
    tiers: Any = None,
    **parts: str,
) -> World:
    when = f"{{tier_expiring: {{ahead: {ahead}}}}}"
    program = {"tiers": {"over": "90 days", "grace": "10 days", "levels": LEVELS} | (tiers or {})}
    return World(database, {"ends": scenario(when, **parts)}, program=program, at=at)


def tier_of(world: World, name: str) -> str:
    with world.database.read() as connection:
        return str(connection.scalar(select(CUSTOMER.c.tier).where(CUSTOMER.c.external_id == name)))


def test_the_end_is_the_last_day_of_the_period_and_its_grace(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.buy("anna", 1_500)
    last = date(2026, 3, 1) + timedelta(days=100)
    assert world.look(f"{last - timedelta(days=31)} 10:00") == {}
    assert world.look(f"{last - timedelta(days=30)} 10:00") == {"anna": "planned"}
    world.settle()
    assert world.look(f"{last - timedelta(days=29)} 10:00") == {}
    [enrolment] = world.enrolments()
    assert enrolment.occasion == str(last)
    assert enrolment.facts == {
        "tier": "silver", "ends_on": str(last), "days_left": 30, "to_keep": 100_000, "keep_by": str(last),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("over", "measure"),
    [
        ("90 days", "spend"), ("90 days", "purchases"), ("calendar month", "points"),
        ("calendar quarter", "purchases"), ("calendar year", "spend"), ("calendar year", "points"),
    ],
)  # fmt: skip
def test_it_says_the_day_that_the_customers_own_progress_says(
    database: Database, over: str, measure: str
) -> None:
    starts = {"spend": (0, 1000, 5000), "points": (0, 100, 900), "purchases": (0, 2, 5)}[measure]
    levels = [it | {"from": start} for it, start in zip(LEVELS, starts, strict=True)]
    tiers = {"over": over, "measure": measure, "levels": levels}
    world = world_of(database, "45 days", at="2025-10-01 00:00", tiers=tiers, purpose="service")
    random = Random(over + measure)
    # Who stopped long ago, who buys now and then, who has just begun.
    days = [(0, 91), (0, 400), (380, 428)]
    buys = sorted(
        (random.randint(*days[number % 3]), number % 12, random.choice((300, 700, 1_500, 4_000)))
        for number in range(60)
    )
    for number in range(12):
        world.customer(f"c{number}")
    for day, number, total in buys:
        # At midnight, where one day's purchases end and the next one's begin.
        world.move(f"{date(2025, 10, 1) + timedelta(days=day)} 00:00")
        with database.write() as connection:
            review(connection, world.program, world.now)
        world.buy(f"c{number}", total)
    world.move("2026-12-05 10:00")
    with database.write() as connection:
        review(connection, world.program, world.now)
    expected = {
        name: until for name, until in _ends(world).items() if until <= date(2026, 12, 5) + timedelta(days=45)
    }
    world.looks()
    assert expected
    assert {it.external_id: date.fromisoformat(it.facts["ends_on"]) for it in world.enrolments()} == expected


def _ends(world: World) -> dict[str, date]:
    """The last day of each customer's tier as the till says it."""
    with world.database.read() as connection:
        rows = connection.execute(select(CUSTOMER)).all()
        standings = {row.id: Standing(row.tier, row.tier_since, row.invited_to) for row in rows}
        found = progress_of(connection, world.program, standings, world.now)
    return {row.external_id: until for row in rows if (until := found[row.id].until)}


def test_a_series_opens_one_step_after_the_other(database: Database) -> None:
    world = world_of(database, "[30 days, 7 days, 1 day]")
    world.customer("anna")
    world.buy("anna", 1_500)
    last = date(2026, 6, 9)
    entered = {}
    for left in range(32, -2, -1):
        day = last - timedelta(days=left)
        if "planned" in world.look(f"{day} 10:00").values():
            entered[left] = world.enrolments()[-1].occasion
            world.settle()
    assert entered == {
        30: "2026-06-09 / 30 days", 7: "2026-06-09 / 7 days", 1: "2026-06-09 / 1 days",
    }  # fmt: skip


def test_what_waited_too_long_gives_way_to_the_nearer_step_that_was_entered(database: Database) -> None:
    world = world_of(database, "[30 days, 7 days]")
    world.customer("anna")
    world.buy("anna", 1_500)
    world.look("2026-05-11 10:00")
    world.move("2026-06-02 09:59")
    assert still_waits(world) == {("anna", "2026-06-09 / 30 days")}
    world.look("2026-06-02 10:00")
    assert still_waits(world) == {("anna", "2026-06-09 / 7 days")}


def test_who_becomes_due_late_enters_the_step_that_is_open(database: Database) -> None:
    world = world_of(database, "[30 days, 7 days]")
    for name in ("early", "late"):
        world.customer(name)
        world.buy(name, 600)
    world.move("2026-03-02 12:00")
    for name in ("early", "late"):
        world.buy(name, 600)
    world.move("2026-05-01 12:00")
    receipt = world.buy("late", 1_500)
    assert world.look("2026-06-05 10:00") == {"early": "planned"}
    world.settle()
    # The purchase that carried the tier further comes back: the end is as near as the other's.
    world.give_back(receipt)
    assert world.look("2026-06-06 10:00").get("late") == "planned"
    assert world.enrolments()[-1].occasion.endswith(" / 7 days")


@pytest.mark.parametrize("missed", [1, 7])
def test_a_look_missed_for_a_day_or_a_week_is_made_up_for_once(database: Database, missed: int) -> None:
    world = world_of(database)
    world.customer("anna")
    world.buy("anna", 1_500)
    assert world.look("2026-05-09 10:00") == {}
    assert world.look(f"2026-05-{10 + missed} 10:00") == {"anna": "planned"}
    world.settle()
    assert world.look(f"2026-05-{11 + missed} 10:00") == {}


def test_a_purchase_before_the_message_leaves_moves_the_end(database: Database) -> None:
    world = world_of(database, steps=TWO_STEPS)
    for name in ("anna", "ihor", "olha"):
        world.customer(name)
        world.buy(name, 1_500)
    world.look("2026-05-20 10:00")
    world.settle()
    world.buy("anna", 1_200)
    world.buy("olha", 1_200, at=kyiv("2026-03-03 12:00"))  # two days further: soon all the same
    found = {(it[0], it[3]): it[4] for it in _look(world, "2026-05-21 10:00")}
    assert found["anna", "more"] == found["olha", "more"] == "no_longer_true"
    assert found["ihor", "more"] == found["olha", "hello"] == "planned"
    assert world.look("2026-08-20 10:00").get("anna") == "planned"


def _look(world: World, at: str) -> list[tuple[str, str, str, str, str]]:
    world.look(at)
    return world.decisions(world.now)


def test_who_falls_between_the_look_and_the_message_is_not_told(database: Database) -> None:
    world = world_of(database, "7 days", steps=TWO_STEPS.replace("1 day", "6 days"))
    world.customer("anna")
    world.buy("anna", 1_500)
    world.look("2026-06-08 10:00")
    world.settle()
    world.move("2026-06-10 01:00")
    with database.write() as connection:
        assert review(connection, world.program, world.now) == 1
    assert tier_of(world, "anna") == "bronze"
    assert world.look("2026-06-14 10:00") == {"anna": "no_longer_true"}


@pytest.mark.parametrize(
    ("over", "grace", "bought", "said"),
    [
        (
            "90 days", "10 days", {"03-01 12:00": 1_500, "05-20 10:00": 300},
            {"ends_on": date(2026, 6, 9), "days_left": 20, "to_keep": Decimal(700),
             "keep_by": date(2026, 6, 9)},
        ),
        # Of April, of which the grace is left, nothing counts any more: May has to be enough alone.
        (
            "calendar month", "10 days", {"03-01 12:00": 1_500, "04-20 12:00": 700, "05-01 00:00": 500},
            {"ends_on": date(2026, 5, 10), "days_left": 9, "to_keep": Decimal(500),
             "keep_by": date(2026, 5, 10)},
        ),
        # What is bought in the grace counts for May: April is kept by what is bought in April.
        (
            "calendar month", "10 days", {"03-01 12:00": 1_500, "04-28 09:00": 700},
            {"ends_on": date(2026, 5, 10), "days_left": 12, "to_keep": Decimal(300),
             "keep_by": date(2026, 4, 30)},
        ),
        # Within a grace of more than a month each month has to be enough alone, too.
        (
            "calendar month", "40 days", {"03-01 12:00": 1_500, "05-20 12:00": 700, "06-01 00:00": 500},
            {"ends_on": date(2026, 6, 9), "days_left": 8, "to_keep": Decimal(500),
             "keep_by": date(2026, 6, 9)},
        ),
    ],
)  # fmt: skip
def test_what_a_message_says_is_missing_is_what_a_purchase_of_today_counts_towards(
    database: Database, over: str, grace: str, bought: dict[str, int], said: dict[str, Any]
) -> None:
    world = world_of(database, tiers={"over": over, "grace": grace})
    world.customer("anna")
    for at, total in bought.items():
        world.move(f"2026-{at}")
        world.buy("anna", total)
    # By a clock that is fast: it counts when its time has come.
    world.buy("anna", 200, at=world.now + timedelta(hours=12))
    world.looks(f"{world.program.day_of(world.now)} 10:00")
    assert told(world) == [("anna", {"tier": "silver"} | said)]


def test_no_day_is_told_to_keep_a_tier_by_before_its_period_has_begun(database: Database) -> None:
    world = world_of(database, "50 days", tiers={"over": "calendar month", "grace": "10 days"})
    world.customer("anna")
    world.move("2026-03-21 09:00")
    world.buy("anna", 1_500)
    world.looks("2026-03-22 10:00")
    [(_, said)] = told(world)
    assert (said["ends_on"], said["to_keep"], said["keep_by"]) == (date(2026, 5, 10), Decimal(1_000), None)


def test_at_the_midnight_at_which_a_period_begins_its_last_day_is_told(database: Database) -> None:
    tiers = {"over": "calendar month", "grace": "10 days"}
    world = world_of(database, "50 days", tiers=tiers, schedule="every day at 00:00")
    world.customer("anna")
    world.move("2026-03-21 09:00")
    world.buy("anna", 1_500)
    world.looks("2026-04-01 00:00")
    [(_, said)] = told(world)
    assert (said["ends_on"], said["keep_by"]) == (date(2026, 5, 10), date(2026, 4, 30))


def test_a_tier_that_is_over_waits_for_the_review_and_its_last_day_is_not_too_late(
    database: Database,
) -> None:
    world = world_of(database)
    for day, name in enumerate(("anna", "ihor"), 1):
        world.customer(name)
        world.move(f"2026-03-0{day} 12:00")
        world.buy(name, 1_500)
    assert world.look("2026-06-10 10:00") == {"ihor": "planned"}
    assert world.enrolments()[0].facts["days_left"] == 0


def test_where_purchases_are_counted_one_that_came_back_is_none(database: Database) -> None:
    levels = [{"name": "bronze", "from": 0, "earn": "10%"}, {"name": "silver", "from": 2, "earn": "20%"}]
    world = world_of(database, tiers={"measure": "purchases", "levels": levels})
    world.customer("anna")
    world.buy("anna", 100)
    world.buy("anna", 100)
    world.move("2026-05-01 12:00")
    world.buy("anna", 100)
    world.give_back(world.buy("anna", 100))
    assert world.look("2026-06-09 10:00") == {"anna": "planned"}
    assert world.enrolments()[0].facts["to_keep"] == 1


def test_a_receipt_that_arrives_late_carries_the_tier_further(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.buy("anna", 1_500)
    world.move("2026-05-09 12:00")
    world.buy("anna", 1_500, at=kyiv("2026-04-20 12:00"))
    assert world.look("2026-05-12 10:00") == {}
    last = date(2026, 4, 20) + timedelta(days=100)
    assert world.look(f"{last - timedelta(days=30)} 10:00") == {"anna": "planned"}


def test_the_lowest_tier_and_one_by_invitation_have_no_end(database: Database) -> None:
    world = world_of(database)
    world.customer("bronze")
    world.customer("invited")
    world.buy("invited", 1_500)
    with database.write() as connection:
        mine = CUSTOMER.update().where(CUSTOMER.c.external_id == "invited")
        connection.execute(mine.values(invited_to="silver"))
    assert world.look("2026-06-01 10:00") == {}


@pytest.mark.parametrize("changed", ["2026-03-29", "2026-10-25"])
def test_a_clock_change_neither_skips_nor_repeats_anybody(database: Database, changed: str) -> None:
    change = date.fromisoformat(changed)
    world = world_of(database, "3 days", at=f"{change - timedelta(days=105)} 09:00")
    for number in range(9):
        name = f"c{number}"
        world.customer(name)
        world.move(f"{change - timedelta(days=104 - number)} 23:30")
        world.buy(name, 1_500)
    struck = {}
    for number in range(-8, 9):
        day = change + timedelta(days=number)
        for name, said in world.look(f"{day} 03:30" if number else f"{day} 04:30").items():
            assert said == "planned"
            struck[name] = day
        world.settle()
    assert struck == {f"c{number}": change + timedelta(days=number - 7) for number in range(9)}
