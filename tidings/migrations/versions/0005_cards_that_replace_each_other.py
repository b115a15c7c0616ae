"""Cards that replace each other, carry messages and tell of themselves; a START counts once."""

import sqlalchemy as sa
from alembic import op

from tidings.migrations.columns import ID, MOMENT

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
# A card that was issued has a time, and its table another key.
oldest = "0005"


def upgrade() -> None:
    """The only direction: the way back is a backup."""
    op.create_table(
        "heard_reply",
        sa.Column("provider_id", sa.String(length=200), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("provider_id"),
    )
    op.create_table(
        "process",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("trouble", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "wallet_tally",
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("times", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("what", "outcome"),
    )
    # A customer may have had several passes: the key is now the serial. Built anew on both databases, since
    # SQLite cannot change a key.
    op.drop_index("wallet_pass_google_due", "wallet_pass")
    op.drop_index("wallet_pass_google_object", "wallet_pass")
    op.drop_index("wallet_pass_tag", "wallet_pass")
    op.rename_table("wallet_pass", "wallet_pass_before")
    if op.get_context().dialect.name == "postgresql":
        # Names of keys are one for the whole schema there.
        op.execute("ALTER INDEX wallet_pass_pkey RENAME TO wallet_pass_before_pkey")
        op.execute("ALTER INDEX wallet_pass_serial_key RENAME TO wallet_pass_before_serial_key")
    op.create_table(
        "wallet_pass",
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("fetched_at", MOMENT, nullable=True),
        sa.Column("handed_tag", sa.BigInteger(), nullable=True),
        sa.Column("handed_at", MOMENT, nullable=True),
        sa.Column("outdated_at", MOMENT, nullable=True),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("voided", sa.Boolean(), nullable=False),
        sa.Column("replaced_at", MOMENT, nullable=True),
        sa.Column("look_at", MOMENT, nullable=True),
        sa.Column("news", sa.String(length=1000), nullable=True),
        sa.Column("news_title", sa.String(length=100), nullable=True),
        sa.Column("news_link", sa.String(length=500), nullable=True),
        sa.Column("news_at", MOMENT, nullable=True),
        sa.Column("news_message", sa.String(length=64), nullable=True),
        sa.Column("news_priority", sa.Integer(), nullable=True),
        sa.Column("news_until", MOMENT, nullable=True),
        sa.Column("news_seen_at", MOMENT, nullable=True),
        sa.Column("news_report_at", MOMENT, nullable=True),
        sa.Column("google_object_id", sa.String(length=160), nullable=True),
        sa.Column("google_digest", sa.String(length=64), nullable=True),
        sa.Column("google_notice", sa.String(length=64), nullable=True),
        sa.Column("google_notices", sa.String(length=120), server_default="", nullable=False),
        sa.Column("google_saved", sa.Boolean(), nullable=False),
        sa.Column("google_saved_at", MOMENT, nullable=True),
        sa.Column("google_news", sa.String(length=65), nullable=True),
        sa.Column("google_try_at", MOMENT, nullable=True),
        sa.Column("google_attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("serial"),
    )
    # What holders were told of at Google is kept in another form: the first update is silent.
    kept = (
        "customer_id, serial, token, digest, tag, changed_at, fetched_at, voided, news, "
        "google_object_id, google_digest, google_notices, google_saved, google_try_at, "
        "google_attempts"
    )
    op.execute(
        f"INSERT INTO wallet_pass ({kept}, issued_at) SELECT {kept}, changed_at FROM wallet_pass_before"  # noqa: S608
    )
    op.drop_table("wallet_pass_before")
    op.create_index(
        "wallet_pass_current",
        "wallet_pass",
        ["customer_id"],
        unique=True,
        sqlite_where=sa.text("replaced_at IS NULL"),
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.create_index("wallet_pass_customer", "wallet_pass", ["customer_id"], unique=False)
    op.create_index(
        "wallet_pass_google_due",
        "wallet_pass",
        ["google_try_at"],
        unique=False,
        sqlite_where=sa.text("google_try_at IS NOT NULL"),
        postgresql_where=sa.text("google_try_at IS NOT NULL"),
    )
    op.create_index("wallet_pass_google_object", "wallet_pass", ["google_object_id"], unique=True)
    op.create_index(
        "wallet_pass_look",
        "wallet_pass",
        ["look_at"],
        unique=False,
        sqlite_where=sa.text("look_at IS NOT NULL"),
        postgresql_where=sa.text("look_at IS NOT NULL"),
    )
    op.create_index(
        "wallet_pass_news_over",
        "wallet_pass",
        ["news_until"],
        unique=False,
        sqlite_where=sa.text("news_until IS NOT NULL"),
        postgresql_where=sa.text("news_until IS NOT NULL"),
    )
    op.create_index(
        "wallet_pass_news_to_report",
        "wallet_pass",
        ["news_report_at"],
        unique=False,
        sqlite_where=sa.text("news_report_at IS NOT NULL"),
        postgresql_where=sa.text("news_report_at IS NOT NULL"),
    )
    op.create_index("wallet_pass_tag", "wallet_pass", ["tag"], unique=False)
    op.add_column("wallet_device", sa.Column("woken_at", MOMENT, nullable=True))
    op.add_column("wallet_device", sa.Column("asked_at", MOMENT, nullable=True))
    op.add_column("wallet_device", sa.Column("answered_seconds", sa.Float(), nullable=True))
    op.add_column("wallet_device", sa.Column("unasked", sa.Integer(), server_default="0", nullable=False))
    op.add_column("wallet_device", sa.Column("unasked_since", MOMENT, nullable=True))
    op.create_index("wallet_nonce_expires", "wallet_nonce", ["expires_at"], unique=False)
    op.add_column(
        "wallet_registration", sa.Column("tag", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column(
        "wallet_registration", sa.Column("late", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.create_index("wallet_registration_serial", "wallet_registration", ["serial", "device"], unique=False)
