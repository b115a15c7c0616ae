"""An event of the shop's own, by its name and its attributes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns.bundle import check
from channels import discover as channels
from core.db import Database
from tests.support.happenings import merge, share, still_true, tell, told
from tests.support.world import World, bundle_of, kyiv, scenario
from triggers import discover


def waiting_for(database: Database, where: str = "{}") -> World:
    """Anna and Ihor are known; who writes a review is written to."""
    when = f"{{event: {{name: review, where: {where}}}}}"
    world = World(database, {"thanks": scenario(when, purpose="service", schedule="")})
    world.customer("anna")
    world.customer("ihor")
    return world


def test_a_message_can_say_all_that_was_told(database: Database) -> None:
    world = waiting_for(database)
    tell(world, "anna", "review", rating=5, product="latte", verified=True)
    world.look("2026-03-01 10:00")
    [(name, facts)] = told(world)
    assert (name, facts["name"]) == ("anna", "review")
    assert facts["happened_at"] == datetime(2026, 3, 1, 7, tzinfo=UTC)
    assert facts["attributes"] == {"rating": 5, "product": "latte", "verified": True}


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        ("{product: latte}", True),
        ("{product: [latte, mocha]}", True),
        ("{product: mocha}", False),
        ("{product: [42, latte]}", True),
        ("{open: false}", True),
        ("{open: true}", False),
        ("{product: {contains: att}}", True),
        ("{product: {contains: ATT}}", False),
        ("{rating: 5}", True),
        ("{rating: 5.0}", True),
        ("{rating: [3, 4]}", False),
        ("{rating: {at_least: 5}}", True),
        ("{rating: {at_most: 4}}", False),
        ("{rating: {more_than: 4, less_than: 6}}", True),
        ("{rating: {more_than: 5}}", False),
        ("{rating: {between: [1, 5]}}", True),
        ("{price: {between: [2.5, 2.5]}}", True),
        ("{verified: true}", True),
        ("{verified: false}", False),
        ("{verified: {at_least: 0}}", False),
        ("{product: {at_least: 1}}", False),
        ("{unheard: of}", False),
        ("{rating: {at_least: 4}, product: mocha}", False),
    ],
)
def test_only_attributes_that_are_meant(database: Database, where: str, meant: bool) -> None:
    world = waiting_for(database, where)
    tell(world, "anna", "review", rating=5, product="latte", verified=True, open=False, price=2.5)
    assert world.look("2026-03-01 10:00") == ({"anna": "planned"} if meant else {})


@pytest.mark.parametrize(
    ("meant", "told_of"),
    [
        ("true", {"truth", "text", "truths"}),
        ("false", set()),
        ("1", {"number", "numbers", "digit"}),
        ("'1'", {"number", "numbers", "digit"}),
        ("'true'", {"truth", "text", "truths"}),
        ("{at_least: 1}", {"number"}),
    ],
)
def test_true_is_no_number_and_a_list_is_any_of_its_items(
    database: Database, meant: str, told_of: set[str]
) -> None:
    world = waiting_for(database, f"{{it: {meant}}}")
    shapes = {
        "truth": True, "number": 1, "text": "true", "digit": "1", "numbers": [39, 1], "truths": ["x", True],
        "nothing": None, "mapping": {"it": 1},
    }  # fmt: skip
    for name, value in shapes.items():
        world.customer(name)
        tell(world, name, "review", it=value)
    assert set(world.look("2026-03-01 10:00")) == told_of


@pytest.mark.parametrize("name", ["оцінка", "café", "back\\slash", "a.b", "0", "[0]", "$"])
@pytest.mark.parametrize("meant", ["5", "{at_least: 5}"])
def test_an_attribute_has_whatever_name_it_was_told_by(database: Database, name: str, meant: str) -> None:
    world = waiting_for(database, f"{{'{name}': {meant}}}")
    said: dict[str, Any] = {name: 5}
    tell(world, "anna", "review", **said)
    tell(world, "ihor", "review", other=5)
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}


def test_another_name_is_another_event(database: Database) -> None:
    world = waiting_for(database)
    tell(world, "anna", "survey", rating=5)
    assert world.look("2026-03-01 10:00") == {}
    tell(world, "ihor", "review", rating=1)
    assert world.look("2026-03-01 10:01") == {"ihor": "planned"}


def test_an_event_is_planned_for_when_it_happened(database: Database) -> None:
    world = waiting_for(database)
    tell(world, "anna", "review", at=kyiv("2026-02-28 20:00"))
    world.look("2026-03-01 10:00")
    [message] = world.messages()
    assert message.planned_at == kyiv("2026-02-28 20:00")


def test_in_a_household_the_one_who_did_it_is_told(database: Database) -> None:
    world = waiting_for(database)
    share(world, "anna", "ihor")
    tell(world, "ihor", "review")
    assert world.look("2026-03-01 10:00") == {"ihor": "planned"}


def test_what_was_told_of_a_duplicate_is_told_to_the_survivor(database: Database) -> None:
    world = waiting_for(database)
    tell(world, "ihor", "review")
    merge(world, "ihor", "anna")
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}


def test_nobody_erased_is_thanked(database: Database) -> None:
    world = waiting_for(database)
    tell(world, "anna", "review")
    world.look("2026-03-01 10:00")
    world.erase("anna")
    assert still_true(world) == {}


@pytest.mark.parametrize(
    ("when", "what", "fix"),
    [
        ("{name: purchase}", "'purchase' has a trigger of its own", "write 'when: {purchase: {}}'"),
        ("{name: review, where: {rating: {at_leest: 4}}}", "no such parameter", "did you mean 'at_least'?"),
        ("{name: review, where: {rating: {between: [5]}}}", "between needs two numbers, got 1",
         "write '[1, 5]'"),
        ("{name: review, where: {rating: {between: [5, 1]}}}", "between begins above its end",
         "write the smaller number first"),
        ("{name: review, where: {rating: {at_least: high}}}", "expected a number, got 'high'", ""),
        ("{name: review, where: {rating: {}}}", "nothing is asked of this attribute",
         "write a value, or for example '{at_least: 4}'"),
        ("{name: review, where: {rating: []}}", "expected a value, a list of values or operators, got a list",
         "write for example '{at_least: 4}'"),
        ("{name: review, where: {rating: [[4, 5]]}}",
         "expected a value, a list of values or operators, got a list", "write for example '{at_least: 4}'"),
        ("{name: review, where: {rating: [4, null]}}",
         "expected a value, a list of values or operators, got a list", "write for example '{at_least: 4}'"),
        ("{name: review, where: {'a\"b': 5}}", "an attribute's name holds no \"",
         "tell it by another name"),
        ("{where: {rating: 5}}", "is missing", "write for example 'name: review'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(when: str, what: str, fix: str) -> None:
    bundle = bundle_of({"thanks": scenario(f"{{event: {when}}}", purpose="service", schedule="")})
    [problem] = check(bundle, discover(), channels()).problems
    assert (problem.what, problem.fix) == (what, fix)
