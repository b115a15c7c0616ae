"""The database's schema: a new database is set up at first use, an older one says what to run."""

from typing import Any

from sqlalchemy import inspect

from core.db import Database
from core.errors import EnvironmentFault
from tidings.moving.frozen import mark_of
from tidings.moving.landing import PROGRESS

# The newest migration; a test keeps it true.
HEAD = "0006"


def prepare(database: Database) -> None:
    """Make the tables of an empty database; EnvironmentFault if its schema is not this version's."""
    tables = _tables_in_use(database)
    if "alembic_version" not in tables:
        if tables & {"customer", "event"}:
            raise EnvironmentFault(
                f"the database {database.name} has tables that are not of Tidings; give it one of its own"
            )
        upgrade(database)
        return
    found = revision(database)
    if found != HEAD:
        raise EnvironmentFault(
            f"the database {database.name} has schema {found}, this version needs {HEAD}; "
            "stop everything that uses it and run `tidings db upgrade`"
        )


def _tables_in_use(database: Database) -> set[str]:
    """The names of its tables; EnvironmentFault if the installation is moving from here, or to here."""
    with database.read() as connection:
        tables = set(inspect(connection).get_table_names())
        if (mark := mark_of(connection)) is not None:
            raise EnvironmentFault(mark.sentence(database.name))
    if PROGRESS in tables:
        raise EnvironmentFault(
            f"an installation is being copied into {database.name}; let `tidings db copy` end, or repeat it"
        )
    return tables


def revision(database: Database) -> str | None:
    """The migration that the database stands at."""
    from sqlalchemy import text

    with database.read() as connection:
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def upgrade(database: Database) -> None:
    """Run every migration that is missing, each in a transaction.

    EnvironmentFault for a schema that no migration leads on from, or an installation that is moving.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    found = revision(database) if "alembic_version" in _tables_in_use(database) else None
    if found and found not in {it.revision for it in ScriptDirectory.from_config(config()).walk_revisions()}:
        raise EnvironmentFault(
            f"the database {database.name} has schema {found}, which this version cannot carry over; "
            "give it a new database with TIDINGS_DATABASE, and import again"
        )
    with database.write() as connection:
        command.upgrade(config(connection), "head")


def config(connection: Any = None) -> Any:
    """Alembic's configuration, for one connection."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", "tidings:migrations")
    settings.attributes["connection"] = connection
    return settings
