"""Coming to belong to a segment, and ceasing to: each change once, nobody for having always been there."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from campaigns.staging import ZONE
from campaigns.tables import SegmentChange
from core.db import Database
from core.events import START
from tests.support.happenings import still_true
from tests.support.world import World, kyiv, scenario
from triggers import Look, discover
from triggers.segment_entered import SegmentParameters

CHANGE = SegmentChange.__table__  # type: ignore[attr-defined]
ENTERED = "{segment_entered: {segment: best}}"
LEFT = "{segment_left: {segment: best}}"
FILES = {"segments/best.yaml": "tier: [silver, gold]"}
TWO_STEPS = "[{id: hello, message: hello, send: [sms]}, {id: more, wait: 1 day, message: hello, send: [sms]}]"


def world_of(database: Database, when: str = ENTERED, at: str = "2026-03-01 09:00", **parts: str) -> World:
    return World(database, {"one": scenario(when, **parts)}, files=FILES, at=at)


def kept(world: World) -> int:
    with world.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(CHANGE)) or 0


def test_who_comes_to_belong_enters_once(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.customer("ihor")
    assert world.look("2026-03-01 10:00") == {}
    world.tier("anna", "gold")
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}
    assert world.looked("2026-03-03 10:00") == {}
    [enrolment] = world.enrolments()
    assert enrolment.facts == {"segment": "best", "changed_on": "2026-03-02 08:00:00.000000"}


def test_who_ceases_to_belong_left_once(database: Database) -> None:
    world = world_of(database, LEFT)
    world.customer("anna")
    world.tier("anna", "gold")
    assert world.look("2026-03-01 10:00") == {}
    world.tier("anna", "bronze")
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}
    assert world.look("2026-03-03 10:00") == {}


def test_coming_back_is_another_occasion(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    found = []
    for day, tier in ((2, "gold"), (3, "bronze"), (4, "silver"), (5, "gold")):
        world.move(f"2026-03-{day:02} 09:00")
        world.tier("anna", tier)
        found.append(world.look(f"2026-03-{day:02} 10:00").get("anna"))
        world.settle()
    assert found == ["planned", None, "planned", None]


def test_who_belonged_when_the_scenario_was_applied_is_known(database: Database) -> None:
    world = world_of(database, "{birthday: {}}")
    world.customer("old")
    world.tier("old", "gold")
    world.apply({"one": scenario(ENTERED), "two": scenario(LEFT)})
    world.customer("new")
    world.tier("new", "gold")
    world.tier("old", "silver")
    assert world.look("2026-03-01 10:00") == {"new": "planned"}
    world.tier("old", "bronze")
    assert [it for it in world.decisions() if it[1] == "two"] == []
    assert world.look("2026-03-02 10:00") == {"old": "planned"}


def test_a_scenario_that_begins_later_knows_who_came_before_it(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.tier("anna", "gold")
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}
    world.settle()
    world.move("2026-03-02 12:00")
    world.customer("ihor")
    world.tier("ihor", "gold")
    world.apply({"one": scenario(ENTERED), "two": scenario(ENTERED)})
    world.customer("olha")
    world.tier("olha", "gold")
    world.look("2026-03-03 10:00")
    entered = {(name, by) for name, by, _, _, _ in world.decisions(world.now)}
    assert entered == {("ihor", "one"), ("olha", "one"), ("olha", "two")}


def test_a_change_of_the_segments_own_file_is_nobodys_change(database: Database) -> None:
    world = World(database, {"in": scenario(ENTERED), "out": scenario(LEFT)}, files=FILES)
    for name, tier in (("anna", "silver"), ("ihor", "gold"), ("olha", "bronze")):
        world.customer(name)
        if tier != "bronze":
            world.tier(name, tier)
    world.look("2026-03-01 10:00")
    world.settle()
    scenarios = {"in": scenario(ENTERED), "out": scenario(LEFT)}
    world.apply(scenarios, files={"segments/best.yaml": "tier: [bronze, gold]"})
    assert world.look("2026-03-02 10:00") == {}
    world.tier("anna", "gold")
    world.tier("olha", "silver")
    world.look("2026-03-03 10:00")
    assert {it[:2] for it in world.decisions(world.now)} == {("anna", "in"), ("olha", "out")}


@pytest.mark.parametrize("missed", [1, 7])
def test_a_look_missed_for_a_day_or_a_week_finds_who_belongs_by_then(database: Database, missed: int) -> None:
    world = world_of(database)
    for name in ("stays", "passes"):
        world.customer(name)
    world.look("2026-03-01 10:00")
    for name in ("stays", "passes"):
        world.tier(name, "gold")
    world.move("2026-03-01 20:00")
    world.tier("passes", "bronze")
    assert world.look(f"2026-03-{2 + missed:02} 10:00") == {"stays": "planned"}
    assert world.look(f"2026-03-{3 + missed:02} 10:00") == {}


def test_whom_a_gate_held_back_is_asked_again_while_they_belong(database: Database) -> None:
    world = world_of(database)
    world.customer("anna", consent=())
    world.tier("anna", "gold")
    assert world.look("2026-03-01 10:00") == {"anna": "no_consent"}
    assert world.look("2026-03-02 10:00") == {}
    world.agree("anna", "sms")
    assert world.look("2026-03-03 10:00") == {"anna": "planned"}
    assert len({it[2] for it in world.decisions()}) == 1


def test_who_left_before_the_next_step_is_not_written_to(database: Database) -> None:
    world = world_of(database, steps=TWO_STEPS)
    for name in ("anna", "ihor"):
        world.customer(name)
        world.tier(name, "gold")
    world.look("2026-03-01 10:00")
    world.settle()
    world.tier("anna", "bronze")
    found = {it[0]: it[4] for it in _look(world, "2026-03-02 10:00")}
    assert found == {"anna": "no_longer_true", "ihor": "planned"}


@pytest.mark.parametrize(("when", "first", "second"), [(ENTERED, "gold", "bronze"), (LEFT, "bronze", "gold")])
def test_what_was_seen_to_change_and_to_change_back_is_another_occasion(
    database: Database, when: str, first: str, second: str
) -> None:
    """Anna's message is still waiting when she goes and comes again; Ihor only came."""
    world = world_of(database, when)
    for name in ("anna", "ihor"):
        world.customer(name)
        world.tier(name, second)
    world.look("2026-03-01 10:00")
    for name in ("anna", "ihor"):
        world.tier(name, first)
    world.look("2026-03-02 10:00")
    assert set(still_true(world)) == {"anna", "ihor"}
    world.agree("anna", "sms", granted=False)
    for day, tier in ((3, second), (4, first)):
        world.tier("anna", tier)
        world.look(f"2026-03-0{day} 10:00")
    assert set(still_true(world)) == {"ihor"}


