"""Rows on their way past SQLAlchemy arrive as they were given, however many there are."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DataError

from core.db import Database
from core.db.bulk import COPY_FROM, insert_rows, piped, set_columns, upsert_rows
from core.tables import Product

PRODUCT = Product.__table__  # type: ignore[attr-defined]
COLUMNS = ("sku", "name", "brand")
NAMES = ("plain", 'with "quotes"', "back\\slash", "{braces, commas}", "кава ☕", "", None)


def _rows(count: int, shift: int = 0) -> list[tuple[str, str | None, str]]:
    return [(f"sku {n:03}", NAMES[(n + shift) % len(NAMES)], f"brand {n + shift}") for n in range(count)]


@pytest.mark.parametrize("count", [1, 3, 11, 37, COPY_FROM + 3])
@pytest.mark.parametrize("together", [True, False], ids=["in one trip", "one by one"])
def test_rows_of_any_number_are_put_in_set_and_replaced(
    database: Database, count: int, together: bool
) -> None:
    stored = select(*(PRODUCT.c[name] for name in COLUMNS)).order_by(PRODUCT.c.sku)
    with database.write() as connection:
        with piped(connection, when=together):
            insert_rows(connection, PRODUCT, COLUMNS, _rows(count))
        assert [*map(tuple, connection.execute(stored))] == _rows(count)
        with piped(connection, when=together):
            set_columns(connection, PRODUCT, "sku", COLUMNS[1:], _rows(count, shift=1))
        assert [*map(tuple, connection.execute(stored))] == _rows(count, shift=1)
        with piped(connection, when=together):
            upsert_rows(connection, PRODUCT, ("sku",), COLUMNS[1:], _rows(count + 2, shift=2))
        assert [*map(tuple, connection.execute(stored))] == _rows(count + 2, shift=2)


def test_only_the_rows_that_are_named_are_set(database: Database) -> None:
    with database.write() as connection:
        insert_rows(connection, PRODUCT, COLUMNS, _rows(9))
        set_columns(connection, PRODUCT, "sku", ("brand",), [("sku 002", "new"), ("sku 005", "new")])
        changed = select(PRODUCT.c.sku).where(PRODUCT.c.brand == "new").order_by(PRODUCT.c.sku)
        assert [*connection.scalars(changed)] == ["sku 002", "sku 005"]


@pytest.mark.parametrize("name", ["NUL \0 inside", "half a letter \ud800"], ids=["NUL", "surrogate"])
def test_what_postgresql_cannot_keep_as_text_is_refused_and_nothing_is_written(
    postgres_database: Database, name: str
) -> None:
    with pytest.raises(DataError), postgres_database.write() as connection, piped(connection):
        insert_rows(connection, PRODUCT, COLUMNS, [("a", "good", "brand"), ("b", name, "brand")])
    with postgres_database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(PRODUCT)) == 0
