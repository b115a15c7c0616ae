"""What customers bought, from the database."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, literal

from core.clock import LATEST
from core.db.hot import Hot
from core.program import Program
from core.tables import Receipt
from core.tiers.record import Record

RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
_BOUGHT = Hot(
    RECEIPT.c.customer_id, RECEIPT.c.at, RECEIPT.c.total, RECEIPT.c.earned_points,
    tail="FROM receipt WHERE customer_id {ids} AND at >= {} AND at <= {} AND returned_at IS NULL "
    "ORDER BY customer_id, at",
)  # fmt: skip


def records(
    connection: Connection, customer_ids: Sequence[int], start: datetime, upto: datetime | None = None
) -> dict[int, Record]:
    """What customers bought from a time on, up to another one; what was returned is left out."""
    found = {i: Record() for i in customer_ids}
    rows = _BOUGHT(connection, list(customer_ids), start, upto or LATEST) if customer_ids else ()
    for customer_id, at, total, points in rows:
        found[customer_id].add(at, total, points)
    return found


def measured(program: Program) -> ColumnElement[int]:
    """The sum of what the program's levels are measured by, over receipts."""
    if program.tiers.measure == "purchases":
        return func.count(RECEIPT.c.id)
    if program.tiers.measure == "invitation":
        return literal(0)
    column = RECEIPT.c.total if program.tiers.measure == "spend" else RECEIPT.c.earned_points
    return func.coalesce(func.sum(column), 0)
