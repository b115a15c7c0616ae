"""Looks: each occasion exactly once, whoever looks and however late; who is under way keeps their steps."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, literal, select, true, union_all, update

from campaigns.running import Running
from campaigns.tables import Feedback, ScenarioRun
from campaigns.versions import VERSION, Live, pause, resume
from core.db import Database
from core.errors import UserError
from scheduler.looks import Looks
from scheduler.tick import Ticked
from tests.support.world import World, scenario
from tidings.tick_view import exit_code
from triggers import discover

RUN = ScenarioRun.__table__  # type: ignore[attr-defined]
DAILY = "{schedule: {every: day at 10:00}}"
BIRTHDAY = "{birthday: {}}"
STEPS = "[{id: hello, message: hello, send: [sms]}, {id: again, wait: %s, message: hello, send: [sms]}]"


def campaign(**parts: str) -> str:
    return scenario(DAILY, schedule="", **parts)


def test_two_processes_that_look_at_once_plan_one_message(postgres_database: Database) -> None:
    world = World(
        postgres_database,
        {"one": campaign(), "two": campaign()},
        program={"allowances": {"marketing": {"all": "1 per 7 days"}}},
    )
    for number in range(20):
        world.customer(f"customer-{number}")
    world.move("2026-03-01 10:00")
    others = [Database(postgres_database.url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        looks = [pool.submit(Looks(it, world.live).run, world.now) for it in others]
        planned = [looked.verdicts["planned"] for done in looks for looked in done.result()]
    for other in others:
        other.close()
    assert sum(planned) == 20
    # Neither an occasion twice, nor one allowance for two scenarios.
    assert [it.scenario for it in world.messages()] == ["one"] * 20
    with postgres_database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(RUN)) == 2


def test_whom_a_trigger_finds_twice_is_told_once(database: Database, monkeypatch: Any) -> None:
    world = World(database, {"one": campaign()})
    for name in ("anna", "boris"):
        world.customer(name)
    trigger = type(discover()["schedule"])
    once, twice = trigger.candidates, union_all(select(literal(1)), select(literal(2))).subquery("twice")
    monkeypatch.setattr(trigger, "candidates", lambda *asked: once(*asked).join(twice, true()))
    world.look("2026-03-01 10:00")
    mine = {it.id: it.external_id for it in world.enrolments()}
    assert sorted(mine.values()) == ["anna", "boris"]
    assert sorted((it.enrolment_id, it.external_id) for it in world.messages()) == sorted(mine.items())


def test_a_look_at_the_same_time_again_does_nothing(database: Database) -> None:
    world = World(database, {"one": campaign()})
    world.customer("anna")
    assert world.looked("2026-03-01 10:00") == {"planned": 1}
    assert world.looks("2026-03-01 10:00") == []


def test_nothing_is_due_between_two_strokes(database: Database) -> None:
    world = World(database, {"one": campaign(), "steps": scenario(BIRTHDAY, steps=STEPS % "5 days")})
    world.customer("anna", birthday=date(1990, 3, 1))
    assert len(world.looks("2026-03-01 10:00")) == 2
    world.settle()
    assert world.looks("2026-03-01 10:01") == []
    assert world.looks("2026-03-02 09:59") == []


def test_a_look_covers_the_time_since_the_last_one_once(database: Database) -> None:
    world = World(database, {"one": campaign()})
    world.customer("anna")
    world.looks("2026-03-01 10:00")
    assert world.looked("2026-03-06 18:00") == {"planned": 1}
    assert [it.occasion for it in world.messages()] == ["2026-03-01 10:00", "2026-03-06 10:00"]


def test_what_goes_live_while_a_look_waits_for_its_turn_is_what_runs(database: Database) -> None:
    world = World(database, {"one": scenario("{purchase: {}}", schedule="")})
    world.customer("anna")
    files = {"one": scenario("{registered: {}}", schedule="")}

    class Overtaken(Live):
        """Files go live, and things happen, when what runs was read already."""

        def running(self) -> Running:
            found = super().running()
            if found.version == 1:
                world.apply(files)
                world.buy("anna", 100)
                world.customer("ihor", live=True)
            return found

    live = Overtaken(database)
    assert Looks(database, live).run(world.now) == []
    [looked] = Looks(database, live).run(world.now)
    assert (looked.version, dict(looked.verdicts)) == (2, {"planned": 1})
    assert [it.external_id for it in world.messages()] == ["ihor"]


def test_what_is_recorded_while_a_look_waits_for_its_turn_counts_for_whom_it_is_meant(
    database: Database,
) -> None:
    bought = scenario("{purchase: {}}", schedule="", audience="{purchases: {at_least: 1, within: 30 days}}")
    given = scenario(
        "{bonus_accrued: {}}", schedule="", audience="{balance: {at_least: 1}}", purpose="service"
    )
    world = World(database, {"bought": bought, "given": given})
    world.customer("anna")
    began = world.now
    world.now += timedelta(seconds=90)  # a night of tiers, the looks of other scenarios
    world.buy("anna", 500)
    looks = Looks(database, world.live).run(began)
    assert {it.scenario: dict(it.verdicts) for it in looks} == {
        "bought": {"planned": 1}, "given": {"planned": 1},
    }  # fmt: skip
    assert {it.due_at for it in world.messages()} == {world.now}
    assert Looks(database, world.live).run(world.now) == []


# --- steps


def test_a_wait_runs_from_the_acceptance_of_the_message_before(database: Database) -> None:
    world = World(database, {"one": scenario(BIRTHDAY, steps=STEPS % "2 hours")})
    world.customer("anna", birthday=date(1990, 3, 1))
    world.look("2026-03-01 10:00")
    assert world.looks("2026-03-01 15:00") == []
    world.settle()
    assert world.looks("2026-03-01 16:59") == []
    assert world.look("2026-03-01 17:00") == {"anna": "planned"}
    assert [(it.step, it.step_index) for it in world.messages()] == [("hello", 0), ("again", 1)]
    [enrolment] = world.enrolments()
    assert enrolment.status == "finished"


def test_a_wait_in_days_is_over_at_the_same_time_of_day_whatever_the_clocks_did(database: Database) -> None:
    world = World(database, {"one": scenario(BIRTHDAY, steps=STEPS % "2 days")}, at="2026-03-27 09:00")
    world.customer("anna", birthday=date(1990, 3, 28))
    world.look("2026-03-28 10:00")
    world.settle()
    world.looks("2026-03-29 10:00")
    assert world.looks("2026-03-30 09:59") == []
    assert world.look("2026-03-30 10:00") == {"anna": "planned"}


def test_whom_no_channel_reaches_at_a_later_step_is_asked_again_at_the_next_look(database: Database) -> None:
    expiring = scenario("{bonus_expiring: {ahead: 14 days}}", steps=STEPS % "1 hour")
    world = World(database, {"one": expiring})
    world.customer("anna")
    world.bonuses("anna", 500, "2026-03-10")
    world.look("2026-03-01 10:00")
    world.settle()
    world.agree("anna", "sms", granted=False)
    assert world.look("2026-03-01 11:00") == {"anna": "no_consent"}
    # Not every second, but when the schedule strikes.
    assert world.looks("2026-03-01 11:01") == []
    world.agree("anna", "sms")
    assert world.looks("2026-03-01 11:02") == []
    assert ("anna", "again") in {(name, step) for name, _, _, step, _ in after(world, "2026-03-02 10:00")}
    assert [it.step for it in world.messages()] == ["hello", "again"]


def after(world: World, at: str) -> list[Any]:
    world.looks(at)
    return world.decisions(world.now)


def test_whom_no_channel_reaches_at_a_later_step_of_an_event_goes_on(database: Database) -> None:
    three = STEPS.replace("}]", "}, {id: last, wait: 1 hour, message: hello, send: [email]}]") % "1 hour"
    world = World(database, {"one": scenario("{bonus_accrued: {}}", steps=three, schedule="")})
    world.customer("anna", consent=("sms", "email"), email="anna@example.com")
    world.buy("anna", 100)
    world.look("2026-03-01 10:00")
    world.settle()
    world.agree("anna", "sms", granted=False)
    assert world.look("2026-03-01 11:00") == {"anna": "no_consent"}
    assert world.look("2026-03-01 12:00") == {"anna": "planned"}


def test_what_is_under_way_keeps_its_steps_and_takes_todays_limits(database: Database) -> None:
    world = World(database, {"one": scenario(BIRTHDAY, steps=STEPS % "1 day")})
    for name in ("old", "new"):
        world.customer(name, birthday=date(1990, 3, 1 if name == "old" else 2))
    world.look("2026-03-01 10:00")
    world.settle()
    shorter = scenario(BIRTHDAY, limits="{valid_for: 3 hours}", priority="7")
    world.apply({"one": shorter})
    assert world.look("2026-03-02 10:00") == {"old": "planned", "new": "planned"}
    assert [(it.external_id, it.step, it.priority, it.expires_at is None) for it in world.messages()] == [
        ("old", "hello", 50, True), ("old", "again", 7, False), ("new", "hello", 7, False),
    ]  # fmt: skip
    assert {it.external_id: it.version for it in world.enrolments()} == {"old": 1, "new": 2}


# --- paused, removed, renamed


def test_a_paused_scenario_is_silent_until_it_is_resumed(database: Database) -> None:
    world = World(database, {"one": campaign()})
    world.customer("anna")
    with database.write() as connection:
        pause(connection, "one")
    assert world.looks("2026-03-01 10:00") == []
    with database.write() as connection:
        resume(connection, "one")
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}


def test_pausing_what_does_not_run_names_what_does(database: Database) -> None:
    World(database, {"one": campaign()})
    with (
        database.write() as connection,
        pytest.raises(UserError, match="there is no live scenario 'two'; live are one"),
    ):
        pause(connection, "two")


def test_a_removed_scenario_is_silent_for_those_under_way_too(database: Database) -> None:
    world = World(database, {"one": scenario(BIRTHDAY, steps=STEPS % "1 day")})
    world.customer("anna", birthday=date(1990, 3, 1))
    world.look("2026-03-01 10:00")
    world.settle()
    world.apply({"other": campaign()})
    assert [it.scenario for it in world.looks("2026-03-02 10:00")] == ["other"]


def test_a_renamed_scenario_goes_on_where_it_was(database: Database) -> None:
    steps = STEPS % "1 day"
    world = World(database, {"old": scenario(BIRTHDAY, steps=steps)})
    world.customer("anna", birthday=date(1990, 3, 1))
    world.look("2026-03-01 10:00")
    world.settle()
    # Before it is applied the dry run knows already who entered under the old name.
    renamed = scenario(BIRTHDAY, formerly="old", limits="{at_most: 1 per 7 days}")
    assert world.foreseen("2026-03-01 10:00", world.files({"new": renamed})) == {
        ("anna", "new", "2026", "hello"): "already_entered"
    }
    applied = world.apply({"new": scenario(BIRTHDAY, formerly="old")})
    assert (applied.started, applied.stopped) == ((), ())
    # It keeps the steps that it began with under its old name, and what it used of its own limit.
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}
    assert [(it.scenario, it.step) for it in world.messages()] == [("new", "hello"), ("new", "again")]


def test_a_removed_scenario_may_come_back_under_another_name(database: Database) -> None:
    world = World(database, {"old": scenario(BIRTHDAY), "other": campaign()})
    world.customer("anna", birthday=date(1990, 3, 2), consent=["email"], email="anna@example.com")
    world.apply({"other": campaign()})
    mailed = scenario(BIRTHDAY, steps="[{message: hello, send: [email]}]", formerly="old")
    assert world.apply({"new": mailed, "other": campaign()}).started == ("new",)
    assert world.state("new").status == "active"
    world.look("2026-03-02 10:00")
    assert [(it.scenario, it.external_id) for it in world.messages()] == [("new", "anna")]


def test_clicks_follow_a_scenario_to_its_new_name(database: Database) -> None:
    again = "{schedule: {at: 2026-03-02 10:00}}"
    world = World(database, {"old": scenario(BIRTHDAY)}, program={"tracking": {"clicks": True}})
    world.customer("anna", birthday=date(1990, 3, 1))
    world.customer("ihor", birthday=date(1990, 3, 1))
    world.look("2026-03-01 10:00")
    world.settle()
    click = next(it for it in world.messages() if it.external_id == "anna")
    with database.write() as connection:
        reaction = {"message_id": click.id, "customer_id": click.customer_id, "scenario": "old"}
        connection.execute(insert(Feedback).values(**reaction, kind="clicked", at=world.now, machine=False))
    asking = scenario(again, schedule="", audience="{clicked: {scenario: new}}")
    world.apply({"new": scenario(BIRTHDAY, formerly="old"), "asking": asking})
    assert world.look("2026-03-02 10:00") == {"anna": "planned", "ihor": "not_in_audience"}


# --- the blast guard


def test_a_look_that_would_reach_too_many_stops_and_asks(database: Database) -> None:
    world = World(database, {"one": campaign(), "two": campaign()}, program={"max_per_look": 2})
    for number in range(3):
        world.customer(f"customer-{number}")
    looked = world.looks("2026-03-01 10:00")
    assert [(it.scenario, it.guarded.count, it.guarded.limit) for it in looked if it.guarded] == [
        ("one", 3, 2), ("two", 3, 2),
    ]  # fmt: skip
    assert world.messages() == world.enrolments() == world.decisions() == []
    assert (world.state("one").status, world.state("one").held) == ("held", 3)
    assert world.looks("2026-03-01 10:01") == []

    with database.write() as connection:
        resume(connection, "one", allowed=3)
    assert world.looked("2026-03-01 10:02") == {"planned": 3}
    # Agreed to once.
    assert [bool(it.guarded) for it in world.looks("2026-03-02 10:00")] == [True]


def test_a_guarded_event_scenario_loses_no_event(database: Database) -> None:
    world = World(
        database, {"one": scenario("{bonus_accrued: {}}", schedule="")}, program={"max_per_look": 1}
    )
    for name in ("anna", "ihor"):
        world.customer(name)
        world.buy(name, 100)
    assert [bool(it.guarded) for it in world.looks("2026-03-01 10:00")] == [True]
    with database.write() as connection:
        resume(connection, "one", allowed=2)
    assert world.looked("2026-03-01 10:01") == {"planned": 2}


def test_who_is_under_way_goes_on_while_the_guard_holds_the_others(database: Database) -> None:
    world = World(database, {"one": scenario(BIRTHDAY, steps=STEPS % "1 day")}, program={"max_per_look": 1})
    world.customer("first", birthday=date(1990, 3, 1))
    for number in range(3):
        world.customer(f"second-{number}", birthday=date(1990, 3, 2))
    world.look("2026-03-01 10:00")
    world.settle()
    assert world.look("2026-03-02 09:59") == {}
    [looked] = world.looks("2026-03-02 10:00")
    assert looked.guarded is not None
    assert [(it.external_id, it.step) for it in world.messages()] == [("first", "hello"), ("first", "again")]


def test_news_alone_are_looked_at_without_the_schedule(database: Database) -> None:
    world = World(database, {"daily": campaign(), "news": scenario("{bonus_accrued: {}}", schedule="")})
    world.customer("anna")
    world.buy("anna", 100)
    world.move("2026-03-01 10:00")
    news = Looks(database, world.live).run(world.now, news_only=True)
    assert [it.scenario for it in news] == ["news"]
    world.move("2026-03-01 10:01")
    assert [it.scenario for it in Looks(database, world.live).run(world.now)] == ["daily"]


def test_a_scenario_whose_look_breaks_stops_no_other(database: Database, monkeypatch: Any) -> None:
    world = World(database, {"broken": scenario(BIRTHDAY, priority="90"), "sound": campaign()})
    world.customer("anna", birthday=date(1990, 3, 1))

    def breaks(*_: object) -> Any:
        raise ValueError("anna's own phone number")

    monkeypatch.setattr(type(discover()["birthday"]), "candidates", breaks)
    broken, sound = world.looks("2026-03-01 10:00", breaks=True)
    assert (broken.scenario, sound.scenario, sound.error) == ("broken", "sound", None)
    assert broken.error is not None
    assert broken.error.startswith("ValueError at test_looks.py:")
    assert exit_code(Ticked(world.now, looks=[broken, sound]), {}) == 3
    assert [it.scenario for it in world.messages()] == ["sound"]
    # Nothing of it was kept: mended, it looks at the same time again.
    monkeypatch.undo()
    assert [it.scenario for it in world.looks("2026-03-01 10:00")] == ["broken"]


def test_who_began_with_files_that_nobody_can_read_any_more_goes_on_as_today(database: Database) -> None:
    world = World(database, {"one": scenario(BIRTHDAY, steps=STEPS % "2 days")})
    world.customer("anna", birthday=date(1990, 3, 1))
    world.look("2026-03-01 10:00")
    world.settle()
    world.apply({"one": scenario(BIRTHDAY, steps=STEPS % "1 day")})
    with database.write() as connection:
        first = update(VERSION).where(VERSION.c.version == 1)
        connection.execute(
            first.values(files={"program.yaml": "of an older language", "scenarios/one.yaml": "?"})
        )
    world.live = Live(database)
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}
