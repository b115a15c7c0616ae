"""A replay writes only into tables of its own: whatever a look writes must be laid over before."""

import re
from typing import Any

import pytest

from campaigns.backtest.tables import LAID
from campaigns.staging import METADATA
from core.db import Database
from tests.campaigns.test_backtest import replay, told
from tests.contracts.test_triggers import CASES, FILES, become_due, empty
from tests.support.statements import heard
from tests.support.world import World, scenario
from triggers import discover
from triggers.base import Trigger

WRITES = re.compile(r'\s*(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM|MERGE INTO) "?(\w+)"?', re.IGNORECASE)
# How far looks have come is kept by those who run them: the replay does so in memory.
OF_THE_RUNNER = {"cursor", "scenario_run"}


def written(statements: list[str]) -> set[str]:
    """The tables that these statements write to."""
    return {found[1] for it in statements if (found := WRITES.match(it))}


@pytest.mark.parametrize("trigger", [discover()[name] for name in sorted(CASES)], ids=sorted(CASES))
def test_a_look_writes_only_what_a_replay_lays_over(sqlite_database: Database, trigger: Trigger[Any]) -> None:
    world = empty(sqlite_database, trigger)
    become_due(world, trigger, "anna")
    world.agree("anna", "sms")
    with heard(sqlite_database) as statements:
        assert world.look("2026-03-01 10:00") == {"anna": "planned"}
    tables = written(statements)
    laid = {model.__table__.name for model in LAID} | {"event"}
    staging = {table.name for table in METADATA.tables.values()}
    assert tables - laid - staging <= OF_THE_RUNNER
    assert {"enrolment", "message"} <= tables


def test_steps_that_wait_write_nothing_else(sqlite_database: Database) -> None:
    second = "{id: b, wait: 1 day, unless: [purchase], message: b, send: [sms]}"
    steps = f"[{{id: a, message: a, send: [sms]}}, {second}]"
    world = World(sqlite_database, {"one": scenario("{bonus_accrued: {}}", schedule="", steps=steps)})
    world.customer("anna")
    world.buy("anna", 100)
    world.look("2026-03-01 10:00")
    world.settle()
    with heard(sqlite_database) as statements:
        assert world.look("2026-03-02 11:00") == {"anna": "planned"}
    laid = {model.__table__.name for model in LAID} | {table.name for table in METADATA.tables.values()}
    assert written(statements) - laid <= OF_THE_RUNNER


def test_a_change_of_segment_that_waits_for_the_morning_is_asked_about_again(database: Database) -> None:
    world = World(database, {"other": scenario("{inactive: {for: 900 days}}")}, files=FILES)
    for name in ("anna", "ihor"):
        world.customer(name)
    world.move("2026-03-03 12:00")
    for name in ("anna", "ihor"):
        world.tier(name, "gold")
    world.move("2026-03-04 07:00")
    world.tier("ihor", "bronze")
    world.move("2026-04-01 10:00")
    night = scenario("{segment_entered: {segment: best}}", schedule="every day at 22:00")
    found = replay(world, {"night": night}, program={"quiet_hours": "21:00-09:00"})["night"]
    assert told(found) == {"03-04": 1}
    assert found.verdicts["hello"] == {"no_longer_true": 1, "sent": 1}
