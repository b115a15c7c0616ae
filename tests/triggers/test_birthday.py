"""Birthdays: by the customer's own calendar, every one of them, and none twice."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.db import Database
from tests.support.happenings import merge, still_true
from tests.support.world import World, local, scenario

ON_THE_DAY = scenario("{birthday: {}}")


def world_of(database: Database, days: int = 0, at: str = "2026-03-01 09:00", **parts: str) -> World:
    return World(database, {"birthday": scenario(f"{{birthday: {{days: {days}}}}}", **parts)}, at=at)


def planned(world: World) -> list[tuple[str, str]]:
    return [(it.external_id, it.occasion) for it in world.messages()]


def test_a_birthday_on_29_february_is_kept_on_the_28th_in_other_years(database: Database) -> None:
    world = world_of(database, at="2027-02-26 09:00")
    world.customer("leap", birthday=date(2000, 2, 29))
    assert world.look("2027-02-27 10:00") == {}
    assert world.look("2027-02-28 10:00") == {"leap": "planned"}
    assert world.look("2027-03-01 10:00") == {}
    assert world.look("2028-02-28 10:00") == {}
    assert world.look("2028-02-29 10:00") == {"leap": "planned"}
    assert planned(world) == [("leap", "2027"), ("leap", "2028")]
    [first, second] = world.enrolments()
    assert first.facts == {"birthday": "2027-02-28", "age": 27}
    assert second.facts == {"birthday": "2028-02-29", "age": 28}


def test_a_wish_on_the_28th_for_the_29th_is_still_true_the_day_after(database: Database) -> None:
    steps = "[{id: hello, message: hello, send: [sms]}, {id: gift, wait: 1 day, message: hello, send: [sms]}]"
    world = world_of(database, at="2027-02-26 09:00", steps=steps)
    for name in ("leap", "moved"):
        world.customer(name, birthday=date(2000, 2, 29))
    assert world.look("2027-02-28 10:00") == {"leap": "planned", "moved": "planned"}
    world.settle()
    world.change("moved", birthday=date(2000, 3, 29))
    assert world.look("2027-03-01 10:00") == {"leap": "planned", "moved": "no_longer_true"}


def test_days_before_and_after_may_lie_in_another_year(database: Database) -> None:
    world = world_of(database, days=-3, at="2026-12-28 09:00")
    world.customer("january", birthday=date(1990, 1, 2))
    assert world.look("2026-12-30 10:00") == {"january": "planned"}
    assert planned(world) == [("january", "2027")]


def test_the_day_after_new_years_eve_belongs_to_the_old_year(database: Database) -> None:
    world = world_of(database, days=1, at="2026-12-31 09:00")
    world.customer("eve", birthday=date(1990, 12, 31))
    assert world.look("2027-01-01 10:00") == {"eve": "planned"}
    assert planned(world) == [("eve", "2026")]


@pytest.mark.parametrize("days", range(-7, 8))
def test_every_distance_from_the_birthday_is_kept_once(database: Database, days: int) -> None:
    world = world_of(database, days=days, at="2026-06-01 09:00")
    world.customer("anna", birthday=date(1990, 6, 15))
    due = 15 + days
    looked = (1, due - 1, due, due + 1, 29)
    struck = [day for day in looked if world.look(f"2026-06-{day:02} 10:00").get("anna") == "planned"]
    assert struck == [due]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Honolulu", "America/St_Johns", ""])
def test_it_is_ten_in_the_morning_where_the_customer_lives(database: Database, zone: str) -> None:
    world = world_of(database, at="2026-03-04 09:00")
    world.customer("far", birthday=date(1990, 3, 5), time_zone=zone or None)
    due = local("2026-03-05 10:00", zone or "Europe/Kyiv")
    # Midnight and ten o'clock there, and in the program's zone, each with what comes before and after.
    for hours in (-12.5, -10, -9.5, -2, -0.5, 0, 0.5, 2, 10, 13.5, 14, 24, 26):
        at = due + timedelta(hours=hours)
        assert world.look(at) == ({"far": "planned"} if at == due else {})
    [message] = world.messages()
    assert message.planned_at == due
    assert message.occasion == "2026"


def test_a_zone_that_nobody_knows_is_the_programs(database: Database) -> None:
    world = world_of(database)
    world.customer("odd", birthday=date(1990, 3, 2), time_zone="Mars/Olympus")
    assert world.look("2026-03-02 10:00") == {"odd": "planned"}


@pytest.mark.parametrize(("missed", "kept"), [(1, 2), (6, 7), (9, 7)])
def test_looks_that_were_missed_are_made_up_for_a_week_at_most(
    database: Database, missed: int, kept: int
) -> None:
    world = world_of(database)
    for day in range(1, 21):
        world.customer(f"day-{day:02}", birthday=date(1990, 3, day))
    world.look("2026-03-02 10:00")
    world.settle()
    back = 2 + missed + 1
    verdicts = world.look(f"2026-03-{back:02} 10:00")
    assert set(verdicts) == {f"day-{day:02}" for day in range(back - kept + 1, back + 1)}
    late = {it.external_id: it.planned_at for it in world.messages(state="planned")}
    first = f"day-{back - kept + 1:02}"
    assert late[first] == local(f"2026-03-{back - kept + 1:02} 10:00", "Europe/Kyiv")


def test_a_late_wish_is_dropped_when_it_is_no_longer_valid(database: Database) -> None:
    world = world_of(database, limits="{valid_for: 12 hours}")
    world.customer("yesterday", birthday=date(1990, 3, 3))
    world.customer("today", birthday=date(1990, 3, 4))
    world.look("2026-03-02 10:00")
    assert world.look("2026-03-04 10:00") == {"yesterday": "expired", "today": "planned"}


def test_a_weekly_look_finds_the_birthdays_of_the_whole_week(database: Database) -> None:
    world = world_of(database, at="2026-03-01 09:00", schedule="every monday at 10:00")
    for day in range(1, 31):
        world.customer(f"day-{day:02}", birthday=date(1990, 3, day))
    found = {day: set(world.look(f"2026-03-{day:02} 10:00")) for day in range(2, 31)}
    assert {day for day, names in found.items() if names} == {2, 9, 16, 23, 30}
    assert found[16] == {f"day-{day:02}" for day in range(10, 17)}


def test_a_corrected_birthday_is_no_longer_wished_for(database: Database) -> None:
    text = ON_THE_DAY.replace(
        "[{id: hello, message: hello, send: [sms]}]",
        "[{id: hello, message: hello, send: [sms]}, {id: gift, wait: 2 hours, message: hello, send: [sms]}]",
    )
    world = World(database, {"birthday": text})
    for name in ("anna", "leap"):
        world.customer(name, birthday=date(1990, 3, 2))
    world.look("2026-03-02 10:00")
    world.settle()
    world.change("anna", birthday=date(1990, 7, 2))
    world.change("leap", birthday=date(1992, 2, 29))
    assert world.look("2026-03-02 12:00") == {"anna": "no_longer_true", "leap": "no_longer_true"}


def test_an_hour_that_is_skipped_or_comes_twice_moves_no_birthday(database: Database) -> None:
    world = world_of(database, at="2026-03-27 09:00", schedule="every day at 03:30")
    for day in range(27, 32):
        world.customer(f"day-{day}", birthday=date(1990, 3, day))
    kyiv = ZoneInfo("Europe/Kyiv")
    for day in range(28, 32):
        for half_hours in range(6):
            world.look(datetime(2026, 3, day, 0, 0, tzinfo=UTC) + timedelta(minutes=30 * half_hours))
    assert [(it.external_id, f"{it.planned_at.astimezone(kyiv):%d %H:%M}") for it in world.messages()] == [
        ("day-28", "28 03:30"), ("day-29", "29 04:30"), ("day-30", "30 03:30"), ("day-31", "31 03:30"),
    ]  # fmt: skip


def test_a_birthday_that_was_taken_back_is_no_longer_wished_for(database: Database) -> None:
    world = world_of(database)
    world.customer("anna", birthday=date(1990, 3, 2))
    world.change("anna", birthday="")
    assert world.look("2026-03-02 10:00") == {}


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Honolulu"])
@pytest.mark.parametrize(("days", "born"), [(-7, "01-03"), (-1, "01-01"), (1, "12-31"), (7, "12-28")])
def test_days_around_new_year_are_reckoned_where_the_customer_lives(
    database: Database, zone: str, days: int, born: str
) -> None:
    birthday = date.fromisoformat(f"{2027 if born < '06' else 2026}-{born}")
    due = birthday + timedelta(days=days)
    world = world_of(database, days=days, at=f"{due - timedelta(days=3)} 09:00")
    world.customer("far", birthday=birthday.replace(year=1990), time_zone=zone)
    for number in (-1, 0, 1):
        world.look(local(f"{due + timedelta(days=number)} 10:00", zone))
    [message] = world.messages()
    assert (message.occasion, message.planned_at) == (str(birthday.year), local(f"{due} 10:00", zone))


def test_who_is_erased_or_merged_before_the_wish_goes_out_gets_none(database: Database) -> None:
    world = world_of(database)
    for name in ("anna", "erased", "again"):
        world.customer(name, birthday=date(1990, 3, 1))
    world.look("2026-03-01 10:00")
    assert set(still_true(world)) == {"anna", "erased", "again"}
    world.erase("erased")
    merge(world, "again", "anna")
    assert set(still_true(world)) == {"anna"}
