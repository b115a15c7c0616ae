"""What came of a scenario is read part by part of the customers, and each part reads its own alone."""

import re
from datetime import date

import pytest

from campaigns.results import results_of
from campaigns.tables import Decision, Enrolment
from core.db import Database, insert_many
from tests.contracts.test_trigger_ranges import fill
from tests.support.plans import plans
from tests.support.world import World, scenario

DECISION = Decision.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
PEOPLE = range(1_000, 6_000)


@pytest.mark.parametrize("merged", [False, True])
def test_a_part_of_the_customers_reads_none_of_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch, merged: bool
) -> None:
    monkeypatch.setattr("campaigns.results.effect.CUSTOMERS", 500)
    world = World(database, {"birthday": scenario("{birthday: {}}", holdout="50%")})
    fill(database, world.now)
    own = {"scenario": "birthday", "occasion": "2026", "at": world.now}
    begun = own | {"version": 1, "arm": "holdout", "status": "holdout", "step": 1, "facts": {}}
    held = own | {"step": "hello", "verdict": "holdout", "detail": "of this scenario"}
    with database.write() as connection:
        insert_many(connection, ENROLMENT, [begun | {"customer_id": i} for i in PEOPLE])
        insert_many(connection, DECISION, [held | {"customer_id": i} for i in PEOPLE])
        if merged:
            connection.exec_driver_sql("UPDATE customer SET merged_into = 1000 WHERE id > 5990")
    with database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    with plans(database, "customer") as found, database.read() as connection:
        said = results_of(
            connection, world.running, "birthday", date(2026, 3, 1), date(2026, 3, 31), world.now
        )
    assert said.held_out == len(PEOPLE)
    whole = re.compile(r"(SCAN|Seq Scan on) (customer|decision|enrolment)\b(?! USING)")
    assert found
    assert not [it for it in found if whole.search(it)]
