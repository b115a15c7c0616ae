"""An import that is killed and run again ends where it would have ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from core.db import Database
from core.errors import UserError
from core.events import EVENT
from core.ledger.writing import ACCOUNT, ENTRY, LOT, OPERATION
from core.purchases.receipts import LINE, RECEIPT
from tests.conftest import FreshDatabase
from tests.core.books import check_books, check_statistics, register
from tests.core.files import PROGRAM, bring_in, csv, rejects

PROJECT = Path(__file__).resolve().parents[2]
PEOPLE = [f"c{number}" for number in range(20)]
KILLED = """
import os, signal, sys
from pathlib import Path
from core.db import Database
from tests.core.files import bring_in

def progress(rows, part):
    if rows >= 150:
        os.kill(os.getpid(), signal.SIGKILL)

bring_in(Database(sys.argv[1]), "receipts", Path(sys.argv[2]), chunk=50, progress=progress)
"""


def receipts() -> list[dict[str, Any]]:
    """Three hundred rows of a year, some of them wrong."""
    return [
        {
            "receipt": f"R{number // 2}",
            "customer": PEOPLE[number // 2 % 20] if number % 50 else "stranger",
            "at": f"2025-{1 + number // 30:02}-{1 + number // 2 % 27:02}T12:00:00Z",
            "sku": f"s{number}",
            "total": 50 + number,
        }
        for number in range(300)
    ]


def test_an_import_that_was_killed_and_is_run_again_is_as_if_it_had_not_been(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    file = csv(tmp_path / "r.csv", receipts())
    with fresh_database() as database:
        register(database, PROGRAM, *PEOPLE)
        whole = rejects(bring_in(database, "receipts", file))
        expected = everything(database)
    file.with_name("r.csv.rejects.jsonl").unlink()
    with fresh_database() as database:
        register(database, PROGRAM, *PEOPLE)
        command = [sys.executable, "-c", KILLED, database.url, str(file)]
        died = subprocess.run(
            command, cwd=PROJECT, capture_output=True, text=True, check=False, env=os.environ
        )
        assert died.returncode == -signal.SIGKILL, died.stderr
        with database.read() as connection:
            assert 0 < len(connection.execute(select(RECEIPT.c.id)).all()) < 144
            check_books(connection)
        assert sorted(it.name for it in tmp_path.iterdir()) == ["r.csv", "r.csv.rejects.jsonl.part"]
        again = bring_in(database, "receipts", file)
        assert again.unchanged > 0
        assert rejects(again) == whole
        assert everything(database) == expected
        with database.read() as connection:
            check_books(connection)
            check_statistics(connection)
    assert sorted(it.name for it in tmp_path.iterdir()) == ["r.csv", "r.csv.rejects.jsonl"]


def test_two_imports_of_one_file_do_not_write_over_each_others_rejects(
    database: Database, tmp_path: Path
) -> None:
    register(database, PROGRAM, *PEOPLE)
    file = csv(tmp_path / "r.csv", receipts())
    refused = []

    def beside(_rows: int, _part: float) -> None:
        with pytest.raises(UserError, match="another import sets rows aside in "):
            bring_in(database, "receipts", file)
        refused.append(bring_in(database, "receipts", file, rejects=tmp_path / "other.jsonl"))

    first = bring_in(database, "receipts", file, chunk=200, progress=beside)
    assert len(rejects(first)) == first.rejected == 12
    assert [len(rejects(it)) for it in refused] == [12, 12]
    assert bring_in(database, "receipts", file).unchanged == 288


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every fact of the ledger, without the numbers of rows and the times at which they were written, which
    depend on what was tried before.
    """
    with database.read() as connection:
        return {
            table.name: _facts(connection, table)
            for table in (RECEIPT, LINE, OPERATION, LOT, ENTRY, EVENT, ACCOUNT)
        }


def _facts(connection: Any, table: Table) -> list[tuple[Any, ...]]:
    left_out = {"id", "transaction", "recorded_at", "moved_at", "receipt_id", "operation_id", "lot_id"}
    columns = [column for column in table.c if column.name not in left_out]
    return sorted(tuple(map(str, row)) for row in connection.execute(select(*columns)))
