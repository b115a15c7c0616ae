"""Near the next tier: one message for each tier aimed at and each period, by what stands in the books now."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.db import Database
from tests.support.happenings import buy, still_true, told
from tests.support.world import World, kyiv, scenario

LEVELS = [
    {"name": "bronze", "from": 0, "earn": "10%"},
    {"name": "silver", "from": 1000, "earn": "20%"},
    {"name": "gold", "from": 5000, "earn": "30%"},
]
TWO_STEPS = "[{id: hello, message: hello, send: [sms]}, {id: more, wait: 1 day, message: hello, send: [sms]}]"


def world_of(
    database: Database, missing: int = 200, *, at: str = "2026-03-01 09:00", tiers: Any = None, **parts: str
) -> World:
    when = f"{{tier_near: {{missing: {missing}}}}}"
    program = {"tiers": {"over": "365 days", "grace": "30 days", "levels": LEVELS} | (tiers or {})}
    return World(database, {"near": scenario(when, **parts)}, program=program, at=at)


def test_little_is_left_to_the_tier_above(database: Database) -> None:
    world = world_of(database)
    for name, spent in (
        ("far", 799),
        ("near", 800),
        ("almost", 999),
        ("silver", 1_000),
        ("nearly-gold", 4_800),
    ):
        world.customer(name)
        world.buy(name, spent)
    # Enough for silver, and moved down by hand: nothing is missing to it.
    world.tier("silver", "bronze")
    assert world.look("2026-03-01 10:00") == {
        "almost": "planned",
        "near": "planned",
        "nearly-gold": "planned",
    }
    facts = {it.external_id: it.facts for it in world.enrolments()}
    assert facts["near"] == {
        "tier": "bronze", "next_tier": "silver", "missing": 20_000, "have": 80_000, "period_ends_on": None,
    }  # fmt: skip
    assert facts["nearly-gold"]["next_tier"] == "gold"


def test_the_last_hundredth_of_what_is_left_and_a_purchase_of_this_moment_count(database: Database) -> None:
    world = world_of(database)
    for name in ("hundredth", "ahead"):
        world.customer(name)
    world.move("2026-03-01 10:00")
    buy(world, "hundredth", ("latte", Decimal("999.99")))
    # By a clock that is fast: it counts when its time has come.
    buy(world, "ahead", ("latte", 900), at=world.now + timedelta(minutes=1))
    assert world.look() == {"hundredth": "planned"}
    assert world.look("2026-03-02 10:00") == {"ahead": "planned"}


def test_coming_nearer_is_no_new_occasion_but_the_next_tier_is(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.buy("anna", 850)
    world.look("2026-03-01 10:00")
    world.settle()
    world.buy("anna", 50)
    assert world.looked("2026-03-02 10:00") == {}
    world.buy("anna", 3_950)
    assert world.look("2026-03-03 10:00") == {"anna": "planned"}
    assert [it.occasion.split(" / ")[0] for it in world.enrolments()] == ["silver", "gold"]


def test_what_waits_says_how_near_it_is_now_and_is_over_with_the_tier_aimed_at(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.buy("anna", 850)
    world.give_back(world.buy("anna", 100))
    said = {"tier": "bronze", "next_tier": "silver", "period_ends_on": None}
    world.look("2026-03-01 10:00")
    assert told(world) == [("anna", {**said, "missing": Decimal(150), "have": Decimal(850)})]
    world.buy("anna", 50)
    assert still_true(world) == {"anna": {**said, "missing": Decimal(100), "have": Decimal(900)}}
    world.buy("anna", 3_950)  # silver now, and near gold
    assert still_true(world) == {}


def test_each_period_of_the_calendar_is_an_occasion(database: Database) -> None:
    world = world_of(database, at="2026-11-01 09:00", tiers={"over": "calendar year", "grace": "10 days"})
    for name in ("anna", "midnight"):
        world.customer(name)
    world.buy("anna", 900)
    assert world.look("2026-11-02 10:00") == {"anna": "planned"}
    world.settle()
    world.move("2027-01-01 00:00")
    world.buy("midnight", 900)
    assert world.look("2027-01-01 10:00") == {"midnight": "planned"}
    world.settle()
    world.buy("anna", 900)
    assert world.look("2027-01-02 10:00") == {"anna": "planned"}
    occasions = [
        (it.occasion, it.facts["period_ends_on"]) for it in world.enrolments() if it.external_id == "anna"
    ]
    assert occasions == [("silver / 2026-01-01", "2026-12-31"), ("silver / 2027-01-01", "2027-12-31")]


def test_where_days_are_counted_back_a_period_is_as_long_and_begins_with_the_registration(
    database: Database,
) -> None:
    world = world_of(database, tiers={"over": "30 days", "grace": "0 days"})
    world.customer("anna")
    found = []
    for day in ("2026-03-02", "2026-03-20", "2026-04-06", "2026-04-20"):
        world.move(f"{day} 09:00")
        world.buy("anna", 450)
        found.append(world.look(f"{day} 10:00"))
        world.settle()
    assert [bool(it.get("anna") == "planned") for it in found] == [False, True, True, False]
    assert [it.occasion for it in world.enrolments()] == ["silver / period 1", "silver / period 2"]


def test_a_receipt_that_arrives_late_counts_from_the_next_look(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.buy("anna", 600)
    assert world.look("2026-03-10 10:00") == {}
    world.buy("anna", 250, at=kyiv("2026-03-03 10:00"))
    assert world.look("2026-03-11 10:00") == {"anna": "planned"}


def test_a_late_receipt_that_reaches_the_tier_recalls_what_waits(database: Database) -> None:
    world = world_of(database, steps=TWO_STEPS)
    for name in ("anna", "ihor"):
        world.customer(name)
        world.buy(name, 900)
    world.look("2026-03-10 10:00")
    world.settle()
    world.buy("anna", 150, at=kyiv("2026-03-03 10:00"))
    found = {(name, step): said for name, _, _, step, said in _look(world, "2026-03-11 10:00")}
    assert found["anna", "more"] == "no_longer_true"
    assert found["ihor", "more"] == "planned"


def _look(world: World, at: str) -> list[tuple[str, str, str, str, str]]:
    world.look(at)
    return world.decisions(world.now)


def test_a_returned_purchase_leads_away_again(database: Database) -> None:
    world = world_of(database, steps=TWO_STEPS)
    world.customer("anna")
    world.buy("anna", 500)
    receipt = world.buy("anna", 400)
    world.look("2026-03-01 10:00")
    world.settle()
    world.give_back(receipt)
    assert world.look("2026-03-02 10:00") == {"anna": "no_longer_true"}


@pytest.mark.parametrize("missed", [1, 7])
def test_a_day_or_a_week_without_looks_loses_nobody(database: Database, missed: int) -> None:
    world = world_of(database)
    world.customer("anna")
    world.look("2026-03-01 10:00")
    world.move("2026-03-01 12:00")
    world.buy("anna", 900)
    assert world.look(f"2026-03-{2 + missed:02} 10:00") == {"anna": "planned"}


@pytest.mark.parametrize(
    ("measure", "levels", "near"),
    [("points", (0, 100, 500), 90), ("purchases", (0, 3, 10), 2)],
)
def test_what_is_missing_is_counted_as_the_program_measures(
    database: Database, measure: str, levels: tuple[int, ...], near: int
) -> None:
    told = [it | {"from": start} for it, start in zip(LEVELS, levels, strict=True)]
    world = world_of(
        database, missing=10 if measure == "points" else 1, tiers={"measure": measure, "levels": told}
    )
    world.customer("anna")
    world.customer("far")
    world.buy("far", 100)
    world.give_back(world.buy("anna", 300))
    for total in (400, 500):
        world.buy("anna", total)
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}
    [enrolment] = world.enrolments()
    assert world.program.in_whole(enrolment.facts["have"]) == near


def test_who_never_bought_is_near_where_so_much_may_be_missing(database: Database) -> None:
    world = world_of(database, missing=1_000)
    world.customer("never")
    assert world.look("2026-03-01 10:00") == {"never": "planned"}


def test_where_there_is_one_tier_nobody_is_near_another(database: Database) -> None:
    world = world_of(database, tiers={"levels": LEVELS[:1]})
    world.customer("anna")
    world.buy("anna", 900)
    assert world.look("2026-03-01 10:00") == {}


def test_where_tiers_are_given_by_invitation_nobody_is_near(database: Database) -> None:
    levels = [{"name": "guest", "from": 0, "earn": "10%"}, {"name": "friend", "earn": "20%"}]
    world = world_of(database, tiers={"measure": "invitation", "levels": levels})
    world.customer("anna")
    world.buy("anna", 5_000)
    assert world.look("2026-03-01 10:00") == {}
