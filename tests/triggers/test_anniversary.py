"""Anniversaries: of joining or of the first purchase, by the customer's own calendar, each year once."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.db import Database
from tests.support.world import World, kyiv, local, scenario


def world_of(database: Database, when: str = "{}", at: str = "2026-03-01 09:00", **parts: str) -> World:
    return World(database, {"years": scenario(f"{{anniversary: {when}}}", **parts)}, at=at)


def test_the_occasion_is_the_year_counted(database: Database) -> None:
    world = world_of(database, at="2026-03-04 09:00")
    world.customer("anna", registered_at=kyiv("2024-03-05 18:30"))
    assert world.look("2026-03-04 10:00") == {}
    assert world.look("2026-03-05 10:00") == {"anna": "planned"}
    assert world.look("2026-03-06 10:00") == {}
    world.settle()
    assert world.look("2027-03-05 10:00") == {"anna": "planned"}
    assert [it.occasion for it in world.enrolments()] == ["2", "3"]
    assert world.enrolments()[1].facts == {"years": 3, "anniversary": "2027-03-05", "since": "2024-03-05"}


def test_the_day_of_joining_itself_is_no_anniversary(database: Database) -> None:
    world = world_of(database)
    world.customer("new")
    assert world.look("2026-03-01 10:00") == {}


def test_the_last_evening_of_a_year_is_remembered_a_year_later_where_utc_was_in_the_next_one(
    database: Database,
) -> None:
    zone = "America/New_York"
    world = world_of(database, at="2026-12-31 09:00")
    world.customer("anna", time_zone=zone, registered_at=local("2025-12-31 22:00", zone))
    assert world.look(local("2026-12-31 10:00", zone)) == {"anna": "planned"}


@pytest.mark.parametrize("at", ["1970-06-01 10:00", "1972-02-29 10:00"])
def test_a_dry_run_at_a_time_before_anybody_could_join_finds_nobody(database: Database, at: str) -> None:
    world = world_of(database)
    world.customer("anna")
    assert world.dry(at)["years"].candidates == 0


def test_who_joined_on_29_february_is_congratulated_on_the_28th_in_other_years(database: Database) -> None:
    world = world_of(database, at="2027-02-26 09:00")
    world.customer("leap", registered_at=kyiv("2024-02-29 12:00"))
    world.customer("eve", registered_at=kyiv("2023-02-28 12:00"))
    assert world.look("2027-02-28 10:00") == {"eve": "planned", "leap": "planned"}
    assert world.look("2027-03-01 10:00") == {}
    world.settle()
    assert world.look("2028-02-28 10:00") == {"eve": "planned"}
    assert world.look("2028-02-29 10:00") == {"leap": "planned"}
    days = sorted((it.external_id, it.facts["since"], it.facts["anniversary"]) for it in world.enrolments())
    assert days == [
        ("eve", "2023-02-28", "2027-02-28"), ("eve", "2023-02-28", "2028-02-28"),
        ("leap", "2024-02-29", "2027-02-28"), ("leap", "2024-02-29", "2028-02-29"),
    ]  # fmt: skip


@pytest.mark.parametrize("days", range(-7, 8))
def test_days_around_new_year_are_each_kept_once(database: Database, days: int) -> None:
    world = world_of(database, f"{{days: {days}}}", at="2026-12-10 09:00")
    anniversaries = {}
    for joined in ("2024-12-29 23:59", "2025-01-01 00:00", "2025-01-01 12:00", "2024-12-31 23:59"):
        world.customer(joined, registered_at=kyiv(joined))
        day = date.fromisoformat(joined[:10])
        anniversaries[joined] = day.replace(year=2027 if day.month == 1 else 2026)
    near = [date(2026, 12, 29) + timedelta(days=days + number) for number in range(-1, 5)]
    struck = [(name, said, day) for day in near for name, said in world.look(f"{day} 10:00").items()]
    due = {name: day + timedelta(days=days) for name, day in anniversaries.items()}
    assert sorted(struck) == sorted((name, "planned", day) for name, day in due.items())
    assert {it.external_id: it.facts for it in world.enrolments()} == {
        joined: {"years": 2, "anniversary": str(day), "since": joined[:10]}
        for joined, day in anniversaries.items()
    }


def test_where_the_year_ends_with_the_one_of_utc_each_day_is_kept_alone(database: Database) -> None:
    world = world_of(database, at="2026-12-30 09:00")
    for day in ("12-31", "01-01", "06-01"):
        world.customer(day, time_zone="UTC", registered_at=local(f"2024-{day} 12:00", "UTC"))
    days = ("2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02")
    assert [list(world.look(local(f"{day} 11:00", "UTC"))) for day in days] == [[], ["12-31"], ["01-01"], []]


def test_the_day_is_the_one_on_the_wall_where_the_customer_lives(database: Database) -> None:
    world = world_of(database, at="2026-03-29 12:00", schedule="every hour")
    zones = ("Pacific/Auckland", "Pacific/Honolulu", "UTC", "America/St_Johns")
    for zone in zones:
        for clock in ("00:00:00", "12:00:00", "23:59:59"):
            joined = local(f"2020-03-31 {clock}", zone)
            world.customer(f"{zone} {clock}", time_zone=zone, registered_at=joined)
    at, found = world.now, []
    while at < local("2026-04-01 18:00", "Pacific/Honolulu"):
        at += timedelta(hours=12)
        found += [(name, at.astimezone(ZoneInfo(name.split()[0])).date()) for name in world.look(at)]
    assert sorted(found) == sorted((name, date(2026, 3, 31)) for name in world.ids)
    facts = {"years": 6, "anniversary": "2026-03-31", "since": "2020-03-31"}
    assert [it.facts for it in world.enrolments()] == [facts] * len(world.ids)


@pytest.mark.parametrize("day", ["2025-03-30", "2025-10-26"])
def test_who_joined_on_a_day_of_a_clock_change_has_one_anniversary(database: Database, day: str) -> None:
    joined = date.fromisoformat(day)
    world = world_of(database, at=f"{joined.replace(year=2026) - timedelta(days=3)} 09:00")
    clocks = ("00:30", "03:30", "23:30")
    for clock in clocks:
        world.customer(clock, registered_at=kyiv(f"{day} {clock}"))
    days = [joined.replace(year=2026) + timedelta(days=number) for number in (-1, 0, 1)]
    assert [world.look(f"{it} 10:00") for it in days] == [{}, dict.fromkeys(clocks, "planned"), {}]


@pytest.mark.parametrize(("missed", "kept"), [(1, 2), (6, 7), (9, 7)])
def test_looks_that_were_missed_are_made_up_for_a_week_at_most(
    database: Database, missed: int, kept: int
) -> None:
    world = world_of(database)
    for day in range(1, 21):
        world.customer(f"day-{day:02}", registered_at=kyiv(f"2020-03-{day:02} 08:00"))
    world.look("2026-03-02 10:00")
    back = 2 + missed + 1
    found = world.look(f"2026-03-{back:02} 10:00")
    assert set(found) == {f"day-{day:02}" for day in range(back - kept + 1, back + 1)}


def test_the_first_purchase_counts_where_it_is_asked_for(database: Database) -> None:
    world = world_of(database, "{of: first_purchase}")
    world.customer("anna", registered_at=kyiv("2019-01-01 10:00"))
    world.customer("never", registered_at=kyiv("2020-03-05 10:00"))
    for at in ("2023-03-05 10:00", "2024-06-01 10:00"):
        world.buy("anna", 100, at=kyiv(at))
    assert world.look("2026-03-05 10:00") == {"anna": "planned"}
    assert [it.occasion for it in world.enrolments()] == ["3"]


def test_a_receipt_that_arrives_late_moves_the_day_and_counts_no_year_twice(database: Database) -> None:
    world = world_of(database, "{of: first_purchase}")
    world.customer("anna", registered_at=kyiv("2019-01-01 10:00"))
    world.buy("anna", 100, at=kyiv("2023-03-05 10:00"))
    world.look("2026-03-05 10:00")
    world.settle()
    world.buy("anna", 100, at=kyiv("2023-03-07 10:00"))
    assert world.look("2026-03-07 10:00") == {}
    world.buy("anna", 100, at=kyiv("2023-03-01 10:00"))
    assert world.look("2027-03-01 10:00") == {"anna": "planned"}
    world.settle()
    assert world.look("2027-03-05 10:00") == {}
    assert [it.occasion for it in world.enrolments()] == ["3", "4"]


def test_what_began_on_another_day_after_all_is_no_longer_true(database: Database) -> None:
    steps = "[{id: hello, message: hello, send: [sms]}, {id: gift, wait: 1 day, message: hello, send: [sms]}]"
    world = world_of(database, "{of: first_purchase}", steps=steps)
    world.customer("anna", registered_at=kyiv("2019-01-01 10:00"))
    world.buy("anna", 100, at=kyiv("2023-03-05 10:00"))
    world.look("2026-03-05 10:00")
    world.settle()
    world.buy("anna", 100, at=kyiv("2022-11-01 10:00"))
    assert world.look("2026-03-06 10:00") == {"anna": "no_longer_true"}


def test_a_look_in_utc_at_midnight_still_finds_yesterdays_evening(database: Database) -> None:
    world = world_of(database, at="2026-03-05 00:00", schedule="every day at 00:00")
    world.customer(
        "night", time_zone="UTC", registered_at=datetime(2021, 3, 5, 23, 59, 59, 999_999, tzinfo=UTC)
    )
    assert world.look(datetime(2026, 3, 5, tzinfo=UTC)) == {"night": "planned"}
