"""How a new migration spells the application's own types, by the names in `columns`; what it leaves out."""

from collections.abc import Callable
from typing import Any, Literal

from sqlalchemy import Connection, False_, True_
from sqlmodel.sql.sqltypes import AutoString

from core.db import Id, Json, UtcDateTime, transaction_id
from core.tables.references import is_checked


def spell(kind: str, thing: Any) -> str | Literal[False]:
    """Python for a type or a default; False where Alembic knows by itself."""
    return _type(thing) if kind == "type" else _default(thing) if kind == "server_default" else False


def compared(connection: Connection) -> Callable[..., bool]:
    """Alembic's `include_object`: it does not know that a reference may be checked on one database only."""

    def is_there(thing: Any, _name: object, kind: str, *_: object) -> bool:
        return kind != "foreign_key_constraint" or is_checked(thing, connection.dialect.name)

    return is_there


def _default(thing: Any) -> str | Literal[False]:
    value = getattr(thing, "arg", thing)
    # A boolean's default is `true` on PostgreSQL and 1 on SQLite.
    names = {transaction_id: "transaction_number()", True_: "sa.true()", False_: "sa.false()"}
    return names.get(type(value), False)


def _type(thing: Any) -> str | Literal[False]:
    if isinstance(thing, UtcDateTime):
        return "MOMENT"
    if isinstance(thing, AutoString):
        return f"sa.String(length={thing.length})" if thing.length else "sa.String()"
    if thing is Id:
        return "ID"
    return "JSON" if isinstance(thing, type(Json)) else False
