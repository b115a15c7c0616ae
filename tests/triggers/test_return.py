"""A return: of all or of a part, told to the buyer."""

from datetime import date
from decimal import Decimal

import pytest

from core.db import Database
from core.purchases.returns import Return, take_back
from tests.support.happenings import buy, give_back, merge, share, still_true, told
from tests.support.world import World, scenario


def waiting_for(database: Database, parameters: str = "{}") -> World:
    """Anna and Ihor are known; who brings something back is written to."""
    world = World(database, {"sorry": scenario(f"{{return: {parameters}}}", purpose="service", schedule="")})
    world.customer("anna")
    world.customer("ihor")
    return world


def test_a_message_can_say_what_came_back_and_what_became_of_the_bonuses(database: Database) -> None:
    world = waiting_for(database)
    world.bonuses("anna", 30)
    receipt = buy(world, "anna", ("latte", 100), ("croissant", 50), store="S1", pay=30)
    world.move("2026-03-02 10:00")
    give_back(world, receipt, "latte")
    world.look("2026-03-02 10:01")
    assert told(world) == [("anna", {
        "receipt": receipt, "amount": Decimal(100), "kept": Decimal(50), "store": "S1",
        "bought_on": date(2026, 3, 1), "taken_back": Decimal(8), "given_back": Decimal(20),
    })]  # fmt: skip


def test_each_part_that_comes_back_is_a_return_of_its_own(database: Database) -> None:
    world = waiting_for(database)
    receipt = buy(world, "anna", ("latte", 100), ("croissant", 50))
    give_back(world, receipt, "latte")
    give_back(world, receipt, "croissant")
    world.look("2026-03-01 10:00")
    assert [(it["amount"], it["kept"]) for _, it in told(world)] == [(100, 50), (50, 0)]


@pytest.mark.parametrize(("parameters", "meant"), [("{at_least: 100}", True), ("{at_least: 101}", False)])
def test_only_what_the_returned_goods_had_cost_counts(
    database: Database, parameters: str, meant: bool
) -> None:
    world = waiting_for(database, parameters)
    give_back(world, buy(world, "anna", ("latte", 100), ("croissant", 500)), "latte")
    assert world.look("2026-03-01 10:00") == ({"anna": "planned"} if meant else {})


def test_nothing_undoes_a_return(database: Database) -> None:
    world = waiting_for(database)
    world.give_back(world.buy("anna", 100))
    world.look("2026-03-01 10:00")
    before = told(world)
    world.buy("anna", 100)
    assert list(still_true(world).items()) == before


def test_in_a_household_the_one_who_had_bought_is_told(database: Database) -> None:
    world = waiting_for(database)
    share(world, "anna", "ihor")
    world.give_back(world.buy("ihor", 100))
    assert world.look("2026-03-01 10:00") == {"ihor": "planned"}


def test_the_survivor_is_told_of_a_duplicate_s_return(database: Database) -> None:
    world = waiting_for(database)
    receipt = world.buy("ihor", 100)
    merge(world, "ihor", "anna")
    world.give_back(receipt)
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}
    [(_, facts)] = told(world)
    assert (facts["amount"], facts["taken_back"]) == (Decimal(100), Decimal(10))


def test_returns_of_history_are_no_news(database: Database) -> None:
    world = waiting_for(database)
    receipt = buy(world, "anna", ("latte", 100), live=False)
    with database.write() as connection:
        take_back(connection, world.program, Return(receipt, world.now), world.now, live=False)
    assert world.look("2026-03-01 10:00") == {}
