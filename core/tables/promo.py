"""Promo codes, coupons, and the codes by which customers bring their friends."""

from datetime import date, datetime

from sqlalchemy import Column, ForeignKey, Index, UniqueConstraint, false, text
from sqlmodel import Field, SQLModel

from core.db import Id
from core.tables.columns import customer_ref, identity, moment


class PromoCode(SQLModel, table=True):
    """A code made for a rule; `code` is in its normal form (core.grants.promo_codes.normal).

    A code of program.yaml itself has a row only once its uses must be counted; what else is known of it
    stands in its rule. `customer_id` is whose coupon it is (null: anybody's), `first_day` and `last_day` are
    days in the program's zone, `uses` counts up to `uses_at_most` (null: without end). `batch` is the
    request that made it, `number` its place there.
    """

    __tablename__ = "promo_code"
    __table_args__ = (
        UniqueConstraint("code"),
        UniqueConstraint("batch", "number"),
        Index("promo_code_of_rule", "rule", "id"),
        Index("promo_code_of_customer", "customer_id"),
    )
    id: int | None = identity()
    code: str
    rule: str
    batch: str | None = None
    number: int | None = None
    customer_id: int | None = Field(
        default=None, sa_column=Column(Id, ForeignKey("customer.id"), nullable=True)
    )
    first_day: date | None = None
    last_day: date | None = None
    uses_at_most: int | None = None
    uses: int = Field(default=0)
    created_at: datetime = moment()
    disabled_at: datetime | None = moment(nullable=True)


class PromoUse(SQLModel, table=True):
    """One use of a code: on a receipt (its external id), or without one. A return may free it again.

    `single` is copied from a code of one use: then the database itself keeps a second use out.
    """

    __tablename__ = "promo_use"
    __table_args__ = (
        Index(
            "promo_use_once",
            "code",
            unique=True,
            sqlite_where=text("single = 1 AND freed_at IS NULL"),
            postgresql_where=text("single AND freed_at IS NULL"),
        ),
        Index("promo_use_of_code", "code", "id"),
        Index("promo_use_of_customer", "customer_id", "code"),
        Index("promo_use_of_receipt", "receipt"),
    )
    id: int | None = identity()
    code: str
    rule: str
    customer_id: int = customer_ref()
    receipt: str | None = None
    single: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    at: datetime = moment()
    recorded_at: datetime = moment()
    freed_at: datetime | None = moment(nullable=True)


class ReferralCode(SQLModel, table=True):
    """The code that a customer gives to friends."""

    __tablename__ = "referral_code"
    __table_args__ = (UniqueConstraint("code"),)
    customer_id: int = customer_ref(primary_key=True)
    code: str
