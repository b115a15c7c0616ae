"""The list as a sheet: CSV for a dialler, XLSX for people."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from core.sheets import Sheet

COLUMNS = ("call", "planned", "scenario", "customer", "name", "phone", "language", "say", "result", "note")
WIDTHS = (22, 16, 20, 16, 24, 20, 10, 70, 16, 30)
RESULTS = ("reached", "no answer", "wrong number", "no more calls")
"""What may stand under `result` when the sheet comes back; `tidings call-results` reads them."""

# What a cell of Excel holds.
_LONGEST_CELL = 32_767


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody to phone: `phone` as E.164, `planned` a wall time of the program's zone without one."""

    id: str
    planned: datetime
    scenario: str
    customer: str = field(repr=False)
    name: str = field(repr=False)
    phone: str = field(repr=False)
    language: str
    say: str = field(repr=False)

    def row(self) -> dict[str, str]:
        """The cells by their columns, the phone as people write it."""
        return {
            "call": self.id, "planned": f"{self.planned:%Y-%m-%d %H:%M}", "scenario": self.scenario,
            "customer": self.customer, "name": self.name, "phone": readable(self.phone),
            "language": self.language, "say": self.say, "result": "", "note": "",
        }  # fmt: skip


def readable(phone: str) -> str:
    """`+380 50 123 4567` for an E.164 number; as it stands if it is none of a known country."""
    import phonenumbers

    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return phone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def as_csv(calls: Sequence[Call], *, mark: bool = True) -> bytes:
    """RFC 4180 in UTF-8; `mark` puts the byte order mark first, without which Excel mistakes the letters."""
    file = io.StringIO(newline="")
    # The number is made of digits by ourselves, and a dialler would choke on a quoted one.
    Sheet(file, COLUMNS, ours=("phone",), end="\r\n").add([*call.row().values()] for call in calls)
    return file.getvalue().encode("utf-8-sig" if mark else "utf-8")


def as_xlsx(calls: Sequence[Call], day: date) -> bytes:
    """A workbook with one sheet: filters, a head that stays, and the results to choose from.

    Every cell is a text or a time: nothing is read as a number, a formula or a link.
    """
    from xlsxwriter import Workbook

    file = io.BytesIO()
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(file, {"in_memory": True, **plain}) as book:
        book.set_properties(
            {"title": f"Calls of {day}", "created": datetime.combine(day, datetime.min.time())}
        )
        sheet = book.add_worksheet(f"Calls {day}")
        _head(book, sheet)
        _body(book, sheet, calls)
        _frame(sheet, len(calls))
    return file.getvalue()


def _head(book: Any, sheet: Any) -> None:
    bold = {"bold": True, "font_color": "#FFFFFF", "bg_color": "#1F4E5F", "valign": "vcenter", "border": 0}
    style = book.add_format({**bold, "indent": 1})
    sheet.set_row(0, 24)
    for column, (name, width) in enumerate(zip(COLUMNS, WIDTHS, strict=True)):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, name.capitalize(), style)


def _body(book: Any, sheet: Any, calls: Sequence[Call]) -> None:
    cell = {"valign": "top", "bottom": 1, "bottom_color": "#D9D9D9"}
    text = book.add_format({**cell, "num_format": "@"})
    wrapped = book.add_format({**cell, "num_format": "@", "text_wrap": True})
    time = book.add_format({**cell, "num_format": "yyyy-mm-dd hh:mm", "align": "left"})
    to_fill = book.add_format({**cell, "num_format": "@", "bg_color": "#FFF8E1", "text_wrap": True})
    styles = {"say": wrapped, "name": wrapped, "result": to_fill, "note": to_fill}
    for number, call in enumerate(calls, start=1):
        for column, (name, value) in enumerate(call.row().items()):
            if name == "planned":
                sheet.write_datetime(number, column, call.planned, time)
            elif value:
                sheet.write_string(number, column, value[:_LONGEST_CELL], styles.get(name, text))
            else:
                sheet.write_blank(number, column, None, styles.get(name, text))


def _frame(sheet: Any, rows: int) -> None:
    last = len(COLUMNS) - 1
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, rows, last)
    if rows:
        result = COLUMNS.index("result")
        sheet.data_validation(1, result, rows, result, {"validate": "list", "source": list(RESULTS)})
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
