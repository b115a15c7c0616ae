"""Files as people have them: delimiters, encodings, quotes, headers, and what is said of a wrong one."""

import json
import os
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from core.customers.profiles import CUSTOMER
from core.db import Database
from core.errors import UserError
from core.imports import columns
from core.purchases.goods import PRODUCT
from core.purchases.receipts import RECEIPT
from tests.core.books import START, register
from tests.core.files import CUSTOMERS, PROGRAM, RECEIPTS, bring_in, counts, csv, jsonl, parquet, rejects

SEEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
DOCS = Path(__file__).resolve().parents[2] / "docs" / "import.md"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_of_any_make_is_understood(
    sqlite_database: Database, tmp_path: Path, delimiter: str, mark: str, end: str
) -> None:
    file = csv(tmp_path / "c.csv", CUSTOMERS, delimiter)
    file.write_text(mark + file.read_text(encoding="utf-8"), encoding="utf-8", newline=end)
    assert counts(bring_in(sqlite_database, "customers", file)) == (2, 0, 0, 0)


def test_quoted_values_may_hold_delimiters_and_line_ends(sqlite_database: Database, tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text('customer,name,city\n1,"Коваль, Олена","Львів\nЦентр"\n\n2,bad\n', encoding="utf-8")
    report = bring_in(sqlite_database, "customers", file)
    assert counts(report) == (1, 0, 0, 1)
    assert rejects(report)[0]["line"] == 5
    with sqlite_database.read() as connection:
        assert connection.scalar(select(CUSTOMER.c.name)) == "Коваль, Олена"


def test_a_line_that_is_no_json_is_set_aside(sqlite_database: Database, tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text('{"customer": "1"}\n{"customer": \n[1]\n{"customer": "2", "nmae": "x"}\n{"name": "y"}\n')
    report = bring_in(sqlite_database, "customers", file)
    assert counts(report) == (1, 0, 0, 4)
    said = [(it["line"], it["reason"]) for it in rejects(report)]
    assert said[0] == (2, "is no JSON (Expecting value after 14 characters)")
    assert said[1:] == [
        (3, "is no JSON object; write one object a line"),
        (4, "has a field 'nmae' that is not known; did you mean 'name'?"),
        (5, f"has no field 'customer'; add it ({columns.CUSTOMERS[0].form})"),
    ]


def test_nested_attributes_are_the_same_as_dotted_ones(sqlite_database: Database, tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text('{"customer": "1", "attributes": {"vip": true, "size": null}}\n')
    bring_in(sqlite_database, "customers", file)
    with sqlite_database.read() as connection:
        assert connection.scalar(select(CUSTOMER.c.attributes)) == {"vip": True}


def test_parquet_brings_its_own_types(sqlite_database: Database, tmp_path: Path) -> None:
    register(sqlite_database, PROGRAM, "7")
    rows = [
        {"receipt": 1, "customer": 7.0, "at": START, "sku": "a", "quantity": 2, "total": 0.1 + 0.2},
        {"receipt": 2, "customer": 7.0, "at": START, "sku": "a", "quantity": 1, "total": 12.345},
    ]
    report = bring_in(sqlite_database, "receipts", parquet(tmp_path / "r.parquet", rows))
    assert counts(report) == (1, 0, 0, 1)
    assert rejects(report)[0]["reason"] == "'total' has more than 2 decimal places"
    customers = [
        {
            "customer": Decimal(8),
            "birthday": date(1990, 1, 1),
            "registered_at": datetime.fromisoformat("2025-01-01"),
        }
    ]
    bring_in(sqlite_database, "customers", parquet(tmp_path / "c.parquet", customers))
    with sqlite_database.read() as connection:
        assert connection.scalar(select(RECEIPT.c.total)) == 30
        registered = connection.scalar(select(CUSTOMER.c.registered_at).where(CUSTOMER.c.external_id == "8"))
    assert registered == datetime(2024, 12, 31, 22, 0, tzinfo=UTC)


def test_a_row_of_parquet_is_read_the_same_once_it_was_rejected_and_mended(
    sqlite_database: Database, tmp_path: Path
) -> None:
    row = {
        "birthday": datetime.fromisoformat("1990-03-15"), "registered_at": SEEN,
        "attributes.size": Decimal(39), "attributes.tall": Decimal("1.75"), "attributes.seen": SEEN,
    }  # fmt: skip
    rows = [{"customer": "1", "phone": "+380501234567", **row}, {"customer": "2", "phone": "wrong", **row}]
    report = bring_in(sqlite_database, "customers", parquet(tmp_path / "c.parquet", rows))
    assert report.rejects
    report.rejects.write_text(report.rejects.read_text().replace('"wrong"', '"+380501234568"'))
    assert counts(bring_in(sqlite_database, "customers", report.rejects)) == (1, 0, 0, 0)
    known = (CUSTOMER.c.birthday, CUSTOMER.c.registered_at, CUSTOMER.c.attributes)
    with sqlite_database.read() as connection:
        one, other = connection.execute(select(*known).order_by(CUSTOMER.c.id)).all()
    assert other == one
    assert (one.birthday, one.attributes["size"], one.attributes["tall"]) == (date(1990, 3, 15), 39, 1.75)


def test_text_that_parquet_has_as_bytes_is_text(sqlite_database: Database, tmp_path: Path) -> None:
    rows = [{"sku": b"1", "name": "Чай".encode()}, {"sku": b"2", "name": b"tea"}]
    assert bring_in(sqlite_database, "products", parquet(tmp_path / "p.parquet", rows)).created == 2
    with sqlite_database.read() as connection:
        assert set(connection.scalars(select(PRODUCT.c.name))) == {"Чай", "tea"}


def test_a_line_that_tells_spreadsheets_what_separates_values_is_heeded(
    sqlite_database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "p.csv"
    file.write_text("sep=;\r\nsku;name,in full\r\n1;tea\r\n", encoding="utf-8-sig")
    with pytest.raises(UserError, match=r"p\.csv has a column 'name,in full' that is not known"):
        bring_in(sqlite_database, "products", file)
    file.write_text("sep=;\r\nsku;name\r\n1;tea\r\n;nothing\r\n", encoding="utf-8-sig")
    report = bring_in(sqlite_database, "products", file)
    assert (report.created, [it["line"] for it in rejects(report)]) == (1, [4])


WRONG = {
    "kind": ("custommers", "c.csv", b"",
             "there is no kind of import 'custommers'; did you mean 'customers'?"),
    "missing": ("customers", None, b"", "there is no file {folder}/absent.csv; check the path"),
    "format": (
        "customers", "c.dat", b"",
        "the format of c.dat is not clear from its name; say --as csv, jsonl or parquet",
    ),
    "spreadsheet": (
        "customers", "c.xlsx", b"PK", "c.xlsx is a spreadsheet; save it as CSV (UTF-8) and import that",
    ),
    "empty": ("customers", "c.csv", b"", "c.csv is empty; its first line must name the columns"),
    "empty line": (
        "customers", "c.csv", b"\n\ncustomer\n1\n",
        "c.csv begins with an empty line; the first line must name the columns",
    ),
    "no name": (
        "customers", "c.csv", b"customer,name,\n1,a,\n",
        "c.csv has a column without a name (number 3); name it, or take it out",
    ),
    "required": (
        "customers", "c.csv", b"custmer,name\n",
        "c.csv has no column 'customer'; the nearest is 'custmer': rename it",
    ),
    "required alone": (
        "products", "c.csv", b"name\n", "c.csv has no column 'sku'; add it (text: the code of the goods)",
    ),
    "required under another name": (
        "customers", "c.csv", b"external_id,name\n",
        "c.csv has no column 'customer'; rename what holds it, or add it (text, 1 to 200 characters: ",
    ),
    "of another file": (
        "customers", "c.csv", b"customer,consent_sms\n",
        "c.csv has a column 'consent_sms' that is not known; consents are a file of their own: ",
    ),
    "unknown": (
        "customers", "c.csv", b"customer,phnoe\n",
        "c.csv has a column 'phnoe' that is not known; did you mean 'phone'?",
    ),
    "twice": ("customers", "c.csv", b"customer,name,name\n", "c.csv has the column 'name' twice"),
    "encoding": (
        "customers", "c.csv", "customer,name\n1,a\n2,Олена\n".encode("cp1251"),
        "c.csv is not UTF-8 (line 3); save it as UTF-8 and import it again",
    ),
    "cut off": (
        "customers", "c.jsonl", "Ї".encode()[:1],
        "c.jsonl is not UTF-8 (its end is cut off); save it again and import it again",
    ),
    "no parquet": ("receipts", "r.parquet", b"PK\3\4 not parquet at all", "r.parquet is no Parquet file ("),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_wrong_as_a_whole_is_refused_in_one_sentence(
    sqlite_database: Database, tmp_path: Path, name: str
) -> None:
    kind, called, content, sentence = WRONG[name]
    file = tmp_path / (called or "absent.csv")
    if called:
        file.write_bytes(content)
    with pytest.raises(UserError) as refused:
        bring_in(sqlite_database, kind, file)
    assert str(refused.value).startswith(sentence.replace("{folder}", str(tmp_path)))
    assert "\n" not in str(refused.value)
    assert [it.name for it in tmp_path.iterdir()] == ([called] if called else [])


def test_a_format_that_is_none_is_told_so(sqlite_database: Database, tmp_path: Path) -> None:
    file = csv(tmp_path / "c.csv", CUSTOMERS)
    with pytest.raises(UserError, match=r"there is no format 'xml'; write csv, jsonl or parquet"):
        bring_in(sqlite_database, "customers", file, format="xml")


def test_a_folder_and_a_pipe_are_told_as_what_they_are(sqlite_database: Database, tmp_path: Path) -> None:
    folder, pipe = tmp_path / "rows.csv", tmp_path / "pipe.csv"
    folder.mkdir()
    os.mkfifo(pipe)
    with pytest.raises(UserError, match=r"rows\.csv is a folder; name a file in it"):
        bring_in(sqlite_database, "customers", folder)
    with pytest.raises(UserError, match=r"pipe\.csv is a pipe or a device, .* save it first"):
        bring_in(sqlite_database, "customers", pipe)


@pytest.mark.parametrize("unnamed", [".", "..", "/"])
def test_a_folder_without_a_name_is_told_as_a_folder(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unnamed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = csv(tmp_path / "c.csv", CUSTOMERS)
    with pytest.raises(UserError, match=rf"{re.escape(unnamed)} is a folder; name a file in it"):
        bring_in(sqlite_database, "customers", Path(unnamed))
    with pytest.raises(UserError, match=rf"{re.escape(unnamed)} is a folder; name another file for the rows"):
        bring_in(sqlite_database, "customers", file, rejects=Path(unnamed))


def test_a_folder_in_the_place_of_rejected_rows_is_told_before_anything_goes_in(
    sqlite_database: Database, tmp_path: Path
) -> None:
    file, folder = tmp_path / "c.csv", tmp_path / "aside"
    file.write_text("customer,phone\nK-1,\nK-2,1\n")
    folder.mkdir()
    with pytest.raises(UserError, match=r"aside is a folder; name another file for the rows"):
        bring_in(sqlite_database, "customers", file, rejects=folder)
    with sqlite_database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(CUSTOMER)) == 0
    assert sorted(it.name for it in tmp_path.iterdir()) == ["aside", "c.csv"]


@pytest.mark.parametrize("wrong", ["", "1"])
def test_a_device_that_swallows_rejected_rows_is_not_replaced_by_them(
    sqlite_database: Database, tmp_path: Path, wrong: str
) -> None:
    file, device = tmp_path / "c.csv", tmp_path / "null"
    file.write_text(f"customer,phone\nK-1,\nK-2,{wrong}\n")
    os.mkfifo(device)
    with pytest.raises(UserError, match=r"null is a pipe or a device, .*; name another file for the rows"):
        bring_in(sqlite_database, "customers", file, rejects=device)
    assert sorted(it.name for it in tmp_path.iterdir()) == ["c.csv", "null"]
    assert device.is_fifo()


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(
    sqlite_database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "c.csv"
    filling = "".join(f"x{number},{'y' * 150}\n" for number in range(400))
    file.write_text(f'customer,name\n1,a\n2,"b\n{filling}3,c\n')
    report = bring_in(sqlite_database, "customers", file)
    assert report.rejected == 1
    assert rejects(report)[0]["line"] == 3
    assert "a quote that is never closed" in rejects(report)[0]["reason"]
    assert report.created == 402


def test_signs_for_inches_do_not_swallow_the_rows_between_them(
    sqlite_database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "p.csv"
    file.write_text('sku,name\n1,TV 32"\n2,tea\n3,TV 42"\n4,"quoted\nname"\n')
    report = bring_in(sqlite_database, "products", file)
    assert (report.created, [it["line"] for it in rejects(report)]) == (2, [2, 4])
    # What was understood is in the row: taken as it is, it goes in.
    assert report.rejects
    assert bring_in(sqlite_database, "products", report.rejects).created == 2
    with sqlite_database.read() as connection:
        assert connection.scalar(select(PRODUCT.c.name).where(PRODUCT.c.sku == "3")) == 'TV 42"'


def test_the_rejects_of_an_earlier_import_do_not_outlive_the_next(
    sqlite_database: Database, tmp_path: Path
) -> None:
    file = csv(tmp_path / "c.csv", [{"customer": "1", "phone": "wrong"}])
    chosen = tmp_path / "aside.jsonl"
    assert bring_in(sqlite_database, "customers", file, rejects=chosen).rejects == chosen
    assert json.loads(chosen.read_text())["line"] == 2
    csv(file, [{"customer": "1", "phone": "+380501234567"}])
    assert bring_in(sqlite_database, "customers", file, rejects=chosen).rejects is None
    assert not chosen.exists()


@pytest.mark.parametrize(("name", "aside"), [("c.csv", "./c.csv"), ("c.jsonl.part", "c.jsonl")])
def test_the_rejects_never_take_the_place_of_what_is_imported(
    sqlite_database: Database, tmp_path: Path, name: str, aside: str
) -> None:
    file = csv(tmp_path / name, [{"customer": "1"}])
    before = file.read_text()
    with pytest.raises(UserError, match="is what is imported; name another file"):
        bring_in(sqlite_database, "customers", file, rejects=tmp_path / aside, format="csv")
    assert file.read_text() == before


def test_a_format_may_be_named(sqlite_database: Database, tmp_path: Path) -> None:
    file = csv(tmp_path / "export.2026", CUSTOMERS)
    assert counts(bring_in(sqlite_database, "customers", file, format="csv")) == (2, 0, 0, 0)


@pytest.mark.parametrize("kind", columns.KINDS)
def test_every_column_is_documented(kind: str) -> None:
    assert columns.table(kind) in DOCS.read_text(encoding="utf-8")


def test_an_example_of_every_column_goes_in(sqlite_database: Database, tmp_path: Path) -> None:
    for kind in ("customers", "stores", "products", "receipts", "consents"):
        row = {it.name.replace("<name>", "milk"): it.example for it in columns.KINDS[kind]}
        row.pop("pay_points", None)
        inviter = [{"customer": row["referred_by"]}] if "referred_by" in row else []
        rows = [_quoted(row), *inviter]
        report = bring_in(sqlite_database, kind, csv(tmp_path / f"{kind}.csv", rows))
        assert report.rejected == 0, rejects(report)


def _quoted(row: dict[str, str]) -> dict[str, str]:
    return {name: f'"{value}"' for name, value in row.items()}


def test_no_receipt_of_the_examples_is_left_out() -> None:
    assert {it for row in RECEIPTS for it in row} <= {it.name for it in columns.RECEIPTS}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (r'{"customer": "a\u0000b"}', "'customer' has a NUL character, which cannot be kept"),
        (r'{"customer": "1", "name": "a\u0000"}', "'name' has a NUL character, which cannot be kept"),
        (
            r'{"customer": "1", "attributes": {"x": "a\u0000"}}',
            "'attributes.x' has a NUL character, which cannot be kept",
        ),
        (
            r'{"customer": "1", "attributes": {"a\u0000": 1}}',
            "the name of an attribute has a NUL character, which cannot be kept",
        ),
        (r'{"customer": "\ud800"}', "has half a character: \\ud800 to \\udfff come in pairs"),
        (
            r'{"customer": "1", "attributes": {"x": "\udc00"}}',
            "has half a character: \\ud800 to \\udfff come in pairs",
        ),
        *(
            (
                f'{{"customer": "1", "attributes": {{"x": {odd}}}}}',
                "'attributes.x' is neither text, a number, yes or no, nor a list of them",
            )
            for odd in ("NaN", "-Infinity", "1e999", '{"y": 1}', "[[NaN]]")
        ),
        (
            f'{{"customer": "1", "attributes": {{"x": {"9" * 5_000}}}}}',
            "has a number of thousands of digits, or brackets without end",
        ),
        ("[" * 100_000, "has a number of thousands of digits, or brackets without end"),
    ],
)
def test_a_row_that_no_database_keeps_is_set_aside_and_the_rest_goes_in(
    database: Database, tmp_path: Path, row: str, reason: str
) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text(f'{{"customer": "before"}}\n{row}\n{{"customer": "after"}}\n', encoding="utf-8")
    report = bring_in(database, "customers", file)
    assert counts(report) == (2, 0, 0, 1)
    assert [(it["line"], it["reason"]) for it in rejects(report)] == [(2, reason)]


def test_a_nul_in_csv_costs_its_row_alone(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text("customer,name\n1,a\0b\n2,c\n", encoding="utf-8")
    assert counts(bring_in(database, "customers", file)) == (1, 0, 0, 1)


@pytest.mark.parametrize("make", [jsonl, parquet], ids=["jsonl", "parquet"])
def test_an_attribute_may_be_a_list(database: Database, tmp_path: Path, make: Any) -> None:
    rows = [{"customer": "1", "attributes.tags": ["vip", "wholesale"]}]
    assert counts(bring_in(database, "customers", make(tmp_path / f"c.{make.__name__}", rows))) == (
        1,
        0,
        0,
        0,
    )
    with database.read() as connection:
        assert connection.scalar(select(CUSTOMER.c.attributes)) == {"tags": ["vip", "wholesale"]}


def test_attributes_keep_the_days_times_and_decimals_of_parquet(database: Database, tmp_path: Path) -> None:
    row = {
        "customer": "1", "attributes.since": date(2020, 2, 29), "attributes.seen": SEEN,
        "attributes.size": Decimal("36.5"), "attributes.visits": Decimal("12.00"),
    }  # fmt: skip
    assert counts(bring_in(database, "customers", parquet(tmp_path / "c.parquet", [row]))) == (1, 0, 0, 0)
    with database.read() as connection:
        assert connection.scalar(select(CUSTOMER.c.attributes)) == {
            "since": "2020-02-29", "seen": "2026-01-02T03:04:00+00:00", "size": 36.5, "visits": 12,
        }  # fmt: skip
    row = {"customer": "2", "attributes.picture": b"GIF\xff"}
    report = bring_in(database, "customers", parquet(tmp_path / "d.parquet", [row]))
    assert counts(report) == (0, 0, 0, 1)


def test_a_receipts_odd_number_costs_the_receipt_alone(database: Database, tmp_path: Path) -> None:
    register(database, PROGRAM, "anna")
    good = {"receipt": "R1", "customer": "anna", "at": "2026-03-01T10:00:00Z", "sku": "x", "total": "1"}
    odd: list[dict[str, Any]] = [
        {"receipt": ["R2"]}, {"receipt": {"n": 2}}, {"receipt": "R\0"}, {"sku": "\0"}, {"store": "a\0"},
        {"category": "\0"},
    ]  # fmt: skip
    bad = [{**good, "receipt": f"B{number}", **it} for number, it in enumerate(odd)]
    report = bring_in(database, "receipts", jsonl(tmp_path / "r.jsonl", [*bad, good]))
    assert counts(report) == (1, 0, 0, len(bad))


def test_lines_that_end_in_cr_alone_are_told(sqlite_database: Database, tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_bytes(b"customer,name\r1,a\r2,b\r")
    with pytest.raises(UserError, match="its lines end in CR alone"):
        bring_in(sqlite_database, "customers", file)
