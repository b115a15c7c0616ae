"""A scenario that waits for something else than before begins with what happens from then on."""

import pytest

from campaigns.difference import difference
from campaigns.history import bundle_of
from core.db import Database
from tests.support.happenings import tell
from tests.support.world import World, kyiv, scenario

ENTERED = "{segment_entered: {segment: best}}"
FILES = {"segments/best.yaml": "tier: [silver, gold]", "segments/top.yaml": "tier: gold"}


def entered(world: World) -> set[tuple[str, str]]:
    """Customer and scenario of what was decided just now."""
    return {(name, by) for name, by, _, _, _ in world.decisions(world.now)}


def test_changes_kept_for_another_scenario_are_not_its_own(database: Database) -> None:
    before = {"one": scenario(ENTERED), "two": scenario("{inactive: {for: 900 days}}")}
    world = World(database, before, files=FILES)
    world.customer("anna")
    world.tier("anna", "gold")
    world.look("2026-03-02 10:00")
    assert entered(world) == {("anna", "one")}
    world.settle()
    world.move("2026-03-03 12:00")
    world.apply({"one": scenario(ENTERED), "two": scenario(ENTERED)})
    world.customer("ihor")
    world.tier("ihor", "gold")
    world.look("2026-03-04 10:00")
    assert entered(world) == {("ihor", "one"), ("ihor", "two")}


def test_another_segment_is_another_beginning(database: Database) -> None:
    top = "{segment_entered: {segment: top}}"
    world = World(database, {"one": scenario(ENTERED), "two": scenario(top)}, files=FILES)
    world.customer("anna")
    world.tier("anna", "gold")
    world.look("2026-03-02 10:00")
    assert entered(world) == {("anna", "one"), ("anna", "two")}
    world.settle()
    world.customer("ihor")
    world.tier("ihor", "silver")
    world.look("2026-03-03 10:00")
    world.settle()
    world.move("2026-03-03 12:00")
    world.apply({"one": scenario(ENTERED), "two": scenario(ENTERED)})
    world.look("2026-03-04 10:00")
    assert entered(world) == set()


def test_another_event_of_the_shops_own_is_another_beginning(database: Database) -> None:
    review, survey = (scenario(f"{{event: {{name: {name}}}}}", schedule="") for name in ("review", "survey"))
    world = World(database, {"one": review})
    world.customer("anna")
    tell(world, "anna", "survey")
    world.look("2026-03-02 10:00")
    world.move("2026-03-03 12:00")
    assert world.foreseen(files=world.files({"one": survey})) == {}
    world.apply({"one": survey})
    assert world.look("2026-03-03 12:01") == {}
    tell(world, "anna", "survey")
    assert world.look("2026-03-03 12:02") == {"anna": "planned"}


def test_a_stroke_of_the_schedule_before_the_change_is_not_made_up_for(database: Database) -> None:
    world = World(database, {"one": scenario("{inactive: {for: 900 days}}")})
    world.customer("anna", registered_at=kyiv("2025-03-02 12:00"))
    world.look("2026-03-01 10:00")
    world.move("2026-03-02 12:00")
    world.apply({"one": scenario("{anniversary: {}}", schedule="every day at 11:00")})
    assert world.look("2026-03-02 12:30") == {}


@pytest.mark.parametrize("now", ["{at: 2026-03-05 10:00}", "{every: day at 10:00}", "{cron: 0 10 5 3 *}"])
def test_a_campaign_whose_time_had_passed_when_it_was_changed_is_not_sent(
    database: Database, now: str
) -> None:
    def campaign(times: str) -> dict[str, str]:
        return {"one": scenario(f"{{schedule: {times}}}", schedule="")}

    world = World(database, campaign("{at: 2026-03-10 10:00}"))
    world.customer("anna")
    world.move("2026-03-05 12:00")
    world.apply(campaign(now))
    assert world.look("2026-03-05 12:01") == {}
    world.apply(campaign("{at: 2026-03-05 12:02}"))
    assert world.look("2026-03-05 12:02") == {"anna": "planned"}


def test_what_stays_the_same_goes_on_where_it_was(database: Database) -> None:
    world = World(database, {"one": scenario(ENTERED)}, files=FILES)
    world.customer("anna")
    world.look("2026-03-01 10:00")
    world.tier("anna", "gold")
    world.move("2026-03-02 09:00")
    began = world.state("one").began_at
    world.apply({"one": scenario(ENTERED, priority="90")})
    assert world.state("one").began_at == began
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}


def test_the_size_of_the_first_look_counts_nobody_who_changed_before_it_began(database: Database) -> None:
    before = {"one": scenario(ENTERED), "two": scenario("{inactive: {for: 900 days}}")}
    world = World(database, before, files=FILES)
    world.customer("anna")
    world.tier("anna", "gold")
    world.look("2026-03-02 10:00")
    world.move("2026-03-03 12:00")
    files = world.files({"one": scenario(ENTERED, priority="60"), "two": scenario(ENTERED)})
    with database.read() as connection:
        live = bundle_of(connection, 1)
        found = difference(connection, files, 1, live, world.now).scenarios
    assert {it.scenario: it.first_look for it in found} == {"one": 0, "two": 0}
