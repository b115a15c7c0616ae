"""A scenario test made of a live customer: masked, the same every time, green as it is written."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from campaigns.bundle import Bundle
from campaigns.running import make_ready
from core.customers.profiles import Profile, find, save
from core.db import Database
from tests.support.databases import load_tables
from tests.support.world import ADDRESSES, LINKS, World, channels, kyiv, scenario
from tidings.exporting import Exporter
from tidings.exporting.masking import Mask
from tidings.exporting.reading import Facts
from tidings.workspace_tests import run_all

KAVARNIA = Path(__file__).parents[2] / "examples" / "kavarnia"
SECRET = b"a secret of the installation"
PERSONAL = (
    "Сковорода",
    "+380671234599",
    "skovoroda",
    "KV-77",
    "10042",
    "receipt-of-hers",
    "likes long walks",
)


@pytest.fixture(autouse=True)
def tables() -> None:
    load_tables()


@pytest.fixture
def world(sqlite_database: Database) -> World:
    """The example's shop, with one customer of whom much is known."""
    world = World(sqlite_database, {})
    world.running = make_ready(Bundle.read(KAVARNIA))
    world.apply()
    world.customer(
        "10042", phone="+380671234599", email="skovoroda@example.com", card="KV-77",
        birthday=date(1990, 3, 2), city="Полтава", locale="uk", consent=["sms", "email"],
        attributes={"note": "likes long walks"}, registered_at=kyiv("2025-05-05 12:00"),
    )  # fmt: skip
    with sqlite_database.write() as connection:
        named = Profile("10042", name="Галина Сковорода")
        save(connection, world.program, ADDRESSES, [named], world.now, live=True)
    world.buy("10042", 900, at=kyiv("2026-02-20 12:00"), receipt="receipt-of-hers")
    world.tier("10042", "gold")
    world.bonuses("10042", 500, "2026-03-15")
    return world


def exported(world: World, at: str = "2026-03-01 10:30") -> str:
    with world.database.read() as connection:
        row: Any = find(connection, "10042")
        exporter = Exporter(connection, world.running, channels(world.running), LINKS, SECRET)
        return exporter.test_of(row, kyiv(at))


def test_it_runs_green_as_it_is_written(world: World) -> None:
    world.move("2026-03-01 10:30")
    text = exported(world)
    [result] = run_all(Bundle.read(KAVARNIA), {"tests/hers.yaml": text})
    assert result.passed, [str(it) for it in result.mismatches]
    assert "birthday" in text


def test_nothing_in_it_leads_to_the_person(world: World) -> None:
    world.move("2026-03-01 10:30")
    text = exported(world)
    assert [word for word in (*PERSONAL, "Полтава") if word in text] == []


def test_the_same_customer_is_always_the_same_person(world: World) -> None:
    world.move("2026-03-01 10:30")
    assert exported(world) == exported(world)
    assert Mask(SECRET, "10042").name("uk") == Mask(SECRET, "10042").name("uk-UA")


def test_what_was_sent_before_is_not_sent_again(world: World) -> None:
    world.looks("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-01 10:30")
    text = exported(world)
    [result] = run_all(Bundle.read(KAVARNIA), {"tests/hers.yaml": text})
    assert result.passed, [str(it) for it in result.mismatches]
    assert "received:" in text


@pytest.mark.parametrize("born", [date(1990, 3, 2), date(2000, 2, 29), date(1985, 3, 10)])
def test_a_birthday_near_the_look_keeps_its_day(born: date) -> None:
    moved = Mask(SECRET, "10042").birthday(born, date(2026, 3, 1))
    assert (moved.month, moved.day) == (born.month, born.day)
    assert moved.year != born.year


def test_a_birthday_far_from_the_look_is_another_day_far_from_it() -> None:
    moved = Mask(SECRET, "10042").birthday(date(1990, 9, 20), date(2026, 3, 1))
    assert moved != date(1990, 9, 20)
    assert moved.month in (8, 9)


def test_a_made_up_phone_is_of_the_same_country() -> None:
    made = Mask(SECRET, "10042").phone("+380671234599")
    assert made.startswith("+380")
    assert made != "+380671234599"


def test_the_variant_is_drawn_as_it_is_for_the_customer_however_often_it_was_renamed(
    sqlite_database: Database,
) -> None:
    steps = "[{id: hello, send: [sms], variants: [{message: a}, {message: b}, {message: c}, {message: d}]}]"
    text = scenario("{birthday: {}}", steps=steps)
    world = World(sqlite_database, {"first": text})
    for number in range(12):
        world.customer(f"c{number}", birthday=date(1990, 3, 1))
    world.apply({"second": text + "formerly: first\n"})
    world.apply({"third": text + "formerly: second\n"})
    world.apply({"third": text})
    world.look("2026-03-01 10:00")
    sent = {row.external_id: row.message for row in world.messages()}
    assert len(set(sent.values())) > 1
    with sqlite_database.read() as connection:
        for name, message in sent.items():
            row: Any = find(connection, name)
            facts = Facts(connection, world.running, row, world.now, Mask(SECRET, name))
            assert facts.given(name, name)["variants"] == {"hello": message}


def test_whoever_is_reached_by_telegram_is_in_the_test_too_in_another_chat(world: World) -> None:
    with world.database.write() as connection:
        row: Any = find(connection, "10042")
        ADDRESSES.add(connection, [(row.id, "telegram", "471147114711")], world.now)
    with world.database.read() as connection:
        facts = Facts(connection, world.running, row, world.now, Mask(SECRET, "10042"))
        given = facts.given("halyna", "Галина Приклад")
    assert given["telegram"].isdigit()
    assert given["telegram"] != "471147114711"
    [result] = run_all(Bundle.read(KAVARNIA), {"tests/hers.yaml": exported(world)})
    assert result.passed, [str(it) for it in result.mismatches]
