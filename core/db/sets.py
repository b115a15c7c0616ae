"""Sets of rows in one statement: a list of any length is one parameter.

SQLAlchemy spells out `IN (…)` anew for each length, and updates many rows one by one. Here a list goes in as
one value: the statement stays the same text, and the database works it off in one step.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    String,
    Table,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import JSON, NullType, Numeric, TypeDecorator

from core.db import UtcDateTime
from core.db.bulk import sqlite_time


class Numbers(TypeDecorator[Sequence[int]]):
    """Whole numbers as one value: an array on PostgreSQL, JSON on SQLite."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """SQLite has no arrays."""
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else ARRAY(BigInteger))

    def process_bind_param(self, value: Sequence[int] | None, dialect: Dialect) -> Any:
        """The list as the database takes it."""
        numbers = list(value or ())
        return json.dumps(numbers) if dialect.name == "sqlite" else numbers


class _Among(FunctionElement[bool]):
    # Of a Boolean SQLAlchemy asks `(…) = 1` on SQLite, which then reads the whole table instead of its key.
    type = NullType()  # type: ignore[assignment]
    inherit_cache = True


@compiles(_Among, "sqlite")
def _among_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    number, listed = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({number} IN (SELECT value FROM json_each({listed})))"  # noqa: S608 - a parameter


@compiles(_Among, "postgresql")
def _among_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    number, listed = (compiler.process(clause, **kw) for clause in element.clauses)
    # A length that the planner cannot see lets it keep one plan for all of them.
    return f"({number} = ANY(ARRAY(SELECT unnest({listed}))))"


def among(number: ColumnElement[int], numbers: Sequence[int] | BindParameter[Any]) -> ColumnElement[bool]:
    """Whether a column of numbers has one of these, which may also be given when the statement is run."""
    given = numbers if isinstance(numbers, BindParameter) else bindparam(None, numbers, type_=Numbers())
    return _Among(number, given)


def update_each(
    connection: Connection, table: Table, same: Mapping[str, Any], columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
) -> None:  # fmt: skip
    """One UPDATE of many rows: `same` in all of them, `columns` as `rows` say: tuples (id, *columns)."""
    if not rows:
        return
    if not columns:
        mine = among(table.c.id, [row[0] for row in rows])
        connection.execute(update(table).where(mine).values(**same))
        return
    sqlite = connection.dialect.name == "sqlite"
    given = bindparam(None, _listed(sqlite, table, columns, rows), type_=String())
    listed = func.json_each(given) if sqlite else func.json_array_elements(cast(given, JSON))
    each = listed.table_valued(column("value", String() if sqlite else JSON())).alias("each")
    read = _read_sqlite if sqlite else _read_postgresql
    new = {name: read(each.c.value, place, table.c[name]) for place, name in enumerate(columns, 1)}
    mine = table.c.id == read(each.c.value, 0, table.c.id)
    connection.execute(update(table).where(mine).values(**same, **new))


def _listed(sqlite: bool, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    turns = [_plain(sqlite, table.c[name]) for name in columns]
    if not any(turns):
        return json.dumps(rows)
    by_column = list(zip(*rows, strict=True))
    turned = [
        values if turn is None else [None if value is None else turn(value) for value in values]
        for turn, values in zip(turns, by_column[1:], strict=True)
    ]
    return json.dumps(list(zip(by_column[0], *turned, strict=True)))


def _plain(sqlite: bool, target: Column[Any]) -> Callable[[Any], Any] | None:
    """How a value is said in JSON; None if it says itself."""
    if isinstance(target.type, JSON):
        return json.dumps if sqlite else None
    if isinstance(target.type, UtcDateTime):
        return sqlite_time if sqlite else datetime.isoformat
    if isinstance(target.type, Numeric):
        return float if sqlite else str
    return None


def _read_sqlite(value: ColumnElement[Any], place: int, _target: Column[Any]) -> ColumnElement[Any]:
    return func.json_extract(value, literal_column(f"'$[{place}]'"))


def _read_postgresql(value: ColumnElement[Any], place: int, target: Column[Any]) -> ColumnElement[Any]:
    return cast(value.op("->>")(literal_column(str(place))), target.type)
