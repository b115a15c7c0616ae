"""The tables of the facts.

Points are integers at the program's scale, money is in minor units, times are aware UTC, dates are days
in the program's zone. Every table about a customer carries `customer_id`, so that the data can be
partitioned by customer. Rows of `event`, `operation` and `entry` are only ever added.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    SmallInteger,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlmodel import Field, SQLModel

from core.db import Id, Json, UtcDateTime, transaction_id


def identity() -> Any:
    """A row's own number."""
    return Field(default=None, sa_column=Column(Id, primary_key=True, autoincrement=True))


def customer_ref(*, primary_key: bool = False) -> Any:
    """The customer whom a row is about."""
    return Field(sa_column=Column(Id, ForeignKey("customer.id"), primary_key=primary_key, nullable=False))


def units(*, nullable: bool = False) -> Any:
    """Points at the program's scale, or money in minor units."""
    return Field(default=None if nullable else 0, sa_column=Column(BigInteger, nullable=nullable, default=0))


def moment(*, nullable: bool = False) -> Any:
    """A time, UTC."""
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable))


def json_column() -> Any:
    """Free structure, an object."""
    return Field(default_factory=dict, sa_column=Column(Json, nullable=False))


class Customer(SQLModel, table=True):
    """A person in the program. `birthday_md` is month × 100 + day, for the look for birthdays."""

    __table_args__ = (
        UniqueConstraint("external_id"),
        Index("customer_birthday", "birthday_md"),
        Index("customer_phone", "phone"),
        Index("customer_email", "email"),
        Index("customer_card", "card", unique=True),
    )
    id: int | None = identity()
    external_id: str
    card: str | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    birthday: date | None = None
    birthday_md: int | None = Field(default=None, sa_column=Column(SmallInteger))
    gender: str | None = None
    city: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    attributes: dict[str, Any] = json_column()
    tier: str | None = Field(default=None, index=True)
    tier_since: datetime | None = moment(nullable=True)
    registered_at: datetime = moment()
    updated_at: datetime = moment()
    erased_at: datetime | None = moment(nullable=True)


class TimeZone(SQLModel, table=True):
    """Every time zone that some customer has, as written; a look reads these few, not the customers."""

    __tablename__ = "time_zone"
    name: str = Field(primary_key=True)


class Address(SQLModel, table=True):
    """Where a customer can be reached. `kind`: `email`, `phone` or `push`; `digest`: see core.addresses."""

    __table_args__ = (UniqueConstraint("customer_id", "kind", "value"), Index("address_digest", "digest"))
    id: int | None = identity()
    customer_id: int = customer_ref()
    kind: str
    value: str
    digest: str
    active: bool = Field(default=True, sa_column_kwargs={"server_default": true()})
    since: datetime = moment()


class Consent(SQLModel, table=True):
    """The consent in force, customer × channel × purpose; its history is in `event`."""

    customer_id: int = customer_ref(primary_key=True)
    channel: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    granted: bool
    at: datetime = moment()
    source: str | None = None


class Suppression(SQLModel, table=True):
    """An address that must not be used on a channel; outlives the person (only a keyed digest is kept)."""

    channel: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    reason: str
    at: datetime = moment()


class Store(SQLModel, table=True):
    """A shop."""

    code: str = Field(primary_key=True)
    name: str | None = None
    city: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class Product(SQLModel, table=True):
    """What is sold."""

    sku: str = Field(primary_key=True)
    name: str | None = None
    category: str | None = Field(default=None, index=True)
    brand: str | None = None


class Receipt(SQLModel, table=True):
    """A purchase. `total` is what the lines cost, `paid_points` the part paid with bonuses (points)."""

    __table_args__ = (UniqueConstraint("external_id"), Index("receipt_of_customer", "customer_id", "at"))
    id: int | None = identity()
    external_id: str
    customer_id: int = customer_ref()
    store: str | None = None
    at: datetime = moment()
    recorded_at: datetime = moment()
    total: int = units()
    paid_points: int = units()
    earned_points: int = units()
    returned_at: datetime | None = moment(nullable=True)


class ReceiptLine(SQLModel, table=True):
    """One line of a receipt; `quantity` in thousandths, `total` in minor units after discounts."""

    __tablename__ = "receipt_line"
    receipt_id: int = Field(sa_column=Column(Id, ForeignKey("receipt.id"), primary_key=True))
    line: int = Field(primary_key=True)
    customer_id: int = customer_ref()
    sku: str
    quantity: int = units()
    total: int = units()
    earned_points: int = units()


class Operation(SQLModel, table=True):
    """One request to the ledger; `key` makes it idempotent, `digest` tells a repeat from a clash."""

    __table_args__ = (UniqueConstraint("key"), Index("operation_of_customer", "customer_id", "id"))
    id: int | None = identity()
    customer_id: int = customer_ref()
    kind: str
    key: str
    digest: str
    result: dict[str, Any] = json_column()
    at: datetime = moment()
    recorded_at: datetime = moment()


class Lot(SQLModel, table=True):
    """The bonuses of one accrual. `expires_on` is its last day (program's zone), `expires_at` its end."""

    __table_args__ = (
        Index(
            "lot_open_of_customer",
            "customer_id",
            sqlite_where=text("remaining <> 0"),
            postgresql_where=text("remaining <> 0"),
        ),
        # What the look for expiring bonuses and the expiry itself read: an index range, nothing else.
        Index(
            "lot_expiring",
            "expires_on",
            "customer_id",
            "remaining",
            "active_from",
            sqlite_where=text("remaining > 0"),
            postgresql_where=text("remaining > 0"),
        ),
    )
    id: int | None = identity()
    customer_id: int = customer_ref()
    operation_id: int = Field(sa_column=Column(Id, ForeignKey("operation.id"), nullable=False))
    reason: str
    amount: int = units()
    remaining: int = units()
    active_from: datetime = moment()
    expires_on: date | None = None
    expires_at: datetime | None = moment(nullable=True)


class Entry(SQLModel, table=True):
    """One row of the ledger: so many points into (+) or out of (-) one lot. Never changed, never removed."""

    __table_args__ = (Index("entry_of_customer", "customer_id", "id"), Index("entry_of_lot", "lot_id"))
    id: int | None = identity()
    customer_id: int = customer_ref()
    operation_id: int = Field(sa_column=Column(Id, ForeignKey("operation.id"), nullable=False, index=True))
    lot_id: int = Field(sa_column=Column(Id, ForeignKey("lot.id"), nullable=False))
    kind: str
    amount: int = units()
    rule: str | None = None
    at: datetime = moment()
    recorded_at: datetime = moment()


class Account(SQLModel, table=True):
    """A customer's total balance: the sum of entries, and the row that a writer locks."""

    customer_id: int = customer_ref(primary_key=True)
    total: int = units()


class CustomerStats(SQLModel, table=True):
    """Kept with each receipt, so that nobody ever groups all receipts."""

    __tablename__ = "customer_stats"
    __table_args__ = (Index("stats_last_purchase", "last_purchase_at"),)
    customer_id: int = customer_ref(primary_key=True)
    first_purchase_at: datetime | None = moment(nullable=True)
    last_purchase_at: datetime | None = moment(nullable=True)
    purchases: int = Field(default=0)
    spent: int = units()


class TierChange(SQLModel, table=True):
    """A customer's tiers through time."""

    __tablename__ = "tier_change"
    __table_args__ = (Index("tier_change_of_customer", "customer_id", "at"),)
    id: int | None = identity()
    customer_id: int = customer_ref()
    previous: str | None = None
    tier: str
    direction: str
    at: datetime = moment()


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
