"""`account.moved_at`, seen to by PostgreSQL where its writer does not know of it.

Every book writes it (`core.ledger.writing`). While an installation is renewed two releases write side by
side, and the one of before knows nothing of the column; it says nothing of rows of before, either. So a
balance that is written without it gets what the books say, from the database itself.
"""

from sqlalchemy import DDL, Table, event

# The search path is that of who made the tables: a restored dump fills them with none.
_FUNCTION = """
CREATE FUNCTION account_moved_at() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  NEW.moved_at := greatest(
    OLD.moved_at,
    (SELECT recorded_at FROM operation WHERE customer_id = NEW.customer_id ORDER BY id DESC LIMIT 1),
    (SELECT max(active_from) FROM lot WHERE customer_id = NEW.customer_id AND remaining <> 0));
  RETURN NEW;
END $$
"""
_TRIGGER = """
CREATE TRIGGER account_moved_at BEFORE UPDATE OF total ON account FOR EACH ROW
WHEN (NEW.moved_at IS NOT DISTINCT FROM OLD.moved_at) EXECUTE FUNCTION account_moved_at()
"""
ON_POSTGRES = (_FUNCTION, _TRIGGER)


def see_to_moved_at(account: Table) -> None:
    """Make the trigger with the table. On SQLite one program writes at a time, which knows the column."""
    for statement in ON_POSTGRES:
        made = DDL(statement.strip())  # type: ignore[no-untyped-call]
        event.listen(account, "after_create", made.execute_if(dialect="postgresql"))
