"""The call list as people and diallers get it."""

import csv
import io
from datetime import date, datetime

from openpyxl import load_workbook

from channels.call_list.sheet import COLUMNS, RESULTS, Call, as_csv, as_xlsx

PLANNED = datetime.fromisoformat("2026-03-01 10:00")
ANNA = Call(
    "call-1", PLANNED, "win-back", "00042", "Анна Коваль", "+380501234567", "uk",
    "Доброго дня!\nУ вас 500 бонусів.",
)  # fmt: skip
MALLORY = Call(
    "call-2", PLANNED, "win-back", "@SUM(A1)", '=HYPERLINK("https://evil.example")',
    "+48500600700", "pl", "-1+1",
)  # fmt: skip


def test_a_csv_opens_in_excel_with_its_letters_and_runs_no_formula() -> None:
    made = as_csv([ANNA, MALLORY])
    assert made.startswith(b"\xef\xbb\xbf")
    anna, mallory = csv.DictReader(io.StringIO(made.decode("utf-8-sig"), newline=""))
    assert list(anna) == list(COLUMNS)
    assert (anna["customer"], anna["phone"]) == ("00042", "+380 50 123 4567")
    assert anna["say"] == "Доброго дня!\nУ вас 500 бонусів."
    assert mallory["name"].startswith("'=")
    assert mallory["customer"].startswith("'@")
    assert mallory["say"] == "'-1+1"
    assert not as_csv([ANNA], mark=False).startswith(b"\xef\xbb\xbf")


def test_a_workbook_holds_texts_in_wide_columns_under_a_head_that_stays() -> None:
    book = load_workbook(io.BytesIO(as_xlsx([ANNA, MALLORY], date(2026, 3, 1))))
    [sheet] = book.worksheets
    rows = list(sheet.iter_rows())
    assert [cell.value for cell in rows[0]] == [name.capitalize() for name in COLUMNS]
    anna, mallory = (dict(zip(COLUMNS, row, strict=True)) for row in rows[1:])
    assert (anna["phone"].value, anna["phone"].data_type) == ("+380 50 123 4567", "s")
    assert (anna["customer"].value, anna["customer"].data_type) == ("00042", "s")
    assert anna["planned"].value == PLANNED
    assert anna["say"].alignment.wrap_text
    assert {mallory[name].data_type for name in ("customer", "name", "say")} == {"s"}
    assert mallory["name"].hyperlink is None
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:J3")
    assert sheet.column_dimensions["H"].width > 60
    [choice] = sheet.data_validations.dataValidation
    assert choice.formula1 == f'"{",".join(RESULTS)}"'
    assert str(choice.sqref) == "I2:I3"


def test_a_day_without_calls_is_a_sheet_with_its_head_alone() -> None:
    book = load_workbook(io.BytesIO(as_xlsx([], date(2026, 3, 1))))
    assert book.worksheets[0].max_row == 1
    assert as_csv([]).decode("utf-8-sig").strip() == ",".join(COLUMNS)
