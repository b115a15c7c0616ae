"""What an audience means: the same people on both databases."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from campaigns.conditions import CUSTOMER, Audience
from campaigns.past import as_of
from core.db import Database
from core.purchases import receipts, returns
from core.purchases.receipts import Line, Purchase, Recorded
from tests.support.world import World, kyiv, scenario

PEOPLE: dict[str, dict[str, Any]] = {
    "anna": {
        "city": "Київ",
        "birthday": date(1996, 2, 29),
        "attributes": {"pet": "cat", "kids": 2, "vip": True},
    },
    "ihor": {
        "city": "Lviv",
        "birthday": date(1980, 7, 1),
        "attributes": {"pet": "dog", "kids": 0, "vip": False},
    },
    "olena": {"gender": "female", "locale": "uk"},
}


@pytest.fixture
def world(database: Database) -> World:
    world = World(database, {"one": scenario("{birthday: {}}")}, at="2026-01-01 09:00")
    for name, profile in PEOPLE.items():
        world.customer(name, **profile)
    world.buy("anna", 2000, at=kyiv("2025-12-20 10:00"))
    world.buy("ihor", 300)
    world.bonuses("olena", 150, "2026-06-01")
    world.bonuses("olena", 500, "2026-12-01", starts=kyiv("2026-11-01 00:00"))
    world.move("2026-02-28 10:00")
    world.buy("ihor", 500)
    world.give_back(world.buy("olena", 900))
    return world


def who(world: World, audience: str) -> str:
    """The customers of an audience, in the order of their names."""
    segment = {"segments/them.yaml": audience, "segments/others.yaml": "tier: gold"}
    running = world.files({"one": scenario("{birthday: {}}")}, files=segment)
    meant = Audience(running.program, running.segments, world.now, running.kinds)
    rows = select(CUSTOMER.c.external_id).where(meant.condition(running.segments["them"]))
    with world.database.read() as connection:
        return " ".join(connection.scalars(rows.order_by(CUSTOMER.c.external_id)))


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        ("tier: [silver, gold]", "anna"),
        ("tier: bronze", "ihor olena"),
        ("city: [Київ, Kyiv]", "anna"),
        ("not: {city: Lviv}", "anna olena"),
        ("any: [{city: Lviv}, {gender: female}]", "ihor olena"),
        ("all: [{city: Lviv}, {gender: female}]", ""),
        ("not: {segment: others}", "anna ihor olena"),
        ("attributes.pet: cat", "anna"),
        ("attributes.pet: {contains: a}", "anna"),
        ("attributes.kids: {at_least: 1}", "anna"),
        ("attributes.vip: true", "anna"),
        ("attributes.vip: false", "ihor"),
        ("spent: {at_least: 800}", "anna ihor"),
        ("spent: {at_least: 500, within: 30 days}", "ihor"),
        ("purchases: {at_most: 0}", "olena"),
        ("purchases: {between: [2, 2]}", "ihor"),
        ("last_purchase: {before: 30 days}", "anna"),
        ("last_purchase: {within: 30 days}", "ihor"),
        # anna earned 10% of 2,000, ihor of 800; olena's 500 have not started.
        ("balance: {between: [100, 200]}", "anna olena"),
        # Beyond the calendar is as far as it goes.
        ("last_purchase: {between: [2026-01-01, 9999-12-31]}", "ihor"),
        ("last_purchase: {between: [0001-01-01, 2026-01-01]}", "anna"),
        ("registered: {before: 9999-12-31}", "anna ihor olena"),
        ("registered: {before: 0001-01-01}", ""),
        ("purchases: {at_least: 1, within: 36525 days}", "anna ihor"),
        ("expiring: {within: 5217 weeks}", "anna ihor olena"),
        ("reachable: sms", "anna ihor olena"),
        ("reachable: [email]", ""),
        # A birthday on 29 February is kept on the 28th in other years.
        ("age: 30", "anna"),
        ("age: {at_least: 31}", "ihor"),
        ("age: {between: [18, 44]}", "anna"),
    ],
)
def test_an_audience_means_these_people(world: World, audience: str, expected: str) -> None:
    assert who(world, f"about: Them.\n{audience}") == expected


@pytest.mark.parametrize(
    ("meant", "expected"),
    [
        ("1", "number numbers"),
        ("0", ""),
        ("'1'", "number numbers"),
        ("true", "text true trues"),
        ("false", "false"),
        ("'true'", "text true trues"),
        ("[38, 1]", "number numbers"),
        ("39", "numbers"),
    ],
)
def test_an_attribute_is_equal_as_it_is_written_on_both_databases(
    database: Database, meant: str, expected: str
) -> None:
    world = World(database, {"one": scenario("{birthday: {}}")})
    shapes = {
        "true": True, "false": False, "number": 1, "text": "true", "numbers": [1, 39], "trues": ["x", True],
        "nothing": None, "mapping": {"it": 1},
    }  # fmt: skip
    for name, value in shapes.items():
        world.customer(name, attributes={"it": value})
    assert who(world, f"attributes.it: {meant}") == expected


@pytest.mark.parametrize("name", ["улюблене", "café", "back\\slash", "a.b", "0", "[0]", "$"])
def test_an_attribute_has_whatever_name_it_was_imported_by(database: Database, name: str) -> None:
    world = World(database, {"one": scenario("{birthday: {}}")})
    world.customer("anna", attributes={name: "чай", "other": 5})
    world.customer("ihor", attributes={name: 5, "other": "чай"})
    world.customer("olha")
    for asked, expected in (("чай", "anna"), ("{contains: ча}", "anna"), ("{at_least: 5}", "ihor")):
        assert who(world, f"'attributes.{name}': {asked}") == expected


def test_received_means_what_went_out(database: Database) -> None:
    world = World(database, {"one": scenario("{schedule: {every: day at 10:00}}", schedule="")})
    world.customer("anna")
    world.looks("2026-03-01 10:00")
    audience = "received: {scenario: one, within: 30 days}"
    assert who(world, audience) == ""
    world.settle()
    assert who(world, audience) == "anna"
    world.move("2026-04-05 10:00")
    assert who(world, audience) == ""


# --- real receipts, holds and returns, and looks at the past


def sold(world: World, name: str, *lines: Line, at: str, store: str = "S1") -> str:
    """A receipt with goods; returns its number."""
    receipt = f"{name}-{at}"
    purchase = Purchase(receipt, name, kyiv(at), lines, store=store)
    with world.database.write() as connection:
        [outcome] = receipts.record(connection, world.program, [purchase], world.now, live=True)
    assert isinstance(outcome, Recorded), outcome
    return receipt


def who_then(world: World, audience: str, at: str) -> str:
    """The customers of an audience, as a look at an earlier time sees them."""
    running = world.files({"one": scenario("{birthday: {}}")}, files={"segments/them.yaml": audience})
    with world.database.read() as connection:
        as_of(connection, running.program, kyiv(at))
        meant = Audience(running.program, running.segments, kyiv(at), running.kinds)
        rows = select(CUSTOMER.c.external_id).where(meant.condition(running.segments["them"]))
        return " ".join(connection.scalars(rows.order_by(CUSTOMER.c.external_id)))


def test_goods_that_came_back_were_not_bought(database: Database) -> None:
    world = World(database, {"one": scenario("{birthday: {}}")})
    for name in ("anna", "ihor"):
        world.customer(name)
    world.move("2026-03-02 10:00")
    coffee, tea = Line("c1", 1000, 10000, category="coffee"), Line("t1", 1000, 5000, category="tea")
    receipt = sold(world, "anna", coffee, tea, at="2026-03-02 09:00")
    sold(world, "ihor", coffee, at="2026-03-02 09:30", store="S2")
    world.move("2026-03-05 10:00")
    with world.database.write() as connection:
        back = returns.Return(receipt, world.now, (returns.Back(sku="c1"),))
        assert isinstance(returns.take_back(connection, world.program, back, world.now, live=True), Recorded)
    assert who(world, "bought: {category: coffee}") == "ihor"
    assert who(world, "bought: {category: tea, store: S1}") == "anna"
    assert who(world, "returned: {within: 7 days}") == "anna"
    assert who(world, "favourite_category: tea") == "anna"
    assert who(world, "favourite_store: S2") == "ihor"
    # The day before, nothing had come back.
    assert who_then(world, "bought: {category: coffee}", "2026-03-04 10:00") == "anna ihor"
    assert who_then(world, "returned: {at_least: 1}", "2026-03-04 10:00") == ""
    assert who_then(world, "purchases: {at_least: 1}", "2026-03-01 10:00") == ""


def test_fifths_are_those_of_then(database: Database) -> None:
    world = World(database, {"one": scenario("{birthday: {}}")})
    for name in ("anna", "ihor", "olena", "petro", "taras"):
        world.customer(name)
    for day, name in enumerate(("anna", "ihor", "olena", "petro", "taras"), 2):
        world.move(f"2026-03-{day:02} 10:00")
        world.buy(name, 100 * day)
    assert who(world, "rfm: {recency: 5, monetary: 5}") == "taras"
    assert who(world, "rfm: {recency: {at_most: 2}}") == "anna ihor"
    assert who(world, "rfm: {frequency: 1}") == "anna ihor olena petro taras"
    world.move("2026-04-01 10:00")
    world.buy("anna", 5000)
    assert who(world, "rfm: {recency: 5, frequency: {at_least: 4}, monetary: 5}") == "anna"
    assert who_then(world, "rfm: {recency: 5}", "2026-03-20 10:00") == "taras"


def test_the_balance_is_what_a_till_would_say(database: Database) -> None:
    world = World(database, {"one": scenario("{birthday: {}}")})
    world.customer("anna")
    world.bonuses("anna", 300, "2026-03-10")
    assert who(world, "balance: {between: [300, 300]}") == "anna"
    assert who(world, "balance: {account: base, at_least: 300}") == "anna"
    assert who(world, "expiring: {within: 9 days, at_least: 300}") == "anna"
    assert who(world, "expiring: {within: 8 days}") == ""
    world.move("2026-03-11 00:00")
    assert who(world, "balance: {more_than: 0}") == ""
    assert who_then(world, "expiring: {within: 1 day}", "2026-03-10 23:00") == "anna"


def test_a_level_at_least(database: Database) -> None:
    world = World(database, {"one": scenario("{birthday: {}}")})
    for name, tier in (("anna", "gold"), ("ihor", "silver"), ("olena", "bronze")):
        world.customer(name)
        if tier != "bronze":
            world.tier(name, tier)
    assert who(world, "tier: {at_least: silver}") == "anna ihor"
    assert who(world, "tier: {at_most: silver}") == "ihor olena"
    assert who(world, "tier_since: {within: 1 day}\ntier: gold") == "anna"
