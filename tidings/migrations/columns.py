"""The column types that migrations speak of, as they stand in the database.

Migrations do not import the application's own types: what a released migration makes must never change.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(26), "sqlite")


def transaction_number() -> sa.TextClause:
    """The default of `event.transaction`: the writing transaction on PostgreSQL, 0 on SQLite."""
    postgres = op.get_bind().dialect.name == "postgresql"
    return sa.text("(pg_current_xact_id()::text::bigint)" if postgres else "0")
