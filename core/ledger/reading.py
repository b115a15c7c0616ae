"""What a book asks of the database; prepared texts (core.db.hot), but for what is seldom asked."""

from typing import Any

from sqlalchemy import Connection, Row, select

from core.db.hot import Hot
from core.ledger.writing import ACCOUNT, LOT, OPERATION
from core.tables import Hold, Receipt

HOLD = Hold.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]

LOT_COLUMNS = (
    LOT.c.customer_id, LOT.c.reason, LOT.c.amount, LOT.c.remaining, LOT.c.active_from, LOT.c.expires_on,
    LOT.c.expires_at, LOT.c.account, LOT.c.slot, LOT.c.partner, LOT.c.first_expires_on, LOT.c.id,
    LOT.c.operation_id,
)  # fmt: skip
# What somebody has left. SQLite takes the index of open lots only where its own words stand in the question.
OPEN = (LOT.c.remaining != 0, LOT.c.remaining > 0)
# In one order everywhere, so that two writers cannot wait for each other.
ACCOUNT_COLUMNS = (ACCOUNT.c.customer_id, ACCOUNT.c.total, ACCOUNT.c.last_at, ACCOUNT.c.moved_at)
ACCOUNTS = Hot(*ACCOUNT_COLUMNS, tail="FROM account WHERE customer_id {ids} ORDER BY customer_id")
ACCOUNTS_HELD = Hot(
    *ACCOUNT_COLUMNS, tail="FROM account WHERE customer_id {ids} ORDER BY customer_id FOR UPDATE"
)
OPEN_LOTS = Hot(*LOT_COLUMNS, tail="FROM lot WHERE remaining <> 0 AND customer_id {ids} ORDER BY id")
OPEN_LOTS_WITHIN = Hot(
    *LOT_COLUMNS,
    tail="FROM lot WHERE remaining <> 0 AND customer_id {ids} AND (remaining < 0 OR (active_from <= {} AND "
    "(expires_at IS NULL OR expires_at > {}))) ORDER BY id",
)
DEBTS = Hot(*LOT_COLUMNS, tail="FROM lot WHERE remaining < 0 AND customer_id {ids} ORDER BY id")
# Of lots that are spent there is an index by the operation that made them, and by nothing else.
_MADE = "SELECT id FROM operation WHERE customer_id = {}"
EVERY_LOT = Hot(
    *LOT_COLUMNS, tail=f"FROM lot WHERE operation_id IN ({_MADE}) ORDER BY id",
    postgresql=f"FROM lot WHERE operation_id = ANY(ARRAY({_MADE})) ORDER BY id",
)  # fmt: skip
KNOWN_OPERATIONS = Hot(
    OPERATION.c.key, OPERATION.c.digest, OPERATION.c.result, tail="FROM operation WHERE key {names}"
)
OPEN_HOLDS = Hot(
    HOLD.c.customer_id, HOLD.c.external_id, HOLD.c.points, HOLD.c.expires_at, HOLD.c.accounts,
    tail="FROM hold WHERE state = 'open' AND customer_id {ids}",
)  # fmt: skip


def lots_bought(connection: Connection, buyer_id: int, beginning: str) -> list[Row[Any]]:
    """The lots (id, slot, amount) of a customer's purchases whose slots begin so, whichever account they went
    to: those of a household that they were in, and of a duplicate that they turned out to be, too.
    """
    theirs = select(LOT.c.id, LOT.c.slot, LOT.c.amount).join(
        RECEIPT, RECEIPT.c.operation_id == LOT.c.operation_id
    )
    meant = LOT.c.slot.startswith(beginning, autoescape=True)
    return list(connection.execute(theirs.where(RECEIPT.c.customer_id == buyer_id, meant)))
