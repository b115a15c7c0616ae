"""An account says when it last moved: a look need not read the books of whom nothing has happened to."""

import sqlalchemy as sa
from alembic import op

from tidings.migrations.columns import MOMENT

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

FILL_SQLITE = """
UPDATE account SET moved_at = (
  SELECT max(at) FROM (
    SELECT recorded_at AS at FROM operation WHERE customer_id = account.customer_id
    UNION ALL
    SELECT active_from FROM lot WHERE customer_id = account.customer_id AND remaining <> 0))
"""
FUNCTION = """
CREATE FUNCTION account_moved_at() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  NEW.moved_at := greatest(
    OLD.moved_at,
    (SELECT recorded_at FROM operation WHERE customer_id = NEW.customer_id ORDER BY id DESC LIMIT 1),
    (SELECT max(active_from) FROM lot WHERE customer_id = NEW.customer_id AND remaining <> 0));
  RETURN NEW;
END $$
"""
TRIGGER = """
CREATE TRIGGER account_moved_at BEFORE UPDATE OF total ON account FOR EACH ROW
WHEN (NEW.moved_at IS NOT DISTINCT FROM OLD.moved_at) EXECUTE FUNCTION account_moved_at()
"""


def upgrade() -> None:
    """The only direction: the way back is a backup.

    On PostgreSQL others go on writing: accounts of before are filled in afterwards, part by part.
    """
    op.add_column("account", sa.Column("moved_at", MOMENT, nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        op.execute(FUNCTION.strip())
        op.execute(TRIGGER.strip())
    else:
        op.execute(FILL_SQLITE.strip())
