"""The tables of the wallet: a customer's pass, the devices that carry it, what the devices complain of."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, text
from sqlmodel import Field, SQLModel

from core.tables import customer_ref, identity, moment

# Times of the last notifying updates, as the budget of visible Google notifications needs them.
NOTICES_LENGTH = 120
NEWS_LENGTH = 1_000
NEWS_TITLE_LENGTH = 100
NEWS_LINK_LENGTH = 500
NEWS_MESSAGE_LENGTH = 64


def counter() -> int:
    """A number that only rises: update tags."""
    return Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0")))  # type: ignore[no-any-return]


class WalletPass(SQLModel, table=True):
    """One copy of the card, in both wallets. A customer has one that is good; those it replaced are kept.

    `token` opens the pass for its device and, like `serial`, never changes. `digest` is what the card
    showed when it was last marked, `tag` the mark (rising in commit order), `changed_at` its
    Last-Modified: whole seconds, at least one between two changes. From `replaced_at` on the pass is void
    and empty: devices that still carry it must learn so.

    `fetched_at` is when anybody last got it, `handed_at` when a link or an email last gave out a copy, and of
    which mark (`handed_tag`), `outdated_at` when one of an older mark was last given out (wallet.copies).

    `news` is the message on the card (wallet.news): since `news_at`, till `news_until` (None: till the next
    one), of the weight `news_priority` (0 to 100). `news_message` names it in the outbox, `news_seen_at` is
    when the first wallet had it, `news_report_at` when the outbox is told so (None: it was). These three stay
    where a message was taken off before that.

    `look_at` is when something begins that was recorded before its time (a till's clock is ahead of ours).
    """

    __tablename__ = "wallet_pass"
    __table_args__ = (
        Index("wallet_pass_customer", "customer_id"),
        Index(
            "wallet_pass_current",
            "customer_id",
            unique=True,
            sqlite_where=text("replaced_at IS NULL"),
            postgresql_where=text("replaced_at IS NULL"),
        ),
        Index("wallet_pass_tag", "tag"),
        Index("wallet_pass_google_object", "google_object_id", unique=True),
        Index(
            "wallet_pass_google_due",
            "google_try_at",
            sqlite_where=text("google_try_at IS NOT NULL"),
            postgresql_where=text("google_try_at IS NOT NULL"),
        ),
        Index(
            "wallet_pass_look",
            "look_at",
            sqlite_where=text("look_at IS NOT NULL"),
            postgresql_where=text("look_at IS NOT NULL"),
        ),
        Index(
            "wallet_pass_news_over",
            "news_until",
            sqlite_where=text("news_until IS NOT NULL"),
            postgresql_where=text("news_until IS NOT NULL"),
        ),
        Index(
            "wallet_pass_news_to_report",
            "news_report_at",
            sqlite_where=text("news_report_at IS NOT NULL"),
            postgresql_where=text("news_report_at IS NOT NULL"),
        ),
    )
    serial: str = Field(primary_key=True, max_length=64)
    customer_id: int = customer_ref()
    token: str = Field(max_length=64)
    digest: str = Field(max_length=64)
    tag: int = counter()
    changed_at: datetime = moment()
    fetched_at: datetime | None = moment(nullable=True)
    handed_tag: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    handed_at: datetime | None = moment(nullable=True)
    outdated_at: datetime | None = moment(nullable=True)
    issued_at: datetime = moment()
    voided: bool = False
    replaced_at: datetime | None = moment(nullable=True)
    look_at: datetime | None = moment(nullable=True)
    news: str | None = Field(default=None, max_length=NEWS_LENGTH)
    news_title: str | None = Field(default=None, max_length=NEWS_TITLE_LENGTH)
    news_link: str | None = Field(default=None, max_length=NEWS_LINK_LENGTH)
    news_at: datetime | None = moment(nullable=True)
    news_message: str | None = Field(default=None, max_length=NEWS_MESSAGE_LENGTH)
    news_priority: int | None = None
    news_until: datetime | None = moment(nullable=True)
    news_seen_at: datetime | None = moment(nullable=True)
    news_report_at: datetime | None = moment(nullable=True)
    google_object_id: str | None = Field(default=None, max_length=160)
    google_digest: str | None = Field(default=None, max_length=64)
    google_notice: str | None = Field(default=None, max_length=64)
    google_notices: str = Field(
        default="", sa_column=Column(String(NOTICES_LENGTH), nullable=False, server_default="")
    )
    google_saved: bool = False
    google_saved_at: datetime | None = moment(nullable=True)
    google_news: str | None = Field(default=None, max_length=NEWS_MESSAGE_LENGTH + 1)
    google_try_at: datetime | None = moment(nullable=True)
    google_attempts: int = 0


class WalletDevice(SQLModel, table=True):
    """A phone or watch. It is owed a push while `owed_tag` is above `pushed_tag`, not before `push_at`.

    `unasked` is how many pushes Apple took since the device last asked, the first of them at `unasked_since`:
    who never asks is dormant (wallet.apple.dormancy). `attempts` is how often the push due now has failed.
    `woken_at` is when the last push to it was begun, `asked_at` when it last asked what changed (noted once a
    minute, and always after a push), `answered_seconds` how long after a push it last did.
    """

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
    woken_at: datetime | None = moment(nullable=True)
    asked_at: datetime | None = moment(nullable=True)
    answered_seconds: float | None = None
    unasked: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    unasked_since: datetime | None = moment(nullable=True)
    attempts: int = 0


class WalletRegistration(SQLModel, table=True):
    """This device carries this pass: since the mark `tag`, or came with what may be an older version.

    Then `tag` is 0 and `late` a number that rises with each such registration of the device.
    """

    __tablename__ = "wallet_registration"
    __table_args__ = (
        Index("wallet_registration_customer", "customer_id", "device"),
        Index("wallet_registration_serial", "serial", "device"),
    )
    device: str = Field(
        sa_column=Column(
            String(100), ForeignKey("wallet_device.device", ondelete="CASCADE"), primary_key=True
        )
    )
    serial: str = Field(primary_key=True, max_length=64)
    customer_id: int = customer_ref()
    at: datetime = moment()
    tag: int = counter()
    late: int = counter()


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
    __table_args__ = (Index("wallet_nonce_expires", "expires_at"),)
    nonce: str = Field(primary_key=True, max_length=200)
    expires_at: datetime = moment()


class WalletTally(SQLModel, table=True):
    """How often something came of something, since the first day: pushes by their outcome (wallet.tally)."""

    __tablename__ = "wallet_tally"
    what: str = Field(primary_key=True, max_length=20)
    outcome: str = Field(primary_key=True, max_length=40)
    times: int = counter()


PASS: Table = WalletPass.__table__  # type: ignore[attr-defined]
DEVICE: Table = WalletDevice.__table__  # type: ignore[attr-defined]
REGISTRATION: Table = WalletRegistration.__table__  # type: ignore[attr-defined]
LOG: Table = WalletLog.__table__  # type: ignore[attr-defined]
NONCE: Table = WalletNonce.__table__  # type: ignore[attr-defined]
TALLY: Table = WalletTally.__table__  # type: ignore[attr-defined]

# Of a customer's passes the one that is good, or would be if it were not void.
CURRENT = PASS.c.replaced_at.is_(None)
