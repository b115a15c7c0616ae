"""What a trigger is given, and how what it kept is read again."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, get_args
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Select, select

from campaigns.running import make_ready
from campaigns.staging import ZONE
from core.db import Database
from core.events import START, Happening, append
from core.program import Program
from tests.support.happenings import merge, still_true
from tests.support.world import World, bundle_of, kyiv, scenario
from triggers import discover
from triggers.base import CUSTOMER, Due, Fact, FactType, Kind, Look, Parameters, Part, Trigger, Zone

KYIV = ZoneInfo("Europe/Kyiv")


class NoParameters(Parameters):
    """Nothing is asked."""


class Everything(Trigger[NoParameters]):
    """Has a fact of each type, and is never due."""

    name: ClassVar[str] = "everything"
    kind: ClassVar[Kind] = "state"
    Parameters = NoParameters
    facts: ClassVar[Mapping[str, Fact]] = {kind: Fact(kind, "of its type") for kind in get_args(FactType)}

    def candidates(self, parameters: NoParameters, look: Look) -> Select[Any]:
        raise NotImplementedError

    def still_true(self, parameters: NoParameters, look: Look, due: Due) -> Select[Any]:
        raise NotImplementedError


def program() -> Program:
    return make_ready(bundle_of({"one": scenario("{birthday: {}}")})).program


def read(**stored: Any) -> dict[str, Any]:
    said = Everything().read(stored, program(), kyiv("2026-03-01 10:00"))
    return {name: value for name, value in said.items() if value is not None}


def test_facts_are_read_by_their_types() -> None:
    late = "2026-03-01 22:30:00.000000"  # half past midnight in Kyiv
    said = read(
        points=12_345, money="250", number=3, percent=0.1, text=7, date="2026-03-01 22:30:00",
        local_date=late, time=late, attributes={"product": "tea"},
    )  # fmt: skip
    assert said == {
        "points": Decimal("123.45"), "money": Decimal("2.50"), "number": 3, "percent": Decimal("0.1"),
        "text": "7", "date": date(2026, 3, 1), "local_date": date(2026, 3, 2),
        "time": datetime(2026, 3, 1, 22, 30, tzinfo=UTC), "attributes": {"product": "tea"},
    }  # fmt: skip
    assert isinstance(said["percent"], Decimal)
    assert isinstance(said["number"], int)
    assert said["time"].utcoffset() == timedelta(0)


def test_a_time_that_says_its_zone_is_that_time() -> None:
    assert read(time="2026-03-01 22:30:00+02:00") == {"time": datetime(2026, 3, 1, 20, 30, tzinfo=UTC)}


def test_what_was_not_kept_is_nothing() -> None:
    assert set(Everything().read({}, program(), kyiv("2026-03-01 10:00")).values()) == {None}


@pytest.mark.parametrize("trigger", discover().values(), ids=discover())
def test_facts_that_were_kept_for_another_trigger_are_read_as_nothing(trigger: Trigger[Any]) -> None:
    said = trigger.read({"something": "else"}, program(), kyiv("2026-03-01 10:00"))
    assert said == dict.fromkeys(trigger.facts)


def test_a_trigger_has_neither_calendar_nor_segment_unless_it_says_so() -> None:
    now = kyiv("2026-03-01 10:00")
    assert Everything().times(NoParameters(), now, now + timedelta(days=1), KYIV) is None
    assert Everything().segment(NoParameters()) is None


def test_triggers_are_found_in_the_order_of_their_names() -> None:
    discover.cache_clear()
    found = discover()
    assert "schedule" in found
    assert list(found) == sorted(found)
    assert all(trigger.name == name for name, trigger in found.items())


# --- days of a zone


def zone(back: int, struck: bool = True) -> Zone:
    """Kyiv two days after the clocks went forward, `back` days after the last stroke that was covered."""
    today = date(2026, 3, 31)
    return Zone("", KYIV, kyiv("2026-03-31 10:00") if struck else None, today, today - timedelta(days=back))


@pytest.mark.parametrize(("back", "days"), [(0, 1), (1, 1), (2, 2), (7, 7), (8, 7), (400, 7)])
def test_each_day_since_the_last_stroke_is_made_up_for_but_of_a_week_at_most(back: int, days: int) -> None:
    planned = list(zone(back).days())
    assert [day for day, _ in planned] == [date(2026, 3, 31) - timedelta(days=it) for it in range(days)]


def test_a_day_that_is_made_up_for_was_planned_for_the_same_hour_of_the_clock() -> None:
    planned = dict(zone(4).days())
    assert planned[date(2026, 3, 28)] == kyiv("2026-03-28 10:00")
    assert planned[date(2026, 3, 29)] == kyiv("2026-03-29 10:00")  # summer time began that night
    assert planned[date(2026, 3, 31)] - planned[date(2026, 3, 29)] == timedelta(days=2)
    assert all(at.utcoffset() == timedelta(0) for at in planned.values())


def test_where_the_schedule_did_not_strike_there_is_no_day() -> None:
    assert list(zone(3, struck=False).days()) == []


def test_an_event_that_is_about_nothing_is_an_occasion_all_the_same(database: Database) -> None:
    world = World(database, {"one": scenario("{event: {name: review}}", schedule="", purpose="service")})
    world.customer("anna")
    with database.write() as connection:
        told = [Happening(world.ids["anna"], "review", world.now, about) for about in ("order-7", None)]
        append(connection, told, world.now, live=True)
    world.look("2026-03-01 10:00")
    order, nothing = sorted(world.enrolments(), key=lambda it: it.facts["event"])
    assert order.occasion == f"order-7#{order.facts['event']}"
    assert nothing.occasion == f"#{nothing.facts['event']}"


def test_an_event_is_told_to_its_own_customer_while_they_are_there_and_only_as_news(
    database: Database,
) -> None:
    world = World(database, {"one": scenario("{registered: {}}", schedule="", purpose="service")})
    for name in ("anna", "erased"):
        world.customer(name, live=True)
    world.customer("imported")
    world.erase("erased")
    world.looks("2026-03-01 10:00")
    assert [it.external_id for it in world.enrolments()] == ["anna"]


def test_what_waits_for_a_duplicate_is_over_when_its_event_leads_to_the_survivor(database: Database) -> None:
    world = World(database, {"one": scenario("{event: {name: review}}", schedule="", purpose="service")})
    for name in ("anna", "again"):
        world.customer(name)
    with database.write() as connection:
        append(connection, [Happening(world.ids["again"], "review", world.now)], world.now, live=True)
    world.looks("2026-03-01 10:00")
    assert set(still_true(world)) == {"again"}
    merge(world, "again", "anna")
    assert still_true(world) == {}


# --- a look, and a part of it


def a_look(at: str, part: Part | None = None) -> Look:
    return Look(kyiv(at), program(), ZONE, (), START, START, part=part)


def test_the_day_of_a_look_is_the_one_where_the_program_is() -> None:
    look = a_look("2026-03-01 00:30")
    assert look.today == date(2026, 3, 1) != look.at.date()


def test_a_part_has_its_first_customer_and_not_the_first_of_the_next(database: Database) -> None:
    world = World(database, {"one": scenario("{birthday: {}}")})
    ids = [world.customer(f"customer-{number}") for number in range(5)]
    part, everybody = (a_look("2026-03-01 10:00", it) for it in (Part(ids[1], ids[3]), None))
    mine = select(CUSTOMER.c.id).order_by(CUSTOMER.c.id)
    with database.read() as connection:
        assert connection.scalars(mine.where(part.about(CUSTOMER.c.id))).all() == ids[1:3]
        assert connection.scalars(mine.where(everybody.about(CUSTOMER.c.id))).all() == ids
