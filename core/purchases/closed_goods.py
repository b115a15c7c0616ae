"""What goods had earned goes when they come back and their receipt's own book is closed.

It goes from the lots that it lies in now, started or not, wherever they have moved; only what is spent goes
from other bonuses, or is owed. What nobody spent in time is nobody's.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from core.ledger.book import Book
from core.ledger.limits import Limits
from core.ledger.lots import Op, OpenLot
from core.ledger.moving import became
from core.ledger.writing import ENTRY, LOT, OPERATION
from core.purchases.closed_books import did
from core.purchases.history import PURCHASE

# Under this key a return keeps what it has not taken, because it had lapsed: [[lot, points]].
LAPSED = "lapsed"


def take(book: Book, op: Op, receipt: Row[Any], gone: Mapping[tuple[str, str], int]) -> None:
    """Points, by account and rule, that the goods of a receipt had earned; what is missing is owed."""
    first = _lots(book.connection, receipt.operation_id)
    now = became(book.connection, set(first.values()))
    lapsed = _lapsed(book.connection, now, op.at) - _left_alone(book.connection, receipt, now)
    accounts, wanted, free = Counter[str](), Counter[int](), Counter[int]()
    for (account, rule), points in gone.items():
        lot = first.get((account, rule), 0)
        part = min(points, lapsed[lot] - free[lot])
        free[lot] += part
        wanted[lot] += points - part
        accounts[account] += points - part
    if free := +free:
        op.data = {**op.data, LAPSED: [[*it] for it in sorted(free.items())]}
    if accounts := +accounts:
        own = _own(book.lots[op.customer_id], now, wanted, op.at)
        book.redeem(op, accounts.total(), kind="reversal", limits=Limits(accounts), owing=True, own=own)


def _lots(connection: Connection, operation_id: int) -> dict[tuple[str, str], int]:
    """The lot that a purchase gave each account and rule."""
    columns = (LOT.c.account, ENTRY.c.rule, LOT.c.id)
    given = did(operation_id, "accrual", *columns).where(LOT.c.reason == PURCHASE).group_by(*columns)
    rows = connection.execute(given.order_by(LOT.c.id)).all()
    return {(row.account, row.rule or ""): row.id for row in rows if row.points > 0}


def _lapsed(connection: Connection, now: Mapping[int, int], at: datetime) -> Counter[int]:
    """What of lots was written off, or will be, by the lot that each was at first."""
    found = Counter[int]()
    expired = (ENTRY.c.kind == "expiry") & ENTRY.c.lot_id.in_(list(now))
    written = select(ENTRY.c.lot_id, func.sum(ENTRY.c.amount).label("points")).where(expired)
    for row in connection.execute(written.group_by(ENTRY.c.lot_id)):
        found[now[row.lot_id]] -= int(row.points)
    over = LOT.c.id.in_(list(now)) & (LOT.c.remaining > 0) & (LOT.c.expires_at <= at)
    for row in connection.execute(select(LOT.c.id, LOT.c.remaining).where(over)):
        found[now[row.id]] += int(row.remaining)
    return found


def _left_alone(connection: Connection, receipt: Row[Any], lots: Collection[int]) -> Counter[int]:
    """What earlier returns of the receipt have left where it had lapsed."""
    holders = select(LOT.c.customer_id).where(LOT.c.id.in_(list(lots)))
    returns = (OPERATION.c.kind == "return") & (OPERATION.c.at >= receipt.at)
    found = Counter[int]()
    for data in connection.scalars(
        select(OPERATION.c.data).where(OPERATION.c.customer_id.in_(holders), returns)
    ):
        if data.get("receipt") == receipt.id:
            found.update(dict(data.get(LAPSED, ())))
    return found


def _own(
    lots: Collection[OpenLot], now: Mapping[int, int], wanted: Mapping[int, int], at: datetime
) -> list[tuple[OpenLot, int]]:
    """How much of what is wanted of lots those give that they have become."""
    left, found = Counter(wanted), []
    for lot in lots:
        first = now.get(lot.id or 0, 0)
        part = 0 if lot.ended(at) else min(left[first], lot.remaining)
        if first and part > 0:
            left[first] -= part
            found.append((lot, part))
    return found
