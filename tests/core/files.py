"""Files to import, and what became of them."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from core.db import Database
from core.imports import Report, import_file
from tests.core.books import ADDRESSES, START, program

NOW = START + timedelta(days=30)
PROGRAM = program(("spend:", "channels: {sms: {}, email: {}}\nspend:"))
Rows = Sequence[Mapping[str, Any]]

CUSTOMERS: Rows = (
    {"customer": "anna", "name": "Анна", "phone": "+380501234567", "attributes.milk": "oat"},
    {"customer": "bohdan", "name": "Bohdan", "email": "Bohdan@Example.COM", "birthday": "1990-02-28"},
)
RECEIPTS: Rows = (
    {
        "receipt": "R1",
        "customer": "anna",
        "at": "2026-03-01T10:00:00+02:00",
        "sku": "espresso",
        "total": "100",
    },
    {"receipt": "R1", "customer": "anna", "at": "2026-03-01T10:00:00+02:00", "sku": "milk", "total": "20.50"},
    {"receipt": "R2", "customer": "bohdan", "at": "2026-03-02T10:00:00+02:00", "sku": "milk", "total": "41"},
)


def csv(file: Path, rows: Rows, delimiter: str = ",") -> Path:
    """The rows as CSV."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [delimiter.join(names)]
    lines += [delimiter.join(str(row.get(name, "")) for name in names) for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def jsonl(file: Path, rows: Rows) -> Path:
    """The rows as JSON Lines."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def parquet(file: Path, rows: Rows) -> Path:
    """The rows as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(dict.fromkeys(name for row in rows for name in row))
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), file)
    return file


def bring_in(database: Database, kind: str, file: Path, **options: Any) -> Report:
    """An import; the sum of its counts is what was read."""
    report = import_file(database, PROGRAM, ADDRESSES, kind, file, recorded_at=NOW, **options)
    assert report.read == report.created + report.changed + report.unchanged + report.rejected
    return report


def counts(report: Report) -> tuple[int, int, int, int]:
    """Created, changed, unchanged, rejected."""
    return report.created, report.changed, report.unchanged, report.rejected


def rejects(report: Report) -> list[dict[str, Any]]:
    """What was set aside."""
    assert report.rejects
    return [json.loads(line) for line in report.rejects.read_text(encoding="utf-8").splitlines()]
