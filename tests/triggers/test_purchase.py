"""A purchase: which are meant, which number each has, and what a return makes of the news."""

from datetime import date
from decimal import Decimal

import pytest

from core.db import Database
from core.purchases.receipts import Line, Purchase, record
from core.purchases.returns import Back, Return, take_back
from core.tables import Product, Store
from tests.support.happenings import buy, catalogue, give_back, merge, share, still_true, told
from tests.support.world import World, kyiv, scenario


def waiting_for(database: Database, parameters: str = "{}", **more: str) -> World:
    """Anna and Ihor are known; who buys something is written to."""
    when = scenario(f"{{purchase: {parameters}}}", purpose="service", schedule="", **more)
    world = World(database, {"thanks": when})
    world.customer("anna")
    world.customer("ihor")
    return world


def numbers(world: World) -> list[tuple[str, int]]:
    """The receipts that messages speak of, with their numbers."""
    return [(facts["receipt"], facts["number"]) for _, facts in told(world)]


def test_a_message_can_say_what_was_bought_where_and_what_it_brought(database: Database) -> None:
    world = waiting_for(database)
    catalogue(database)
    world.bonuses("anna", 50)
    receipt = buy(world, "anna", ("latte", 90), ("croissant", 60), store="S1", pay=50)
    world.look("2026-03-01 10:00")
    assert told(world) == [("anna", {
        "receipt": receipt, "total": Decimal(150), "goods": "Latte, Croissant", "store": "Podil",
        "bought_on": date(2026, 3, 1), "number": 1, "earned": Decimal(10), "paid": Decimal(50),
    })]  # fmt: skip


def test_goods_and_stores_that_nobody_has_named_are_said_by_their_codes(database: Database) -> None:
    world = waiting_for(database)
    buy(world, "anna", ("latte", 90), store="S9")
    world.look("2026-03-01 10:00")
    [(_, facts)] = told(world)
    assert (facts["goods"], facts["store"]) == ("latte", "S9")


@pytest.mark.parametrize(
    ("parameters", "meant"),
    [
        ("{at_least: 100}", True),
        ("{at_least: 100.01}", False),
        ("{sku: latte}", True),
        ("{sku: [espresso, latte]}", True),
        ("{sku: espresso}", False),
        ("{category: bakery}", True),
        ("{category: tea}", False),
        ("{category: coffee, sku: latte}", True),
        ("{category: bakery, sku: latte}", False),
        ("{store: [S1, S2]}", True),
        ("{store: S2}", False),
        ("{at_least: 100, category: coffee, store: S1, nth: 1}", True),
        ("{nth: 2}", False),
    ],
)
def test_only_the_purchases_that_are_meant_are_news(database: Database, parameters: str, meant: bool) -> None:
    world = waiting_for(database, parameters)
    buy(world, "anna", ("latte", 60), ("croissant", 40), store="S1")
    assert world.look("2026-03-01 10:00") == ({"anna": "planned"} if meant else {})


def test_the_category_is_the_one_of_then_else_the_one_of_the_catalogue(database: Database) -> None:
    world = waiting_for(database, "{category: tea}")
    catalogue(database)
    with database.write() as connection:
        tea = {"sku": "sencha", "category": "tea"}
        connection.execute(Product.__table__.insert(), tea)  # type: ignore[attr-defined]
    buy(world, "anna", ("latte", 60))
    buy(world, "ihor", ("sencha", 60))
    assert world.look("2026-03-01 10:00") == {"ihor": "planned"}


def test_goods_that_the_catalogue_learns_of_later_have_its_category(database: Database) -> None:
    world = waiting_for(database, "{category: tea}")
    catalogue(database)
    for name, sku in (("anna", "sencha"), ("ihor", "lemonade")):
        buy(world, name, (sku, 60))
    tea = [{"sku": "sencha", "category": "tea"}, {"sku": "lemonade", "category": "cold"}]
    with database.write() as connection:
        connection.execute(Product.__table__.insert(), tea)  # type: ignore[attr-defined]
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}


def test_every_receipt_speaks_of_its_own_goods_in_its_own_store(database: Database) -> None:
    world = waiting_for(database)
    catalogue(database)
    with database.write() as connection:
        connection.execute(Store.__table__.insert(), {"code": "S2", "name": "Obolon"})  # type: ignore[attr-defined]
    buy(world, "anna", ("latte", 60), store="S1")
    buy(world, "ihor", ("croissant", 60), ("espresso", 40), store="S2")
    world.look("2026-03-01 10:00")
    assert {name: (facts["goods"], facts["store"]) for name, facts in told(world)} == {
        "anna": ("Latte", "Podil"), "ihor": ("Croissant, Espresso", "Obolon"),
    }  # fmt: skip


