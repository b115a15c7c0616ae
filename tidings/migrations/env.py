"""How Alembic reaches the database: by the connection that it was given, in that connection's transaction."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import text
from sqlmodel import SQLModel

from tidings.migrations.spelling import compared, spell


def _spell(kind: str, thing: Any, _autogenerate: Any) -> str | Literal[False]:
    return spell(kind, thing)


connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    # Two programs that start at once migrate one after the other; SQLite has one writer anyway.
    connection.execute(text("SELECT pg_advisory_xact_lock(7046029254386353131)"))
    connection.execute(text(f"SET LOCAL lock_timeout = '{context.config.attributes['lock_timeout']}'"))

context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_item=_spell,
    include_object=compared(connection),
    compare_type=True,
)
context.run_migrations()
