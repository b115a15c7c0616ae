"""What customers have: read from their open lots alone, so the history's length does not matter."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from core.ledger.writing import LOT
from core.tables import Hold

HOLD = Hold.__table__  # type: ignore[attr-defined]
# The first to expire first; by itself SQLite would begin with what lives for ever, PostgreSQL end with it.
SOONEST = (LOT.c.expires_on.is_(None), LOT.c.expires_on, LOT.c.id)


@dataclass(slots=True)
class Balance:
    """Points at the program's scale. `active` may be spent by its dates, `available` is that less debts and
    holds. What has ended counts no more, though it is not written off yet.
    """

    active: int = 0
    pending: int = 0
    debt: int = 0
    held: int = 0
    accounts: dict[str, tuple[int, int]] = field(default_factory=dict)
    expiring: dict[date, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Everything: active and pending, less debts."""
        return self.active + self.pending - self.debt

    @property
    def available(self) -> int:
        """What may be spent now."""
        return max(0, self.active - self.debt - self.held)

    @property
    def nearest(self) -> tuple[date | None, int]:
        """What expires on the nearest day of expiry."""
        return min(self.expiring.items(), default=(None, 0))

    def add(self, lot: Any, now: datetime) -> None:
        """One open lot."""
        if lot.remaining < 0:
            self.debt -= lot.remaining
            return
        if lot.expires_at is not None and lot.expires_at <= now:
            return  # Over, and about to be written off.
        active, pending = self.accounts.get(lot.account, (0, 0))
        if lot.active_from <= now:
            self.active += lot.remaining
            self.accounts[lot.account] = (active + lot.remaining, pending)
            if lot.expires_on is not None:
                self.expiring[lot.expires_on] = self.expiring.get(lot.expires_on, 0) + lot.remaining
        else:
            self.pending += lot.remaining
            self.accounts[lot.account] = (active, pending + lot.remaining)


def balances(connection: Connection, holders: Collection[int], now: datetime) -> dict[int, Balance]:
    """What each of these accounts has; `holders` are the customers whose accounts they are."""
    found: dict[int, Balance] = defaultdict(Balance)
    ids = sorted(set(holders))
    columns = (LOT.c.customer_id, LOT.c.remaining, LOT.c.account, LOT.c.active_from, LOT.c.expires_on,
               LOT.c.expires_at)  # fmt: skip
    for lot in connection.execute(select(*columns).where(LOT.c.customer_id.in_(ids), LOT.c.remaining != 0)):
        found[lot.customer_id].add(lot, now)
    open_ = (HOLD.c.state == "open") & (HOLD.c.expires_at > now)
    held = select(HOLD.c.customer_id, func.sum(HOLD.c.points)).where(HOLD.c.customer_id.in_(ids), open_)
    for holder, points in connection.execute(held.group_by(HOLD.c.customer_id)):
        found[holder].held = int(points)
    return found


def not_over(now: datetime) -> ColumnElement[bool]:
    """Lots that have not ended, whether the ledger has written that off or not."""
    return or_(LOT.c.expires_at.is_(None), LOT.c.expires_at > now)


def holder_of(row: Any) -> int:
    """Whose account a customer uses."""
    return int(row.household_id or row.id)
