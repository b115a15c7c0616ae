"""The calendar: everybody once at each planned time, by the clock of their own zone."""

from datetime import timedelta

import pytest

from campaigns.bundle import check
from core.db import Database
from tests.support.happenings import still_true
from tests.support.world import World, bundle_of, local, scenario
from triggers import discover


def world_of(database: Database, when: str, at: str) -> World:
    return World(database, {"campaign": scenario(f"{{schedule: {{{when}}}}}", schedule="")}, at=at)


def run(world: World, until: str, minutes: int = 30) -> list[tuple[str, str]]:
    """Look every so often; (customer, occasion) of every message."""
    end = local(until, "Europe/Kyiv")
    while world.now < end:
        world.looks(world.now + timedelta(minutes=minutes))
    return [(it.external_id, it.occasion) for it in world.messages()]


def test_a_campaign_goes_out_once_at_the_customers_own_ten_oclock(database: Database) -> None:
    world = world_of(database, "at: 2026-03-02 10:00", at="2026-03-01 20:00")
    for name, zone in (
        ("kiritimati", "Pacific/Kiritimati"),
        ("kyiv", None),
        ("honolulu", "Pacific/Honolulu"),
    ):
        world.customer(name, time_zone=zone)
    assert run(world, "2026-03-03 12:00") == [
        ("kiritimati", "2026-03-02 10:00"), ("kyiv", "2026-03-02 10:00"), ("honolulu", "2026-03-02 10:00"),
    ]  # fmt: skip
    planned = {it.external_id: it.planned_at for it in world.messages()}
    assert planned["honolulu"] == local("2026-03-02 10:00", "Pacific/Honolulu")


def test_who_moves_to_another_zone_meanwhile_is_not_written_to_twice(database: Database) -> None:
    world = world_of(database, "at: 2026-03-02 10:00", at="2026-03-01 20:00")
    world.customer("anna", time_zone="Europe/Kyiv")
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}
    world.change("anna", time_zone="Europe/Lisbon")
    assert world.looked("2026-03-02 12:00") == {"already_entered": 1}
    assert len(world.messages()) == 1


def test_the_blast_guard_counts_those_for_whom_it_is_time(database: Database) -> None:
    daily = scenario("{schedule: {every: day at 10:00}}", schedule="")
    world = World(database, {"campaign": daily}, at="2026-03-01 20:00", program={"max_per_look": 1})
    for name in ("tokyo", "osaka"):
        world.customer(name, time_zone="Asia/Tokyo")
    world.customer("kyiv")
    [looked] = world.looks("2026-03-02 04:00")
    assert looked.guarded is not None
    assert looked.guarded.count == 2


@pytest.mark.parametrize("when", ["cron: 0 10 * * *", "every: day at 10:00"])
def test_every_planned_time_is_an_occasion_of_its_own(database: Database, when: str) -> None:
    world = world_of(database, when, at="2026-03-01 09:00")
    world.customer("anna")
    assert run(world, "2026-03-03 12:00", minutes=60) == [
        ("anna", "2026-03-01 10:00"), ("anna", "2026-03-02 10:00"), ("anna", "2026-03-03 10:00"),
    ]  # fmt: skip


def test_planned_times_that_nobody_kept_are_made_up_for_once(database: Database) -> None:
    world = world_of(database, "every: day at 10:00", at="2026-03-01 09:00")
    world.customer("anna")
    assert world.look("2026-03-05 15:00") == {"anna": "planned"}
    [message] = world.messages()
    assert (message.occasion, message.planned_at) == (
        "2026-03-05 10:00", local("2026-03-05 10:00", "Europe/Kyiv"),
    )  # fmt: skip


def test_a_time_that_the_clocks_skip_or_repeat_comes_once(database: Database) -> None:
    spring = world_of(database, "every: day at 03:30", at="2026-03-28 20:00")
    spring.customer("anna")
    assert run(spring, "2026-03-29 12:00") == [("anna", "2026-03-29 04:30")]


def test_a_daily_time_in_the_hour_that_comes_twice_comes_once(database: Database) -> None:
    autumn = world_of(database, "every: day at 03:30", at="2026-10-24 20:00")
    autumn.customer("anna")
    assert run(autumn, "2026-10-25 12:00") == [("anna", "2026-10-25 03:30")]


def test_what_runs_every_hour_runs_in_the_hour_that_comes_twice_too(database: Database) -> None:
    autumn = world_of(database, "every: hour", at="2026-10-25 02:30")
    autumn.customer("anna")
    assert run(autumn, "2026-10-25 05:00") == [
        ("anna", "2026-10-25 03:00"), ("anna", "2026-10-25 03:00 again"), ("anna", "2026-10-25 04:00"),
        ("anna", "2026-10-25 05:00"),
    ]  # fmt: skip
    world_text = [it.facts["planned_for"] for it in autumn.messages()]
    assert world_text[0] == "2026-10-25 03:00"


def test_a_planned_time_that_a_look_has_met_is_over(database: Database) -> None:
    world = world_of(database, "at: 2026-03-02 10:00", at="2026-03-01 20:00")
    world.customer("anna")
    assert world.looked("2026-03-02 10:00") == {"planned": 1}
    assert world.looked("2026-03-02 10:01") == {}


def test_who_is_erased_meanwhile_gets_no_later_step(database: Database) -> None:
    steps = "[{id: hello, message: hello, send: [sms]}, {id: more, wait: 1 day, message: hello, send: [sms]}]"
    once = scenario("{schedule: {at: 2026-03-02 10:00}}", schedule="", steps=steps)
    world = World(database, {"campaign": once})
    for name in ("anna", "ihor"):
        world.customer(name)
    world.look("2026-03-02 10:00")
    assert set(still_true(world)) == {"anna", "ihor"}
    world.erase("anna")
    assert set(still_true(world)) == {"ihor"}


@pytest.mark.parametrize("given", ["{}", "{at: 2026-03-02 10:00, every: day at 10:00}"])
def test_a_campaign_has_one_way_of_saying_when(given: str) -> None:
    files = bundle_of({"campaign": scenario(f"{{schedule: {given}}}", schedule="")})
    [problem] = check(files, discover(), ["sms", "email", "push"]).problems
    assert str(problem) == (
        "scenarios/campaign.yaml:1:8: when.schedule: needs exactly one of 'at', 'cron' and 'every'; "
        "write for example 'every: monday at 10:00'"
    )


def test_a_time_that_was_over_before_the_campaign_was_applied_stays_over(database: Database) -> None:
    world = world_of(database, "at: 2026-03-02 10:00", at="2026-03-02 10:30")
    world.customer("anna")
    assert run(world, "2026-03-03 12:00", minutes=60) == []
