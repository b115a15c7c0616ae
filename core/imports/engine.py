"""The import of one file: read row by row, brought in by transactions of a few thousand rows.

Every fact is known by its own number, so that what is already there is recognised: an import that was
interrupted is simply run again, and one that is repeated changes nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from time import perf_counter

from core.collecting import collecting_seldom
from core.customers.addresses import Addresses
from core.db import Database
from core.imports import columns
from core.imports.kinds import KINDS
from core.imports.kinds.base import Context, Item
from core.imports.parts import Give, Parts
from core.imports.reading import Row, open_source
from core.imports.rejects import Rejects, spare
from core.imports.work import Report, Work
from core.program import Program

# A transaction of so many rows holds the database's write lock for a fraction of a second.
CHUNK = 5_000
# SQLite's own 2 MB do not hold the indexes that an import writes to.
CACHE_KIB = 65_536
# Pages of the log (4 KiB) between two visits to the file itself: the same page is written back once.
PAGES_A_CHECKPOINT = 16_384

# Told after each transaction: rows read so far, and the part of the file (0 … 1) that they are.
Progress = Callable[[int, float], None]


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
    give: Give | None = None,
    kinds: Mapping[str, str] | None = None,
    trial: bool = False,
) -> Report:
    """Bring in a file of `kind` (see `columns.KINDS`).

    `format` is `csv`, `jsonl` or `parquet`, by default as the file's name ends. Rows that cannot go in are
    set aside in `rejects` (default: the file's name with `.rejects.jsonl` after it), the rest goes in.
    Unless `live`, what comes in is history: it triggers nothing and grants nothing. With `give` other
    processes help where the kind allows it (`core.imports.parts`). `kinds` are the channels whose addresses
    can be suppressed, with the kind of their addresses; a `trial` of suppressions changes nothing. UserError
    when the file as a whole is wrong; nothing was brought in then.
    """
    began = perf_counter()
    # Not with_name: the folder that one stands in has no name.
    path = rejects or file.parent / f"{file.name}.rejects.jsonl"
    spare(file, path)
    source = open_source(file, kind, columns.KINDS.get(kind, ()), format)
    context = Context(database, program, addresses, recorded_at, live, kinds or {}, trial)
    report = Report(kind)
    with (
        closing(source), collecting_seldom(), Rejects(path) as aside,
        closing(Work(KINDS[kind](context), report, aside, path.parent)) as work,
    ):  # fmt: skip
        bring_in = Parts(work, give).bring_in if give and work.kind.shared else _One(work, chunk).bring_in
        for _ in bring_in(source.rows):
            aside.flush()
            if progress:
                progress(report.read, source.fraction())
        work.kind.finish()
    report.rejects = path if report.rejected else None
    report.seconds = perf_counter() - began
    return report


class _One:
    """An import by this process alone."""

    def __init__(self, work: Work, chunk: int) -> None:
        self._work, self._chunk, self._database = work, chunk, work.kind.context.database

    def bring_in(self, rows: Iterator[Row]) -> Iterator[None]:
        """Everything, a transaction at a time."""
        for items in self._work.batches(rows, self._chunk):
            self._store(items)
            yield
        # What waits for other rows of the file: again and again, until none of it goes in any more.
        before = 0
        while number := len(self._work.waiting):
            self._work.kind.turn(last=number == before)
            before = number
            for items in self._work.again(self._chunk):
                self._store(items)
                yield

    def _store(self, items: list[Item]) -> None:
        with self._database.write() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")
                connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {PAGES_A_CHECKPOINT}")
            effects = self._work.stored(connection, items)
        self._work.count(items, effects)
