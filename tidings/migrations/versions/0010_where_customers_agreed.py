"""A customer's row says on which channels they agreed to marketing: looks need no row of a consent more."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ON_SQLITE = """
CREATE TRIGGER consent_opted_in_{name} AFTER {event} ON consent WHEN {row}.purpose = 'marketing'
BEGIN
  UPDATE customer SET opted_in = (
    SELECT ' ' || group_concat(channel, ' ') || ' ' FROM (
      SELECT channel FROM consent
      WHERE customer_id = {row}.customer_id AND purpose = 'marketing' AND granted = 1 ORDER BY channel))
  WHERE id = {row}.customer_id;
END
"""
FILL_SQLITE = """
UPDATE customer SET opted_in = (
  SELECT ' ' || group_concat(channel, ' ') || ' ' FROM (
    SELECT channel FROM consent
    WHERE customer_id = customer.id AND purpose = 'marketing' AND granted = 1 ORDER BY channel))
"""
FUNCTION = """
CREATE FUNCTION consent_opted_in() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  who bigint;
BEGIN
  FOR who IN SELECT DISTINCT customer_id FROM changed WHERE purpose = 'marketing' ORDER BY customer_id LOOP
    UPDATE customer SET opted_in = said.channels
    FROM (
      SELECT ' ' || string_agg(channel, ' ' ORDER BY channel COLLATE "C") || ' ' AS channels FROM consent
      WHERE customer_id = who AND purpose = 'marketing' AND granted) AS said
    WHERE customer.id = who AND customer.opted_in IS DISTINCT FROM said.channels;
  END LOOP;
  RETURN NULL;
END $$
"""
ON_POSTGRES = """
CREATE TRIGGER consent_opted_in_{name} AFTER {event} ON consent REFERENCING {row} TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION consent_opted_in()
"""
EVENTS = (("insert", "INSERT", "NEW"), ("update", "UPDATE", "NEW"), ("delete", "DELETE", "OLD"))


def upgrade() -> None:
    """The only direction: the way back is a backup.

    On PostgreSQL others go on writing: customers of before are filled in afterwards, part by part.
    """
    postgres = op.get_bind().dialect.name == "postgresql"
    op.add_column("customer", sa.Column("opted_in", sa.String(), nullable=True))
    if postgres:
        op.execute(FUNCTION.strip())
    for name, event, row in EVENTS:
        statement = ON_POSTGRES if postgres else ON_SQLITE
        op.execute(statement.format(name=name, event=event, row=row).strip())
    if not postgres:
        op.execute(FILL_SQLITE)
