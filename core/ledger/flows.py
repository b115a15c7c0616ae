"""What became of bonuses: each entry of the ledger belongs to one flow, and all flows make the balance.

A correction counts when it was booked, as the flow of the operation that it mends.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal

from core.db import UtcDateTime
from core.ledger.writing import ENTRY, LOT, OPERATION
from core.purchases.closed_books import RETURNED

# In the order in which a statement shows them; together they are everything that can happen to bonuses.
FLOWS = ("given", "spent", "adjusted", "moved", "repaid", "forgiven", "expired", "erased")
# How an operation's own kind says what became of bonuses that are not its own gift.
KINDS = {
    "purchase": "spent", "redemption": "spent", "adjustment": "adjusted", "transfer": "moved",
    "household": "moved", "merge": "moved", "expiry": "expired", "erasure": "erased", "return": "given",
    "grant_taken_back": "given",
}  # fmt: skip
MOVES = ("transfer", "household", "merge")
TAKING_BACK = ("return", "grant_taken_back")
OTHER = "adjusted"
# Bonuses of one party that went in place of another's, which were spent already: between parties a debt that
# is repaid at once, to the whole program bonuses that are taken back.
INSTEAD = "instead"


@dataclass(slots=True)
class Balance:
    """Bonuses over a time, points at scale: `opening` and the flows make `closing`."""

    opening: int = 0
    flows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FLOWS, 0))

    @property
    def closing(self) -> int:
        """What customers still have at its end."""
        return self.opening + sum(self.flows.values())


def entries_with_cause() -> Any:
    """Every entry with its lot, and with the operation whose effect it is or mends."""
    effective = func.coalesce(ENTRY.c.corrects, ENTRY.c.operation_id)
    return ENTRY.join(LOT, LOT.c.id == ENTRY.c.lot_id).join(OPERATION, OPERATION.c.id == effective)


def booked_before(moment: datetime) -> ColumnElement[bool]:
    """Entries that stood in the books by then."""
    earlier: ColumnElement[bool] = ENTRY.c.recorded_at < literal(moment, UtcDateTime)
    return earlier


def flow() -> ColumnElement[str]:
    """Which flow an entry of `entries_with_cause` belongs to; INSTEAD is one of its own."""
    own = and_(ENTRY.c.kind == "accrual", OPERATION.c.kind.not_in((*MOVES, "adjustment")))
    # Elsewhere a return corrects the payment itself; where its book is closed, the payment comes back as a
    # lot of whoever gave those bonuses.
    back = and_(OPERATION.c.kind == "return", LOT.c.slot.startswith(f"{RETURNED}:"), own)
    # Goods, and grants, take back what they brought: the operation's own party gave it.
    others = LOT.c.partner.is_distinct_from(OPERATION.c.partner)
    instead = and_(ENTRY.c.kind == "reversal", OPERATION.c.kind.in_(TAKING_BACK), others)
    named = [(OPERATION.c.kind == kind, which) for kind, which in KINDS.items()]
    return case(
        (ENTRY.c.kind == "repayment", "repaid"),
        (ENTRY.c.kind == "forgiveness", "forgiven"),
        (instead, INSTEAD),
        (back, "spent"),
        (own, "given"),
        *named,
        (ENTRY.c.kind == "redemption", "spent"),
        else_=OTHER,
    )
