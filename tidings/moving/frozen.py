"""A frozen file: every write is refused by the file itself, whatever program tries, and says why."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, inspect, text

MARK = "moved_to"
_WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the installation goes (an address without its password), and whether all of it is there."""

    target: str
    began_at: datetime
    finished_at: datetime | None

    def sentence(self, source: str) -> str:
        """What whoever opens the file should know and do."""
        if self.finished_at is None:
            return (
                f"the database {source} is being copied to {self.target}; let `tidings db copy` end, "
                "or give it up with --give-up"
            )
        return (
            f"the installation of {source} was moved to {self.target} on {self.finished_at:%Y-%m-%d}; "
            "set TIDINGS_DATABASE to it"
        )


def mark_of(connection: Connection) -> Mark | None:
    """The mark of a frozen file; None for any other database."""
    if connection.dialect.name != "sqlite" or not inspect(connection).has_table(MARK):
        return None
    row = connection.execute(text(f"SELECT target, began_at, finished_at FROM {MARK}")).one()  # noqa: S608
    finished = datetime.fromisoformat(row.finished_at) if row.finished_at else None
    return Mark(row.target, datetime.fromisoformat(row.began_at), finished)


def freeze(connection: Connection, tables: list[Table], target: str, at: datetime) -> None:
    """Refuse every write to these tables from now on."""
    columns = "target TEXT NOT NULL, began_at TEXT NOT NULL, finished_at TEXT"
    connection.execute(text(f"CREATE TABLE {MARK} ({columns})"))
    values = {"target": target, "at": at.isoformat()}
    connection.execute(text(f"INSERT INTO {MARK} (target, began_at) VALUES (:target, :at)"), values)  # noqa: S608
    reason = f"moved: this installation goes to {target}".replace("'", "''")
    for name, table, write in _guards(tables):
        guard = f"CREATE TRIGGER {name} BEFORE {write} ON {table} BEGIN SELECT RAISE(ABORT, '{reason}'); END"
        connection.exec_driver_sql(guard)


def thaw(connection: Connection) -> None:
    """Let writes through again; whichever version froze it."""
    guards = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'moved_*'"
    for name in connection.scalars(text(guards)).all():
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {MARK}")


def finish(connection: Connection, at: datetime) -> None:
    """All of it stands in the target."""
    connection.execute(text(f"UPDATE {MARK} SET finished_at = :at"), {"at": at.isoformat()})  # noqa: S608


def _guards(tables: list[Table]) -> Iterator[tuple[str, str, str]]:
    for table in tables:
        for write in _WRITES:
            yield f'"moved_{table.name}_{write.lower()}"', f'"{table.name}"', write
