"""An import that several processes share ends as one by itself: the same books, reports and rejects."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from core.db import Database
from core.imports import parts
from core.imports.parts import LEFT, PART, forget_left
from core.imports.parts import bring_in as bring_in_part
from core.imports.reading import Row
from core.imports.texts import groups_of, written
from core.ledger.writing import ENTRY, OPERATION
from tests.conftest import FreshDatabase
from tests.core.books import ADDRESSES, check_books, check_statistics, register
from tests.core.files import PROGRAM, Rows, bring_in, csv, rejects

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PEOPLE = ("anna", "bohdan", "carla", "dmytro", "eve")


def _rows() -> Rows:
    """Ninety receipts in the order of their days, some paid with bonuses; two of them cannot go in."""
    rows: list[dict[str, Any]] = []
    for number in range(90):
        who, day = PEOPLE[number * 7 % 5], 1 + number // 4
        row = {
            "receipt": f"R{number}",
            "customer": who,
            "at": f"2026-03-{day:02}T{10 + number % 4}:00:00+02:00",
        }
        row |= {
            "sku": f"sku-{number % 6}",
            "total": str(10 + number),
            "pay_points": "1" if number > 60 else "",
        }
        rows.append(row)
    rows[40]["customer"], rows[41]["total"] = "nobody", "much"
    return rows


def _books(connection: Connection) -> list[tuple[Any, ...]]:
    """What the ledger says, told apart by the receipts' numbers, which are the same in every database."""
    told = select(OPERATION.c.key, ENTRY.c.kind, ENTRY.c.amount, ENTRY.c.rule, ENTRY.c.at)
    joined = told.join(OPERATION, OPERATION.c.id == ENTRY.c.operation_id)
    return sorted((*map(str, row),) for row in connection.execute(joined))


def test_shared_or_not_an_import_makes_the_same_books(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    file = csv(tmp_path / "r.csv", _rows())
    found = []
    for share in (False, True):
        with fresh_database() as shop:
            register(shop, PROGRAM, *PEOPLE)
            given = _sharing(shop) if share else {}
            report = bring_in(shop, "receipts", file, **given)
            with shop.read() as connection:
                check_books(connection)
                check_statistics(connection)
                assert connection.scalar(select(func.count()).select_from(PART)) == 0
                found.append((report.created, _books(connection), sorted(map(str, rejects(report)))))
    assert found[0] == found[1]
    assert found[0][0] == 88


def _sharing(shop: Database, *helpers: Any) -> dict[str, Any]:
    def give(connection: Connection, part: int, lane: str) -> None:
        for helper in helpers:
            helper(part, lane)

    return {"give": give}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of four rows, three of them open at a time."""
    monkeypatch.setattr(parts, "LANES", 3)
    monkeypatch.setattr(parts, "OPEN_AT_MOST", 3)
    monkeypatch.setattr(parts.Parts.__init__, "__defaults__", (4,))


def test_others_bring_parts_in_once_each_and_in_their_lanes_order(database: Database, tmp_path: Path) -> None:
    register(database, PROGRAM, *PEOPLE)
    file = csv(tmp_path / "r.csv", _rows())
    with ThreadPoolExecutor(4) as others:
        waiting: list[Future[None]] = []

        def help_later(part: int, _lane: str) -> None:
            # Twice: whoever comes second finds it done. The transaction that writes the part ends meanwhile.
            waiting.extend(others.submit(bring_in_part, database, ADDRESSES, part) for _ in range(2))

        report = bring_in(database, "receipts", file, **_sharing(database, help_later))
        for each in waiting:
            each.result()
    assert (report.created, report.rejected) == (88, 2)
    with database.read() as connection:
        check_books(connection)
        check_statistics(connection)


def test_an_import_that_is_ended_leaves_no_rows_behind(database: Database, tmp_path: Path) -> None:
    register(database, PROGRAM, *PEOPLE)

    def ended(_read: int, _fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_in(database, "receipts", csv(tmp_path / "r.csv", _rows()), progress=ended, **_sharing(database))
    with database.write() as connection:
        assert connection.scalar(select(func.count()).select_from(PART)) == 0
        row = {"run": "killed", "lane": 0, "kind": "receipts", "program_version": 1, "live": False,
               "recorded_at": NOW, "rows": "[]", "outcome": {}, "at": NOW}  # fmt: skip
        connection.execute(PART.insert().values(row))
        forget_left(connection, NOW + LEFT)
        assert connection.scalar(select(func.count()).select_from(PART)) == 1, "its import may go on"
        forget_left(connection, NOW + LEFT + timedelta(hours=1))
        assert connection.scalar(select(func.count()).select_from(PART)) == 0


def test_one_customers_receipts_are_all_in_one_lane(database: Database, tmp_path: Path) -> None:
    register(database, PROGRAM, *PEOPLE)
    asked: list[tuple[int, str]] = []
    file = csv(tmp_path / "r.csv", [row for row in _rows() if row["customer"] == "anna"])
    bring_in(database, "receipts", file, **_sharing(database, lambda *part: asked.append(part)))
    with database.read() as connection:
        keys = connection.scalars(select(OPERATION.c.key).where(OPERATION.c.kind == "purchase"))
        order = [int(key.rpartition("R")[2]) for key in keys]
    assert order == sorted(order)
    assert len(order) == 17
    assert len({lane for _, lane in asked}) == 1


def test_rows_come_back_from_the_database_as_the_file_had_them() -> None:
    values = {"at": datetime(2026, 3, 1, 10, tzinfo=UTC), "day": date(2026, 3, 1), "total": Decimal("1.50")}
    odd = {"\0decimal": "no number"}
    groups = [
        [Row(2, {**values, "lines": [{"sku": "ü\0"}]}), Row(3, "no object", "is no JSON object")],
        [Row(4, odd)],
    ]
    assert groups_of(written(groups)) == groups
