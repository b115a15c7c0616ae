"""What every trigger on events keeps: when it begins, what is no news, and how it reads."""

import re
from typing import Any

import pytest
from sqlalchemy import select, update

from core.db import Database
from core.events import EVENT
from core.tables import Entry, Receipt, ReceiptLine
from tests.contracts.test_trigger_ranges import explain, fill
from tests.contracts.test_triggers import CASES, become_due, candidates, empty, staged, the_look
from tests.support.happenings import still_true
from tests.support.world import World, scenario
from triggers import discover
from triggers.base import Trigger

NAMES = sorted(name for name, trigger in discover().items() if trigger.kind == "event")
# Tables that grow with the years: an event leads into them by a key.
GROWING = ("event", "customer", "receipt", "receipt_line", "operation", "lot", "entry")


@pytest.fixture(params=NAMES)
def trigger(request: pytest.FixtureRequest) -> Trigger[Any]:
    return discover()[request.param]


def news(trigger: Trigger[Any]) -> str:
    when = f"{{{trigger.name}: {CASES[trigger.name].when}}}"
    return scenario(when, schedule="", purpose="service")


def test_it_begins_with_the_first_apply(database: Database, trigger: Trigger[Any]) -> None:
    world = World(database, {"other": scenario("{birthday: {}}")})
    become_due(world, trigger, "anna")
    world.apply({"one": news(trigger)})
    assert world.look("2026-03-01 10:00") == {}
    become_due(world, trigger, "ihor")
    assert world.look("2026-03-01 10:01") == {"ihor": "planned"}


def test_history_is_no_news(database: Database, trigger: Trigger[Any]) -> None:
    world = empty(database, trigger)
    become_due(world, trigger, "anna")
    with database.write() as connection:
        connection.execute(update(EVENT).values(live=False))
    assert world.look("2026-03-01 10:00") == {}


def test_an_event_is_news_once(database: Database, trigger: Trigger[Any]) -> None:
    world = empty(database, trigger)
    become_due(world, trigger, "anna")
    assert world.looked("2026-03-01 10:00") == {"planned": 1}
    assert world.looked("2026-03-01 10:01") == {}


def test_it_is_planned_for_when_it_happened(database: Database, trigger: Trigger[Any]) -> None:
    world = empty(database, trigger)
    become_due(world, trigger, "anna")
    one = world.running.scenarios["one"]
    kind = trigger.event_of(one.parameters)  # type: ignore[attr-defined]
    with database.read() as connection:
        happened = connection.scalars(select(EVENT.c.at).where(EVENT.c.kind == kind)).all()
    world.look("2026-03-01 10:00")
    [message] = world.messages()
    assert message.planned_at in happened


def test_a_dry_run_foresees_it_before_and_shows_it_afterwards(
    database: Database, trigger: Trigger[Any]
) -> None:
    world = empty(database, trigger)
    become_due(world, trigger, "anna")
    foreseen = world.foreseen("2026-03-01 10:00")
    assert set(foreseen.values()) == {"planned"}
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}
    assert set(still_true(world)) == {"anna"}
    world.move("2026-03-02 10:00")
    world.customer("later", live=True)
    assert world.foreseen("2026-03-01 10:00") == foreseen


def test_what_it_leads_to_is_found_by_keys(database: Database, trigger: Trigger[Any]) -> None:
    world = empty(database, trigger)
    become_due(world, trigger, "anna")
    world.move("2026-03-01 10:00")
    fill(database, world.now, 800)
    fill_more(world)
    with database.read() as connection:
        rows = candidates(connection, world, trigger)
        one, look = the_look(connection, world)
        asked = trigger.candidates(one.parameters, look)
        once_more = trigger.still_true(one.parameters, look, staged(connection, rows))
        for statement in (asked, once_more):
            plan = "\n".join(explain(connection, statement))
            for table in GROWING:
                scan = rf"(SCAN {table}\b(?! USING (COVERING )?INDEX)|Seq Scan on {table}\b)"
                assert not re.search(scan, plan), plan


def fill_more(world: World, many: int = 800) -> None:
    """Receipts, entries and events of others."""
    rows = range(1_000, 1_000 + many)
    receipts = [
        {"id": i, "external_id": f"x{i}", "customer_id": i, "operation_id": i, "program_version": 1,
         "at": world.now, "recorded_at": world.now, "total": 100, "paid_points": 0, "earned_points": 10}
        for i in rows
    ]  # fmt: skip
    lines = [
        {"receipt_id": i, "line": 1, "customer_id": i, "sku": "tea", "quantity": 1000, "total": 100,
         "earned_points": 10, "paid_points": 0}
        for i in rows
    ]  # fmt: skip
    entries = [
        {"customer_id": i, "operation_id": i, "lot_id": i, "kind": "accrual", "amount": 10,
         "program_version": 1, "at": world.now, "recorded_at": world.now}
        for i in rows
    ]  # fmt: skip
    kinds = sorted({*NAMES, "review"} - {"event"})
    history = [
        {"customer_id": i, "kind": kinds[i % len(kinds)], "subject": f"x{i}", "live": False, "at": world.now,
         "recorded_at": world.now, "data": {}}
        for i in rows
    ]  # fmt: skip
    filling: list[tuple[Any, list[dict[str, Any]]]] = [
        (Receipt, receipts),
        (ReceiptLine, lines),
        (Entry, entries),
    ]
    with world.database.write() as connection:
        for model, values in filling:
            connection.execute(model.__table__.insert(), values)
        connection.execute(EVENT.insert(), history)
    analyze_as_new(world.database)


def analyze_as_new(database: Database) -> None:
    """Statistics for the planner, of tables that hold nothing else.

    Rows that earlier tests have deleted are still there, and make an index dearer than it is.
    """
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"VACUUM (FULL) {', '.join(GROWING)}")
        connection.exec_driver_sql("ANALYZE")