def test_of_what_came_back_in_part_the_rest_was_bought_and_what_has_no_quantity_too(
    database: Database,
) -> None:
    """Half of the latte comes back. The delivery is a line with a price and no quantity."""
    world = waiting_for(database, "{category: [coffee, service], sku: [latte, delivery]}")
    sold = (Line("latte", 1000, 9_000, "coffee"), Line("delivery", 0, 1_000, "service"))
    for receipt, line in zip(("anna", "ihor"), sold, strict=True):
        with database.write() as connection:
            record(
                connection,
                world.program,
                [Purchase(receipt, receipt, world.now, (line,))],
                world.now,
                live=True,
            )
    world.look("2026-03-01 10:00")
    with database.write() as connection:
        half = Return("anna", world.now, (Back(sku="latte", quantity=500),), "half")
        take_back(connection, world.program, half, world.now, live=True)
    said = {name: (it["goods"], it["total"]) for name, it in still_true(world).items()}
    assert said == {"anna": ("latte", Decimal(45)), "ihor": ("delivery", Decimal(10))}


# --- the third purchase


def test_the_third_purchase_is_told_of_and_no_other(database: Database) -> None:
    world = waiting_for(database, "{nth: 3}")
    for receipt in ("a", "b", "c", "d"):
        buy(world, "anna", ("latte", 90), receipt=receipt)
    buy(world, "ihor", ("latte", 90))
    world.look("2026-03-01 10:00")
    assert numbers(world) == [("c", 3)]


def test_a_purchase_that_was_returned_has_no_number(database: Database) -> None:
    world = waiting_for(database, "{nth: 3}")
    for receipt in ("a", "b"):
        buy(world, "anna", ("latte", 90), receipt=receipt)
    world.give_back("a")
    buy(world, "anna", ("latte", 90), receipt="c")
    assert world.look("2026-03-01 10:00") == {}
    buy(world, "anna", ("latte", 90), receipt="d")
    world.look("2026-03-01 10:01")
    assert numbers(world) == [("d", 3)]


def test_a_purchase_of_which_something_was_kept_has_its_number(database: Database) -> None:
    world = waiting_for(database, "{nth: 2}")
    buy(world, "anna", ("latte", 90), ("croissant", 60), receipt="a")
    give_back(world, "a", "latte")
    buy(world, "anna", ("latte", 90), receipt="b")
    world.look("2026-03-01 10:00")
    assert numbers(world) == [("b", 2)]


def test_a_late_receipt_has_the_number_with_which_it_comes(database: Database) -> None:
    """Two are known; the one that was bought between them comes last, and with it there are three."""
    world = waiting_for(database, "{nth: 3}")
    world.move("2026-03-06 12:00")
    buy(world, "anna", ("latte", 90), at=kyiv("2026-03-01 12:00"), receipt="a")
    buy(world, "anna", ("latte", 90), at=kyiv("2026-03-05 12:00"), receipt="b")
    assert world.look("2026-03-06 12:01") == {}
    buy(world, "anna", ("latte", 90), at=kyiv("2026-03-03 12:00"), receipt="late")
    world.look("2026-03-06 12:02")
    assert numbers(world) == [("late", 3)]
    buy(world, "anna", ("latte", 90), receipt="d")
    assert world.look("2026-03-06 12:03") == {}


def test_a_late_receipt_takes_no_number_from_a_purchase_that_was_told_of(database: Database) -> None:
    world = waiting_for(database, "{nth: 3}")
    world.move("2026-03-06 12:00")
    for receipt in ("a", "b", "c"):
        buy(world, "anna", ("latte", 90), receipt=receipt)
    world.look("2026-03-06 12:01")
    buy(world, "anna", ("latte", 90), at=kyiv("2026-03-03 12:00"), receipt="late")
    assert world.look("2026-03-06 12:02") == {}
    assert still_true(world)["anna"]["receipt"] == "c"


def test_after_a_return_before_the_sending_the_next_purchase_is_the_third(database: Database) -> None:
    world = waiting_for(database, "{nth: 3}")
    for receipt in ("a", "b", "c"):
        buy(world, "anna", ("latte", 90), receipt=receipt)
    world.look("2026-03-01 10:00")
    world.give_back("b")
    assert still_true(world) == {}
    world.settle("recalled")
    buy(world, "anna", ("latte", 90), receipt="d")
    world.look("2026-03-01 10:01")
    assert numbers(world) == [("d", 3)]


