"""What procrastinate needs, by which any number of machines share the work; on PostgreSQL only."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# As procrastinate 3.10.0 ships it. A newer release that changes it gets a migration of its own.
SCHEMA = Path(__file__).parent.parent / "procrastinate_3_10_0.sql"


def upgrade() -> None:
    """The only direction: the way back is a backup."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        # The driver's own cursor: several statements, and percent signs that are no parameters.
        own: Any = connection.connection.driver_connection
        own.execute(SCHEMA.read_text("utf-8"))
