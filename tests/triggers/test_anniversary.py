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


def test_who_joined_on_29_february_is_congratulated_on_the_28th_in_other_years(database: Database) -> None:
    world = world_of(database, at="2027-02-26 09:00")
    world.customer("leap", registered_at=kyiv("2024-02-29 12:00"))
    world.customer("eve", registered_at=kyiv("2023-02-28 12:00"))
    assert world.look("2027-02-28 10:00") == {"eve": "planned", "leap": "planned"}
    assert world.look("2027-03-01 10:00") == {}
    world.settle()
    assert world.look("2028-02-28 10:00") == {"eve": "planned"}
    assert world.look("2028-02-29 10:00") == {"leap": "planned"}
    since = {it.external_id: it.facts["since"] for it in world.enrolments()}
    assert since == {"eve": "2023-02-28", "leap": "2024-02-29"}


@pytest.mark.parametrize("days", range(-7, 8))
@pytest.mark.parametrize("joined", ["2024-12-29 23:59", "2025-01-01 00:00", "2024-12-31 23:59"])
def test_days_around_new_year_are_each_kept_once(database: Database, days: int, joined: str) -> None:
    world = world_of(database, f"{{days: {days}}}", at="2026-12-10 09:00")
    world.customer("anna", registered_at=kyiv(joined))
    anniversary = date.fromisoformat(joined[:10])
    anniversary = anniversary.replace(year=2027 if anniversary.month == 1 else 2026)
    near = [anniversary + timedelta(days=days + number) for number in (-1, 0, 1)]
    struck = [day for day in near if world.look(f"{day} 10:00") == {"anna": "planned"}]
    assert struck == [anniversary + timedelta(days=days)]
    assert [it.facts["anniversary"] for it in world.enrolments()] == [str(anniversary)]


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Honolulu", "UTC", "America/St_Johns"])
@pytest.mark.parametrize("clock", ["00:00:00", "12:00:00", "23:59:59"])
def test_the_day_is_the_one_on_the_wall_where_the_customer_lives(
    database: Database, zone: str, clock: str
) -> None:
    world = world_of(database, at="2026-03-29 12:00", schedule="every hour")
    world.customer("far", time_zone=zone, registered_at=local(f"2020-03-31 {clock}", zone))
    at, found = world.now, []
    while at < local("2026-04-01 18:00", zone):
        at += timedelta(hours=12)
        if world.look(at):
            found.append(at.astimezone(ZoneInfo(zone)).date())
    assert found == [date(2026, 3, 31)]
    [enrolment] = world.enrolments()
    assert enrolment.facts == {"years": 6, "anniversary": "2026-03-31", "since": "2020-03-31"}


@pytest.mark.parametrize("day", ["2025-03-30", "2025-10-26"])
@pytest.mark.parametrize("clock", ["00:30", "03:30", "23:30"])
def test_who_joined_on_a_day_of_a_clock_change_has_one_anniversary(
    database: Database, day: str, clock: str
) -> None:
    joined = date.fromisoformat(day)
    world = world_of(database, at=f"{joined.replace(year=2026) - timedelta(days=3)} 09:00")
    world.customer("anna", registered_at=kyiv(f"{day} {clock}"))
    days = [joined.replace(year=2026) + timedelta(days=number) for number in (-1, 0, 1)]
    assert [it for it in days if world.look(f"{it} 10:00")] == [joined.replace(year=2026)]


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
