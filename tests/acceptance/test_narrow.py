"""What is listed in a terminal of eighty columns: columns stand below each other, and words stay whole."""

from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from tests.support.shop import Shop, shop
from tidings.listing import listing

__all__ = ["shop"]

COLUMNS = ("when", "scenario", "occasion", "state")
ROW = ("2026-11-22 11:16", "bonus-accrued", "receipt:TILL-7#6635", "sent")


def said(width: int, *rows: tuple[str, ...]) -> list[list[str]]:
    out = Console(width=width, highlight=False)
    with out.capture() as page:
        out.print(listing("", COLUMNS, rows, ("when", "scenario, occasion", "state")))
    return [line.split() for line in page.get().splitlines() if line.strip()]


def test_columns_stand_side_by_side_where_they_have_room() -> None:
    head, _, row = said(80, ROW)
    assert head == list(COLUMNS)
    assert row == ["2026-11-22", "11:16", "bonus-accrued", "receipt:TILL-7#6635", "sent"]


def test_and_below_each_other_where_they_have_not() -> None:
    above, head, _, *row = said(60, ROW)
    assert (above, head) == (["scenario"], ["when", "occasion", "state"])
    assert row == [["2026-11-22", "11:16", "bonus-accrued", "sent"], ["receipt:TILL-7#6635"]]


def test_a_long_identity_alone_stacks_nothing() -> None:
    head, *_ = said(80, (*ROW[:2], "7cdf629796384aa8cd379acbae360f17#6612", "sent"))
    assert head == list(COLUMNS)


@pytest.fixture
def narrow(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop that has sent a message, in a terminal of eighty columns."""
    for place in ("operate", "data"):
        monkeypatch.setattr(f"tidings.commands.{place}.console", lambda: Console(width=80, highlight=False))
    person = "customer,name,email,locale\nK-1,Olena [VIP] Koval,olena.shevchenko@example.com,en\n"
    shop.run("import", "customers", str(shop.write("people.csv", person)))
    assert shop.run("apply", "--yes").code == 0
    at = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    receipt = f"receipt,customer,at,sku,quantity,total\nT-7,K-1,{at},beans,1,500.00\n"
    shop.run("import", "receipts", str(shop.write("lately.csv", receipt)), "--live")
    assert shop.run("tick").code == 0
    return shop


@pytest.mark.parametrize("words", [("messages",), ("customer", "K-1")])
def test_messages_and_a_customers_page_break_no_word(narrow: Shop, words: tuple[str, ...]) -> None:
    page = narrow.run(*words).out.split()
    assert {"bonus-accrued", "email", "occasion"} <= {*page}
    assert any(it.startswith("receipt:T-7#") for it in page)


def test_an_address_and_a_name_stand_there_as_they_are(narrow: Shop) -> None:
    page = narrow.run("customer", "K-1").out
    assert "email olena.shevchenko@example.com" in page
    assert "Olena [VIP] Koval" in page
