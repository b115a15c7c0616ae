"""`customer.opted_in`, kept by the database itself.

Triggers, because two releases write consents side by side while an installation is renewed, and the one of
before knows nothing of the column: whoever writes, it says what `consent` says.
"""

from sqlalchemy import DDL, Table, event

# Ordered as bytes on both databases, so that a row copied from one to the other stays what it is. What a
# consent is about never changes: a row of another key is another one.
_SQLITE = """
CREATE TRIGGER consent_opted_in_{name} AFTER {event} ON consent WHEN {row}.purpose = 'marketing'
BEGIN
  UPDATE customer SET opted_in = coalesce((
    SELECT ' ' || group_concat(channel, ' ') || ' ' FROM (
      SELECT channel FROM consent
      WHERE customer_id = {row}.customer_id AND purpose = 'marketing' AND granted = 1 ORDER BY channel)), '')
  WHERE id = {row}.customer_id;
END
"""
ON_SQLITE = (
    _SQLITE.format(name="insert", event="INSERT", row="NEW"),
    _SQLITE.format(name="update", event="UPDATE", row="NEW"),
    _SQLITE.format(name="delete", event="DELETE", row="OLD"),
)

# Once for all the rows of a statement, each customer by their key: nobody tells the planner how many there
# are, and for a thousand it would read the table of everybody. The search path is that of who made the
# tables: a restored dump fills them with none. What stays as it was is not written again.
_FUNCTION = """
CREATE FUNCTION consent_opted_in() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
"""
_POSTGRES = """
CREATE TRIGGER consent_opted_in_{name} AFTER {event} ON consent REFERENCING {row} TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION consent_opted_in()
"""
ON_POSTGRES = (
    _FUNCTION,
    _POSTGRES.format(name="insert", event="INSERT", row="NEW"),
    _POSTGRES.format(name="update", event="UPDATE", row="NEW"),
    _POSTGRES.format(name="delete", event="DELETE", row="OLD"),
)


def keep_opted_in(consent: Table) -> None:
    """Make the triggers with the table."""
    for dialect, statements in (("sqlite", ON_SQLITE), ("postgresql", ON_POSTGRES)):
        for statement in statements:
            made = DDL(statement.strip())  # type: ignore[no-untyped-call]
            event.listen(consent, "after_create", made.execute_if(dialect=dialect))
