"""What runs is what was applied: versions, what starts and stops with them, whom a first look reaches."""

from concurrent.futures import ThreadPoolExecutor

from campaigns.changes import changes, first_looks
from core.db import Database
from tests.support.world import World, bundle_of, scenario

DAILY = scenario("{schedule: {every: day at 10:00}}", schedule="")
ACCRUED = scenario("{bonus_accrued: {}}", schedule="")


def test_the_same_files_are_no_new_version(database: Database) -> None:
    world = World(database, {"one": DAILY})
    again = world.apply()
    assert (again.version, again.changed) == (1, False)


def test_an_apply_says_what_starts_and_what_stops(database: Database) -> None:
    world = World(database, {"one": DAILY, "two": ACCRUED})
    applied = world.apply({"two": ACCRUED, "three": DAILY})
    assert (applied.version, applied.started, applied.stopped) == (2, ("three",), ("one",))
    assert world.state("one").status == "removed"


def test_what_runs_is_what_was_applied_whatever_the_files_say(database: Database) -> None:
    world = World(database, {"one": DAILY})
    world.files({"two": DAILY})
    assert list(world.live.running().scenarios) == ["one"]
    world.apply({"two": DAILY})
    assert list(world.live.running().scenarios) == ["two"]
    assert list(world.live.of(1).scenarios) == ["one"]


def test_whoever_asks_after_an_apply_works_by_it_however_many_ask(database: Database) -> None:
    world = World(database, {"one": DAILY})

    def ask(least: int) -> bool:
        return world.live.running().version >= least

    with ThreadPoolExecutor(8) as many:
        asked = []
        for priority in range(1, 5):
            asked += [many.submit(ask, priority) for _ in range(8)]
            version = world.apply({"one": DAILY + f"priority: {priority}\n"}).version
            asked += [many.submit(ask, version) for _ in range(8)]
        assert all(it.result() for it in asked)


def test_a_scenario_that_is_paused_stays_so_through_an_apply(database: Database) -> None:
    from campaigns.versions import pause

    world = World(database, {"one": DAILY})
    with database.write() as connection:
        pause(connection, "one")
    world.apply({"one": DAILY, "two": DAILY})
    assert (world.state("one").status, world.state("two").status) == ("paused", "active")


def test_changes_name_the_files_with_their_lines(database: Database) -> None:
    World(database, {"one": DAILY, "gone": DAILY})
    found = {
        it.file: it for it in changes(database, bundle_of({"one": DAILY + "priority: 7\n", "new": DAILY}))
    }
    assert {file: it.kind for file, it in found.items()} == {
        "scenarios/gone.yaml": "removed", "scenarios/new.yaml": "new", "scenarios/one.yaml": "changed",
    }  # fmt: skip
    assert "+priority: 7\n" in found["scenarios/one.yaml"].diff


def test_the_size_of_first_looks_is_known_before_they_come(database: Database) -> None:
    world = World(
        database, {"high": DAILY + "priority: 90\n", "low": DAILY, "news": ACCRUED},
        program={"allowances": {"marketing": {"all": "1 per 7 days"}}},
    )  # fmt: skip
    for name in ("anna", "ihor"):
        world.customer(name)
    world.customer("silent", consent=())
    with database.read() as connection:
        assert first_looks(connection, world.running, world.now) == {"high": 2, "low": 0, "news": 0}
    assert world.messages() == []
