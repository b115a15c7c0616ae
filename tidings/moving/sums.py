"""What tells that two databases hold the same: counts and digests of tables, sums of the books."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Select, Table, Text, cast, func, select
from sqlalchemy.types import JSON, Numeric

from core.db import UtcDateTime
from core.tables import Entry, Lot

ENTRY = Entry.__table__  # type: ignore[attr-defined]
LOT = Lot.__table__  # type: ignore[attr-defined]
_MODULUS = 1 << 128
_ROWS_AT_ONCE = 5_000
# No text of PostgreSQL holds it.
_NULL = "\x00"


@dataclass(frozen=True, slots=True)
class Digest:
    """Rows of a table, and a sum over their hashes, which does not hang on their order."""

    rows: int = 0
    total: int = 0

    def plus(self, table: Table, rows: Sequence[Sequence[Any]]) -> "Digest":
        """With these rows of the table, too, as `rows_of` gives them."""
        sayings = _sayings(table)
        total = self.total + sum(_hash(row, sayings) for row in rows)
        return Digest(self.rows + len(rows), total % _MODULUS)


def rows_of(table: Table) -> Select[Any]:
    """All columns; JSON as its text, which tells a JSON null from none at all."""
    return select(
        *(cast(it, Text).label(it.name) if isinstance(it.type, JSON) else it for it in table.columns)
    )


def digest_of(connection: Connection, table: Table) -> Digest:
    """Of all that a table holds, read as a stream."""
    found = Digest()
    rows = connection.execution_options(stream_results=True, yield_per=_ROWS_AT_ONCE)
    for part in rows.execute(rows_of(table)).partitions():
        found = found.plus(table, part)
    return found


def balances(connection: Connection) -> tuple[int, int]:
    """What all entries come to, and what is left in all lots, in the program's smallest unit."""
    entries = connection.scalar(select(func.coalesce(func.sum(ENTRY.c.amount), 0)))
    remaining = connection.scalar(select(func.coalesce(func.sum(LOT.c.remaining), 0)))
    return int(entries or 0), int(remaining or 0)


def _hash(row: Sequence[Any], sayings: Sequence[Callable[[Any], str]]) -> int:
    said = "\x1f".join([_NULL if it is None else say(it) for say, it in zip(sayings, row, strict=True)])
    return int.from_bytes(sha256(said.encode("utf-8", "surrogatepass")).digest()[:16], "big")


@cache
def _sayings(table: Table) -> Sequence[Callable[[Any], str]]:
    """How the values of each column are said, so that both databases say the same of the same."""
    return [_saying(column.type) for column in table.columns]


def _saying(kind: Any) -> Callable[[Any], str]:
    if isinstance(kind, JSON):
        return _json
    if isinstance(kind, UtcDateTime):
        return lambda value: str(value.isoformat())
    if isinstance(kind, Numeric) and kind.asdecimal:
        return lambda value: f"{value.normalize():f}"
    return str


def _json(written: str) -> str:
    return json.dumps(json.loads(written, parse_float=_number), sort_keys=True)


def _number(written: str) -> int | float:
    """PostgreSQL keeps the value of a number, and writes it its own way: 1e+16 as 10000000000000000."""
    value = Decimal(written)
    return int(value) if value == value.to_integral_value() else float(value)
