"""Whether somebody can be reached is told by an index, without the row of the address."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The only direction: the way back is a backup."""
    op.create_index(
        "address_usable",
        "address",
        ["customer_id", "kind", "digest"],
        unique=False,
        sqlite_where=sa.text("active = 1"),
        postgresql_where=sa.text("active"),
    )
