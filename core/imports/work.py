"""What an import does with rows: read, store, count, set aside."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from core.imports.kinds.base import LATER, Effect, Item, Kind, Rejected
from core.imports.reading import Row
from core.imports.waiting import Waiting
from core.ledger.lots import Refusal


@dataclass(slots=True)
class Report:
    """What became of the rows of a file; `read` is the sum of the other four."""

    kind: str
    read: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    rejects: Path | None = None
    seconds: float = 0.0


class Aside(Protocol):
    """Where rows are set aside that cannot go in."""

    def add(self, row: Row, reason: str) -> None:
        """Set a row aside."""


class Work:
    """An import under way; what waits for other rows of the file gathers in `waiting`, a file in `folder`."""

    def __init__(self, kind: Kind, report: Report, rejects: Aside, folder: Path | None = None) -> None:
        self.kind, self.report, self.rejects, self._folder = kind, report, rejects, folder
        self.waiting = Waiting(folder)

    def batches(self, rows: Iterator[Row], size: int) -> Iterator[list[Item]]:
        """Items of about `size` rows; what belongs together stays together."""
        batch: list[Item] = []
        weight = 0
        for group in self.kind.groups(rows):
            weight += len(group)
            self.report.read += len(group)
            if item := self.read(group):
                batch.append(item)
            if weight >= size:
                yield batch
                batch, weight = [], 0
        if weight:
            yield batch

    def again(self, size: int) -> Iterator[list[Item]]:
        """What has waited, so many items at a time; what waits on gathers anew."""
        waited, self.waiting = self.waiting, Waiting(self._folder)
        with closing(waited):
            for groups in waited.chunks(size):
                yield [item for group in groups if (item := self.read(group))]

    def read(self, group: list[Row]) -> Item | None:
        """What a group tells; None if it was set aside."""
        try:
            return Item(group, self.kind.read(group))
        except Rejected as error:
            self._reject(group, error.reasons)
            return None

    def stored(self, connection: Connection, items: Sequence[Item]) -> list[Effect]:
        """Store items in the caller's transaction; what became of each."""
        return self.kind.store(connection, [item.fact for item in items]) if items else []

    def count(self, items: Sequence[Item], effects: Sequence[Effect]) -> None:
        """Count what is stored for good, and set aside what was refused."""
        for item, effect in zip(items, effects, strict=True):
            if effect == LATER:
                self.waiting.add(item.rows)
            elif isinstance(effect, Refusal):
                self._reject(item.rows, {item.rows[0].line: effect.detail})
            else:
                setattr(self.report, effect, getattr(self.report, effect) + len(item.rows))

    def close(self) -> None:
        """Nothing waits any more."""
        self.waiting.close()

    def _reject(self, group: list[Row], reasons: dict[int, str]) -> None:
        """Set a whole group aside; a row that is itself right names the one that is not."""
        line, reason = next(iter(reasons.items()))
        others = f"belongs to the receipt whose line {line} was rejected: {reason}"
        for row in group:
            self.rejects.add(row, reasons.get(row.line, others))
        self.report.rejected += len(group)
