"""Members of JSON objects by names that others gave: of an attribute, of what an event says.

SQLite finds a member by a path, which cannot hold a quotation mark; and until 3.45 it compares the path with
the name as it is stored, where a letter that is not ASCII may be an escape: one encoder writes them so, the
quicker one does not (`core.db.encoding`). PostgreSQL takes any name.
"""

from typing import Any

from sqlalchemy import ColumnElement, String, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

# No path can hold it.
QUOTE = '"'


class _Stored(FunctionElement[str]):
    """A name as a column stores it; NULL if it has no such member, or none that SQLite can find."""

    type = String()
    inherit_cache = True


@compiles(_Stored, "postgresql")
def _stored_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    _, name = (compiler.process(clause, **kw) for clause in element.clauses)
    return name


@compiles(_Stored, "sqlite")
def _stored_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, name = (compiler.process(clause, **kw) for clause in element.clauses)
    # `$.name` or `$."name"`.
    path = "trim(substr(fullkey, 3), '\"')"
    return f"(SELECT {path} FROM json_each({column}) WHERE key = {name} AND instr(key, '\"') = 0)"  # noqa: S608


def member(column: ColumnElement[Any], name: str) -> ColumnElement[str]:
    """The key by which `json_number`, `json_string` and `json_is` find a member of this name in a column."""
    plain = name.isascii() and name.isprintable() and not {QUOTE, "\\"} & set(name)
    key = literal(name, String)
    return key if plain else _Stored(column, key)
