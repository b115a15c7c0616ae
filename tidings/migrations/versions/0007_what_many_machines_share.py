"""What many machines share: parts of looks and imports, who leads, what came of messages."""

import sqlalchemy as sa
from alembic import op

from tidings.migrations.columns import ID, JSON, MOMENT

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The only direction: the way back is a backup."""
    op.create_table(
        "delivery_tally",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "import_part",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("program_version", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("rows", sa.Text(), nullable=False),
        sa.Column("outcome", JSON, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("import_part_of_run", "import_part", ["run", "lane", "id"], unique=False)
    op.create_table(
        "look_shard",
        sa.Column("scenario", sa.String(), nullable=False),
        sa.Column("low", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=True),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("planned", sa.Integer(), nullable=False),
        sa.Column("entering", JSON, nullable=False),
        sa.Column("later", JSON, nullable=False),
        sa.PrimaryKeyConstraint("scenario", "low"),
    )
    op.create_table(
        "sharded_look",
        sa.Column("scenario", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("enters", sa.Boolean(), nullable=False),
        sa.Column("counting", sa.Boolean(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("upto_transaction", sa.BigInteger(), nullable=False),
        sa.Column("upto_event", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("scenario"),
    )
    op.add_column("process", sa.Column("channels", JSON, nullable=True))
    op.add_column("process", sa.Column("concurrency", sa.Integer(), nullable=True))
    op.add_column("process", sa.Column("led_at", MOMENT, nullable=True))
    op.add_column("scenario_state", sa.Column("late_seconds", sa.Float(), nullable=True))
    op.add_column("scenario_state", sa.Column("cancelled_at", MOMENT, nullable=True))
