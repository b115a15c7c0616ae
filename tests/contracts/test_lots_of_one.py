"""Whoever is told of or exported: their lots are found by an index, and those of others are not read."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from campaigns.dryrun import DryRun
from core.customers.profiles import find
from core.db import Database
from tests.contracts.test_trigger_ranges import fill
from tests.support.plans import plans
from tests.support.world import LINKS, World, channels, scenario
from tidings.exporting.masking import Mask
from tidings.exporting.reading import Facts

OTHERS = re.compile(r"SCAN lot\b|lot_expiring|Seq Scan on lot\b")
SCENARIOS = {"due": scenario("{balance_reached: {at_least: 100}}"), "absent": scenario("{birthday: {}}")}


def due(connection: Connection, world: World) -> Any:
    return dry(connection, world, "due").samples


def absent(connection: Connection, world: World) -> Any:
    return dry(connection, world, "absent").absent


def dry(connection: Connection, world: World, name: str) -> Any:
    run = DryRun(
        connection, world.running, channels(world.running), LINKS, world.now, sample=9, customer="anna"
    )
    return run.run(world.running.scenarios[name])


def exported(connection: Connection, world: World) -> Any:
    row = find(connection, "anna")
    return Facts(connection, world.running, row, world.now, Mask(b"salt", "anna")).given("a", "b")


@pytest.mark.parametrize("work", [due, absent, exported])
def test_of_one_customer_only_their_own_lots_are_read(
    database: Database, work: Callable[[Connection, World], Any]
) -> None:
    world = World(database, SCENARIOS)
    world.customer("anna")
    world.bonuses("anna", 300, "2026-03-10")
    fill(database, world.now)
    with plans(database, "lot") as found, database.read() as connection:
        assert work(connection, world)
    assert found
    assert not [it for it in found if OTHERS.search(it)]
