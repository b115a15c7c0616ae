"""PostgreSQL no longer checks what decisions and delivery refer to: each check wrote to a customer's row."""

from alembic import op
from sqlalchemy import inspect

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = ("enrolment", "message", "attempt", "decision", "feedback", "segment_change")


def upgrade() -> None:
    """The only direction: the way back is a backup. SQLite keeps its foreign keys (decision 0020)."""
    if op.get_bind().dialect.name != "postgresql":
        return
    found = inspect(op.get_bind())
    for table in TABLES:
        for key in found.get_foreign_keys(table):
            op.drop_constraint(str(key["name"]), table, type_="foreignkey")
