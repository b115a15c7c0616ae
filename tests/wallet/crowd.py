"""So many customers, each with a card on a phone: one statement a table, however many."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, String, Table, cast, literal, select

from core.customers.profiles import CUSTOMER
from core.db import Database, Json, UtcDateTime
from wallet.tables import DEVICE, PASS, REGISTRATION

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def gather(database: Database, count: int) -> None:
    """Customer, pass, phone and registration of every number up to `count`; pass and mark bear the number."""
    with database.write() as connection:
        _check_references(connection, check=False)
        number = _numbers(count)
        name, at = cast(number.c.i, String), literal(AT, UtcDateTime)
        serial, device = literal("pass-") + name, literal("phone-") + name
        _fill(connection, CUSTOMER, id=number.c.i, external_id=literal("guest-") + name,
              attributes=literal({}, Json), registered_at=at, updated_at=at)  # fmt: skip
        token, no = literal("the token of ") + serial, literal(False)
        _fill(connection, PASS, serial=serial, customer_id=number.c.i, token=token, digest=serial,
              tag=number.c.i, changed_at=at, issued_at=at, voided=no, google_saved=no,
              google_attempts=literal(0))  # fmt: skip
        _fill(connection, DEVICE, device=device, push_token=literal("aa") + name, registered_at=at,
              attempts=literal(0), asked_at=at)  # fmt: skip
        _fill(connection, REGISTRATION, device=device, serial=serial, customer_id=number.c.i, at=at)
        _check_references(connection, check=True)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def _numbers(count: int) -> Any:
    first = select(literal(1).label("i")).cte("numbers", recursive=True)
    return first.union_all(select(first.c.i + 1).where(first.c.i < count))


def _fill(connection: Connection, table: Table, **columns: Any) -> None:
    made = select(*(column.label(name) for name, column in columns.items()))
    connection.execute(table.insert().from_select(list(columns), made))


def _check_references(connection: Connection, *, check: bool) -> None:
    """Rows that are right by their making need no look at each other: it would take most of the time."""
    if connection.dialect.name == "postgresql":
        role = "origin" if check else "replica"
        connection.exec_driver_sql(f"SET LOCAL session_replication_role = {role}")
