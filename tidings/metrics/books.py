"""The books: how much was ever written, told by the highest number. Numbers that were given out and not used
count, too: counting the rows of a ledger of years would cost more than the difference is worth.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select, text

from core.tables import Customer, Entry, Event, Operation, Receipt
from tidings.metrics.shapes import counter, gauge

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

COUNTED: tuple[tuple[str, str, Any], ...] = (
    ("tidings_customers", "Customers that were ever registered.", Customer),
    ("tidings_receipts", "Receipts that were ever recorded.", Receipt),
    ("tidings_operations", "Operations of the ledger: accruals, redemptions, expiries.", Operation),
    ("tidings_entries", "Entries of the ledger.", Entry),
    ("tidings_events", "Events that were ever appended.", Event),
)  # fmt: skip


def families(connection: Connection) -> Iterator["Metric"]:
    """What was written, and how large the database is."""
    for name, about, model in COUNTED:
        highest = connection.scalar(select(func.max(model.__table__.c.id))) or 0
        yield counter(name, about, highest)
    yield gauge("tidings_database_bytes", "How large the database is.", _bytes(connection))


def _bytes(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    pages = connection.scalar(text("PRAGMA page_count")) or 0
    return int(pages * (connection.scalar(text("PRAGMA page_size")) or 0))
