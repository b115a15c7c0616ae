"""A new customer, and how they came."""

from datetime import date

import pytest

from core.customers import profiles
from core.customers.profiles import Profile
from core.db import Database
from core.events import Happening, append
from tests.support.happenings import merge, still_true, told
from tests.support.world import ADDRESSES, World, kyiv, scenario


def waiting_for(database: Database, parameters: str = "{}") -> World:
    when = scenario(f"{{registered: {parameters}}}", purpose="service", schedule="")
    return World(database, {"welcome": when})


def join(world: World, name: str, source: str, *, live: bool = True) -> None:
    """A customer who came by some way."""
    profile = Profile(name, phone="+380501112233", registered_at=world.now)
    with world.database.write() as connection:
        [saved] = profiles.save(
            connection, world.program, ADDRESSES, [profile], world.now, live=live, source=source
        )
    world.ids[name] = saved.customer_id


def test_a_message_can_say_when_and_how_they_came(database: Database) -> None:
    world = waiting_for(database)
    join(world, "anna", "referral")
    world.look("2026-03-01 10:00")
    assert told(world) == [("anna", {"registered_on": date(2026, 3, 1), "source": "referral"})]


def test_who_was_noted_by_an_older_program_came_through_the_door(database: Database) -> None:
    world = waiting_for(database, "{source: api}")
    world.customer("anna")
    with database.write() as connection:
        noted = Happening(world.ids["anna"], "registered", world.now, "registration")
        append(connection, [noted], world.now, live=True)
    world.look("2026-03-01 10:00")
    assert [(name, facts["source"]) for name, facts in told(world)] == [("anna", "api")]


@pytest.mark.parametrize(
    ("parameters", "meant"),
    [
        ("{}", {"api", "import", "referral"}),
        ("{source: api}", {"api"}),
        ("{source: [import, referral]}", {"import", "referral"}),
    ],
)
def test_the_ways_that_are_meant(database: Database, parameters: str, meant: set[str]) -> None:
    world = waiting_for(database, parameters)
    for source in ("api", "import", "referral"):
        join(world, source, source)
    assert set(world.look("2026-03-01 10:00")) == meant


def test_an_imported_customer_is_welcomed_only_if_the_import_is_live(database: Database) -> None:
    world = waiting_for(database)
    join(world, "anna", "import", live=False)
    join(world, "ihor", "import", live=True)
    assert world.look("2026-03-01 10:00") == {"ihor": "planned"}


def test_who_is_known_already_is_not_new(database: Database) -> None:
    world = waiting_for(database)
    world.customer("anna")
    join(world, "anna", "api")
    assert world.look("2026-03-01 10:00") == {}


def test_the_welcome_is_of_the_day_on_which_they_joined(database: Database) -> None:
    when = scenario("{registered: {}}", purpose="service", schedule="", limits="{valid_for: 2 days}")
    world = World(database, {"welcome": when})
    world.move("2026-03-10 10:00")
    world.customer("anna", live=True, registered_at=kyiv("2026-03-09 10:00"))
    world.customer("ihor", live=True, registered_at=kyiv("2026-03-02 10:00"))
    assert world.look("2026-03-10 10:01") == {"anna": "planned", "ihor": "expired"}


def test_a_duplicate_is_not_welcomed(database: Database) -> None:
    world = waiting_for(database)
    world.customer("anna")
    join(world, "ihor", "api")
    join(world, "again", "api")
    merge(world, "again", "anna")
    assert world.look("2026-03-01 10:00") == {"ihor": "planned"}
    merge(world, "ihor", "anna")
    assert still_true(world) == {}
