"""Rows that only describe something (goods, shops): put in or brought up to date by their key."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select

from core.db import upsert
from core.imports.kinds.base import Effect
from core.ledger.book import CHUNK

Described = Mapping[str, Any]


def describe(connection: Connection, table: Table, key: str, facts: Sequence[Described]) -> list[Effect]:
    """Put facts of one set of columns into `table`; a missing value leaves what is there."""
    present = _present(connection, table, key, sorted({fact[key] for fact in facts}))
    effects: list[Effect] = []
    new: dict[str, Described] = {}
    for fact in facts:
        before = present.get(fact[key])
        said = {name: value for name, value in fact.items() if value is not None}
        after = {**(before or fact), **said}
        effects.append("created" if before is None else "changed" if after != before else "unchanged")
        if after != before:
            present[fact[key]] = new[fact[key]] = after
    if new:
        rows = [new[name] for name in sorted(new)]
        described = [name for name in rows[0] if name != key]
        connection.execute(upsert(connection, table, [key], described), rows)
    return effects


def _present(connection: Connection, table: Table, key: str, names: Sequence[str]) -> dict[str, Described]:
    found: dict[str, Described] = {}
    for start in range(0, len(names), CHUNK):
        chunk = select(table).where(table.c[key].in_(names[start : start + CHUNK]))
        found |= {row[key]: dict(row) for row in connection.execute(chunk).mappings()}
    return found
