"""The copy itself: table by table, chunk by chunk, each chunk with its place in one transaction."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from sqlalchemy import Column, Connection, Select, Table, func, inspect, literal, select, tuple_
from sqlmodel import SQLModel

from core.db import Database, UtcDateTime
from core.errors import EnvironmentFault, UserError
from tidings import schema
from tidings.moving import frozen, landing
from tidings.moving.landing import Place
from tidings.moving.sums import Digest, balances, digest_of, rows_of

for package in ("campaigns", "core", "scheduler", "tidings", "wallet"):
    import_module(f"{package}.tables")  # whatever has tables is copied

CHUNK = 10_000
# Of rows copied so far and of all rows.
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Moved:
    """What was copied and found to be the same on both sides: rows by table, and the sums of the books.

    `entries` and `remaining` are in the program's smallest unit of points.
    """

    rows: dict[str, int]
    entries: int
    remaining: int


def move(
    source: Database, target: Database, at: datetime, tell: Told = lambda _done, _all: None, *,
    chunk: int = CHUNK,
) -> Moved:  # fmt: skip
    """Copy all of `source` (SQLite) into `target` (PostgreSQL) and verify it; goes on with a copy broken off.

    UserError for databases of another kind or a target that holds something else, EnvironmentFault where one
    side is not as it should be. Until it returns, the target is not to be used.
    """
    _kinds(source, target)
    with landing.alone(target):
        tables = _tables(source)
        _begin(source, target, tables, at)
        digests = _all_copied(source, target, tables, tell, chunk)
        moved = _verified(source, target, tables, digests)
        with source.read() as reading:
            numbers = _numbers(reading, tables)
        try:
            with target.write() as connection:
                landing.complete(connection, numbers)
        except landing.Refused as refused:
            raise _refused(source, target, refused.reason) from None
        with source.write() as connection:
            frozen.finish(connection, at)
        with target.write() as connection:
            landing.clear(connection)
    return moved


def give_up(source: Database, target: Database) -> None:
    """Use the source again; what was copied so far goes. UserError if the copy is complete, or none began."""
    _kinds(source, target)
    with landing.alone(target):
        with source.read() as connection:
            mark = frozen.mark_of(connection)
        if mark is None:
            raise UserError(f"{source.name} is not being copied anywhere; there is nothing to give up")
        if mark.finished_at is not None:
            raise UserError(
                f"{mark.sentence(source.name)}; both would write to the same customers, "
                "so it is not given back"
            )
        _is_the_target(mark, source, target)
        with target.write() as connection:
            if landing.begun(connection) == source.name:
                landing.abandon(connection)
        with source.write() as connection:
            frozen.thaw(connection)


def _kinds(source: Database, target: Database) -> None:
    if source.dialect != "sqlite" or target.dialect != "postgresql":
        raise UserError(
            f"{source.name} to {target.name}: only an SQLite file is copied, and only to PostgreSQL; "
            "write `tidings db copy sqlite:///FILE postgresql://…`"
        )


def _tables(source: Database) -> list[Table]:
    """Every table of ours, those that others point at first. EnvironmentFault for another schema."""
    with source.read() as connection:
        there = set(inspect(connection).get_table_names())
        mark = frozen.mark_of(connection)
    found = schema.revision(source) if "alembic_version" in there else None
    if found != schema.HEAD:
        what_to_do = (
            "run `tidings db upgrade` first" if mark is None
            else "end the copy with the version that began it, or give it up with --give-up"
        )  # fmt: skip
        raise EnvironmentFault(
            f"the database {source.name} has schema {found or 'none'}, this version copies {schema.HEAD}; "
            f"{what_to_do}"
        )
    tables = SQLModel.metadata.sorted_tables
    if missing := sorted({table.name for table in tables} - there):
        raise EnvironmentFault(
            f"the database {source.name} lacks the table {missing[0]}; restore it from a backup"
        )
    return tables


def _begin(source: Database, target: Database, tables: list[Table], at: datetime) -> None:
    """Freeze the source, unless this copy is under way already. Nothing is changed of a target in use."""
    with source.read() as connection:
        mark = frozen.mark_of(connection)
    with target.read() as connection:
        under_way = landing.begun(connection)
        held = f"a copy of {under_way}" if under_way else _held(connection, tables)
    goes_on = mark is not None and under_way == source.name
    if mark is not None:
        if mark.finished_at is not None and not goes_on:
            raise UserError(mark.sentence(source.name))
        _is_the_target(mark, source, target)
    if goes_on:
        return
    if held:
        raise UserError(f"{target.name} already holds {held}; give an empty database")
    schema.upgrade(target)
    with source.write() as connection:
        if frozen.mark_of(connection) is None:
            frozen.freeze(connection, tables, target.name, at)
    with target.write() as connection:
        landing.begin(connection, source.name)


def _held(connection: Connection, tables: Sequence[Table]) -> str:
    """What a target that is not empty holds."""
    there = set(inspect(connection).get_table_names())
    ours = [table for table in tables if table.name in there]
    if ours and "alembic_version" not in there:
        return "tables that are not of Tidings"
    filled = any(connection.scalar(select(literal(1)).select_from(it).limit(1)) for it in ours)
    return "customers or settings of its own" if filled else ""


def _is_the_target(mark: frozen.Mark, source: Database, target: Database) -> None:
    if mark.target != target.name:
        raise UserError(f"{mark.sentence(source.name)}, not to {target.name}")


def _count(source: Database, tables: Sequence[Table]) -> int:
    with source.read() as connection:
        counts = (connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables)
        return sum(counts)


def _all_copied(
    source: Database, target: Database, tables: Sequence[Table], tell: Told, chunk: int
) -> dict[str, Digest]:
    """The digests of what was read."""
    whole, done = _count(source, tables), 0
    digests: dict[str, Digest] = {}
    for table in tables:
        for place in _copied(source, target, table, chunk):
            digests[table.name] = place.digest
            tell(done + place.digest.rows, whole)
        done += digests[table.name].rows
    return digests


def _copied(source: Database, target: Database, table: Table, chunk: int) -> Iterator[Place]:
    """The places reached, chunk by chunk; the first is where an earlier attempt had come."""
    with target.read() as connection:
        place = landing.place(connection, table)
    yield place
    names = [column.name for column in table.columns]
    keys = [names.index(column.name) for column in table.primary_key.columns]
    while True:
        with source.read() as connection:
            rows = connection.execute(_chunk(table, place.last, chunk)).all()
        if not rows:
            return
        place = Place(_plain([rows[-1][index] for index in keys]), place.digest.plus(table, rows))
        try:
            with target.write() as connection:
                landing.put(connection, table, rows)
                landing.remember(connection, table, place.last or (), place.digest)
        except landing.Refused as refused:
            row = rows[refused.place] if refused.place is not None else None
            which = f"{table.name} {', '.join(str(row[index]) for index in keys)}" if row else table.name
            raise _refused(source, target, f"{which}: {refused.reason}") from None
        yield place


def _chunk(table: Table, last: tuple[Any, ...] | None, rows: int) -> Select[Any]:
    """The rows after a key, as many as are copied at once."""
    key = list(table.primary_key.columns)
    found = rows_of(table).order_by(*key).limit(rows)
    if last is None:
        return found
    after = [_typed(column, value) for column, value in zip(key, last, strict=True)]
    return found.where(tuple_(*key) > tuple_(*after))


def _plain(key: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(value.isoformat() if isinstance(value, datetime) else value for value in key)


def _typed(column: Column[Any], value: Any) -> Any:
    moment = isinstance(column.type, UtcDateTime)
    return literal(datetime.fromisoformat(value) if moment else value, column.type)


def _verified(
    source: Database, target: Database, tables: Sequence[Table], digests: Mapping[str, Digest]
) -> Moved:
    """EnvironmentFault if any table, or the sums of the books, differ between the two."""
    with source.read() as reading, target.read() as written:
        for table in tables:
            there = digest_of(written, table)
            if there != digests[table.name]:
                raise _differs(source, target, f"the table {table.name}", digests[table.name], there)
        entries, remaining = balances(reading)
        if (entries, remaining) != balances(written):
            raise _differs(source, target, "the sum of the books", entries, balances(written)[0])
    return Moved({name: it.rows for name, it in digests.items()}, entries, remaining)


def _differs(source: Database, target: Database, what: str, here: object, there: object) -> EnvironmentFault:
    return EnvironmentFault(
        f"{what} is not the same in {source.name} ({_told(here)}) and {target.name} ({_told(there)}); "
        "give the copy up with --give-up and begin again"
    )


def _refused(source: Database, target: Database, what: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"{target.name} does not take what {source.name} holds ({what}); give the copy up with --give-up, "
        "correct the row and begin again"
    )


def _told(found: object) -> str:
    return f"{found.rows:,} rows" if isinstance(found, Digest) else f"{found}"


def _numbers(connection: Connection, tables: Sequence[Table]) -> dict[str, int]:
    """The highest number of each table whose rows are numbered by the database."""
    counted = {table.name: table.autoincrement_column for table in tables}
    found = {
        name: connection.scalar(select(func.max(column)))
        for name, column in counted.items()
        if column is not None
    }
    return {name: last for name, last in found.items() if last is not None}
