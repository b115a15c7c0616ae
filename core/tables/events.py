"""The stream of what happened."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, false, text
from sqlmodel import Field, SQLModel

from core.db import transaction_id
from core.tables.columns import customer_ref, identity, json_column, moment, units


class Event(SQLModel, table=True):
    """What happened, in order. `live` is false for imported history, which triggers nothing.

    `at` is when it happened, `recorded_at` when it was written, `transaction` by which transaction
    (PostgreSQL hands out ids before commit: readers order by transaction, see core.events).
    """

    __table_args__ = (
        Index("event_stream", "kind", "transaction", "id"),
        # Scenarios poll for news many times a second: imported history must not stand in their way.
        Index("event_news", "kind", "transaction", "id", sqlite_where=text("live = 1"),
              postgresql_where=text("live")),
        Index("event_order", "transaction", "id"),
        Index("event_of_customer", "customer_id", "id"),
    )  # fmt: skip
    id: int | None = identity()
    transaction: int = Field(
        default=None, sa_column=Column(BigInteger, nullable=False, server_default=transaction_id())
    )
    customer_id: int = customer_ref()
    kind: str
    subject: str | None = None
    live: bool = Field(default=True, sa_column_kwargs={"server_default": false()})
    at: datetime = moment()
    recorded_at: datetime = moment()
    data: dict[str, Any] = json_column()


class Cursor(SQLModel, table=True):
    """How far a reader of events has come."""

    reader: str = Field(primary_key=True)
    transaction: int = units()
    event_id: int = units()
