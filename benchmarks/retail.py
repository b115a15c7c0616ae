"""A year of a real grocer's receipts through the import, with the ledger kept all along.

    .venv/bin/python -m benchmarks.retail [--database URL] [--households N] [--format parquet|csv]

The receipts are the Complete Journey retail study's data (see `benchmarks.study`). Without `--database`
they go into an SQLite file with durable settings, in a temporary folder. Prints lines a second and the
largest memory, and checks afterwards that the books add up.
"""

import argparse
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks import study
from benchmarks.report import Row, at_least, at_most, keep, machine
from core.customers.addresses import Addresses
from core.db import Database
from core.imports import Report, import_file
from core.ledger.writing import ACCOUNT, ENTRY, LOT
from core.program import Program
from core.program.check import read_program
from core.purchases.receipts import LINE, RECEIPT
from tidings.schema import prepare

# After the study's year: what expired by then is written off.
NOW = datetime(2018, 1, 2, 12, 0, tzinfo=UTC)
MEGABYTE = 1024


def main() -> None:
    """Make the files, bring them in, check the books."""
    options, before, rows = _options(), machine(), []
    with tempfile.TemporaryDirectory(prefix="tidings-retail-") as name:
        folder = Path(name)
        files = _made(folder, options)
        database = Database(options.database or f"sqlite:///{folder / 'retail.db'}")
        prepare(database)
        for kind, file in files.kinds():
            report = _bring_in(database, kind, file)
            if kind == "receipts":
                rows.append(_speed("a year of receipts, lines imported", report))
        _show_books(database)
        if options.twice:
            _bring_in(database, "receipts", files.receipts)
        database.close()
    memory = Row("memory of the import", "500 MB", "MB", at_most(1), "wanted", [(_memory(), 500)])
    print(*rows, memory, sep="\n")
    keep("retail", [*rows, memory], before, households=options.households or "all", format=options.format)


def _speed(what: str, report: Report) -> Row:
    return Row(what, "20,000/s", "/s", at_least(1), "wanted", [(report.read / report.seconds, 20_000)])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database", metavar="URL", help="postgresql://… (an empty database)")
    parser.add_argument("--households", type=int, help="only the first so many")
    parser.add_argument("--format", choices=["parquet", "csv"], default="parquet")
    parser.add_argument("--twice", action="store_true", help="bring the receipts in again: nothing changes")
    return parser.parse_args()


def program() -> Program:
    """The program into which the study goes."""
    problems: list[Any] = []
    read = read_program(study.PROGRAM, problems)
    if read is None:
        raise SystemExit("\n".join(map(str, problems)))
    return read


def _bring_in(database: Database, kind: str, file: Path) -> Report:
    began, worked = time.perf_counter(), time.process_time()

    def tell(rows: int, part: float) -> None:
        speed = rows / (time.perf_counter() - began)
        print(f"\r{kind:9} {rows:>9,} rows {part:4.0%} {speed:>7,.0f}/s", end="", file=sys.stderr, flush=True)

    report = import_file(
        database, program(), Addresses(b"benchmark"), kind, file, recorded_at=NOW, progress=tell
    )
    print("\r", end="", file=sys.stderr)
    print(_line(report, time.process_time() - worked))
    return report


def _line(report: Report, worked: float) -> str:
    """One line; the processor's own seconds tell what a machine shared with others took away."""
    counts = ", ".join(
        f"{getattr(report, it):,} {it}" for it in ("created", "changed", "unchanged", "rejected")
    )
    speed = report.read / report.seconds
    return (
        f"{report.kind:9} {report.read:>9,} rows in {report.seconds:6.1f} s ({worked:.1f} s of processor)"
        f" = {speed:>7,.0f}/s ({counts}); {_memory()} MB"
    )


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // MEGABYTE


def _show_books(database: Database) -> None:
    """The three sums that must be one, and how much there is of everything."""
    with database.read() as connection:
        sums = [
            int(connection.scalar(select(func.coalesce(func.sum(column), 0))) or 0)
            for column in (ACCOUNT.c.total, ENTRY.c.amount, LOT.c.remaining)
        ]
        counts = {table.name: connection.scalar(select(func.count()).select_from(table)) for table in TABLES}
        lowest = connection.scalar(select(func.min(LOT.c.remaining)))
    held = "the books add up" if len(set(sums)) == 1 and lowest == 0 else "THE BOOKS DO NOT ADD UP"
    print(f"{held}: accounts {sums[0]:,} = entries {sums[1]:,} = lots {sums[2]:,} (hundredths of a bonus)")
    print(", ".join(f"{count:,} {name}" for name, count in counts.items()))
    if held != "the books add up":
        raise SystemExit(1)


def _made(folder: Path, options: argparse.Namespace) -> study.Files:
    """The files, made by another process: sorting the study takes more memory than the import may."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as another:
        files = another.submit(study.make, folder, options.households).result()
        return another.submit(_as_csv, files).result() if options.format == "csv" else files


def _as_csv(files: study.Files) -> study.Files:
    import pyarrow.csv
    import pyarrow.parquet as pq

    made = []
    for _, file in files.kinds():
        made.append(file.with_suffix(".csv"))
        pyarrow.csv.write_csv(pq.read_table(file), made[-1])
    return study.Files(*made)


TABLES = (RECEIPT, LINE, LOT, ENTRY)

if __name__ == "__main__":
    main()
