"""The database's schema: made at first use, carried over by `tidings db upgrade`, shared by two releases.

A database says which is the oldest program that may work on it, so that old and new ones work side by side
while an installation is renewed. A program is known by the newest migration that it brought along.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, func, inspect, select, text
from sqlalchemy.exc import OperationalError

from core.customers import opted_in
from core.db import Database
from core.errors import EnvironmentFault
from core.ledger import moved_at
from tidings.moving.frozen import mark_of
from tidings.moving.landing import PROGRESS

# The newest migration; a test keeps it true.
HEAD = "0014"
# Beside alembic_version, not among the tables of the installation: it is about them.
FLOOR = Table("schema_floor", MetaData(), Column("oldest", String(32), nullable=False))
# A table that changes waits for whoever reads it, and everybody else waits behind: an upgrade gives way then.
LOCK_TIMEOUT = "10s"
# PostgreSQL's code for it.
LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a database stands: its newest migration, and the oldest program that may work on it."""

    revision: str
    oldest: str

    @property
    def admits_this(self) -> bool:
        """Whether this program may work on it as it is."""
        return self.revision == HEAD or (self.revision > HEAD and self.oldest <= HEAD)


def prepare(database: Database) -> None:
    """Make the tables of an empty database; EnvironmentFault if this program cannot work on its schema."""
    tables = _tables_in_use(database)
    if "alembic_version" not in tables:
        if tables & {"customer", "event"}:
            raise EnvironmentFault(
                f"the database {database.name} has tables that are not of Tidings; give it one of its own"
            )
        upgrade(database)
        return
    found = standing(database)
    if not found.admits_this:
        raise EnvironmentFault(_refusal(database, found))


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


def _refusal(database: Database, found: Standing) -> str:
    """Why this program cannot work on the database, and what to do."""
    if found.revision > HEAD:
        return (
            f"the database {database.name} has schema {found.revision}, on which programs of schema "
            f"{found.oldest} and newer work, and this one is of {HEAD}; install the version that upgraded it"
        )
    first = "" if found.revision >= floor() else "stop everything that uses it and "
    return (
        f"the database {database.name} has schema {found.revision}, this version needs {HEAD}; "
        f"{first}run `tidings db upgrade`"
    )


def revision(database: Database) -> str | None:
    """The migration that the database stands at."""
    with database.read() as connection:
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def standing(database: Database) -> Standing:
    """Where a migrated database stands; before there were floors, each admitted its own program alone."""
    with database.read() as connection:
        found = _revision(connection) or "none"
        said = (
            connection.scalar(select(FLOOR.c.oldest)) if inspect(connection).has_table(FLOOR.name) else None
        )
    return Standing(found, said or found)


def floor() -> str:
    """The oldest program that may work on this version's schema.

    A migration that takes away what programs of before rely on says `oldest = "…"`; all others only add.
    """
    return max((str(it.module.oldest) for it in _migrations() if hasattr(it.module, "oldest")), default=HEAD)


def _migrations() -> list[Any]:
    from alembic.script import ScriptDirectory

    return list(ScriptDirectory.from_config(config()).walk_revisions())


def upgrade(database: Database) -> str:
    """Run every migration that is missing, in one transaction; returns the schema that the database has then.

    What would hold rows for long is filled in afterwards, part by part; broken off, the next call goes on. A
    newer schema that admits this program is left as it is. EnvironmentFault for one that does not, for one
    that no migration leads on from, for tables that others hold, or an installation that is moving.
    """
    if "alembic_version" in _tables_in_use(database):
        found = standing(database)
        if found.revision > HEAD:
            if not found.admits_this:
                raise EnvironmentFault(_refusal(database, found))
            return found.revision
        if found.revision not in {it.revision for it in _migrations()}:
            raise EnvironmentFault(
                f"the database {database.name} has schema {found.revision}, which this version cannot carry "
                "over; give it a new database with TIDINGS_DATABASE, and import again"
            )
    with database.write() as connection:
        _migrate(connection, database.name)
    opted_in.fill(database)
    moved_at.fill(database)
    return HEAD


def _migrate(connection: Connection, name: str) -> None:
    from alembic import command

    try:
        command.upgrade(config(connection), "head")
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        raise EnvironmentFault(
            f"a table of {name} was in use for so long that the upgrade gave way, and nothing is changed; "
            "repeat it, or wait for the long look, dry run or dump to end"
        ) from None
    FLOOR.create(connection, checkfirst=True)
    connection.execute(FLOOR.delete())
    connection.execute(FLOOR.insert().values(oldest=floor()))


def leave_nobody_behind(database: Database, now: datetime) -> None:
    """EnvironmentFault if programs are running that could not work on the schema that an upgrade would make.

    What runs on a database is at most as new as its schema.
    """
    if "alembic_version" not in _tables_in_use(database):
        return
    found = standing(database).revision
    if found < floor() and (running := _running(database, now)):
        raise EnvironmentFault(
            f"{running} {'process works' if running == 1 else 'processes work'} on {database.name}, and none "
            f"that came with schema {found} can work on {HEAD}; stop them first (what died is forgotten "
            "after a minute)"
        )


def _running(database: Database, now: datetime) -> int:
    from scheduler.presence import MISSING, PROCESS

    with database.read() as connection:
        if not inspect(connection).has_table(PROCESS.name):
            return 0
        alive = select(func.count()).select_from(PROCESS).where(PROCESS.c.seen_at > now - MISSING)
        return int(connection.scalar(alive) or 0)


def config(connection: Any = None) -> Any:
    """Alembic's configuration, for one connection."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", "tidings:migrations")
    settings.attributes["connection"] = connection
    settings.attributes["lock_timeout"] = LOCK_TIMEOUT
    return settings
