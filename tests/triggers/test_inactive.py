"""A long silence: from the last receipt, or the registration; a purchase ends it."""

from datetime import date

import pytest

from campaigns.look import Span, rehearsal, zones_of
from core.db import Database
from tests.support.happenings import still_true, told
from tests.support.world import World, kyiv, scenario

TWO_STEPS = (
    "[{id: hello, message: hello, send: [sms]}, {id: call, wait: 5 days, message: hello, send: [sms]}]"
)


def world_of(database: Database, at_least_receipts: int = 1, **parts: str) -> World:
    when = f"{{inactive: {{for: 60 days, at_least_receipts: {at_least_receipts}}}}}"
    return World(database, {"win-back": scenario(when, **parts)}, at="2026-01-05 09:00")


def test_sixty_calendar_days_after_the_last_receipt_it_is_a_silence(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.buy("anna", 100, at=kyiv("2026-01-05 10:00"))
    assert world.look("2026-03-05 10:00") == {}
    assert world.look("2026-03-06 10:00") == {"anna": "planned"}
    assert world.look("2026-03-07 10:00") == {}
    assert world.looked("2026-03-08 10:00") == {}


def test_the_occasion_is_the_last_receipt_so_a_new_silence_is_another(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.buy("anna", 100)
    world.look("2026-03-07 10:00")
    world.settle()
    world.buy("anna", 100)
    assert world.look("2026-05-05 10:00") == {}
    assert world.look("2026-05-07 10:00") == {"anna": "planned"}
    occasions = [it.occasion for it in world.enrolments()]
    assert occasions == ["2026-01-05 07:00:00.000000", "2026-03-07 08:00:00.000000"]


def test_who_never_bought_is_silent_since_the_registration(database: Database) -> None:
    world = world_of(database, at_least_receipts=0)
    world.customer("newcomer")
    world.customer("regular")
    world.move("2026-02-20 09:00")
    world.buy("regular", 100)
    assert world.look("2026-03-07 10:00") == {"newcomer": "planned"}
    [enrolment] = world.enrolments()
    assert enrolment.facts["purchases"] == 0


def test_too_few_purchases_are_no_habit(database: Database) -> None:
    world = world_of(database, at_least_receipts=2)
    for name, times in (("never", 0), ("once", 1), ("twice", 2)):
        world.customer(name)
        for _ in range(times):
            world.buy(name, 100)
    assert world.look("2026-03-07 10:00") == {"twice": "planned"}


def test_a_purchase_in_between_ends_the_silence_before_the_next_step(database: Database) -> None:
    world = world_of(database, steps=TWO_STEPS)
    world.customer("back")
    world.customer("away")
    for name in ("back", "away"):
        world.buy(name, 100)
    world.look("2026-03-07 10:00")
    world.settle()
    world.move("2026-03-09 12:00")
    world.buy("back", 100)
    assert world.look("2026-03-12 10:00") == {"back": "no_longer_true", "away": "planned"}


def test_a_returned_purchase_does_not_count_as_one(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.buy("anna", 100)
    world.move("2026-02-20 10:00")
    receipt = world.buy("anna", 500)
    world.move("2026-02-21 10:00")
    world.give_back(receipt)
    assert world.look("2026-03-07 10:00") == {"anna": "planned"}


def test_an_imported_silence_is_a_silence(database: Database) -> None:
    world = world_of(database)
    world.customer("old")
    world.buy("old", 100, at=kyiv("2024-01-05 10:00"), live=False)
    assert world.look("2026-01-05 10:00") == {"old": "planned"}


def test_a_look_stages_nobody_who_entered_for_this_silence(database: Database) -> None:
    world = world_of(database)
    world.move("2026-01-13 09:00")
    for name in ("told", "silent", "late"):
        world.customer(name, consent=() if name == "silent" else ("sms",))
        world.buy(name, 100, at=kyiv("2026-01-05 10:00" if name != "late" else "2026-01-09 10:00"))
    assert world.looked("2026-03-06 10:00") == {"planned": 1, "no_consent": 1}
    # Whom a gate held back is asked again, which is said once; whose silence ended its span since is new.
    assert world.looked("2026-03-07 10:00") == {}
    world.agree("silent", "sms")
    assert world.look("2026-03-11 10:00") == {"late": "planned", "silent": "planned"}
    assert world.looked("2026-03-12 10:00") == {}


def test_looks_missed_for_a_day_or_a_week_lose_nobody(database: Database) -> None:
    world = world_of(database)
    world.move("2026-01-13 09:00")
    for day in range(1, 13):
        world.customer(f"day-{day:02}")
        world.buy(f"day-{day:02}", 100, at=kyiv(f"2026-01-{day:02} 08:00"), live=False)
    world.look("2026-03-02 10:00")
    world.settle()
    assert set(world.look("2026-03-04 10:00")) == {"day-02", "day-03"}
    world.settle()
    assert set(world.look("2026-03-12 10:00")) == {f"day-{day:02}" for day in range(4, 12)}


def test_a_late_receipt_within_a_silence_that_was_told_is_no_other_silence(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.buy("anna", 100)
    world.look("2026-03-10 10:00")
    world.settle()
    world.buy("anna", 100, at=kyiv("2026-01-07 12:00"))
    assert world.look("2026-03-11 10:00") == {}
    # By this one she had been silent for the sixty days exactly.
    world.buy("anna", 100, at=kyiv("2026-01-09 09:00"))
    assert world.looked("2026-03-12 10:00") == {}


def test_a_late_receipt_that_ends_a_silence_begins_another_one(database: Database) -> None:
    world = world_of(database, steps=TWO_STEPS)
    world.customer("anna")
    world.buy("anna", 100)
    world.look("2026-03-10 10:00")
    world.settle()
    world.buy("anna", 100, at=kyiv("2026-03-08 12:00"))
    assert world.look("2026-03-15 10:00") == {"anna": "no_longer_true"}
    assert world.look("2026-05-07 10:00") == {}
    assert world.look("2026-05-08 10:00") == {"anna": "planned"}


def test_a_message_can_say_since_when_and_counts_the_days_where_the_program_is(database: Database) -> None:
    world = World(
        database, {"win-back": scenario("{inactive: {for: 60 days}}", schedule="every day at 00:30")},
        at="2026-01-05 00:15",
    )  # fmt: skip
    world.customer("anna")
    for _ in range(2):
        world.buy("anna", 100)
    world.look("2026-03-06 00:30")  # by UTC it is the 5th still
    said = {"last_purchase_on": date(2026, 1, 5), "days_silent": 60, "purchases": 2}
    assert told(world) == [("anna", said)]
    assert still_true(world) == {"anna": said}


@pytest.mark.parametrize("receipts", [0, 1])
def test_days_of_silence_are_days_of_the_calendar_to_the_second(database: Database, receipts: int) -> None:
    """The clocks went forward in between: by UTC the same time of the day is an hour earlier."""
    world = world_of(database, at_least_receipts=receipts)
    for second in ("00", "01"):
        at = kyiv(f"2026-01-31 10:00:{second}")
        world.move(at)
        world.customer(second, registered_at=at)
        if receipts:
            world.buy(second, 100)
    assert world.look("2026-04-01 10:00") == {"00": "planned"}


def test_who_never_bought_and_is_silent_since_they_joined_is_so_still(database: Database) -> None:
    world = world_of(database, at_least_receipts=0)
    for name in ("anna", "ihor"):
        world.customer(name)
    world.look("2026-03-07 10:00")
    world.buy("ihor", 100)
    assert set(still_true(world)) == {"anna"}


def test_who_never_bought_counts_for_the_blast_guard(database: Database) -> None:
    world = world_of(database, at_least_receipts=0)
    for name in ("anna", "ihor"):
        world.customer(name)
    world.move("2026-03-07 10:00")
    assert guarded(world) == 2


@pytest.mark.parametrize("receipts", [1, 2])
def test_the_blast_guard_counts_who_bought_as_often_until_that_very_second(
    database: Database, receipts: int
) -> None:
    world = world_of(database, at_least_receipts=receipts)
    for name, second, bought in (("anna", "00", receipts), ("once", "00", 1), ("late", "01", receipts)):
        at = kyiv(f"2026-01-31 10:00:{second}")
        world.move(at)
        world.customer(name, registered_at=at)
        for _ in range(bought):
            world.buy(name, 100)
    world.move("2026-04-01 10:00")
    assert guarded(world) == (2 if receipts == 1 else 1)


def guarded(world: World) -> int:
    """Of how many the blast guard hears."""
    [one], span = world.running.scenarios.values(), Span(world.now)
    with world.database.read() as connection:
        looker = rehearsal(connection, world.running)
        zones = zones_of(connection, world.program, one, span)
        return next(it for it in range(9) if looker.at_most(one, span, zones, it))


def test_what_a_late_receipt_or_a_return_makes_of_a_silence_recalls_its_message(database: Database) -> None:
    world = world_of(database, at_least_receipts=2)
    for name in ("late", "back", "same"):
        world.customer(name)
        world.buy(name, 100, receipt=f"{name}-first")
        world.buy(name, 100)
    world.look("2026-03-20 10:00")
    assert set(still_true(world)) == {"late", "back", "same"}
    world.buy("late", 100, at=kyiv("2026-01-07 12:00"))
    world.give_back("back-first")
    assert set(still_true(world)) == {"same"}
