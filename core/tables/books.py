"""The bonus ledger."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
    true,
)
from sqlmodel import Field, SQLModel

from core.db import Id, Json
from core.tables.columns import customer_ref, identity, json_column, moment, units
from core.tables.moved_at import see_to_moved_at


class ProgramVersion(SQLModel, table=True):
    """The rules by which something was booked: the part of program.yaml that concerns bonuses.

    `digest` tells them apart (messages and channels do not count), `text` is the whole file as it was.
    """

    __tablename__ = "program_version"
    __table_args__ = (UniqueConstraint("digest"),)
    id: int | None = identity()
    digest: str
    text: str


class ProgramRun(SQLModel, table=True):
    """From when on the ledger works by a version: until the next row. One that comes back has two."""

    __tablename__ = "program_run"
    __table_args__ = (Index("program_run_of_version", "program_version", "since"),)
    id: int | None = identity()
    program_version: int = Field(sa_column=Column(Id, ForeignKey("program_version.id"), nullable=False))
    since: datetime = moment()


class Operation(SQLModel, table=True):
    """One request to the ledger; `key` makes it idempotent, `digest` tells a repeat from a clash.

    `customer_id` is whose bonuses it moves; `author` who asked for what no rule gave.
    """

    __table_args__ = (
        UniqueConstraint("key"),
        Index("operation_of_customer", "customer_id", "id"),
        Index("operation_in_time", "customer_id", "at"),
    )
    id: int | None = identity()
    customer_id: int = customer_ref()
    kind: str
    key: str
    digest: str
    program_version: int = Field(sa_column=Column(BigInteger, nullable=False))
    live: bool = Field(default=True, sa_column_kwargs={"server_default": true()})
    partner: str | None = None
    author: str | None = None
    result: dict[str, Any] = json_column()
    data: dict[str, Any] = json_column()
    at: datetime = moment()
    recorded_at: datetime = moment()


class Lot(SQLModel, table=True):
    """The bonuses of one accrual. `expires_on` is its last day (program's zone), `expires_at` its end.

    `account` is the bonus account of the program that it lies in, `slot` tells the lots of one operation
    apart, `partner` who gave them. `first_expires_on` is the last day before any extension.
    """

    __table_args__ = (
        Index(
            "lot_open_of_customer",
            "customer_id",
            sqlite_where=text("remaining <> 0"),
            postgresql_where=text("remaining <> 0"),
        ),
        # Who earns and takes nothing has only their debts looked at: seldom any.
        Index(
            "lot_debt",
            "customer_id",
            sqlite_where=text("remaining < 0"),
            postgresql_where=text("remaining < 0"),
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
        Index("lot_of_operation", "operation_id", "slot", unique=True),
    )
    id: int | None = identity()
    customer_id: int = customer_ref()
    operation_id: int = Field(sa_column=Column(Id, ForeignKey("operation.id"), nullable=False))
    slot: str
    account: str
    partner: str | None = None
    reason: str
    amount: int = units()
    remaining: int = units()
    active_from: datetime = moment()
    expires_on: date | None = None
    expires_at: datetime | None = moment(nullable=True)
    first_expires_on: date | None = None


class Entry(SQLModel, table=True):
    """One row of the ledger: so many points into (+) or out of (-) one lot. Never changed, never removed.

    `corrects` is the earlier operation whose effect this entry mends (null: it is its own operation's);
    what an operation did in the end is the sum of its own entries and of those that correct it.
    `rule` and `program_version` say why.
    """

    __table_args__ = (
        Index("entry_of_customer", "customer_id", "id"),
        Index("entry_of_lot", "lot_id"),
        Index(
            "entry_corrects",
            "corrects",
            sqlite_where=text("corrects IS NOT NULL"),
            postgresql_where=text("corrects IS NOT NULL"),
        ),
    )
    id: int | None = identity()
    # Its lot and its operation are checked to be there, and with them the customer.
    customer_id: int = Field(sa_column=Column(Id, nullable=False))
    operation_id: int = Field(sa_column=Column(Id, ForeignKey("operation.id"), nullable=False, index=True))
    corrects: int | None = Field(
        default=None, sa_column=Column(Id, ForeignKey("operation.id"), nullable=True)
    )
    lot_id: int = Field(sa_column=Column(Id, ForeignKey("lot.id"), nullable=False))
    kind: str
    amount: int = units()
    rule: str | None = None
    program_version: int = Field(sa_column=Column(BigInteger, nullable=False))
    at: datetime = moment()
    recorded_at: datetime = moment()


class Account(SQLModel, table=True):
    """A customer's total balance: the sum of entries, and the row that a writer locks.

    `last_at` is the time of the latest operation: what is earlier came late. `moved_at` is when one was last
    written down, or when the last of what was given starts, if that is later: what can be spent has not
    risen since then. Null if nobody knows (core.tables.moved_at).
    """

    customer_id: int = customer_ref(primary_key=True)
    total: int = units()
    last_at: datetime | None = moment(nullable=True)
    moved_at: datetime | None = moment(nullable=True)


see_to_moved_at(Account.__table__)  # type: ignore[attr-defined]


class Hold(SQLModel, table=True):
    """Bonuses set aside for a cart at a till until it is committed, cancelled, or its time is over.

    `external_id` is the receipt that it will become; `buyer_id` who buys, `customer_id` whose bonuses;
    `accounts` is from which bonus accounts the points are meant to come.
    `state`: `open`, `committed`, `cancelled`; an open hold after `expires_at` holds nothing any more.
    """

    __table_args__ = (
        UniqueConstraint("external_id"),
        Index("hold_open", "customer_id", sqlite_where=text("state = 'open'"),
              postgresql_where=text("state = 'open'")),
    )  # fmt: skip
    id: int | None = identity()
    external_id: str
    customer_id: int = customer_ref()
    buyer_id: int = customer_ref()
    points: int = units()
    accounts: dict[str, int] = Field(
        default_factory=dict, sa_column=Column(Json, nullable=False, server_default=text("'{}'"))
    )
    state: str = "open"
    digest: str
    cart: dict[str, Any] = json_column()
    code_digest: str | None = None
    code_tries: int = Field(default=0)
    at: datetime = moment()
    expires_at: datetime = moment()
    changed_at: datetime = moment()
