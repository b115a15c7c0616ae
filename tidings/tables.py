"""The tables of the API: its keys, and the answers to requests that may be sent again."""

from datetime import datetime

from sqlalchemy import Column, Index, Integer, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.db import Id, Json
from core.tables import identity, moment


class ApiKey(SQLModel, table=True):
    """Who may call the API. The key itself is nowhere: `digest` is its SHA-256, `hint` its beginning.

    It may do what its `role` may, and `scopes` beside; `stores` (empty: all) are those whose receipts it may
    send. `last_used_at` is written once in a while.
    """

    __tablename__ = "api_key"
    __table_args__ = (
        UniqueConstraint("digest"),
        # A name is free again once its key is revoked.
        Index("api_key_name", "name", unique=True, sqlite_where=text("revoked_at IS NULL"),
              postgresql_where=text("revoked_at IS NULL")),
    )  # fmt: skip
    id: int | None = identity()
    name: str
    hint: str
    digest: str
    role: str | None = None
    scopes: list[str] = Field(default_factory=list, sa_column=Column(Json, nullable=False))
    stores: list[str] = Field(default_factory=list, sa_column=Column(Json, nullable=False))
    rate: str
    created_at: datetime = moment()
    expires_at: datetime | None = moment(nullable=True)
    revoked_at: datetime | None = moment(nullable=True)
    last_used_at: datetime | None = moment(nullable=True)


class IdempotentRequest(SQLModel, table=True):
    """The answer to a request that carried an Idempotency-Key, kept for a week.

    `api_key` is whose key it is (0: the token of the settings), `digest` tells a repeat from another request,
    `customer_id` whom the answer is about, so that it can be forgotten with them.
    """

    __tablename__ = "idempotent_request"
    __table_args__ = (Index("idempotent_request_age", "at"), Index("idempotent_request_about", "customer_id"))
    api_key: int = Field(sa_column=Column(Id, primary_key=True, autoincrement=False))
    key: str = Field(primary_key=True)
    digest: str
    status: int = Field(sa_column=Column(Integer, nullable=False))
    answer: str
    customer_id: int | None = Field(default=None, sa_column=Column(Id, nullable=True))
    at: datetime = moment()
