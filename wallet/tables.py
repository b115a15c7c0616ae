"""The tables of the wallet: a customer's pass, the devices that carry it, what the devices complain of."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.tables import customer_ref, identity, moment

# Times of the last notifying updates, as the budget of visible Google notifications needs them.
NOTICES_LENGTH = 120
NEWS_LENGTH = 1_000


def counter() -> int:
    """A number that only rises: update tags."""
    return Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0")))  # type: ignore[no-any-return]


class WalletPass(SQLModel, table=True):
    """One customer's copy of the card, in both wallets.

    `token` opens the pass for its device and, like `serial`, never changes. `digest` is what the card
    showed when it was last marked, `tag` the mark (rising in commit order), `changed_at` its
    Last-Modified: whole seconds, at least one between two changes.
    """

    __tablename__ = "wallet_pass"
    __table_args__ = (
        UniqueConstraint("serial"),
        Index("wallet_pass_tag", "tag"),
        Index("wallet_pass_google_object", "google_object_id", unique=True),
        Index(
            "wallet_pass_google_due",
            "google_try_at",
            sqlite_where=text("google_try_at IS NOT NULL"),
            postgresql_where=text("google_try_at IS NOT NULL"),
        ),
    )
    customer_id: int = customer_ref(primary_key=True)
    serial: str = Field(max_length=64)
    token: str = Field(max_length=64)
    digest: str = Field(max_length=64)
    tag: int = counter()
    changed_at: datetime = moment()
    fetched_at: datetime | None = moment(nullable=True)
    voided: bool = False
    news: str | None = Field(default=None, max_length=NEWS_LENGTH)
    google_object_id: str | None = Field(default=None, max_length=160)
    google_digest: str | None = Field(default=None, max_length=64)
    google_notice: str | None = Field(default=None, max_length=64)
    google_notices: str = Field(
        default="", sa_column=Column(String(NOTICES_LENGTH), nullable=False, server_default="")
    )
    google_saved: bool = False
    google_try_at: datetime | None = moment(nullable=True)
    google_attempts: int = 0


class WalletDevice(SQLModel, table=True):
    """A phone or watch. It is owed a push while `owed_tag` is above `pushed_tag`, not before `push_at`."""

    __tablename__ = "wallet_device"
    __table_args__ = (
        Index(
            "wallet_device_due",
            "push_at",
            sqlite_where=text("push_at IS NOT NULL"),
            postgresql_where=text("push_at IS NOT NULL"),
        ),
    )
    device: str = Field(primary_key=True, max_length=100)
    push_token: str = Field(max_length=200)
    registered_at: datetime = moment()
    owed_tag: int = counter()
    pushed_tag: int = counter()
    push_at: datetime | None = moment(nullable=True)
    pushed_at: datetime | None = moment(nullable=True)
    attempts: int = 0


class WalletRegistration(SQLModel, table=True):
    """This device carries this pass."""

    __tablename__ = "wallet_registration"
    __table_args__ = (Index("wallet_registration_customer", "customer_id", "device"),)
    device: str = Field(
        sa_column=Column(
            String(100), ForeignKey("wallet_device.device", ondelete="CASCADE"), primary_key=True
        )
    )
    serial: str = Field(primary_key=True, max_length=64)
    customer_id: int = customer_ref()
    at: datetime = moment()


class WalletLog(SQLModel, table=True):
    """What a device reports about our web service; the oldest go first."""

    __tablename__ = "wallet_log"
    __table_args__ = (Index("wallet_log_at", "at"),)
    id: int | None = identity()
    at: datetime = moment()
    text: str = Field(max_length=500)


class WalletNonce(SQLModel, table=True):
    """A callback of Google's that was heard: it may come again, but counts once."""

    __tablename__ = "wallet_nonce"
    nonce: str = Field(primary_key=True, max_length=200)
    expires_at: datetime = moment()


PASS: Table = WalletPass.__table__  # type: ignore[attr-defined]
DEVICE: Table = WalletDevice.__table__  # type: ignore[attr-defined]
REGISTRATION: Table = WalletRegistration.__table__  # type: ignore[attr-defined]
LOG: Table = WalletLog.__table__  # type: ignore[attr-defined]
NONCE: Table = WalletNonce.__table__  # type: ignore[attr-defined]
