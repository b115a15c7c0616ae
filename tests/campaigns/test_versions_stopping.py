"""What a scenario leaves undone when it is removed or paused, and what customers under way keep."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from time import sleep

import pytest
from sqlalchemy import Connection, text

from campaigns.difference import difference
from campaigns.undone import Undone, undone
from campaigns.versions import apply, pause, resume
from core.db import Database
from core.errors import UserError
from tests.support.world import World, scenario

TWO_STEPS = (
    "[{id: hello, message: hello, send: [sms]}, {id: again, message: again, wait: 5 days, send: [sms]}]"
)
DAILY = scenario("{schedule: {at: 2026-03-01 10:00}}", schedule="", steps=TWO_STEPS)
OTHER = scenario("{schedule: {at: 2027-03-01 10:00}}", schedule="")


def under_way(database: Database) -> World:
    """Anna's first message was sent, Ihor's is planned."""
    world = World(database, {"one": DAILY, "other": OTHER})
    world.customer("anna")
    world.customer("silent", consent=())
    world.look("2026-03-01 10:00")
    world.settle()
    return world


def test_a_removed_scenario_stops_at_once_and_says_what_it_left(database: Database) -> None:
    world = World(database, {"one": DAILY, "other": OTHER})
    for name in ("anna", "ihor"):
        world.customer(name)
    world.look("2026-03-01 10:00")
    applied = world.apply({"other": OTHER})
    assert applied.stopped == ("one",)
    assert applied.undone == {"one": Undone(waiting=2, planned=2, sending=0)}
    assert [(it.state, it.reason) for it in world.messages()] == [("recalled", "scenario_removed")] * 2
    assert {it[4] for it in world.decisions()} == {"scenario_removed"}


def test_what_a_removal_recalls_gives_its_allowance_back(database: Database) -> None:
    program = {"allowances": {"marketing": {"all": "1 per 7 days"}}}
    later = scenario("{schedule: {at: 2026-03-02 10:00}}", schedule="")
    world = World(database, {"one": DAILY, "later": later}, program=program)
    world.customer("anna")
    world.look("2026-03-01 10:00")
    world.apply({"later": later}, program)
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}


def test_who_waited_goes_on_should_the_scenario_come_back(database: Database) -> None:
    world = under_way(database)
    world.apply({"other": OTHER})
    assert world.looked("2026-03-06 10:00") == {}
    back = world.apply({"one": DAILY, "other": OTHER})
    assert back.started == ("one",)
    world.look("2026-03-06 10:01")
    assert [it.step for it in world.messages(state="planned")] == ["again"]


def test_older_files_that_come_back_under_their_old_name_write_to_nobody_twice(database: Database) -> None:
    world = under_way(database)
    world.apply({"uno": DAILY + "formerly: one\n", "other": OTHER})
    files = {"one": DAILY, "other": OTHER}
    with database.read() as connection:
        found = difference(connection, world.files(files), 2, world.running.loaded.bundle, world.now)
    assert [(it.scenario, it.change, it.left.waiting) for it in found.scenarios] == [("one", "renamed", 1)]
    back = world.apply(files)
    assert (back.started, back.stopped) == ((), ())
    world.look("2026-03-06 10:01")
    assert [(it.scenario, it.step, it.state) for it in world.messages()] == [
        ("one", "hello", "sent"), ("one", "again", "planned"),
    ]  # fmt: skip


def test_an_old_name_is_new_while_the_scenario_that_had_it_goes_on(database: Database) -> None:
    world = under_way(database)
    world.apply({"uno": DAILY + "formerly: one\n", "other": OTHER})
    applied = world.apply({"uno": DAILY, "one": DAILY, "other": OTHER})
    assert (applied.started, applied.stopped) == (("one",), ())
    assert {it.scenario for it in world.messages()} == {"uno"}


def test_what_has_a_past_of_its_own_cannot_follow_another(database: Database) -> None:
    world = under_way(database)
    world.apply({"one": DAILY})
    renamed = {"other": DAILY + "formerly: one\n"}
    own = "scenarios/other.yaml: formerly: 'other' has a past of its own and cannot follow 'one'"
    with database.read() as connection, pytest.raises(UserError, match=own):
        difference(connection, world.files(renamed), 2, world.running.loaded.bundle, world.now)
    with pytest.raises(UserError, match=own):
        world.apply(renamed)
    world.apply({"uno": DAILY + "formerly: one\n"})
    world.look("2026-03-06 10:01")
    assert [(it.scenario, it.step) for it in world.messages(state="planned")] == [("uno", "again")]


def test_files_that_say_formerly_of_what_was_followed_once_may_come_back(database: Database) -> None:
    world = under_way(database)
    followed = {"uno": DAILY + "formerly: one\n", "other": OTHER}
    world.apply(followed)
    world.apply({"uno": DAILY, "one": DAILY, "other": OTHER})
    assert world.apply(followed).stopped == ("one",)


def test_a_pause_keeps_everything_and_says_what_waits(database: Database) -> None:
    world = under_way(database)
    with database.write() as connection:
        assert pause(connection, "one") == Undone(waiting=1, planned=0, sending=0)
    assert world.looked("2026-03-06 10:00") == {}
    with database.write() as connection:
        resume(connection, "one")
    world.look("2026-03-06 10:01")
    assert [it.step for it in world.messages(state="planned")] == ["again"]


@pytest.mark.parametrize("act", [pause, resume])
def test_what_is_removed_at_the_same_time_is_neither_paused_nor_resumed(
    postgres_database: Database, act: Callable[[Connection, str], object]
) -> None:
    world = under_way(postgres_database)

    def at_once() -> str:
        try:
            with postgres_database.write() as connection:
                act(connection, "one")
        except UserError as error:
            return str(error)
        return "done"

    with ThreadPoolExecutor(1) as other:
        with postgres_database.write() as connection:
            apply(connection, world.files({"other": OTHER}), "anna", world.now)
            told = other.submit(at_once)
            until_somebody_waits(connection)
        assert told.result() == "there is no live scenario 'one'; live are other"
    assert world.state("one").status == "removed"


def until_somebody_waits(connection: Connection) -> None:
    """Until another session of this database waits for a lock."""
    here = "FROM pg_stat_activity WHERE datname = current_database()"
    waiting = f"SELECT count(*) {here} AND wait_event_type = 'Lock'"
    for _ in range(1_000):
        connection.execute(text("SELECT pg_stat_clear_snapshot()"))
        if connection.scalar(text(waiting)):
            return
        sleep(0.01)
    raise AssertionError("nobody waits")


def test_a_scenario_that_does_nothing_leaves_nothing(database: Database) -> None:
    World(database, {"other": OTHER})
    with database.read() as connection:
        assert undone(connection, ["other", "unheard-of"]) == {"other": Undone(), "unheard-of": Undone()}


def test_resuming_what_the_guard_stopped_tells_that_it_will_stop_again(database: Database) -> None:
    daily = scenario("{schedule: {every: day at 10:00}}", schedule="")
    world = World(database, {"one": daily}, program={"max_per_look": 1})
    for name in ("anna", "ihor", "olha"):
        world.customer(name)
    world.look("2026-03-01 10:00")
    assert world.state("one").status == "held"
    with database.write() as connection:
        assert resume(connection, "one") == 3
        assert resume(connection, "one") is None, "nothing has stopped it since"
    world.look("2026-03-02 10:00")
    with database.write() as connection:
        assert resume(connection, "one", 3) is None
    assert world.looked("2026-03-02 10:01") == {"planned": 3}


def test_who_is_under_way_keeps_the_wait_that_they_began_with(database: Database) -> None:
    world = under_way(database)
    world.apply({"one": DAILY.replace("5 days", "9 days"), "other": OTHER})
    world.look("2026-03-06 10:00")
    assert [it.step for it in world.messages(state="planned")] == ["again"]


def test_a_new_text_is_said_at_once_to_who_is_under_way(database: Database) -> None:
    world = under_way(database)
    text = {"messages/again/sms.txt": "Quite another text. {{ links.preferences }}"}
    world.apply({"one": DAILY, "other": OTHER}, files=text)
    world.look("2026-03-06 10:00")
    [message] = world.messages(state="planned")
    said = world.live.running().library.render(message.message, "sms", None, SAMPLE)
    assert said.parts["text"].startswith("Quite another text.")


def test_a_new_limit_holds_for_who_is_under_way(database: Database) -> None:
    world = under_way(database)
    world.apply({"one": DAILY + "limits: {at_most: 1 per 30 days}\n", "other": OTHER})
    assert world.look("2026-03-06 10:00") == {"anna": "capped"}


class _Links:
    preferences = "https://example.org/p/anna"


SAMPLE = {"links": _Links()}


@pytest.mark.parametrize(
    "asked", ["{segment: rich}", "{not: {segment: poor}}", "{tier: {at_least: silver}}", "{tier: silver}"]
)
def test_who_is_under_way_is_still_asked_for_what_the_files_no_longer_have(
    database: Database, asked: str
) -> None:
    segments = {
        "segments/rich.yaml": "balance: {at_least: 100}\n",
        "segments/poor.yaml": "not: {segment: rich}\n",
    }
    asking = TWO_STEPS.replace("message: again, wait", f"message: hello, only_if: {asked}, wait")
    world = World(database, {"one": scenario("{birthday: {}}", steps=asking)}, files=segments)
    for name in ("anna", "poor"):
        world.customer(name, birthday=date(1990, 3, 1))
    world.customer("new", birthday=date(1990, 3, 6))
    world.bonuses("anna", 100)
    world.tier("anna", "silver")
    world.look("2026-03-01 10:00")
    world.settle()
    levels = [{"name": "bronze", "from": 0}, {"name": "gold", "from": 5000}]
    world.apply(
        {"one": scenario("{birthday: {}}")}, {"tiers": {"over": "365 days", "levels": levels}},
        {"segments/other.yaml": "city: Kyiv\n"},
    )  # fmt: skip
    assert world.look("2026-03-06 10:00") == {"anna": "planned", "poor": "exited", "new": "planned"}
