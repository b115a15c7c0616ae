"""What a step waits for and asks, who leaves a scenario between its steps, and what a rename leaves alone."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from campaigns.gates.holdout import is_drawn
from core.db import Database
from core.errors import Problems
from tests.support.world import World, kyiv, scenario

BIRTHDAY = "{birthday: {}}"
PEOPLE: dict[str, Any] = {"birthday": date(1990, 3, 1)}
TWO = "[{id: hello, message: hello, send: [sms]}, {id: again, wait: 5 days, message: hello, send: [sms]%s}]"


def begun(database: Database, steps: str, *names: str, **parts: str) -> World:
    """Everybody has had the first message; five days later the second is due."""
    world = World(database, {"one": scenario(BIRTHDAY, steps=steps, **parts)})
    for name in names:
        world.customer(name, **PEOPLE)
    world.look("2026-03-01 10:00")
    world.settle()
    return world


# --- waits


def test_a_wait_runs_from_when_the_message_before_was_accepted(database: Database) -> None:
    world = World(database, {"one": scenario(BIRTHDAY, steps=TWO % "")})
    world.customer("anna", **PEOPLE)
    world.look("2026-03-01 10:00")
    world.move("2026-03-02 15:30")
    world.settle()
    assert world.look("2026-03-07 15:29") == {}
    assert world.look("2026-03-07 15:30") == {"anna": "planned"}


def test_a_step_whose_message_is_still_under_way_lets_the_next_one_wait(database: Database) -> None:
    world = World(database, {"one": scenario(BIRTHDAY, steps=TWO % "")})
    world.customer("anna", **PEOPLE)
    world.look("2026-03-01 10:00")
    assert world.look("2026-03-20 10:00") == {}


# --- what a step asks


@pytest.mark.parametrize("asked", ["{tier: gold}", "[purchase, {tier: gold}]"])
def test_unless_takes_an_audience_and_ends_the_enrolment(database: Database, asked: str) -> None:
    world = begun(database, TWO % f", unless: {asked}", "golden", "other")
    world.tier("golden", "gold")
    assert world.look("2026-03-06 10:00") == {"golden": "exited", "other": "planned"}
    assert world.detail("golden") == ("unless tier" if asked.startswith("{") else "unless purchase or tier")
    assert {it.external_id: it.status for it in world.enrolments()} == {
        "golden": "exited",
        "other": "finished",
    }


def test_only_if_lets_those_go_on_of_whom_it_is_so(database: Database) -> None:
    world = begun(database, TWO % ", only_if: {balance: {at_least: 100}}", "rich", "poor")
    world.bonuses("rich", 100)
    world.bonuses("poor", 99)
    assert world.look("2026-03-06 10:00") == {"rich": "planned", "poor": "exited"}
    assert world.detail("poor") == "only if balance"


def test_only_if_purchase_asks_for_one_since_the_enrolment(database: Database) -> None:
    world = World(database, {"one": scenario(BIRTHDAY, steps=TWO % ", only_if: [purchase]")})
    for name in ("before", "since"):
        world.customer(name, **PEOPLE)
    world.buy("before", 100)
    world.look("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-02 10:00")
    world.buy("since", 100)
    assert world.look("2026-03-06 10:00") == {"before": "exited", "since": "planned"}


def test_a_list_is_one_of_and_a_mapping_is_all_of_it(database: Database) -> None:
    both = "{tier: gold, balance: {at_least: 100}}"
    world = begun(database, TWO % f", only_if: [purchase, {both}]", "bought", "both", "half")
    world.move("2026-03-02 10:00")
    world.buy("bought", 10)
    for name in ("both", "half"):
        world.tier(name, "gold")
    world.bonuses("both", 100)
    verdicts = world.look("2026-03-06 10:00")
    assert verdicts == {"bought": "planned", "both": "planned", "half": "exited"}
    assert world.detail("half") == "only if purchase or tier and balance"


def test_the_first_step_may_ask_too_and_its_answer_is_final(database: Database) -> None:
    steps = "[{id: hello, message: hello, send: [sms], only_if: {tier: gold}}]"
    world = World(database, {"one": scenario("{bonus_expiring: {ahead: 14 days}}", steps=steps)})
    world.customer("anna")
    world.bonuses("anna", 500, "2026-03-10")
    assert world.look("2026-03-01 10:00") == {"anna": "exited"}
    world.tier("anna", "gold")
    assert world.looked("2026-03-02 10:00") == {"already_entered": 1}


def test_a_step_may_ask_for_a_segment(database: Database) -> None:
    files = {"segments/staff.yaml": "about: Ours.\nattributes.staff: true\n"}
    text = scenario(BIRTHDAY, steps=TWO % ", unless: {segment: staff}")
    world = World(database, {"one": text}, files=files)
    world.customer("ours", attributes={"staff": True}, **PEOPLE)
    world.customer("other", **PEOPLE)
    world.look("2026-03-01 10:00")
    world.settle()
    assert world.look("2026-03-06 10:00") == {"ours": "exited", "other": "planned"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [("[sale]", "'purchase' or an audience"), ("{teir: gold}", "did you mean 'tier'")],
)
def test_what_a_step_cannot_ask_is_said_with_its_place(database: Database, asked: str, said: str) -> None:
    with pytest.raises(Problems) as refused:
        World(database, {"one": scenario(BIRTHDAY, steps=TWO % f", unless: {asked}")})
    [problem] = refused.value.problems
    assert said in str(problem)
    assert "steps[1].unless" in str(problem)


# --- the structure that somebody began with


def test_who_is_under_way_keeps_steps_and_waits_and_takes_todays_limits(database: Database) -> None:
    world = begun(database, TWO % "", "anna")
    three = TWO.replace("wait: 5 days", "wait: 9 days") % ""
    world.apply({"one": scenario(BIRTHDAY, steps=three, limits="{at_most: 1 per 30 days}")})
    # After five days as she began, and capped as it is written today.
    assert world.look("2026-03-06 10:00") == {"anna": "capped"}


# --- renaming


def test_a_scenario_renamed_twice_draws_as_under_its_first_name(database: Database) -> None:
    steps = "[{id: hello, send: [sms], variants: [{message: red}, {message: blue}]}]"
    when = "{schedule: {every: day at 10:00}}"
    parts = {"steps": steps, "holdout": "50%", "schedule": ""}
    world = World(database, {"first": scenario(when, **parts)})
    for number in range(24):
        world.customer(f"customer-{number}")
    world.looks("2026-03-01 10:00")
    before = {(it.external_id, it.message) for it in world.messages()}
    world.apply({"second": scenario(when, formerly="first", **parts)})
    world.apply({"third": scenario(when, formerly="second", **parts)})
    # Nobody keeps `formerly` for ever.
    world.apply({"third": scenario(when, about="Renamed.", **parts)})
    world.looks("2026-03-02 10:00")
    assert {(it.external_id, it.message) for it in world.messages() if "03-02" in it.occasion} == before


def test_who_began_under_the_first_name_keeps_its_structure(database: Database) -> None:
    world = begun(database, TWO % "", "anna")
    other = TWO.replace("wait: 5 days", "wait: 20 days") % ""
    world.apply({"two": scenario(BIRTHDAY, steps=other, formerly="one")})
    world.apply({"three": scenario(BIRTHDAY, steps=other, formerly="two")})
    assert world.look("2026-03-06 10:00") == {"anna": "planned"}


# --- holdout


def test_the_two_holdouts_are_drawn_apart_and_take_no_allowance(database: Database) -> None:
    when = "{schedule: {every: day at 10:00}}"
    world = World(
        database,
        {
            "ads": scenario(when, holdout="50%", schedule="", priority="90"),
            "more": scenario(when, schedule="", priority="10"),
        },
        program={"holdout": "30%", "allowances": {"marketing": {"all": "1 per 1 day"}}},
    )
    names = [f"customer-{number}" for number in range(80)]
    for name in names:
        world.customer(name)
    world.looks("2026-03-01 10:00")
    of_all = {name for name in names if is_drawn("Kavarnia", "holdout", name, Decimal("0.3"))}
    of_ads = {name for name in names if is_drawn("Kavarnia", "holdout:ads", name, Decimal("0.5"))}
    assert all((of_all & of_ads, of_all - of_ads, of_ads - of_all))
    held = {it.external_id for it in world.enrolments() if (it.scenario, it.arm) == ("ads", "holdout")}
    assert held == of_all | of_ads
    # Whom the first scenario held out has room for the second.
    assert {it.external_id for it in world.messages(scenario="more")} == of_ads - of_all


# --- nights, clock changes, days of silence


@pytest.mark.parametrize(
    ("day", "ends"),
    # Clocks go from 03:00 to 04:00, so that 03:30 is where they jump to; and from 04:00 to 03:00, where it
    # comes twice and the first one counts.
    [("2026-03-28", "2026-03-29 04:30"), ("2026-10-24", "2026-10-25 03:30")],
)
def test_a_night_with_a_clock_change_ends_by_the_wall_clock(database: Database, day: str, ends: str) -> None:
    text = scenario(
        f"{{schedule: {{at: '{day} 22:00'}}}}", schedule="", limits="{quiet_hours: '21:00-03:30'}"
    )
    world = World(database, {"one": text}, at=kyiv(day))
    world.customer("anna")
    assert world.look(f"{day} 22:00") == {"anna": "deferred"}
    assert [it.due_at for it in world.messages()] == [kyiv(ends)]


def test_days_of_silence_follow_each_other_and_end_with_the_night(database: Database) -> None:
    text = scenario("{schedule: {at: '2026-08-23 22:00'}}", schedule="")
    world = World(
        database,
        {"one": text},
        program={"quiet_hours": "21:00-09:00", "blackout": ["2026-08-24", "2026-08-25"]},
    )
    world.customer("anna")
    world.look("2026-08-23 22:00")
    assert world.messages()[0].due_at == kyiv("2026-08-26 09:00")
