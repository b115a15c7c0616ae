"""What others do to passes: a channel puts a message on one, an erasure makes one void."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from wallet import news, passes
from wallet.news import ORDINARY, News
from wallet.tables import CURRENT, PASS


def announce(
    connection: Connection, customer_id: int, text: str, *, now: datetime, message: str | None = None,
    priority: int = ORDINARY,
) -> None:  # fmt: skip
    """Put a message on the pass; it is not marked by this."""
    row = passes.current(connection, customer_id)
    assert row is not None
    news.put(connection, [News(row.serial, text, now, message, priority)])


def void(connection: Connection, customers: Iterable[int]) -> None:
    """The passes of somebody who is gone; they are not marked by this."""
    connection.execute(PASS.update().where(PASS.c.customer_id.in_(customers), CURRENT).values(voided=True))
