"""Bonuses about to expire: the series of steps, the sum of a day, the end of the day, the clocks' changes."""

from datetime import timedelta
from decimal import Decimal

import pytest

from core.db import Database
from tests.support.happenings import still_true, still_waits
from tests.support.world import World, kyiv, local, scenario

SERIES = scenario("{bonus_expiring: {at_least: 100, ahead: [14 days, 3 days, 1 day]}}")


@pytest.fixture
def world(database: Database) -> World:
    return World(database, {"expiring": SERIES})


def entered(world: World) -> list[tuple[str, str]]:
    return [(it.external_id, it.occasion) for it in world.enrolments()]


def test_a_step_opens_on_its_day_and_each_is_entered_once(world: World) -> None:
    world.customer("anna")
    world.bonuses("anna", 500, "2026-03-15")
    verdicts = {day: world.look(f"2026-03-{day:02} 10:00").get("anna") for day in range(1, 17)}
    assert {day for day, verdict in verdicts.items() if verdict == "planned"} == {1, 12, 14}
    assert entered(world) == [
        ("anna", "2026-03-15 / 14 days"), ("anna", "2026-03-15 / 3 days"), ("anna", "2026-03-15 / 1 days"),
    ]  # fmt: skip


def test_who_becomes_due_late_enters_the_open_step_and_never_a_past_one(world: World) -> None:
    world.customer("late")
    world.move("2026-03-13 12:00")
    world.bonuses("late", 500, "2026-03-15")
    assert world.look("2026-03-14 10:00") == {"late": "planned"}
    assert entered(world) == [("late", "2026-03-15 / 1 days")]


def test_bonuses_granted_ten_days_before_they_expire_enter_the_first_step_now(world: World) -> None:
    world.customer("ten")
    world.move("2026-03-05 09:00")
    world.bonuses("ten", 500, "2026-03-15")
    world.look("2026-03-05 10:00")
    assert entered(world) == [("ten", "2026-03-15 / 14 days")]


def test_days_that_nobody_looked_leave_one_step_and_not_two(world: World) -> None:
    world.customer("anna")
    world.bonuses("anna", 500, "2026-03-15")
    world.look("2026-03-14 10:00")
    assert entered(world) == [("anna", "2026-03-15 / 1 days")]


def test_at_least_sums_what_expires_on_one_day(world: World) -> None:
    world.customer("two")
    world.customer("spread")
    for name, days in (("two", ("2026-03-10", "2026-03-10")), ("spread", ("2026-03-10", "2026-03-11"))):
        for day in days:
            world.bonuses(name, 50, day)
    world.look("2026-03-01 10:00")
    assert entered(world) == [("two", "2026-03-10 / 14 days")]
    [enrolment] = world.enrolments()
    assert enrolment.facts == {"expiring": 10_000, "expires_on": "2026-03-10", "days_left": 9}


def test_two_expiry_days_are_two_occasions(world: World) -> None:
    world.customer("anna")
    world.bonuses("anna", 100, "2026-03-10")
    world.bonuses("anna", 100, "2026-03-11")
    world.look("2026-03-01 10:00")
    assert entered(world) == [("anna", "2026-03-10 / 14 days"), ("anna", "2026-03-11 / 14 days")]


def test_whoever_is_due_enters_in_the_order_of_customers_whatever_their_days(world: World) -> None:
    for name in ("anna", "boris", "vira"):
        world.customer(name)
    for name, day in (("vira", 11), ("vira", 2), ("boris", 9), ("anna", 12), ("anna", 10)):
        world.bonuses(name, 100, f"2026-03-{day:02}")
    world.look("2026-03-01 10:00")
    assert entered(world) == [
        ("anna", "2026-03-10 / 14 days"), ("anna", "2026-03-12 / 14 days"), ("boris", "2026-03-09 / 14 days"),
        ("vira", "2026-03-02 / 1 days"), ("vira", "2026-03-11 / 14 days"),
    ]  # fmt: skip


def test_bonuses_that_have_not_started_or_never_expire_are_no_reason(world: World) -> None:
    world.customer("later")
    world.customer("forever")
    world.bonuses("later", 500, "2026-03-10", starts=kyiv("2026-03-05 00:00"))
    world.bonuses("forever", 500)
    assert world.look("2026-03-01 10:00") == {}
    assert world.look("2026-03-05 10:00") == {"later": "planned"}


def test_the_last_step_is_open_to_the_end_of_the_expiry_day_in_the_programs_zone(database: Database) -> None:
    often = SERIES.replace("every day at 10:00", "every 1 minute")
    world = World(database, {"expiring": often}, at="2026-03-15 09:00")
    world.customer("anna")
    world.bonuses("anna", 500, "2026-03-15")
    world.move("2026-03-15 23:58")
    assert world.foreseen("2026-03-15 23:59") == {
        ("anna", "expiring", "2026-03-15 / 1 days", "hello"): "planned"
    }
    # In Kyiv the day is over; by UTC it lasts two hours longer.
    assert world.foreseen("2026-03-16 00:01") == {}


def test_the_day_of_the_program_counts_where_utc_has_another(database: Database) -> None:
    at_night = SERIES.replace("10:00", "00:30")
    world = World(database, {"expiring": at_night}, at="2026-02-27 09:00")
    world.customer("anna")
    world.bonuses("anna", 500, "2026-03-15")
    assert world.look("2026-03-01 00:30") == {"anna": "planned"}
    assert kyiv("2026-03-01 00:30").date().isoformat() == "2026-02-28"


