"""A report that comes after the fallback finds the try that its message has gone on from."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The only direction: the way back is a backup."""
    op.create_index(
        "attempt_gone_on",
        "attempt",
        ["provider_id"],
        unique=False,
        sqlite_where=sa.text("reason = 'gone_on'"),
        postgresql_where=sa.text("reason = 'gone_on'"),
    )
