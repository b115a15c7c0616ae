"""The import of one file: read row by row, brought in by transactions of a few thousand rows.

Every fact is known by its own number, so that what is already there is recognised: an import that was
interrupted is simply run again, and one that is repeated changes nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter

from core.collecting import collecting_seldom
from core.customers.addresses import Addresses
from core.db import Database
from core.imports import columns
from core.imports.kinds import KINDS
from core.imports.kinds.base import LATER, Context, Item, Kind, Rejected
from core.imports.reading import Row, open_source
from core.imports.rejects import Rejects
from core.ledger.lots import Refusal
from core.program import Program

# A transaction of so many rows holds the database's write lock for a fraction of a second.
CHUNK = 5_000
# SQLite's own 2 MB do not hold the indexes that an import writes to.
CACHE_KIB = 65_536
# Pages of the log (4 KiB) between two visits to the file itself: the same page is written back once.
PAGES_A_CHECKPOINT = 16_384

# Told after each transaction: rows read so far, and the part of the file (0 … 1) that they are.
Progress = Callable[[int, float], None]


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


def import_file(
    database: Database,
    program: Program,
    addresses: Addresses,
    kind: str,
    file: Path,
    *,
    recorded_at: datetime,
    live: bool = False,
    format: str | None = None,  # noqa: A002 - the option's name on the command line
    rejects: Path | None = None,
    progress: Progress | None = None,
    chunk: int = CHUNK,
) -> Report:
    """Bring in a file of `kind` (see `columns.KINDS`).

    `format` is `csv`, `jsonl` or `parquet`, by default as the file's name ends. Rows that cannot go in are
    set aside in `rejects` (default: the file's name with `.rejects.jsonl` after it), the rest goes in.
    Unless `live`, what comes in is history: it triggers nothing and grants nothing. UserError when the
    file as a whole is wrong; nothing was brought in then.
    """
    began = perf_counter()
    source = open_source(file, kind, columns.KINDS.get(kind, ()), format)
    context = Context(database, program, addresses, recorded_at, live)
    path = rejects or file.with_name(f"{file.name}.rejects.jsonl")
    report = Report(kind)
    with closing(source), collecting_seldom(), Rejects(path) as aside:
        work = _Import(KINDS[kind](context), report, aside)
        for items in work.batches(source.rows, chunk):
            work.bring_in(database, items)
            if progress:
                progress(report.read, source.fraction())
        work.bring_in_waiting(database, chunk)
        work.kind.finish()
    report.rejects = path if report.rejected else None
    report.seconds = perf_counter() - began
    return report


class _Import:
    """The state of one import."""

    def __init__(self, kind: Kind, report: Report, rejects: Rejects) -> None:
        self.kind, self.report, self.rejects = kind, report, rejects
        self.waiting: list[Item] = []

    def batches(self, rows: Iterator[Row], size: int) -> Iterator[list[Item]]:
        """Items of about `size` rows; what belongs together stays together."""
        batch: list[Item] = []
        weight = 0
        for group in self.kind.groups(rows):
            weight += len(group)
            self.report.read += len(group)
            if item := self._read(group):
                batch.append(item)
            if weight >= size:
                yield batch
                batch, weight = [], 0
        if weight:
            yield batch

    def _read(self, group: list[Row]) -> Item | None:
        try:
            return Item(group, self.kind.read(group))
        except Rejected as error:
            self._reject(group, error.reasons)
            return None

    def bring_in_waiting(self, database: Database, size: int) -> None:
        """What waits for other rows of the file: again and again, until none of it goes in any more."""
        before = 0
        while self.waiting:
            items, self.waiting = self.waiting, []
            self.kind.last, before = len(items) == before, len(items)
            for start in range(0, len(items), size):
                self.bring_in(database, items[start : start + size])

    def bring_in(self, database: Database, items: list[Item]) -> None:
        """One transaction."""
        with database.write() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")
                connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {PAGES_A_CHECKPOINT}")
            effects = self.kind.store(connection, [item.fact for item in items]) if items else []
        for item, effect in zip(items, effects, strict=True):
            if effect == LATER:
                self.waiting.append(item)
            elif isinstance(effect, Refusal):
                self._reject(item.rows, {item.rows[0].line: effect.detail})
            else:
                setattr(self.report, effect, getattr(self.report, effect) + len(item.rows))
        self.rejects.flush()

    def _reject(self, group: list[Row], reasons: dict[int, str]) -> None:
        """Set a whole group aside; a row that is itself right names the one that is not."""
        line, reason = next(iter(reasons.items()))
        others = f"belongs to the receipt whose line {line} {reason}"
        for row in group:
            self.rejects.add(row, reasons.get(row.line, others))
        self.report.rejected += len(group)
