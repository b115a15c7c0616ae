"""Codes by which customers confirm what they spend."""

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index
from sqlmodel import Field, SQLModel

from core.db import Id
from core.tables.columns import customer_ref, identity, moment


class ConfirmationCode(SQLModel, table=True):
    """One code that was sent for a hold; the code itself is nowhere, `hold.code_digest` has its digest.

    `state`: `sending` (also for ever, if the sender died), `sent`, `failed` (it certainly did not leave),
    `unknown`; `reason` is the channel's. `customer_id` is whose phone.
    """

    __tablename__ = "confirmation_code"
    __table_args__ = (
        Index("confirmation_code_of_customer", "customer_id", "at"),
        Index("confirmation_code_of_hold", "hold_id", "id"),
    )
    id: int | None = identity()
    hold_id: int = Field(sa_column=Column(Id, ForeignKey("hold.id"), nullable=False))
    customer_id: int = customer_ref()
    state: str = "sending"
    reason: str | None = None
    at: datetime = moment()
    changed_at: datetime = moment()
