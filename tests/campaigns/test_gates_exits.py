"""Which purchase ends an enrolment: after the entry, known at the look, and in time for the goal."""

from datetime import date

import pytest

from core.db import Database
from tests.support.world import World, kyiv, scenario

TWO = "[{id: hello, message: hello, send: [sms]}, {id: again, wait: 5 days, message: hello, send: [sms]%s}]"
UNLESS = TWO % ", unless: [purchase]"


def begun(database: Database, at: str, steps: str, goal: str = "") -> World:
    """Anna has her birthday, and had the first message at ten."""
    world = World(database, {"one": scenario("{birthday: {}}", steps=steps, goal=goal)}, at=f"{at} 09:00")
    world.customer("anna", birthday=date.fromisoformat(at).replace(year=1990))
    world.look(f"{at} 10:00")
    world.settle()
    return world


@pytest.mark.parametrize(
    ("bought", "verdict"),
    [
        ("2026-03-01 10:00", "planned"),
        ("2026-03-01 10:00:01", "exited"),
        ("2026-03-06 10:00", "exited"),
    ],
)
def test_a_purchase_counts_from_just_after_the_entry_to_the_look(
    database: Database, bought: str, verdict: str
) -> None:
    world = begun(database, "2026-03-01", UNLESS)
    world.move("2026-03-06 10:00")
    world.buy("anna", 100, at=kyiv(bought))
    assert world.look("2026-03-06 10:00") == {"anna": verdict}


@pytest.mark.parametrize(
    ("bought", "verdict"), [("2026-03-29 10:00", "exited"), ("2026-03-29 10:01", "planned")]
)
def test_the_days_of_a_goal_are_days_of_the_programs_calendar(
    database: Database, bought: str, verdict: str
) -> None:
    """The clocks go forward in the night of 29 March: that day has 23 hours."""
    world = begun(database, "2026-03-28", TWO % "", "{purchase: {within: 1 day}}")
    world.move("2026-04-02 10:00")
    world.buy("anna", 100, at=kyiv(bought))
    assert world.look("2026-04-02 10:00") == {"anna": verdict}


def test_everybody_has_a_goal_s_time_of_their_own(database: Database) -> None:
    world = begun(database, "2026-03-01", TWO % "", "{purchase: {within: 2 days}}")
    world.customer("ihor", birthday=date(1990, 3, 3))
    world.look("2026-03-03 10:00")
    world.settle()
    world.move("2026-03-04 10:00")
    for name in ("anna", "ihor"):
        world.buy(name, 100)
    assert world.look("2026-03-09 10:00") == {"anna": "planned", "ihor": "exited"}


@pytest.mark.parametrize("looked", ["2026-03-01 09:00", "2026-03-01 09:01"])
@pytest.mark.parametrize(("steps", "goal"), [(UNLESS, ""), (TWO % "", "{purchase: {within: 14 days}}")])
def test_the_purchase_that_somebody_entered_by_is_not_one_since_whatever_the_tills_clock_says(
    database: Database, steps: str, goal: str, looked: str
) -> None:
    one = scenario("{purchase: {}}", steps=steps, goal=goal, schedule="")
    world = World(database, {"one": one}, at="2026-03-01 09:00")
    for name in ("anna", "ihor"):
        world.customer(name)
        world.buy(name, 100, at=kyiv("2026-03-01 09:03"))
    assert world.look(looked) == {"anna": "planned", "ihor": "planned"}
    world.settle()
    world.move("2026-03-02 10:00")
    world.buy("ihor", 100, live=False)
    assert world.foreseen("2026-03-06 10:00") == {
        ("anna", "one", world.enrolments()[0].occasion, "again"): "planned",
        ("ihor", "one", world.enrolments()[1].occasion, "again"): "exited",
    }
    assert world.look("2026-03-06 10:00") == {"anna": "planned", "ihor": "exited"}


def test_a_state_that_has_ended_needs_no_further_step(database: Database) -> None:
    world = World(database, {"one": scenario("{bonus_expiring: {ahead: 14 days}}", steps=TWO % "")})
    for name in ("spent", "kept"):
        world.customer(name)
        world.bonuses(name, 100, "2026-03-12")
    world.look("2026-03-01 10:00")
    world.settle()
    world.redeem("spent", 100)
    world.looks("2026-03-06 10:00")
    said = {(it[0], it[3]): it[4] for it in world.decisions(world.now)}
    assert said["spent", "again"] == "no_longer_true"
    assert said["kept", "again"] == "planned"


def test_what_has_happened_stays_a_reason_for_the_further_steps(database: Database) -> None:
    world = World(database, {"one": scenario("{bonus_accrued: {}}", steps=TWO % "", schedule="")})
    world.customer("anna")
    receipt = world.buy("anna", 100)
    world.look("2026-03-01 10:00")
    world.settle()
    world.give_back(receipt)
    assert world.look("2026-03-06 10:00") == {"anna": "planned"}
