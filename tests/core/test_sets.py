"""Sets of rows go in as one value, and are still found by their key."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from core.db import Database
from core.db.hot import Hot, Many, at_once
from core.db.sets import among, update_each
from core.tables import Customer
from tests.core.books import register
from tests.core.people import SHARING, id_of

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
SOME = among(CUSTOMER.c.id, [1])


@pytest.mark.parametrize(
    "statement", [select(CUSTOMER.c.name).where(SOME), update(CUSTOMER).where(SOME).values(city="Kyiv")]
)
def test_a_set_is_looked_up_and_the_table_is_not_read(statement: Any, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'shop.db'}")
    database.create_all()
    with database.read() as connection:
        compiled = statement.compile(connection)
        given = [compiled.params[name] for name in compiled.positiontup]
        values = [json.dumps(it) if isinstance(it, list) else it for it in given]
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", tuple(values)).all()
    database.close()
    assert any("SEARCH customer USING INTEGER PRIMARY KEY" in row[3] for row in rows)


def test_only_the_rows_of_the_set_change(database: Database) -> None:
    register(database, SHARING, "anna", "ivan", "olha")
    anna, olha = id_of(database, "anna"), id_of(database, "olha")
    with database.write() as connection:
        update_each(connection, CUSTOMER, {"city": "Lviv"}, ("name",), [(anna, "A"), (olha, "O")])
    with database.read() as connection:
        found = connection.execute(select(CUSTOMER.c.city, CUSTOMER.c.name).order_by(CUSTOMER.c.id)).all()
    assert [tuple(row) for row in found] == [("Lviv", "A"), (None, None), ("Lviv", "O")]


def test_many_rows_come_as_one_text_and_say_the_same_in_the_same_order(database: Database) -> None:
    register(database, SHARING, "anna", "ivan", "olha")
    names = [
        (id_of(database, "anna"), 'Олена "Ґ" \\'),
        (id_of(database, "ivan"), "a\nb"),
        (id_of(database, "olha"), None),
    ]
    columns = (CUSTOMER.c.id, CUSTOMER.c.name, CUSTOMER.c.registered_at, CUSTOMER.c.attributes)
    tail = "FROM customer WHERE id {ids} AND household_id IS NULL ORDER BY external_id DESC"
    with database.write() as connection:
        update_each(connection, CUSTOMER, {}, ("name",), names)
        ids = [number for number, _ in names]
        found = Many(*columns, tail=tail)(connection, ids)
        assert found == Hot(*columns, tail=tail)(connection, ids)
        assert [row[:2] for row in found] == names[::-1]
        assert Many(*columns, tail=tail)(connection, []) == []
        newest = select(CUSTOMER.c.id, CUSTOMER.c.name).order_by(CUSTOMER.c.id.desc()).limit(2)
        assert [tuple(row) for row in at_once(connection, newest)] == names[:0:-1]
