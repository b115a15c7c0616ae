"""Receipts from files: grouped, whole or not at all, once, and as history."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from core.customers.profiles import CUSTOMER
from core.db import Database
from core.events import EVENT
from core.ledger.writing import ACCOUNT, LOT
from core.purchases.goods import PRODUCT
from core.purchases.receipts import LINE, RECEIPT
from tests.core.books import check_books, check_statistics, register
from tests.core.files import NOW, PROGRAM, RECEIPTS, Rows, bring_in, counts, csv, jsonl, parquet, rejects


@pytest.fixture
def shop(database: Database) -> Database:
    """A database with two customers."""
    register(database, PROGRAM, "anna", "bohdan")
    return database


@pytest.mark.parametrize(("write", "name"), [(csv, "r.csv"), (jsonl, "r.jsonl"), (parquet, "r.parquet")])
def test_rows_of_one_receipt_become_its_lines(shop: Database, tmp_path: Path, write: Any, name: str) -> None:
    report = bring_in(shop, "receipts", write(tmp_path / name, RECEIPTS))
    assert (report.read, *counts(report)) == (3, 3, 0, 0, 0)
    assert report.rejects is None
    with shop.read() as connection:
        kept = connection.execute(select(RECEIPT.c.external_id, RECEIPT.c.total).order_by(RECEIPT.c.id)).all()
        assert [tuple(row) for row in kept] == [("R1", 12_050), ("R2", 4_100)]
        assert connection.scalars(select(ACCOUNT.c.total).order_by("customer_id")).all() == [1_205, 410]
        check_books(connection)
        check_statistics(connection)


def test_a_receipt_may_be_one_object_with_its_lines(shop: Database, tmp_path: Path) -> None:
    receipt = {
        "receipt": "R1", "customer": "anna", "at": "2026-03-01T10:00:00+02:00", "store": "lviv",
        "lines": [{"sku": "espresso", "total": 100}, {"sku": "milk", "quantity": 1.5, "total": 20.5}],
    }  # fmt: skip
    report = bring_in(shop, "receipts", jsonl(tmp_path / "r.jsonl", [receipt]))
    assert counts(report) == (1, 0, 0, 0)
    same = bring_in(shop, "receipts", csv(tmp_path / "r.csv", [
        {**RECEIPTS[0], "store": "lviv"}, {**RECEIPTS[1], "store": "", "quantity": "1.500"},
    ]))  # fmt: skip
    assert counts(same) == (0, 0, 2, 0)


def test_a_repeated_import_changes_nothing(shop: Database, tmp_path: Path) -> None:
    file = csv(tmp_path / "r.csv", RECEIPTS)
    bring_in(shop, "receipts", file)
    with shop.read() as connection:
        before = connection.scalar(select(func.count()).select_from(EVENT))
    assert counts(bring_in(shop, "receipts", file)) == (0, 0, 3, 0)
    with shop.read() as connection:
        assert connection.scalar(select(func.count()).select_from(EVENT)) == before


BAD: dict[str, tuple[dict[str, str], str]] = {
    "amount": ({"total": "12,50"}, "'total' has a comma; write '12.50' with a point"),
    "fraction": ({"total": "12.505"}, "'total': 12.505 has more than 2 decimal places"),
    "word": ({"total": "much"}, "'total': 'much' is not a plain number, such as 170.50"),
    "power": ({"total": "1e2"}, "'total': '1e2' is not a plain number, such as 170.50"),
    "underscore": ({"total": "1_0"}, "'total': '1_0' is not a plain number, such as 170.50"),
    "other script": ({"quantity": "\u0663"}, "'quantity': '\u0663' is not a plain number, such as 170.50"),
    "thousands": ({"total": "1,234.50"}, "'total': '1,234.50' is not a plain number, such as 170.50"),
    "missing": ({"total": ""}, "'total' is empty"),
    "below zero": ({"total": "-5"}, "'total' and 'quantity' may not be below zero; a return is told apart"),
    "time": ({"at": "yesterday"}, "'at' is no time; write for example '2026-03-01T10:15:00+02:00'"),
    "future": ({"at": "2027-01-01T10:00:00Z"}, "the receipt's time 2027-01-01 10:00 UTC has not come yet"),
    "stranger": ({"customer": "zoe"}, "no customer 'zoe'; register or import them first"),
    "payment": (
        {"pay_points": "1000"},
        "at most 20.5 bonuses may be spent on this receipt: at most 50% of a receipt is paid with bonuses",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_cannot_go_in_is_set_aside_and_the_rest_goes_in(
    shop: Database, tmp_path: Path, name: str
) -> None:
    change, reason = BAD[name]
    report = bring_in(
        shop, "receipts", jsonl(tmp_path / "r.jsonl", [*RECEIPTS[:2], {**RECEIPTS[2], **change}])
    )
    assert counts(report) == (2, 0, 0, 1)
    assert rejects(report) == [{"line": 3, "reason": reason, "row": {**RECEIPTS[2], **change}}]
    assert report.rejects == tmp_path / "r.jsonl.rejects.jsonl"


def test_a_receipt_with_one_bad_line_is_rejected_whole(shop: Database, tmp_path: Path) -> None:
    rows = [RECEIPTS[0], {**RECEIPTS[1], "total": "free"}, RECEIPTS[2]]
    report = bring_in(shop, "receipts", csv(tmp_path / "r.csv", rows))
    assert counts(report) == (1, 0, 0, 2)
    free = "'total': 'free' is not a plain number, such as 170.50"
    assert [(it["line"], it["reason"]) for it in rejects(report)] == [
        (2, f"belongs to the receipt whose line 3 was rejected: {free}"),
        (3, free),
    ]


def test_a_receipt_that_is_refused_as_a_whole_says_why_in_each_of_its_rows(
    shop: Database, tmp_path: Path
) -> None:
    rows = [{**RECEIPTS[0], "pay_points": "10"}, RECEIPTS[1]]
    report = bring_in(shop, "receipts", jsonl(tmp_path / "r.jsonl", rows))
    assert [(it["line"], it["reason"]) for it in rejects(report)] == [
        (1, "0 bonuses are available for this"),
        (2, "belongs to the receipt whose line 1 was rejected: 0 bonuses are available for this"),
    ]


def test_a_row_with_too_few_values_takes_its_receipt_along(shop: Database, tmp_path: Path) -> None:
    file = csv(tmp_path / "r.csv", RECEIPTS)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], lines[1], "R1,anna", lines[3]]) + "\n")
    report = bring_in(shop, "receipts", file)
    assert counts(report) == (1, 0, 0, 2)
    assert rejects(report)[1]["reason"] == "has 2 values; the first line names 5 columns"


OF_FOUR = (*RECEIPTS[:2], {**RECEIPTS[1], "sku": "tea"}, RECEIPTS[2])
UNREADABLE: dict[str, tuple[str, str]] = {
    "a sign in a name": ("r.csv", 'R1,anna,2026-03-01T10:00:00+02:00,TV 32",20.50'),
    "a quote": ("r.csv", 'R1,anna,2026-03-01T10:00:00+02:00,"milk,20.50'),
    "a quote before all else": ("r.csv", '"R1,anna,2026-03-01T10:00:00+02:00,milk,20.50'),
    "a merged cell": ("r.csv", ",,,milk,20.50"),
    "broken JSON": ("r.jsonl", '{"receipt": "R1", "sku": "milk", "total": 20.50,}'),
    "JSON without a number": ("r.jsonl", '{"sku": "milk", "total": 20.50}'),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_row_that_does_not_tell_its_receipt_takes_along_whose_line_it_may_be(
    shop: Database, tmp_path: Path, name: str
) -> None:
    file, bad = UNREADABLE[name]
    write = csv if file.endswith("csv") else jsonl
    lines = write(tmp_path / file, OF_FOUR).read_text().splitlines()
    [place] = [number for number, line in enumerate(lines) if "milk" in line and "R1" in line]
    lines[place] = bad
    (tmp_path / file).write_text("\n".join(lines) + "\n")
    report = bring_in(shop, "receipts", tmp_path / file)
    assert [it["line"] for it in rejects(report) if it["row"] != OF_FOUR[3]] == [place, place + 1, place + 2]
    mended = write(tmp_path / f"mended-{file}", OF_FOUR)
    assert bring_in(shop, "receipts", mended).rejected == 0
    with shop.read() as connection:
        assert connection.scalars(select(RECEIPT.c.total).order_by(RECEIPT.c.total)).all() == [4100, 14100]


def test_a_row_of_empty_cells_is_no_line_of_any_receipt(shop: Database, tmp_path: Path) -> None:
    file = csv(tmp_path / "r.csv", [RECEIPTS[0], {}, RECEIPTS[1], {}, RECEIPTS[2]])
    report = bring_in(shop, "receipts", file)
    assert counts(report) == (3, 0, 0, 2)
    assert [it["line"] for it in rejects(report)] == [3, 5]


MISPLACED: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "payment": ({}, {"pay_points": "5"}, "has 'pay_points' in one of its 'lines'; write it beside 'receipt'"),
    "store": ({}, {"store": "lviv"}, "has 'store' in one of its 'lines'; write it beside 'receipt'"),
    "category": ({"category": "tea"}, {}, "has 'category' beside 'lines'; write it in each of them"),
}


@pytest.mark.parametrize("name", MISPLACED)
def test_what_stands_where_nobody_would_read_it_is_set_aside(
    shop: Database, tmp_path: Path, name: str
) -> None:
    head, line, reason = MISPLACED[name]
    lines = [{"sku": "espresso", "total": 100}, {"sku": "milk", "total": 20.5, **line}]
    receipt = {"receipt": "R1", "customer": "anna", "at": "2026-03-01T10:00:00+02:00", **head, "lines": lines}
    report = bring_in(shop, "receipts", jsonl(tmp_path / "r.jsonl", [receipt]))
    assert [it["reason"] for it in rejects(report)] == [reason]


def test_mended_rejects_go_in_as_they_are(shop: Database, tmp_path: Path) -> None:
    rows = [RECEIPTS[0], {**RECEIPTS[1], "total": "free"}, RECEIPTS[2]]
    report = bring_in(shop, "receipts", csv(tmp_path / "r.csv", rows))
    assert report.rejects
    report.rejects.write_text(report.rejects.read_text().replace('"free"', '"20.50"'))
    assert counts(bring_in(shop, "receipts", report.rejects)) == (2, 0, 0, 0)
    assert counts(bring_in(shop, "receipts", csv(tmp_path / "all.csv", RECEIPTS))) == (0, 0, 3, 0)


def test_rows_of_one_receipt_that_stand_apart_are_told_to_be_sorted(shop: Database, tmp_path: Path) -> None:
    report = bring_in(shop, "receipts", csv(tmp_path / "r.csv", [RECEIPTS[0], RECEIPTS[2], RECEIPTS[1]]))
    assert counts(report) == (2, 0, 0, 1)
    assert rejects(report)[0]["reason"].endswith(
        "if its rows stand apart in the file, sort the file by receipt"
    )


def test_rows_of_one_receipt_that_contradict_each_other_are_rejected(shop: Database, tmp_path: Path) -> None:
    rows = [RECEIPTS[0], {**RECEIPTS[1], "customer": "bohdan"}]
    report = bring_in(shop, "receipts", csv(tmp_path / "r.csv", rows))
    assert rejects(report)[1]["reason"] == "has another 'customer' than the receipt's first line"
    assert counts(report) == (0, 0, 0, 2)


def test_a_receipt_recorded_with_other_content_is_rejected(shop: Database, tmp_path: Path) -> None:
    bring_in(shop, "receipts", csv(tmp_path / "r.csv", RECEIPTS))
    report = bring_in(shop, "receipts", csv(tmp_path / "s.csv", [{**RECEIPTS[2], "total": "42"}]))
    assert "is in the books with other lines" in rejects(report)[0]["reason"]


def test_goods_named_in_receipts_are_known_before_they_earn(shop: Database, tmp_path: Path) -> None:
    rows: Rows = [
        {**RECEIPTS[2], "sku": "cigar", "category": "tobacco", "brand": "Havana", "product": "A cigar"}
    ]
    bring_in(shop, "receipts", csv(tmp_path / "r.csv", rows))
    with shop.read() as connection:
        assert tuple(connection.execute(select(PRODUCT)).one()) == ("cigar", "A cigar", "tobacco", "Havana")
        assert connection.scalars(select(LINE.c.earned_points)).all() == [0]


def test_local_times_are_the_clock_of_the_programs_zone(shop: Database, tmp_path: Path) -> None:
    row = {**RECEIPTS[2], "at": "2026-03-02 10:00"}
    bring_in(shop, "receipts", csv(tmp_path / "r.csv", [row]))
    assert counts(bring_in(shop, "receipts", csv(tmp_path / "s.csv", [RECEIPTS[2]]))) == (0, 0, 1, 0)


def test_history_triggers_nothing_even_where_it_ends(shop: Database, tmp_path: Path) -> None:
    old = [{**RECEIPTS[2], "at": "2023-05-01T10:00:00Z", "total": "2000"}]
    bring_in(shop, "receipts", csv(tmp_path / "r.csv", old))
    with shop.read() as connection:
        events = connection.execute(
            select(EVENT).where(EVENT.c.kind != "registered").order_by(EVENT.c.id)
        ).all()
        assert [(it.kind, it.live) for it in events] == [
            ("purchase", False), ("tier_changed", False), ("bonus_accrued", False),
            ("bonus_expired", False), ("tier_changed", False),
        ]  # fmt: skip
        assert connection.scalars(select(LOT.c.remaining)).all() == [0]
        assert (
            connection.scalar(select(CUSTOMER.c.tier).where(CUSTOMER.c.external_id == "bohdan")) == "bronze"
        )


def test_what_happened_just_now_may_trigger(shop: Database, tmp_path: Path) -> None:
    bring_in(shop, "receipts", csv(tmp_path / "r.csv", RECEIPTS), live=True)
    with shop.read() as connection:
        live = select(EVENT.c.live).where(EVENT.c.kind == "purchase")
        assert connection.scalars(live).all() == [True, True]


def test_transactions_of_any_size_give_the_same(shop: Database, tmp_path: Path) -> None:
    seen: list[tuple[int, float]] = []
    file = csv(tmp_path / "r.csv", RECEIPTS)
    report = bring_in(shop, "receipts", file, chunk=1, progress=lambda rows, part: seen.append((rows, part)))
    assert counts(report) == (3, 0, 0, 0)
    assert [rows for rows, _ in seen] == [2, 3]
    assert seen[-1][1] == 1.0
    assert report.seconds > 0
    with shop.read() as connection:
        assert connection.scalars(select(RECEIPT.c.recorded_at)).all() == [NOW, NOW]
