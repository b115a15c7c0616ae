"""Stores, goods, and what was bought."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, Index, UniqueConstraint, false, text
from sqlmodel import Field, SQLModel

from core.db import Id
from core.tables.columns import customer_ref, identity, moment, units


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
    """A purchase. `total` is what the lines cost, `paid_points` the part paid with bonuses (points).

    `total`, `paid_points` and `earned_points` are as bought, less what was returned since; a receipt of which
    `program_version` is the program that it earned by. `operation_id` is its purchase in the ledger.
    """

    __table_args__ = (UniqueConstraint("external_id"), Index("receipt_of_customer", "customer_id", "at"))
    id: int | None = identity()
    external_id: str
    customer_id: int = customer_ref()
    operation_id: int = Field(sa_column=Column(Id, ForeignKey("operation.id"), nullable=False))
    program_version: int = Field(sa_column=Column(BigInteger, nullable=False))
    store: str | None = None
    partner: str | None = None
    at: datetime = moment()
    recorded_at: datetime = moment()
    total: int = units()
    paid_points: int = units()
    earned_points: int = units()
    codes: str | None = None
    returned_at: datetime | None = moment(nullable=True)


class ReceiptLine(SQLModel, table=True):
    """One line of a receipt; `quantity` in thousandths, `total` in minor units after discounts, as bought.

    `category`, `brand` and `discounted` are what the rules saw when it was bought: a catalogue that changes
    later changes no bonuses. `returned` is the quantity that came back, in thousandths.
    """

    __tablename__ = "receipt_line"
    receipt_id: int = Field(sa_column=Column(Id, ForeignKey("receipt.id"), primary_key=True))
    line: int = Field(primary_key=True)
    customer_id: int = Field(sa_column=Column(Id, nullable=False))
    sku: str
    quantity: int = units()
    total: int = units()
    category: str | None = None
    brand: str | None = None
    discounted: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    earned_points: int = units()
    paid_points: int = units()
    returned: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
