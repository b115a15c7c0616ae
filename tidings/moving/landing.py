"""The PostgreSQL side: how far a copy has come, foreign keys set aside while it runs, numbers that go on."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from core.db import Database, dumps
from core.db.bulk import driver
from core.errors import UserError
from core.tables.references import dangling
from tidings.moving.sums import Digest

PROGRESS = "moved_from"
KEYS = "moved_keys"
_FOREIGN = """
SELECT conrelid::regclass::text AS of_table, conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Place:
    """How far one table is copied: the last key, and the digest of what was read so far."""

    last: tuple[Any, ...] | None
    digest: Digest


class Refused(Exception):
    """A row that PostgreSQL does not take; `place` is its number among those given, if it is known."""

    def __init__(self, reason: str, place: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.place = reason, place


@contextmanager
def alone(target: Database) -> Iterator[None]:
    """Nobody else copies into this database meanwhile. UserError if somebody does, EnvironmentFault if it
    cannot be used.
    """
    with target.glance() as connection:
        # The lock is this connection's, and goes with it, however this ends.
        connection.detach()
        if not connection.scalar(text("SELECT pg_try_advisory_lock(hashtext('tidings db copy'))")):
            raise UserError(f"another `tidings db copy` works on {target.name}; let it end, or stop it")
        yield


def begun(connection: Connection) -> str | None:
    """The source of a copy that is under way into this database."""
    if not inspect(connection).has_table(PROGRESS):
        return None
    source: str = connection.execute(text(f"SELECT source FROM {PROGRESS} WHERE of_table = ''")).scalar_one()  # noqa: S608
    return source


def begin(connection: Connection, source: str) -> None:
    """Remember what is copied, and set foreign keys aside: a table may point at rows of itself."""
    connection.execute(
        text(
            f"CREATE TABLE {PROGRESS} (of_table TEXT PRIMARY KEY, source TEXT, last_key TEXT, "
            "rows BIGINT, total TEXT)"
        )
    )
    connection.execute(text(f"CREATE TABLE {KEYS} (of_table TEXT, name TEXT, definition TEXT)"))
    connection.execute(text(f"INSERT INTO {PROGRESS} (of_table, source) VALUES ('', :it)"), {"it": source})  # noqa: S608
    connection.execute(text(f"INSERT INTO {KEYS} {_FOREIGN}"))
    for key in connection.execute(text(f"SELECT of_table, name FROM {KEYS}")).all():  # noqa: S608
        connection.execute(text(f'ALTER TABLE {key.of_table} DROP CONSTRAINT "{key.name}"'))


def put(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Write rows as `sums.rows_of` reads them. Refused for what PostgreSQL cannot keep."""
    import psycopg

    names = ", ".join(f'"{column.name}"' for column in table.columns)
    written = 0
    try:
        with driver(connection).cursor() as cursor, cursor.copy(
            f'COPY "{table.name}" ({names}) FROM STDIN'
        ) as copy:  # fmt: skip
            for row in rows:
                copy.write_row(row)
                written += 1
    except psycopg.DataError as error:
        if error.diag.message_primary is None:  # it did not come to the server
            raise Refused("a text with a NUL character", written) from None
        raise Refused(error.diag.message_primary, place_told(error.diag.context or "", table.name)) from None
    except psycopg.IntegrityError as error:
        raise Refused(error.diag.message_primary or "a key that is there already") from None


def place_told(context: str, table: str) -> int | None:
    """Which of the rows a failed COPY was at, from 0 on; None if it does not tell.

    PostgreSQL says it in a language of its own (lc_messages). Each names the table, and next the line.
    """
    line = re.search(rf"^(?:COPY )?{re.escape(table)}\b\D*(\d+)", context, re.MULTILINE | re.ASCII)
    return int(line[1]) - 1 if line else None


def place(connection: Connection, table: Table) -> Place:
    """Where the copy of a table goes on."""
    asked = text(f"SELECT last_key, rows, total FROM {PROGRESS} WHERE of_table = :it")  # noqa: S608
    row = connection.execute(asked, {"it": table.name}).first()
    if row is None:
        return Place(None, Digest())
    return Place(tuple(json.loads(row.last_key)), Digest(row.rows, int(row.total)))


def remember(connection: Connection, table: Table, last: Sequence[Any], digest: Digest) -> None:
    """In the transaction that wrote the rows."""
    values = {"it": table.name, "last": dumps(list(last)), "rows": digest.rows, "total": str(digest.total)}
    connection.execute(
        text(
            f"INSERT INTO {PROGRESS} (of_table, last_key, rows, total) VALUES (:it, :last, :rows, :total) "  # noqa: S608
            "ON CONFLICT (of_table) DO UPDATE "
            "SET last_key = excluded.last_key, rows = excluded.rows, total = excluded.total"
        ),
        values,
    )


def complete(connection: Connection, numbers: dict[str, int]) -> None:
    """Foreign keys hold again, checked by the server, and new rows are numbered after the copied ones.

    `numbers` are the last numbers given in the source, by table. Once more changes nothing. Refused if a row
    points at none, also where PostgreSQL has no foreign key.
    """
    there = {(key.of_table, key.name) for key in connection.execute(text(_FOREIGN))}
    for key in connection.execute(text(f"SELECT of_table, name, definition FROM {KEYS}")).all():  # noqa: S608
        if (key.of_table, key.name) not in there:
            wanted = f'ALTER TABLE {key.of_table} ADD CONSTRAINT "{key.name}" {key.definition}'
            _held(connection, wanted)
    for reference, rows in dangling(connection).items():
        raise Refused(f"{reference} of {rows} rows refers to none")
    for table, last in numbers.items():
        column = inspect(connection).get_pk_constraint(table)["constrained_columns"][0]
        counts = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")
        connection.execute(counts, {"table": table, "column": column, "last": last})


def _said(error: Any) -> str:
    """The server's sentence without its detail, which may quote a row."""
    return str(error.diag.message_primary)


def _held(connection: Connection, wanted: str) -> None:
    try:
        connection.execute(text(wanted))
    except IntegrityError as error:
        raise Refused(_said(error.orig)) from None


def abandon(connection: Connection) -> None:
    """What was copied so far goes, and the database is empty again."""
    there = set(inspect(connection).get_table_names())
    names = ", ".join(f'"{name}"' for name in SQLModel.metadata.tables if name in there)
    connection.execute(text(f"TRUNCATE {names} CASCADE"))
    complete(connection, {})
    clear(connection)


def clear(connection: Connection) -> None:
    """Nothing of the copy is left to remember."""
    for table in (PROGRESS, KEYS):
        connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
