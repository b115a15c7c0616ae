"""A customer's row says also that they agreed nowhere: looks need not ask for consents that are not there."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ON_SQLITE = """
CREATE TRIGGER consent_opted_in_{name} AFTER {event} ON consent WHEN {row}.purpose = 'marketing'
BEGIN
  UPDATE customer SET opted_in = coalesce((
    SELECT ' ' || group_concat(channel, ' ') || ' ' FROM (
      SELECT channel FROM consent
      WHERE customer_id = {row}.customer_id AND purpose = 'marketing' AND granted = 1 ORDER BY channel)), '')
  WHERE id = {row}.customer_id;
END
"""
FUNCTION = """
CREATE OR REPLACE FUNCTION consent_opted_in() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  who bigint;
BEGIN
  FOR who IN SELECT DISTINCT customer_id FROM changed WHERE purpose = 'marketing' ORDER BY customer_id LOOP
    UPDATE customer SET opted_in = said.channels
    FROM (
      SELECT coalesce(' ' || string_agg(channel, ' ' ORDER BY channel COLLATE "C") || ' ', '') AS channels
      FROM consent
      WHERE customer_id = who AND purpose = 'marketing' AND granted) AS said
    WHERE customer.id = who AND customer.opted_in IS DISTINCT FROM said.channels;
  END LOOP;
  RETURN NULL;
END $$
"""  # noqa: E501
EVENTS = (("insert", "INSERT", "NEW"), ("update", "UPDATE", "NEW"), ("delete", "DELETE", "OLD"))


def upgrade() -> None:
    """The only direction: the way back is a backup.

    On PostgreSQL, where others go on writing, the rows are filled in afterwards, part by part.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute(FUNCTION.strip())
        return
    for name, event, row in EVENTS:
        op.execute(f"DROP TRIGGER consent_opted_in_{name}")
        op.execute(ON_SQLITE.format(name=name, event=event, row=row).strip())
    op.execute("UPDATE customer SET opted_in = '' WHERE opted_in IS NULL")
