"""Two versions side by side: who gains, who loses, whose text changes."""

from campaigns.dryrun import DryRun
from campaigns.dryrun.comparison import Comparison, compare
from campaigns.dryrun.differing import differing
from campaigns.past import as_of
from campaigns.running import Running
from core.db import Database
from tests.support.world import LINKS, World, channels, kyiv, scenario

AT = kyiv("2026-03-01 10:00")
DAILY = "{schedule: {every: day at 10:00}}"


def campaign(**parts: str) -> str:
    return scenario(DAILY, schedule="", **parts)


def compared(world: World, newer: Running, *names: str) -> list[Comparison]:
    with world.database.read() as connection:
        as_of(connection, world.program, AT)
        pair = [
            (called, DryRun(connection, running, channels(running), LINKS, AT))
            for called, running in (("live", world.running), ("the files", newer))
        ]
        return compare(connection, pair[0], pair[1], names or ("one",))


def people(world: World) -> None:
    for name, tier in (("anna", "gold"), ("ihor", "silver"), ("olha", "bronze")):
        world.customer(name)
        if tier != "bronze":
            world.tier(name, tier)


def test_who_gains_and_who_loses_is_counted_and_named(database: Database) -> None:
    world = World(database, {"one": campaign(audience="{tier: [gold, silver]}")})
    people(world)
    [found] = compared(world, world.files({"one": campaign(audience="{tier: [silver, bronze]}")}))
    said = found.as_json()
    assert (said["gain"], said["lose"], said["both"], said["text_changes"]) == (1, 1, 1, 0)
    assert [it.customer for it in found.gains] == ["olha"]
    assert [(it.customer, it.before, it.after) for it in found.loses] == [
        ("anna", "planned", "not_in_audience")
    ]
    assert found.gains[0].after_text is not None


def test_a_changed_text_is_shown_word_by_word(database: Database) -> None:
    world = World(database, {"one": campaign()})
    people(world)
    text = {"messages/hello/sms.txt": "Hello again! {{ links.preferences }}"}
    [found] = compared(world, world.files({"one": campaign()}, files=text))
    assert (found.count(True, True), found.changed, found.estimated) == (3, 3, False)
    pieces = found.changes[0].pieces
    assert [(it.kind, it.text) for it in pieces][:2] == [
        ("removed", "Hello!"), ("added", "Hello again!"),
    ]  # fmt: skip


def test_another_channel_is_another_text(database: Database) -> None:
    world = World(database, {"one": campaign()})
    world.customer("anna", consent=("sms", "email"), email="anna@example.com")
    newer = world.files({"one": campaign(steps="[{id: hello, message: hello, send: [email, sms]}]")})
    [found] = compared(world, newer)
    [change] = found.changes
    assert (change.before_channel, change.after_channel, change.pieces) == ("sms", "email", ())


def test_a_scenario_that_is_new_or_gone_or_renamed_is_compared_too(database: Database) -> None:
    world = World(database, {"old": campaign(), "gone": campaign()})
    world.customer("anna")
    newer = world.files({"new": campaign(formerly="old"), "fresh": campaign()})
    found = {it.scenario: it for it in compared(world, newer, "new", "fresh", "gone")}
    counts = {
        name: (it.count(False, True), it.count(True, False), it.count(True, True))
        for name, it in found.items()
    }
    assert counts == {"new": (0, 0, 1), "fresh": (1, 0, 0), "gone": (0, 1, 0)}


def test_one_version_takes_no_allowance_from_the_other(database: Database) -> None:
    program = {"allowances": {"marketing": {"all": "1 per 7 days"}}}
    world = World(database, {"one": campaign()}, program=program)
    people(world)
    [found] = compared(world, world.files({"one": campaign()}))
    assert dict(found.moves) == {("planned", "planned"): 3}


def test_a_difference_can_be_put_together_to_both_texts() -> None:
    before, after = "Come for coffee! Until Monday.", "We wait for you! Until Monday."
    pieces = list(differing(before, after))
    assert "".join(it.text for it in pieces if it.kind != "added") == before
    assert "".join(it.text for it in pieces if it.kind != "removed") == after
    assert list(differing("", "")) == []
