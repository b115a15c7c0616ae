"""Statistics of customers, kept with each receipt instead of computed from all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter

from sqlalchemy import Connection, func, select

from core.db.bulk import upsert_rows
from core.db.hot import Hot
from core.tables import CustomerStats, Receipt

RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
STATS = CustomerStats.__table__  # type: ignore[attr-defined]
COLUMNS = ("first_purchase_at", "last_purchase_at", "purchases", "spent")
_kept = attrgetter(*COLUMNS)
_KEPT = Hot(
    STATS.c.customer_id, *(STATS.c[name] for name in COLUMNS),
    tail="FROM customer_stats WHERE customer_id {ids}",
)  # fmt: skip


@dataclass(slots=True)
class _Row:
    first_purchase_at: datetime | None = None
    last_purchase_at: datetime | None = None
    purchases: int = 0
    spent: int = 0


class Stats:
    """The statistics of some customers, written back by `close`."""

    def __init__(self, connection: Connection, customer_ids: Sequence[int]) -> None:
        self._connection = connection
        self._changed: set[int] = set()
        # Asked now, read when it is needed first (`core.db.bulk.piped`).
        self._answer = _KEPT.ask(connection, list(customer_ids))

    @cached_property
    def _rows(self) -> dict[int, _Row]:
        return {customer_id: _Row(*row) for customer_id, *row in self._answer()}

    def purchase(self, customer_id: int, at: datetime, total: int) -> None:
        """Count a purchase; one that arrives late does not move the last one back."""
        row = self._rows.setdefault(customer_id, _Row())
        row.first_purchase_at = min(at, row.first_purchase_at or at)
        row.last_purchase_at = max(at, row.last_purchase_at or at)
        row.purchases += 1
        row.spent += total
        self._changed.add(customer_id)

    def recount(self, customer_id: int) -> None:
        """Work the statistics out again from all receipts that were not returned (one customer's)."""
        statement = select(
            func.min(RECEIPT.c.at),
            func.max(RECEIPT.c.at),
            func.count(),
            func.coalesce(func.sum(RECEIPT.c.total), 0),
        ).where(RECEIPT.c.customer_id == customer_id, RECEIPT.c.returned_at.is_(None))
        first, last, purchases, spent = self._connection.execute(statement).one()
        self._rows[customer_id] = _Row(first, last, purchases, int(spent))
        self._changed.add(customer_id)

    def last(self, customer_id: int) -> datetime | None:
        """When the customer bought last."""
        row = self._rows.get(customer_id)
        return row.last_purchase_at if row else None

    def counts(self, customer_id: int) -> tuple[int, int]:
        """Receipts, and minor units, over the customer's whole life."""
        row = self._rows.get(customer_id) or _Row()
        return row.purchases, row.spent

    def spent(self, customer_id: int) -> int:
        """Minor units over the customer's whole life."""
        row = self._rows.get(customer_id)
        return row.spent if row else 0

    def close(self) -> None:
        """Write what changed, in the caller's transaction."""
        rows = [(i, *_kept(self._rows[i])) for i in sorted(self._changed)]
        upsert_rows(self._connection, STATS, ("customer_id",), COLUMNS, rows)
