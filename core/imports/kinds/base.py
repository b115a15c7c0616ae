"""What every kind of import has: grouping rows, reading them, storing what they say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from core.customers.addresses import Addresses
from core.db import Database
from core.imports.reading import Row
from core.ledger.lots import Refusal
from core.program import Program

Value = TypeVar("Value")
# `created`, `changed`, `unchanged`, `later` (it waits for others of the file), or why the fact was refused.
Effect = str | Refusal
LATER = "later"


@dataclass(frozen=True, slots=True)
class Context:
    """What an import works with.

    `kinds` are the channels whose addresses can be suppressed, with the kind of their addresses. A `trial`
    changes nothing; only suppressions know it.
    """

    database: Database
    program: Program
    addresses: Addresses
    recorded_at: datetime
    live: bool
    kinds: Mapping[str, str] = field(default_factory=dict)
    trial: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One fact, and the rows that tell it."""

    rows: list[Row]
    fact: Any


class Rejected(Exception):
    """Rows that cannot go in: line → what is wrong with it."""

    def __init__(self, reasons: Mapping[int, str]) -> None:
        self.reasons = dict(reasons)
        super().__init__("; ".join(f"line {line} {reason}" for line, reason in self.reasons.items()))


class Kind:
    """One kind; unless it says otherwise, a row is a fact.

    `last` is set once nothing more comes for which a row could wait. What is `shared` may be brought in by
    several processes: no row waits for another, and those of one `owner` go in by their order.
    """

    last = False
    shared = False

    def __init__(self, context: Context) -> None:
        self.context = context
        self.program = context.program

    def turn(self, *, last: bool) -> None:
        """What waited comes once more; `last` if nothing else comes for which it could wait on."""
        self.last = last

    def groups(self, rows: Iterator[Row]) -> Iterator[list[Row]]:
        """Rows that tell one fact together."""
        return ([row] for row in rows)

    def read(self, group: list[Row]) -> Any:
        """The fact that a group tells; Rejected if it tells none."""
        row = group[0]
        if row.fault:
            raise Rejected({row.line: row.fault})
        try:
            return self.fact(row.values)
        except ValueError as error:
            raise Rejected({row.line: str(error)}) from None

    def fact(self, values: Mapping[str, Any]) -> Any:
        """The fact that one row tells; ValueError with a reason if it tells none."""
        raise ValueError("tells nothing")

    def store(self, connection: Connection, facts: Sequence[Any]) -> list[Effect]:
        """Store facts in one transaction; what became of each."""
        return ["unchanged" for _ in facts]

    def owner(self, group: list[Row]) -> str:
        """Whose rows they are; of a kind that is `shared`."""
        return str(group[0].line)

    def touched(self) -> list[int]:
        """The ids of the customers of whom something was stored, for `finish`."""
        return []

    def touch(self, ids: Sequence[int]) -> None:
        """Something was stored of these, too, by another process."""

    def finish(self) -> None:
        """What is left to do once every row is in."""


def cell(values: Mapping[str, Any], name: str, read: Callable[[Any], Value | None]) -> Value | None:
    """A value that may be missing; a ValueError names its column."""
    try:
        return read(values.get(name))
    except ValueError as error:
        raise ValueError(told(name, error)) from None


def must(values: Mapping[str, Any], name: str, read: Callable[[Any], Value | None]) -> Value:
    """A value that must be there."""
    value = cell(values, name, read)
    if value is None:
        raise ValueError(f"'{name}' is empty")
    return value


def told(name: str, error: ValueError) -> str:
    """What is wrong with the value of a column, in one piece."""
    said = str(error)
    return f"'{name}' {said}" if said.startswith(("is ", "has ")) else f"'{name}': {said}"
