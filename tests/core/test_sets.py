"""Sets of rows go in as one value, and are still found by their key."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from core.db import Database
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
