"""Looks whose work grows with what is due: they read a range of an index, and no table from end to end."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event

from core.db import Database
from tests.contracts.test_triggers import become_due, empty, the_look
from triggers import discover

# What its look must read by an index range, and never from end to end.
RANGES = {
    "birthday": ("customer", "customer_birthday"),
    "bonus_expiring": ("lot", "lot_expiring"),
    "inactive": ("customer_stats", "stats_last_purchase"),
}


@pytest.mark.parametrize("name", sorted(RANGES))
def test_a_look_reads_an_index_range_and_not_the_table(database: Database, name: str) -> None:
    trigger = discover()[name]
    table, index = RANGES[name]
    world = empty(database, trigger)
    become_due(world, trigger, "anna")
    world.move("2026-03-01 10:00")
    fill(database, world.now)
    with database.read() as connection:
        one, look = the_look(connection, world)
        plan = " \n".join(explain(connection, trigger.candidates(one.parameters, look)))
    assert index in plan, plan
    assert not re.search(rf"(SCAN {table}\b(?! USING)|Seq Scan on {table}\b)", plan), plan


def fill(database: Database, now: datetime, people: int = 5_000) -> None:
    """So many others that reading all of them would cost more than an index does."""
    from core.tables import Customer, CustomerStats, Lot, Operation

    rows = range(1_000, 1_000 + people)
    with database.write() as connection:
        filling: list[tuple[Any, list[dict[str, Any]]]] = [
            (
                Customer,
                [
                    {
                        "id": i,
                        "external_id": f"x{i}",
                        "attributes": {},
                        "birthday": date(1990, 6, i % 28 + 1),
                        "birthday_md": 601 + i % 28,
                        "registered_at": now,
                        "updated_at": now,
                    }
                    for i in rows
                ],
            ),
            (
                Operation,
                [
                    {
                        "id": i,
                        "customer_id": i,
                        "kind": "grant",
                        "key": f"x{i}",
                        "digest": "",
                        "program_version": 1,
                        "result": {},
                        "data": {},
                        "at": now,
                        "recorded_at": now,
                    }
                    for i in rows
                ],
            ),
            (
                Lot,
                [
                    {
                        "id": i,
                        "customer_id": i,
                        "operation_id": i,
                        "slot": "",
                        "account": "base",
                        "reason": "test",
                        "amount": 50_000,
                        "remaining": 50_000,
                        "active_from": now,
                        "expires_on": date(2027, 1, i % 28 + 1),
                        "expires_at": now,
                    }
                    for i in rows
                ],
            ),
            (
                CustomerStats,
                [{"customer_id": i, "last_purchase_at": now, "purchases": 3, "spent": 1} for i in rows],
            ),
        ]
        for model, values in filling:
            connection.execute(model.__table__.insert(), values)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def explain(connection: Connection, statement: Any) -> Iterator[str]:
    """The lines of the plan."""
    said: list[str] = []

    def note(_c: Any, _cursor: Any, text: str, parameters: Any, *_: Any) -> None:
        word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        cursor = connection.connection.cursor()
        cursor.execute(f"{word} {text}", parameters)
        said.extend(str(row[-1]) for row in cursor.fetchall())
        cursor.close()

    event.listen(connection, "before_cursor_execute", note)
    connection.execute(statement)
    event.remove(connection, "before_cursor_execute", note)
    yield from said
