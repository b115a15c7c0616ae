"""A suppression that is lifted leaves behind who did it, when and why."""

import sqlalchemy as sa
from alembic import op

from tidings.migrations.columns import ID, MOMENT

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The only direction: the way back is a backup."""
    op.create_table(
        "lifted_suppression",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("lifted_at", MOMENT, nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("lifted_suppression_of_address", "lifted_suppression", ["digest"], unique=False)
