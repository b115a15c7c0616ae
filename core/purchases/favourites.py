"""What a customer likes to buy: from their last receipts, so that the history's length does not matter."""

from collections import Counter
from datetime import datetime

from sqlalchemy import Connection, select

from core.purchases.stored import LINE, RECEIPT

RECEIPTS_AT_MOST = 30


def favourite_category(connection: Connection, customer_id: int, at: datetime) -> str | None:
    """The category on most of the last receipts; of several, the one on which more was spent."""
    mine = select(RECEIPT.c.id).where(
        RECEIPT.c.customer_id == customer_id, RECEIPT.c.at <= at, RECEIPT.c.returned_at.is_(None)
    )
    last = connection.scalars(mine.order_by(RECEIPT.c.at.desc()).limit(RECEIPTS_AT_MOST)).all()
    columns = (LINE.c.receipt_id, LINE.c.category, LINE.c.total)
    kept = LINE.c.category.is_not(None) & (LINE.c.returned < LINE.c.quantity)
    receipts: set[tuple[int, str]] = set()
    spent: Counter[str] = Counter()
    for receipt_id, category, total in connection.execute(
        select(*columns).where(LINE.c.receipt_id.in_(last), kept)
    ):
        receipts.add((receipt_id, category))
        spent[category] += total
    times = Counter(category for _, category in receipts)
    return max(times, key=lambda it: (times[it], spent[it], it), default=None)