def test_what_came_in_as_history_counts_and_is_told_of_to_nobody(database: Database) -> None:
    world = waiting_for(database, "{nth: 3}")
    for receipt in ("a", "b", "c"):
        buy(world, "anna", ("latte", 90), at=kyiv("2026-01-01 12:00"), receipt=f"anna-{receipt}", live=False)
    for receipt in ("a", "b"):
        buy(world, "ihor", ("latte", 90), at=kyiv("2026-01-01 12:00"), receipt=f"ihor-{receipt}", live=False)
    assert world.look("2026-03-01 10:00") == {}
    for name in ("anna", "ihor"):
        buy(world, name, ("latte", 90), receipt=f"{name}-now")
    world.look("2026-03-01 10:01")
    assert numbers(world) == [("ihor-now", 3)]


def test_what_is_imported_as_live_is_news_of_its_own_day(database: Database) -> None:
    world = waiting_for(database, limits="{valid_for: 3 days}")
    buy(world, "anna", ("latte", 90), at=kyiv("2026-02-27 12:00"), live=True, imported=True)
    buy(world, "ihor", ("latte", 90), at=kyiv("2026-01-01 12:00"), live=True, imported=True)
    assert world.look("2026-03-01 10:00") == {"anna": "planned", "ihor": "expired"}


# --- order, what came back, whose it is


def test_receipts_are_read_as_they_come_and_planned_for_when_they_happened(database: Database) -> None:
    world = waiting_for(database)
    world.move("2026-03-01 12:00")
    buy(world, "anna", ("latte", 90), at=kyiv("2026-03-01 12:00"), receipt="noon")
    world.look("2026-03-01 12:01")
    buy(world, "anna", ("latte", 90), at=kyiv("2026-03-01 10:00"), receipt="ten")
    world.look("2026-03-01 12:02")
    planned = [(it.facts["receipt"], it.planned_at) for it in world.messages()]
    assert planned == [("noon", kyiv("2026-03-01 12:00")), ("ten", kyiv("2026-03-01 10:00"))]
    assert numbers(world) == [("noon", 1), ("ten", 2)]


def test_what_came_back_before_the_look_was_no_purchase(database: Database) -> None:
    world = waiting_for(database)
    world.give_back(world.buy("anna", 100))
    assert world.look("2026-03-01 10:00") == {}


def test_a_return_before_the_sending_recalls_the_thanks(database: Database) -> None:
    world = waiting_for(database)
    receipt = world.buy("anna", 100)
    world.buy("ihor", 100)
    world.look("2026-03-01 10:00")
    world.give_back(receipt)
    assert set(still_true(world)) == {"ihor"}


def test_after_a_partial_return_the_message_speaks_of_what_was_kept(database: Database) -> None:
    world = waiting_for(database, "{at_least: 60, category: coffee}")
    receipt = buy(world, "anna", ("latte", 90), ("croissant", 60))
    world.look("2026-03-01 10:00")
    give_back(world, receipt, "croissant")
    facts = still_true(world)["anna"]
    assert (facts["total"], facts["goods"], facts["earned"]) == (Decimal(90), "latte", Decimal(9))


def test_after_a_partial_return_too_little_or_the_wrong_goods_are_left(database: Database) -> None:
    world = waiting_for(database, "{at_least: 60, category: coffee}")
    for name in ("anna", "ihor"):
        buy(world, name, ("latte", 50), ("croissant", 60), receipt=name)
    world.look("2026-03-01 10:00")
    give_back(world, "anna", "croissant")
    give_back(world, "ihor", "latte")
    assert still_true(world) == {}


def test_in_a_household_the_one_who_bought_is_told(database: Database) -> None:
    world = waiting_for(database)
    share(world, "anna", "ihor")
    buy(world, "ihor", ("latte", 90))
    assert world.look("2026-03-01 10:00") == {"ihor": "planned"}
    assert set(still_true(world)) == {"ihor"}


def test_a_duplicate_s_purchase_is_told_to_the_survivor_and_counts_as_theirs(database: Database) -> None:
    world = waiting_for(database, "{nth: 2}")
    buy(world, "anna", ("latte", 90), receipt="hers")
    buy(world, "ihor", ("latte", 90), receipt="also-hers")
    merge(world, "ihor", "anna")
    world.look("2026-03-01 10:00")
    assert [(name, facts["receipt"]) for name, facts in told(world)] == [("anna", "also-hers")]


def test_a_message_to_a_duplicate_is_recalled(database: Database) -> None:
    world = waiting_for(database)
    buy(world, "ihor", ("latte", 90))
    world.look("2026-03-01 10:00")
    merge(world, "ihor", "anna")
    assert still_true(world) == {}


def test_nobody_thanks_who_was_erased(database: Database) -> None:
    world = waiting_for(database)
    buy(world, "anna", ("latte", 90))
    world.look("2026-03-01 10:00")
    buy(world, "ihor", ("latte", 90))
    world.erase("anna")
    world.erase("ihor")
    assert still_true(world) == {}
    assert world.look("2026-03-01 10:01") == {}