@pytest.mark.parametrize(("changed", "expires"), [("2026-03-29", "2026-03-31"), ("2026-10-25", "2026-10-27")])
def test_a_clock_change_neither_skips_nor_repeats_anybody(
    database: Database, changed: str, expires: str
) -> None:
    month, day = changed[:7], int(changed[-2:])
    world = World(database, {"expiring": SERIES}, at=f"{month}-01 09:00")
    world.customer("anna")
    world.customer("lisbon", time_zone="Europe/Lisbon")
    for name in ("anna", "lisbon"):
        world.bonuses(name, 500, expires)
    planned = []
    for each in range(day - 15, day + 3):
        for zone in ("Europe/Kyiv", "Europe/Lisbon"):
            at = local(f"{month}-{each:02} 10:00", zone)
            planned += [(name, at) for name, verdict in world.look(at).items() if verdict == "planned"]
    assert [name for name, _ in planned].count("anna") == 3
    assert [name for name, _ in planned].count("lisbon") == 3
    assert all(
        at == local(f"{at:%Y-%m-%d} 10:00", "Europe/Lisbon") for name, at in planned if name == "lisbon"
    )


def test_what_was_spent_meanwhile_is_no_longer_true(world: World) -> None:
    world.customer("anna")
    world.bonuses("anna", 500, "2026-03-15")
    world.redeem("anna", 401)
    assert world.look("2026-03-01 10:00") == {}


def test_a_look_that_comes_late_is_planned_for_the_time_of_the_schedule(world: World) -> None:
    world.customer("anna")
    world.bonuses("anna", 500, "2026-03-15")
    world.look("2026-03-01 17:23")
    [message] = world.messages()
    assert message.planned_at == kyiv("2026-03-01 10:00")


def test_the_smallest_amount_and_bonuses_that_start_this_moment_expire_like_others(
    database: Database,
) -> None:
    world = World(database, {"expiring": scenario("{bonus_expiring: {ahead: 14 days}}")})
    for name, starts in (("hundredth", "09:00"), ("begins", "10:00")):
        world.customer(name)
        world.bonuses(name, Decimal("0.01"), "2026-03-10", starts=kyiv(f"2026-03-01 {starts}"))
    assert world.look("2026-03-01 10:00") == {"begins": "planned", "hundredth": "planned"}
    assert set(still_true(world)) == {"begins", "hundredth"}


def test_what_waits_is_about_its_own_day_to_its_end_and_about_what_can_be_spent(world: World) -> None:
    spent = {"enough": 50, "too-much": 51, "other-day": 150, "not-yet": 150}
    for name in spent:
        world.customer(name)
        world.bonuses(name, 150, "2026-03-03")
    world.bonuses("other-day", 500, "2026-04-20")
    world.bonuses("not-yet", 500, "2026-03-03", starts=kyiv("2026-03-02 12:00"))
    world.look("2026-03-01 10:00")
    for name, amount in spent.items():
        world.redeem(name, amount)
    assert set(still_true(world)) == {"enough"}
    world.move(kyiv("2026-03-04 00:00") - timedelta(milliseconds=1))
    assert set(still_true(world)) == {"enough", "not-yet"}
    world.move("2026-03-04 00:00")
    assert still_true(world) == {}


def test_what_waited_too_long_gives_way_to_the_nearer_step_that_was_entered(world: World) -> None:
    for name in ("anna", "other-day"):
        world.customer(name)
        world.bonuses(name, 500, "2026-03-15")
    world.bonuses("other-day", 500, "2026-03-13")
    world.look("2026-03-01 10:00")
    world.move("2026-03-12 09:59")
    assert still_waits(world) == {
        ("anna", "2026-03-15 / 14 days"),
        ("other-day", "2026-03-13 / 14 days"),
        ("other-day", "2026-03-15 / 14 days"),
    }, "nobody has entered the nearer step yet: what waits is all that would be said"
    world.look("2026-03-12 10:00")
    nearer = {
        ("anna", "2026-03-15 / 3 days"),
        ("other-day", "2026-03-13 / 1 days"),
        ("other-day", "2026-03-15 / 3 days"),
    }
    assert still_waits(world) == nearer


def test_what_waits_gives_way_to_ones_own_nearer_step_of_that_day_alone(database: Database) -> None:
    world = World(database, {"one": scenario("{bonus_expiring: {ahead: [14 days, 3 days]}}")})
    for name, zone in (("anna", "Europe/Lisbon"), ("ihor", "Europe/Kyiv")):
        world.customer(name, time_zone=zone)
        world.bonuses(name, 500, "2026-03-15")
        world.bonuses(name, 500, "2026-03-24")
    world.look("2026-03-01 12:00")
    world.look("2026-03-11 12:00")
    both = {"2026-03-15 / 14 days", "2026-03-24 / 14 days"}
    assert still_waits(world) == {(name, it) for name in ("anna", "ihor") for it in both}
    # It is ten o'clock where Ihor lives, and not yet where Anna does.
    world.look("2026-03-12 10:00")
    assert still_waits(world) == {
        *(("anna", it) for it in both), ("ihor", "2026-03-24 / 14 days"), ("ihor", "2026-03-15 / 3 days"),
    }  # fmt: skip
