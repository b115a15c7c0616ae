"""Tables that spreadsheets open."""

import csv
import io

import pytest

from core.sheets import Sheet


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_what_others_wrote_is_never_a_formula_and_numbers_stay_numbers(sign: str) -> None:
    file = io.StringIO(newline="")
    sheet = Sheet(file, ["name", "points", "phone"], ours=["phone"])
    sheet.add([[f"{sign}1+1", -5, "+380 50 123 4567"], ["", None, ""]])
    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [
        ["name", "points", "phone"],
        [f"'{sign}1+1", "-5", "+380 50 123 4567"],
        ["", "", ""],
    ]


def test_whatever_ends_a_line_in_a_text_does_not_end_the_row() -> None:
    file = io.StringIO(newline="")
    Sheet(file, ["say"]).add([["\r=1+1"], ["one\r\ntwo\rthree"]])
    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [
        ["say"],
        ["'\n=1+1"],
        ["one\ntwo\nthree"],
    ]
