"""The first tables."""

import sqlalchemy as sa
from alembic import op

from tidings.migrations.columns import ID, JSON, MOMENT, transaction_number

revision = "0003"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915
    """The only direction: the way back is a backup."""
    op.create_table(
        "api_key",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hint", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("stores", JSON, nullable=False),
        sa.Column("rate", sa.String(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index(
        "api_key_name",
        "api_key",
        ["name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "bundle_proposal",
        sa.Column("number", ID, autoincrement=True, nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("files", JSON, nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("proposed_by", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("restores", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "bundle_version",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("files", JSON, nullable=False),
        sa.Column("applied_at", MOMENT, nullable=False),
        sa.Column("applied_by", sa.String(), nullable=False),
        sa.Column("approved_by", JSON, nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("restores", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_table(
        "channel_state",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=True),
        sa.Column("open_until", MOMENT, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("channel"),
    )
    op.create_table(
        "cursor",
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("transaction", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reader"),
    )
    op.create_table(
        "customer",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("card", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("birthday", sa.Date(), nullable=True),
        sa.Column("birthday_md", sa.SmallInteger(), nullable=True),
        sa.Column("gender", sa.String(), nullable=True),
        sa.Column("city", sa.String(), nullable=True),
        sa.Column("locale", sa.String(), nullable=True),
        sa.Column("time_zone", sa.String(), nullable=True),
        sa.Column("attributes", JSON, nullable=False),
        sa.Column("tier", sa.String(), nullable=True),
        sa.Column("tier_since", MOMENT, nullable=True),
        sa.Column("invited_to", sa.String(), nullable=True),
        sa.Column("household_id", ID, nullable=True),
        sa.Column("merged_into", ID, nullable=True),
        sa.Column("referred_by", ID, nullable=True),
        sa.Column("registered_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("erased_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["household_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["merged_into"], ["customer.id"]),
        sa.ForeignKeyConstraint(["referred_by"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("external_id"),
    )
    op.create_index("customer_birthday", "customer", ["birthday_md"], unique=False)
    op.create_index("customer_card", "customer", ["card"], unique=True)
    op.create_index("customer_email", "customer", ["email"], unique=False)
    op.create_index("customer_household", "customer", ["household_id"], unique=False)
    op.create_index("customer_merged", "customer", ["merged_into"], unique=False)
    op.create_index("customer_phone", "customer", ["phone"], unique=False)
    op.create_index("customer_referred", "customer", ["referred_by"], unique=False)
    op.create_index("customer_updated", "customer", ["updated_at", "id"], unique=False)
    op.create_index(op.f("ix_customer_tier"), "customer", ["tier"], unique=False)
    op.create_table(
        "idempotent_request",
        sa.Column("api_key", ID, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("customer_id", ID, nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("api_key", "key"),
    )
    op.create_index("idempotent_request_about", "idempotent_request", ["customer_id"], unique=False)
    op.create_index("idempotent_request_age", "idempotent_request", ["at"], unique=False)
    op.create_table(
        "product",
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("brand", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("sku"),
    )
    op.create_index(op.f("ix_product_category"), "product", ["category"], unique=False)
    op.create_table(
        "program_version",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "scenario_run",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("scenario", sa.String(), nullable=False),
        sa.Column("fire_at", MOMENT, nullable=False),
        sa.Column("candidates", sa.Integer(), nullable=False),
        sa.Column("planned", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("scenario", "fire_at"),
    )
    op.create_table(
        "scenario_state",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("looked_at", MOMENT, nullable=True),
        sa.Column("held", sa.Integer(), nullable=True),
        sa.Column("allowed", sa.Integer(), nullable=True),
        sa.Column("earlier", JSON, nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "segment_definition",
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("segment"),
    )
    op.create_table(
        "store",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("city", sa.String(), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "suppression",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("channel", "digest"),
    )
    op.create_table(
        "time_zone", sa.Column("name", sa.String(), nullable=False), sa.PrimaryKeyConstraint("name")
    )
    op.create_table(
        "wallet_device",
        sa.Column("device", sa.String(length=100), nullable=False),
        sa.Column("push_token", sa.String(length=200), nullable=False),
        sa.Column("registered_at", MOMENT, nullable=False),
        sa.Column("owed_tag", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("pushed_tag", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("push_at", MOMENT, nullable=True),
        sa.Column("pushed_at", MOMENT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("device"),
    )
    op.create_index(
        "wallet_device_due",
        "wallet_device",
        ["push_at"],
        unique=False,
        sqlite_where=sa.text("push_at IS NOT NULL"),
        postgresql_where=sa.text("push_at IS NOT NULL"),
    )
    op.create_table(
        "wallet_log",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("wallet_log_at", "wallet_log", ["at"], unique=False)
    op.create_table(
        "wallet_nonce",
        sa.Column("nonce", sa.String(length=200), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("nonce"),
    )
    op.create_table(
        "account",
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("last_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("customer_id"),
    )
    op.create_table(
        "address",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("customer_id", "kind", "value"),
    )
    op.create_index("address_digest", "address", ["digest"], unique=False)
    op.create_table(
        "bundle_approval",
        sa.Column("proposal", ID, nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["proposal"], ["bundle_proposal.number"]),
        sa.PrimaryKeyConstraint("proposal", "who"),
    )
    op.create_table(
        "consent",
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("customer_id", "channel", "purpose"),
    )
    op.create_table(
        "customer_stats",
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("first_purchase_at", MOMENT, nullable=True),
        sa.Column("last_purchase_at", MOMENT, nullable=True),
        sa.Column("purchases", sa.Integer(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("customer_id"),
    )
    op.create_index("stats_last_purchase", "customer_stats", ["last_purchase_at"], unique=False)
    op.create_table(
        "decision",
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("scenario", sa.String(), nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("customer_id", "scenario", "occasion", "step"),
    )
    op.create_index("decision_of_scenario", "decision", ["scenario", "verdict"], unique=False)
    op.create_table(
        "enrolment",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("scenario", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("anchor_at", MOMENT, nullable=True),
        sa.Column("facts", JSON, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("customer_id", "scenario", "occasion"),
    )
    op.create_index(
        "enrolment_due",
        "enrolment",
        ["scenario", "step", "anchor_at"],
        unique=False,
        sqlite_where=sa.text("status = 'active'"),
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "event",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("transaction", sa.BigInteger(), server_default=transaction_number(), nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("live", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "event_news",
        "event",
        ["kind", "transaction", "id"],
        unique=False,
        sqlite_where=sa.text("live = 1"),
        postgresql_where=sa.text("live"),
    )
    op.create_index("event_of_customer", "event", ["customer_id", "id"], unique=False)
    op.create_index("event_order", "event", ["transaction", "id"], unique=False)
    op.create_index("event_stream", "event", ["kind", "transaction", "id"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("feedback_of_message", "feedback", ["message_id"], unique=False)
    op.create_table(
        "hold",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("buyer_id", ID, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("accounts", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("cart", JSON, nullable=False),
        sa.Column("code_digest", sa.String(), nullable=True),
        sa.Column("code_tries", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["buyer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("external_id"),
    )
    op.create_index(
        "hold_open",
        "hold",
        ["customer_id"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "operation",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("program_version", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("partner", sa.String(), nullable=True),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("result", JSON, nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("operation_in_time", "operation", ["customer_id", "at"], unique=False)
    op.create_index("operation_of_customer", "operation", ["customer_id", "id"], unique=False)
    op.create_table(
        "program_run",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("program_version", ID, nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["program_version"], ["program_version.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("program_run_of_version", "program_run", ["program_version", "since"], unique=False)
    op.create_table(
        "promo_code",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("batch", sa.String(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("customer_id", ID, nullable=True),
        sa.Column("first_day", sa.Date(), nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("uses_at_most", sa.Integer(), nullable=True),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("batch", "number"),
        sa.UniqueConstraint("code"),
    )
    op.create_index("promo_code_of_customer", "promo_code", ["customer_id"], unique=False)
    op.create_index("promo_code_of_rule", "promo_code", ["rule", "id"], unique=False)
    op.create_table(
        "promo_use",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("single", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("freed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("promo_use_of_code", "promo_use", ["code", "id"], unique=False)
    op.create_index("promo_use_of_customer", "promo_use", ["customer_id", "code"], unique=False)
    op.create_index("promo_use_of_receipt", "promo_use", ["receipt"], unique=False)
    op.create_index(
        "promo_use_once",
        "promo_use",
        ["code"],
        unique=True,
        sqlite_where=sa.text("single = 1 AND freed_at IS NULL"),
        postgresql_where=sa.text("single AND freed_at IS NULL"),
    )
    op.create_table(
        "referral_code",
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("customer_id"),
        sa.UniqueConstraint("code"),
    )
    op.create_table(
        "segment_change",
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("entered", sa.Boolean(), nullable=False),
        sa.Column("news", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("segment", "customer_id", "at"),
    )
    op.create_index("segment_change_in_time", "segment_change", ["segment", "at"], unique=False)
    op.create_table(
        "tier_change",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("previous", sa.String(), nullable=True),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("voided_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("tier_change_of_customer", "tier_change", ["customer_id", "at"], unique=False)
    op.create_table(
        "wallet_pass",
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("fetched_at", MOMENT, nullable=True),
        sa.Column("voided", sa.Boolean(), nullable=False),
        sa.Column("news", sa.String(length=1000), nullable=True),
        sa.Column("google_object_id", sa.String(length=160), nullable=True),
        sa.Column("google_digest", sa.String(length=64), nullable=True),
        sa.Column("google_notice", sa.String(length=64), nullable=True),
        sa.Column("google_notices", sa.String(length=120), server_default="", nullable=False),
        sa.Column("google_saved", sa.Boolean(), nullable=False),
        sa.Column("google_try_at", MOMENT, nullable=True),
        sa.Column("google_attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("customer_id"),
        sa.UniqueConstraint("serial"),
    )
    op.create_index(
        "wallet_pass_google_due",
        "wallet_pass",
        ["google_try_at"],
        unique=False,
        sqlite_where=sa.text("google_try_at IS NOT NULL"),
        postgresql_where=sa.text("google_try_at IS NOT NULL"),
    )
    op.create_index("wallet_pass_google_object", "wallet_pass", ["google_object_id"], unique=True)
    op.create_index("wallet_pass_tag", "wallet_pass", ["tag"], unique=False)
    op.create_table(
        "wallet_registration",
        sa.Column("device", sa.String(length=100), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["device"], ["wallet_device.device"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device", "serial"),
    )
    op.create_index(
        "wallet_registration_customer", "wallet_registration", ["customer_id", "device"], unique=False
    )
    op.create_table(
        "confirmation_code",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("hold_id", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["hold_id"], ["hold.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("confirmation_code_of_customer", "confirmation_code", ["customer_id", "at"], unique=False)
    op.create_index("confirmation_code_of_hold", "confirmation_code", ["hold_id", "id"], unique=False)
    op.create_table(
        "lot",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("operation_id", ID, nullable=False),
        sa.Column("slot", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("active_from", MOMENT, nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("first_expires_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "lot_debt",
        "lot",
        ["customer_id"],
        unique=False,
        sqlite_where=sa.text("remaining < 0"),
        postgresql_where=sa.text("remaining < 0"),
    )
    op.create_index(
        "lot_expiring",
        "lot",
        ["expires_on", "customer_id", "remaining", "active_from"],
        unique=False,
        sqlite_where=sa.text("remaining > 0"),
        postgresql_where=sa.text("remaining > 0"),
    )
    op.create_index("lot_of_operation", "lot", ["operation_id", "slot"], unique=True)
    op.create_index(
        "lot_open_of_customer",
        "lot",
        ["customer_id"],
        unique=False,
        sqlite_where=sa.text("remaining <> 0"),
        postgresql_where=sa.text("remaining <> 0"),
    )
    op.create_table(
        "message",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("enrolment_id", ID, nullable=False),
        sa.Column("scenario", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("step_index", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("channels", JSON, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("planned_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("fallback_at", MOMENT, nullable=True),
        sa.Column("accepted_at", MOMENT, nullable=True),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("fence", sa.String(), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("cost", sa.Numeric(precision=12, scale=4), nullable=True),
        sa.Column("facts", JSON, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["enrolment_id"], ["enrolment.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("enrolment_id", "step"),
    )
    op.create_index(
        "message_confirming",
        "message",
        ["fallback_at"],
        unique=False,
        sqlite_where=sa.text("fallback_at IS NOT NULL"),
        postgresql_where=sa.text("fallback_at IS NOT NULL"),
    )
    op.create_index(
        "message_due",
        "message",
        ["channel", "due_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('planned', 'deferred')"),
        postgresql_where=sa.text("state IN ('planned', 'deferred')"),
    )
    op.create_index("message_of_customer", "message", ["customer_id", "planned_at"], unique=False)
    op.create_index(
        "message_of_provider",
        "message",
        ["provider_id"],
        unique=False,
        sqlite_where=sa.text("provider_id IS NOT NULL"),
        postgresql_where=sa.text("provider_id IS NOT NULL"),
    )
    op.create_index(
        "message_open",
        "message",
        ["state", "lease_until"],
        unique=False,
        sqlite_where=sa.text("state = 'sending'"),
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_table(
        "receipt",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("operation_id", ID, nullable=False),
        sa.Column("program_version", sa.BigInteger(), nullable=False),
        sa.Column("store", sa.String(), nullable=True),
        sa.Column("partner", sa.String(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("paid_points", sa.BigInteger(), nullable=False),
        sa.Column("earned_points", sa.BigInteger(), nullable=False),
        sa.Column("codes", sa.String(), nullable=True),
        sa.Column("returned_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("external_id"),
    )
    op.create_index("receipt_of_customer", "receipt", ["customer_id", "at"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("message_id", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("attempt_of_message", "attempt", ["message_id"], unique=False)
    op.create_table(
        "entry",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("operation_id", ID, nullable=False),
        sa.Column("corrects", ID, nullable=True),
        sa.Column("lot_id", ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(), nullable=True),
        sa.Column("program_version", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["corrects"], ["operation.id"]),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"]),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "entry_corrects",
        "entry",
        ["corrects"],
        unique=False,
        sqlite_where=sa.text("corrects IS NOT NULL"),
        postgresql_where=sa.text("corrects IS NOT NULL"),
    )
    op.create_index("entry_of_customer", "entry", ["customer_id", "id"], unique=False)
    op.create_index("entry_of_lot", "entry", ["lot_id"], unique=False)
    op.create_index(op.f("ix_entry_operation_id"), "entry", ["operation_id"], unique=False)
    op.create_table(
        "receipt_line",
        sa.Column("receipt_id", ID, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("brand", sa.String(), nullable=True),
        sa.Column("discounted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("earned_points", sa.BigInteger(), nullable=False),
        sa.Column("paid_points", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipt.id"]),
        sa.PrimaryKeyConstraint("receipt_id", "line"),
    )
