"""Customers: who they are and where they are reached."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    SmallInteger,
    UniqueConstraint,
    text,
    true,
)
from sqlmodel import Field, SQLModel

from core.db import Id
from core.tables.columns import customer_ref, identity, json_column, moment, units


def _another_customer() -> Any:
    return Field(default=None, sa_column=Column(Id, ForeignKey("customer.id"), nullable=True))


class Customer(SQLModel, table=True):
    """A person in the program. `birthday_md` is month × 100 + day, for the look for birthdays.

    `household_id` is the customer whose bonuses this one shares (null: their own); `merged_into` the one
    whom a duplicate turned out to be; `invited_to` the level that an invitation holds them at.

    `opted_in` repeats `consent` for looks, which read the row anyway: the channels on which they agreed to
    marketing, as ` email sms `, empty for none; null if `consent` is to be asked. Once the customer is there
    only the database writes it (core.tables.opted_in).
    """

    __table_args__ = (
        UniqueConstraint("external_id"),
        Index("customer_birthday", "birthday_md"),
        Index("customer_phone", "phone"),
        Index("customer_email", "email"),
        Index("customer_card", "card", unique=True),
        Index("customer_household", "household_id"),
        Index("customer_merged", "merged_into"),
        Index("customer_referred", "referred_by"),
        Index("customer_updated", "updated_at", "id"),
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
    invited_to: str | None = None
    household_id: int | None = _another_customer()
    merged_into: int | None = _another_customer()
    referred_by: int | None = _another_customer()
    registered_at: datetime = moment()
    updated_at: datetime = moment()
    erased_at: datetime | None = moment(nullable=True)
    opted_in: str | None = ""


class TimeZone(SQLModel, table=True):
    """Every time zone that some customer has, as written; a look reads these few, not the customers."""

    __tablename__ = "time_zone"
    name: str = Field(primary_key=True)


class Address(SQLModel, table=True):
    """Where a customer can be reached. `kind`: email, phone, push, telegram; `digest`: see Addresses."""

    __table_args__ = (
        UniqueConstraint("customer_id", "kind", "value"),
        Index("address_digest", "digest"),
        # Whether somebody can be reached is asked of everybody who is due: the row itself is not read for it.
        Index(
            "address_usable", "customer_id", "kind", "digest",
            sqlite_where=text("active = 1"), postgresql_where=text("active"),
        ),
    )  # fmt: skip
    id: int | None = identity()
    customer_id: int = customer_ref()
    kind: str
    value: str
    digest: str
    active: bool = Field(default=True, sa_column_kwargs={"server_default": true()})
    since: datetime = moment()


class Suppression(SQLModel, table=True):
    """An address that must not be used on a channel; outlives the person (only a keyed digest is kept)."""

    channel: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    reason: str
    at: datetime = moment()


class LiftedSuppression(SQLModel, table=True):
    """A suppression that was taken back: what it was, since when, who lifted it and why. Never changed."""

    __tablename__ = "lifted_suppression"
    __table_args__ = (Index("lifted_suppression_of_address", "digest"),)
    id: int | None = identity()
    channel: str
    digest: str
    reason: str
    at: datetime = moment()
    lifted_at: datetime = moment()
    author: str
    why: str


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
    """A customer's tiers through time. What a late receipt or a return undid is voided, never removed."""

    __tablename__ = "tier_change"
    __table_args__ = (Index("tier_change_of_customer", "customer_id", "at"),)
    id: int | None = identity()
    customer_id: int = customer_ref()
    previous: str | None = None
    tier: str
    direction: str
    at: datetime = moment()
    recorded_at: datetime = moment()
    voided_at: datetime | None = moment(nullable=True)
