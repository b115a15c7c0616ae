"""What an apply would change, in words, and how many customers it concerns."""

from campaigns.bundle import Bundle
from campaigns.difference import Concerned, Difference, between, brief, difference
from campaigns.running import Running
from core.db import Database
from tests.support.world import World, bundle_of, scenario

DAILY = scenario("{schedule: {every: day at 10:00}}", schedule="")
ACCRUED = scenario("{bonus_accrued: {}}", schedule="")


def compared(world: World, files: Running) -> Difference:
    with world.database.read() as connection:
        return difference(connection, files, 1, world.running.loaded.bundle, world.now)


def concerned(found: Difference) -> dict[str, Concerned]:
    return {it.scenario: it for it in found.scenarios}


def test_a_new_scenario_is_told_with_the_size_of_its_first_look(database: Database) -> None:
    world = World(database, {"one": DAILY}, program={"max_per_look": 1})
    for name in ("anna", "ihor"):
        world.customer(name)
    found = concerned(compared(world, world.files({"one": DAILY, "two": DAILY, "news": ACCRUED})))
    assert sorted(found) == ["news", "two"]
    assert (found["two"].change, found["two"].first_look, found["two"].stops) == ("new", 2, True)
    assert found["news"].first_look is None


def test_a_removal_is_told_with_what_it_would_recall(database: Database) -> None:
    world = World(database, {"one": DAILY, "two": ACCRUED})
    world.customer("anna")
    world.look("2026-03-01 10:00")
    found = concerned(compared(world, world.files({"two": ACCRUED})))
    assert (found["one"].change, found["one"].recalled) == ("removed", 1)
    assert [it.state for it in world.messages()] == ["planned"], "a comparison recalls nothing"


def test_a_renamed_scenario_goes_on_and_recalls_nothing(database: Database) -> None:
    world = World(database, {"one": DAILY})
    world.customer("anna")
    world.look("2026-03-01 10:00")
    found = concerned(compared(world, world.files({"uno": DAILY + "formerly: one\n"})))
    assert [(it.scenario, it.change, it.left.planned) for it in found.values()] == [("uno", "renamed", 1)]


def test_a_removed_scenario_that_comes_back_under_another_name_is_told_as_back(database: Database) -> None:
    world = World(database, {"one": DAILY, "news": ACCRUED})
    world.customer("anna")
    world.apply({"news": ACCRUED})
    found = concerned(compared(world, world.files({"uno": DAILY + "formerly: one\n", "news": ACCRUED})))
    assert [(it.scenario, it.change, it.status) for it in found.values()] == [("uno", "back", "active")]


def test_a_segment_concerns_whoever_uses_it_even_through_another(database: Database) -> None:
    segments = {"segments/vip.yaml": "segment: rich\n", "segments/rich.yaml": "balance: {at_least: 100}\n"}
    scenarios = {"one": DAILY + "audience: {segment: vip}\n", "two": DAILY}
    world = World(database, scenarios, files=segments)
    richer = segments | {"segments/rich.yaml": "balance: {at_least: 200}\n"}
    found = compared(world, world.files(scenarios, files=richer))
    assert [it.scenario for it in found.scenarios] == ["one"]
    assert [it.says for it in found.files] == [("balance.at_least: 100 becomes 200",)]


def test_a_step_is_known_by_its_id_and_structure_is_said_to_be_kept(database: Database) -> None:
    steps = "[{id: a, message: hello, send: [sms]}, {id: b, wait: 2 days, message: hello, send: [sms]}]"
    text = scenario("{schedule: {every: day at 10:00}}", schedule="", steps=steps)
    world = World(database, {"one": text})
    [changed] = compared(world, world.files({"one": text.replace("2 days", "3 days")})).files
    assert changed.says == (
        "steps.b.wait: 2 days becomes 3 days (who is under way keeps the steps they began with)",
    )


def test_steps_and_levels_that_change_places_are_told() -> None:
    steps = ["{id: a, message: hello, send: [sms]}", "{id: b, message: hello, send: [sms]}"]
    one = scenario("{birthday: {}}", steps=f"[{', '.join(steps)}]")
    other = scenario("{birthday: {}}", steps=f"[{', '.join(reversed(steps))}]")
    [changed] = between(bundle_of({"one": one}), bundle_of({"one": other}))
    assert changed.says == (
        "steps: [a, b] becomes [b, a] (who is under way keeps the steps they began with)",
    )


def test_a_last_line_without_an_end_is_a_line_of_its_own() -> None:
    before, after = Bundle({"messages/hello/sms.txt": b"Hello!"}), Bundle({"messages/hello/sms.txt": b"Hi!"})
    [changed] = between(before, after)
    assert changed.diff.splitlines()[-2:] == ["-Hello!", "+Hi!"]


def test_a_difference_has_one_line_for_the_history(database: Database) -> None:
    world = World(database, {"one": DAILY, "gone": DAILY})
    found = compared(world, world.files({"one": DAILY + "priority: 7\n", "new": DAILY}))
    assert brief(found.files) == "scenarios: gone removed, new new, one changed"
    assert found.as_json()["changes"][2]["says"] == ["priority: 7 is new"]
