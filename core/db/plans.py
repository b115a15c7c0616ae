"""What PostgreSQL's planner expects of a query, before it is asked."""

from typing import Any

from sqlalchemy import ClauseElement, Connection, Executable, Select
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
