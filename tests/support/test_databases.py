"""The databases that tests get are empty, complete, and their own."""

import pytest
from sqlalchemy import Table, func, insert, inspect, select

from core.clock import MovableClock
from core.db import Database
from core.tables import Customer
from tests.conftest import FreshDatabase

CUSTOMER: Table = Customer.__table__  # type: ignore[attr-defined]


@pytest.mark.parametrize("time", ["first", "second"])
def test_every_test_starts_with_no_row_and_with_ids_from_one(
    database: Database, clock: MovableClock, time: str
) -> None:
    add_customer(database, clock)
    with database.read() as connection:
        assert connection.scalars(select(CUSTOMER.c.id)).all() == [1]


def test_a_test_that_asks_twice_gets_two_databases(
    fresh_database: FreshDatabase, clock: MovableClock
) -> None:
    with fresh_database() as one, fresh_database() as other:
        add_customer(one, clock)
        assert count(one) == 1
        assert count(other) == 0


def test_a_table_that_has_grown_is_emptied_too(fresh_database: FreshDatabase, clock: MovableClock) -> None:
    with fresh_database() as database:
        add_customer(database, clock, times=5000)
    with fresh_database() as database:
        assert count(database) == 0


def test_a_transaction_left_open_by_one_test_does_not_hold_up_the_next(
    fresh_database: FreshDatabase, clock: MovableClock
) -> None:
    with fresh_database() as database:
        forgotten = Database(database.url)
        left = forgotten.engine.connect()
        left.execute(select(func.count()).select_from(CUSTOMER))
    with fresh_database() as database:
        add_customer(database, clock)
        assert count(database) == 1
    left.invalidate()
    left.close()
    forgotten.close()


def test_every_table_of_every_package_is_there(database: Database) -> None:
    tables = set(inspect(database.engine).get_table_names())
    assert {"customer", "entry", "event", "lot", "wallet_pass"} <= tables


def add_customer(database: Database, clock: MovableClock, times: int = 1) -> None:
    rows = [
        {
            "external_id": str(number),
            "attributes": {},
            "registered_at": clock.now(),
            "updated_at": clock.now(),
        }
        for number in range(times)
    ]
    with database.write() as connection:
        connection.execute(insert(CUSTOMER), rows)


def count(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(CUSTOMER)) or 0