def test_who_was_erased_while_a_gate_held_them_back_is_not_asked_again(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.suppress("anna", "sms")
    world.tier("anna", "gold")
    for day in (1, 2):
        assert world.looked(f"2026-03-0{day} 10:00") == {"suppressed": 1}
    world.erase("anna")
    assert world.looked("2026-03-03 10:00") == {}


def test_a_look_that_was_told_of_no_segment_cannot_say_who_came(database: Database) -> None:
    trigger, now = discover()["segment_entered"], kyiv("2026-03-01 10:00")
    look = Look(now, world_of(database).program, ZONE, (), START, START)
    with pytest.raises(ValueError, match=r"^the look does not know the members of any segment$"):
        trigger.candidates(SegmentParameters(segment="best"), look)


def _look(world: World, at: str) -> list[tuple[str, str, str, str, str]]:
    world.look(at)
    return world.decisions(world.now)


def test_a_change_is_kept_until_it_is_time_where_the_customer_lives(database: Database) -> None:
    world = world_of(database, at="2026-03-01 00:00")
    for name, zone in (("auckland", "Pacific/Auckland"), ("honolulu", "Pacific/Honolulu"), ("home", None)):
        world.customer(name, time_zone=zone)
    world.look("2026-03-02 12:00")
    for name in ("auckland", "honolulu", "home"):
        world.tier(name, "gold")
    found: list[tuple[str, int]] = []
    for hour in range(1, 30):
        at = kyiv("2026-03-02 12:00") + timedelta(hours=hour)
        found += [(name, hour) for name in world.look(at)]
        world.settle()
    assert found == [("honolulu", 10), ("auckland", 11), ("home", 22)]


@pytest.mark.parametrize("changed", ["2026-03-29", "2026-10-25"])
def test_a_clock_change_neither_skips_nor_repeats_anybody(database: Database, changed: str) -> None:
    start = kyiv(f"{changed} 00:00") - timedelta(hours=12)
    world = World(database, {"one": scenario(ENTERED, schedule="every day at 03:30")}, files=FILES, at=start)
    found: list[str] = []
    for number in range(42):
        world.move(start + timedelta(hours=number))
        world.customer(f"c{number}")
        world.tier(f"c{number}", "gold")
        found += world.look(world.now + timedelta(minutes=45))
        world.settle()
    # All who came before the look of the day after; the others wait for the next one.
    assert len(found) == len(set(found)) >= 36


def test_a_dry_run_says_what_the_look_does_and_keeps_nothing(database: Database) -> None:
    world = world_of(database)
    for name in ("anna", "ihor"):
        world.customer(name)
    world.look("2026-03-01 10:00")
    world.tier("anna", "gold")
    before = kept(world)
    foreseen = world.foreseen("2026-03-02 10:00")
    assert kept(world) == before
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}
    assert {(name, said) for (name, *_), said in foreseen.items()} == {("anna", "planned")}
    occasions = {it[2] for it in world.decisions(world.now)}
    assert {occasion for _, _, occasion, _ in foreseen} == occasions
    world.settle()
    world.move("2026-03-03 12:00")
    world.tier("anna", "bronze")
    assert world.foreseen("2026-03-02 10:00") == foreseen


def test_a_scenario_that_was_never_applied_would_trigger_nothing_at_first(database: Database) -> None:
    world = world_of(database, "{birthday: {}}")
    world.customer("anna")
    world.tier("anna", "gold")
    files = world.files({"one": scenario("{birthday: {}}"), "two": scenario(ENTERED)})
    assert world.foreseen("2026-03-02 10:00", files) == {}


def test_who_was_erased_neither_comes_nor_goes(database: Database) -> None:
    world = World(database, {"in": scenario(ENTERED), "out": scenario(LEFT)}, files=FILES)
    world.customer("anna")
    world.tier("anna", "gold")
    world.look("2026-03-01 10:00")
    world.settle()
    world.erase("anna")
    assert world.look("2026-03-02 10:00") == {}


def test_a_look_that_the_blast_guard_stops_keeps_no_change(database: Database) -> None:
    world = World(database, {"one": scenario(ENTERED)}, files=FILES, program={"max_per_look": 1})
    for name in ("anna", "ihor"):
        world.customer(name)
        world.tier(name, "gold")
    before = kept(world)
    [looked] = world.looks("2026-03-01 10:00")
    assert looked.guarded
    assert kept(world) == before
