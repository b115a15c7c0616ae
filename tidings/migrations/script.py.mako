"""${message}."""

import sqlalchemy as sa
from alembic import op

from tidings.migrations.columns import ID, JSON, MOMENT, transaction_number
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The only direction: the way back is a backup."""
    ${upgrades if upgrades else "pass"}
