"""What an audience means: the same people on both databases."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from campaigns.conditions import CUSTOMER, Audience
from core.db import Database
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
