"""A card that comes to a wallet and leaves it: the first device and the last one."""

from datetime import date, timedelta
from typing import Any, Literal

import pytest
from sqlalchemy import Row, select

from core.db import Database
from core.events import EVENT
from tests.support.happenings import (
    add_card,
    card_of,
    google,
    lose_phone,
    merge,
    remove_card,
    still_true,
    take_away,
    told,
)
from tests.support.world import World, scenario
from tests.wallet.acts import void
from wallet.google import webservice
from wallet.google.callback import Callback


def waiting_for(database: Database, when: str) -> World:
    """Anna and Ihor are known."""
    world = World(database, {"card": scenario(when, purpose="service", schedule="")})
    world.customer("anna")
    world.customer("ihor")
    return world


def test_the_first_device_adds_the_card_and_a_second_one_is_no_news(database: Database) -> None:
    world = waiting_for(database, "{card_added: {}}")
    add_card(world, "anna", "phone")
    add_card(world, "anna", "watch")
    add_card(world, "anna", "phone")
    world.look("2026-03-01 10:00")
    assert told(world) == [("anna", {"wallet": "apple", "since": date(2026, 3, 1)})]


def test_only_the_last_device_removes_the_card(database: Database) -> None:
    world = waiting_for(database, "{card_removed: {}}")
    add_card(world, "anna", "phone")
    remove_card(world, "anna", "watch")
    assert world.look("2026-03-01 10:00") == {}
    remove_card(world, "anna", "phone")
    assert world.look("2026-03-01 10:01") == {"anna": "planned"}


def test_google_tells_of_its_wallet(database: Database) -> None:
    world = waiting_for(database, "{card_added: {wallet: google}}")
    add_card(world, "ihor")
    google(world, "anna", "save")
    google(world, "anna", "save")
    world.look("2026-03-01 10:00")
    assert told(world) == [("anna", {"wallet": "google", "since": date(2026, 3, 1)})]


@pytest.mark.parametrize(
    ("wallet", "meant"), [("apple", {"anna"}), ("google", {"ihor"}), ("any", {"anna", "ihor"})]
)
def test_the_wallet_that_is_meant(database: Database, wallet: str, meant: set[str]) -> None:
    world = waiting_for(database, f"{{card_removed: {{wallet: {wallet}}}}}")
    remove_card(world, "anna")
    google(world, "ihor", "save")
    google(world, "ihor", "del")
    assert set(world.look("2026-03-01 10:00")) == meant


def test_a_card_that_was_removed_again_recalls_the_greeting(database: Database) -> None:
    world = waiting_for(database, "{card_added: {}}")
    add_card(world, "anna")
    google(world, "ihor", "save")
    world.look("2026-03-01 10:00")
    remove_card(world, "anna")
    google(world, "ihor", "del")
    assert still_true(world) == {}


def test_a_card_that_came_back_recalls_the_farewell(database: Database) -> None:
    world = waiting_for(database, "{card_removed: {}}")
    remove_card(world, "anna")
    world.look("2026-03-01 10:00")
    assert set(still_true(world)) == {"anna"}
    add_card(world, "anna")
    assert still_true(world) == {}


def test_a_look_at_an_earlier_time_knows_of_no_later_removal(database: Database) -> None:
    world = waiting_for(database, "{card_added: {}}")
    add_card(world, "anna")
    foreseen = world.foreseen("2026-03-01 10:00")
    assert set(foreseen.values()) == {"planned"}
    world.move("2026-03-01 11:00")
    remove_card(world, "anna")
    assert world.foreseen("2026-03-01 10:00") == foreseen
    assert world.foreseen("2026-03-01 11:00") == {}


def test_what_happens_in_one_wallet_says_nothing_of_the_other(database: Database) -> None:
    world = waiting_for(database, "{card_added: {wallet: apple}}")
    add_card(world, "anna")
    google(world, "anna", "save")
    google(world, "anna", "del")
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}
    assert set(still_true(world)) == {"anna"}


def test_of_adding_removing_and_adding_the_last_is_told_of_once(database: Database) -> None:
    world = waiting_for(database, "{card_added: {}}")
    remove_card(world, "anna")
    add_card(world, "anna")
    assert world.looked("2026-03-01 10:00") == {"planned": 1}


def test_the_card_of_a_duplicate_is_no_news_of_the_survivor(database: Database) -> None:
    world = waiting_for(database, "{card_added: {}}")
    add_card(world, "ihor")
    merge(world, "ihor", "anna")
    assert world.look("2026-03-01 10:00") == {}


@pytest.mark.parametrize("order", ["the new one comes first", "the old one goes first"])
def test_a_pass_in_the_place_of_another_is_no_card_that_left_and_came(database: Database, order: str) -> None:
    world = waiting_for(database, "{card_added: {}}")
    add_card(world, "anna")
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}
    old = lose_phone(world, "anna")
    if order == "the new one comes first":
        add_card(world, "anna", "new")
        take_away(world, old, "phone-anna")
    else:
        take_away(world, old, "phone-anna")
        add_card(world, "anna", "new")
    assert world.look("2026-03-01 10:01") == {}
    assert set(still_true(world)) == {"anna"}
    assert happened(world) == ["card_added"]
    take_away(world, card_of(world, "anna"), "new-anna")
    assert happened(world) == ["card_added", "card_removed"]


def test_google_deletes_and_saves_a_replaced_card_without_a_word(database: Database) -> None:
    world = waiting_for(database, "{card_removed: {}}")
    google(world, "anna", "save")
    old = lose_phone(world, "anna")
    hear(world, "del", old)
    google(world, "anna", "save")
    assert happened(world) == ["card_added"]
    google(world, "anna", "del")
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}


def test_nobody_leaves_when_the_shop_makes_the_pass_void(database: Database) -> None:
    world = waiting_for(database, "{card_removed: {}}")
    for name in ("anna", "ihor"):
        add_card(world, name)
    with world.database.write() as connection:  # as an erased person's, or a merged duplicate's
        void(connection, world.ids.values())
    for name in ("anna", "ihor"):
        take_away(world, card_of(world, name), f"phone-{name}")
    assert happened(world) == ["card_added", "card_added"]
    assert world.look("2026-03-01 10:00") == {}


def happened(world: World) -> list[str]:
    """What the stream of events says of cards."""
    with world.database.read() as connection:
        kinds = select(EVENT.c.kind).where(EVENT.c.kind.in_(("card_added", "card_removed")))
        return list(connection.scalars(kinds.order_by(EVENT.c.id)))


def hear(world: World, kind: Literal["save", "del"], row: Row[Any]) -> None:
    """Google tells of one object."""
    callback = Callback(kind, row.google_object_id, f"n-{row.serial}-{kind}", world.now + timedelta(hours=1))
    with world.database.write() as connection:
        webservice.note(connection, callback, world.now)
