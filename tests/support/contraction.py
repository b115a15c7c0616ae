"""What a newer schema takes away from programs that were written for an older one.

Both schemas are described as the database itself reflects them, so whatever a migration did by hand counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, inspect, types


@dataclass(frozen=True)
class Shape:
    """One table: what a statement that was written for it relies on."""

    columns: Mapping[str, Mapping[str, Any]]
    keys: frozenset[tuple[str, ...]]
    references: frozenset[tuple[str, ...]]
    checks: frozenset[str]


def shapes(connection: Connection) -> dict[str, Shape]:
    """Every table that a program of ours works on."""
    found = inspect(connection)
    names = [name for name in found.get_table_names() if not name.startswith(("alembic", "schema_floor"))]
    return {name: _shape(found, name) for name in names}


def _shape(found: Any, table: str) -> Shape:
    keys = [tuple(found.get_pk_constraint(table)["constrained_columns"])]
    keys += [tuple(sorted(it["column_names"])) for it in found.get_unique_constraints(table)]
    for index in found.get_indexes(table):
        if index["unique"] and not index.get("duplicates_constraint"):
            where = [
                str(value) for name, value in sorted(index["dialect_options"].items()) if "where" in name
            ]
            keys.append((*sorted(str(it) for it in index["column_names"]), *where))
    references = {(*it["constrained_columns"], it["referred_table"]) for it in found.get_foreign_keys(table)}
    checks = {str(it["sqltext"]) for it in found.get_check_constraints(table)}
    columns = {it["name"]: it for it in found.get_columns(table)}
    return Shape(columns, frozenset(keys), frozenset(references), frozenset(checks))


def contractions(before: Mapping[str, Shape], after: Mapping[str, Shape]) -> list[str]:
    """Sentences, one for each thing that a statement written for `before` may stumble over; none if it only
    grew.
    """
    said = [f"{name}: the table is gone" for name in before.keys() - after.keys()]
    for name in sorted(before.keys() & after.keys()):
        said += [f"{name}: {it}" for it in _of_table(before[name], after[name])]
    return said


def _of_table(old: Shape, new: Shape) -> Iterator[str]:
    for name in sorted(old.columns.keys() - new.columns.keys()):
        yield f"the column {name} is gone"
    for name in sorted(new.columns.keys() - old.columns.keys()):
        if not _filled_in(new.columns[name]):
            yield f"the new column {name} must be given"
    for name in sorted(old.columns.keys() & new.columns.keys()):
        yield from _of_column(name, old.columns[name], new.columns[name])
    yield from (f"it has no key {', '.join(key)} any more" for key in sorted(old.keys - new.keys))
    yield from (f"{', '.join(key)} must now be unique" for key in sorted(new.keys - old.keys))
    for *columns, table in sorted(new.references - old.references):
        if set(columns) <= old.columns.keys():
            yield f"{', '.join(columns)} must now be in {table}"
    yield from (f"{check} is now checked" for check in sorted(new.checks - old.checks))


def _filled_in(column: Mapping[str, Any]) -> bool:
    """Whether a row may leave it out."""
    counted = column.get("autoincrement") is True or column.get("identity") or column.get("computed")
    return bool(column["nullable"] or column["default"] is not None or counted)


def _of_column(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old["nullable"] and not new["nullable"]:
        yield f"the column {name} must not be empty any more"
    if _filled_in(old) and not _filled_in(new):
        yield f"the column {name} must now be given"
    if not _takes(new["type"], old["type"]):
        yield f"the column {name} was {old['type']} and is {new['type']}"


def _takes(new: Any, old: Any) -> bool:
    """Whether every value of the old type is one of the new type, and reads the same."""
    if isinstance(new, types.String) and isinstance(old, types.String):
        return new.length is None or (old.length is not None and new.length >= old.length)
    if isinstance(new, types.Integer) and isinstance(old, types.Integer):
        return _rank(new) >= _rank(old)
    return repr(new) == repr(old)


def _rank(kind: Any) -> int:
    return 2 if isinstance(kind, types.BigInteger) else 0 if isinstance(kind, types.SmallInteger) else 1
