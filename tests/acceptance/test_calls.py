"""The call list from the command line."""

import stat

from openpyxl import load_workbook

from tests.support.shop import Shop, shop

__all__ = ["shop"]


def test_a_list_is_a_table_a_csv_or_a_workbook_that_only_its_maker_may_read(shop: Shop) -> None:
    assert shop.run("apply", "--yes").code == 0
    rehearsed = shop.run("calls", "--day", "2026-03-01")
    assert (rehearsed.code, "0 to call, listed on 2026-03-01" in rehearsed.err) == (0, True)
    assert "TIDINGS_CALL_LIST_TRANSPORT=list" in rehearsed.err
    assert shop.run("calls", "--format", "csv").out.startswith("call,planned,scenario,")
    out = shop.path / "calls.xlsx"
    assert shop.run("calls", "--out", str(out)).code == 0
    assert load_workbook(out).worksheets[0]["A1"].value == "Call"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_what_cannot_be_is_said_in_a_sentence(shop: Shop) -> None:
    assert shop.run("calls", "--format", "xlsx").err == (
        "tidings: --format xlsx is no text; add --out calls.xlsx\n"
    )
    assert "--day: 'today' is not a day" in shop.run("calls", "--day", "today").err
    assert "name the file .csv or .xlsx" in shop.run("calls", "--out", "calls.txt").err
    sheet = shop.write("back.csv", "call,result\ncall-1,reached\n")
    results = shop.run("call-results", str(sheet))
    assert (results.code, results.out) == (1, "0 recorded, 0 known before, 1 not on the list\n")
    wrong = shop.run("call-results", str(shop.write("wrong.csv", "call,result\ncall-1,shouted\n")))
    assert (wrong.code, "'shouted' is no result of a call" in wrong.err) == (1, True)
