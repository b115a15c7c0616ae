"""References that SQLite checks and PostgreSQL does not, and the question whether one leads nowhere.

For each new row PostgreSQL locks the row that it refers to, and a lock is written into that row and its page
into the log: decision 0020 says for which tables that is not worth it.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import Connection, ForeignKeyConstraint, ScalarSelect, Select, exists, func, select
from sqlmodel import SQLModel

# SQLite's tables stay as they are: it would have to make them anew, and a look sets its keys aside.
_CHECKED_ON = "sqlite"


def unchecked_on_postgres(*models: type[SQLModel]) -> None:
    """No reference of these tables becomes a foreign key on PostgreSQL."""
    for model in models:
        for reference in model.__table__.foreign_key_constraints:  # type: ignore[attr-defined]
            reference.info["checked_on"] = _CHECKED_ON
            reference.ddl_if(dialect=_CHECKED_ON)


def is_checked(reference: ForeignKeyConstraint, dialect: str) -> bool:
    """Whether this database has a foreign key for it."""
    return reference.info.get("checked_on") in (None, dialect)


def dangling(connection: Connection) -> dict[str, int]:
    """`attempt.message_id` → how many of its rows refer to none; empty if none does.

    Of each reference that PostgreSQL does not check. Reads whole tables: for tests, and for after a copy.
    """
    names, question = _question(len(SQLModel.metadata.tables))
    counts = connection.execute(question).one()
    return {name: rows for name, rows in zip(names, counts, strict=True) if rows}


# Asked after every test, and the same each time: building it takes longer than the answer.
@cache
def _question(known: int) -> tuple[tuple[str, ...], Select[*tuple[Any, ...]]]:  # noqa: ARG001 - for the cache
    """Of so many tables as are known by now."""
    asked = {str(it.parent): _lost(it) for it in _unchecked()}
    return tuple(asked), select(*asked.values())


def _unchecked() -> Iterator[Any]:
    for table in SQLModel.metadata.sorted_tables:
        for reference in sorted(table.foreign_keys, key=lambda it: it.parent.name):
            if reference.constraint is not None and not is_checked(reference.constraint, "postgresql"):
                yield reference


def _lost(reference: Any) -> ScalarSelect[int]:
    there = exists().where(reference.column == reference.parent)
    return select(func.count()).select_from(reference.parent.table).where(~there).scalar_subquery()
