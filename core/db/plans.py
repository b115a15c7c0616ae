"""What PostgreSQL's planner expects of a query, before it is asked; rows that several processes find."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ClauseElement, Connection, Executable, FromClause, Select, column, table, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


class _Explained(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, query: Select[Any]) -> None:
        self.query = query


@compiles(_Explained, "postgresql")
def _explained(element: _Explained, compiler: SQLCompiler, **kw: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.query, **kw)}"


def cost(connection: Connection, query: Select[Any]) -> float:
    """How much work a query is, in the planner's units: a page read in its order is 1. SQLite says 0."""
    if connection.dialect.name != "postgresql":
        return 0.0
    [plan] = connection.execute(_Explained(query)).scalar_one()
    return float(plan["Plan"]["Total Cost"])


class _LaidAside(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, name: str, query: Select[Any]) -> None:
        self.name, self.query = name, query


@compiles(_LaidAside, "postgresql")
def _laid_aside(element: _LaidAside, compiler: SQLCompiler, **kw: Any) -> str:
    query = compiler.process(element.query, **kw)
    return f"CREATE TEMPORARY TABLE {element.name} ON COMMIT DROP AS {query}"


@contextmanager
def laid_aside(connection: Connection, name: str, query: Select[Any]) -> Iterator[FromClause]:
    """The rows of a query in a table of this name, gone at the end.

    For large ones: the server reads with several processes for a table that is made, and with one for rows
    that are inserted into one that is there. The query asks no temporary table, which only one could see.
    """
    connection.execute(_LaidAside(name, query))
    yield table(name, *(column(it.name, it.type) for it in query.selected_columns))
    # Not after an error, which ends the transaction, and the table with it.
    connection.execute(text(f"DROP TABLE pg_temp.{name}"))
