"""The movement of bonuses, through the command line."""

import csv
import io
import json

import pytest

from tests.support.shop import Shop, shop

__all__ = ["shop"]

YEARS = ("movement", "--from", "2020-01-01", "--to", "2199-01-01")


@pytest.fixture
def gifts(shop: Shop) -> Shop:
    """Two customers, one of whom somebody gave fifty bonuses, and took 20.5 of them."""
    people = "customer,name\nK-1,Olena\nK-2,Taras\n"
    assert shop.run("import", "customers", str(shop.write("customers.csv", people))).code == 0
    for points in ("50", "-20.5"):
        assert shop.run("adjust", "K-1", points, "--author", "maria", "--reason", "goodwill").code == 0
    return shop


def test_what_became_of_bonuses_is_told_as_json(gifts: Shop) -> None:
    found = json.loads(gifts.run(*YEARS, "--format", "json").out)
    [account] = found["accounts"]
    assert (account["opening"], account["adjusted"], account["closing"]) == ("0", "29.5", "29.5")
    assert account["months"][-1]["to"] == found["to"]
    outstanding = found["outstanding"]
    assert (outstanding["points"], outstanding["amount"], outstanding["customers"]) == ("29.5", "29.50", 1)
    # A period that is not over is told as it is now.
    assert outstanding["at"] < found["to"]


def test_a_spreadsheet_has_each_account_month_by_month(gifts: Shop) -> None:
    rows = list(csv.DictReader(io.StringIO(gifts.run(*YEARS, "--format", "csv").out)))
    assert {row["account"] for row in rows} == {"base"}
    assert [row["opening"] for row in rows[1:]] == [row["closing"] for row in rows[:-1]]
    assert rows[-1]["closing"] == "29.5"


def test_people_read_a_table_whose_figures_stand_under_each_other(gifts: Shop) -> None:
    said = gifts.run(*YEARS).out
    # What nothing happened by has no column.
    assert "expired" not in said
    assert "Outstanding on" in said
    [row] = [line for line in said.splitlines() if line.strip().startswith("in all")]
    assert row.split() == ["in", "all", "0.00", "29.50", "29.50"]


@pytest.mark.parametrize(
    ("days", "complaint"),
    [
        (("2020-01-02", "2020-01-02"), "--to must be a day after --from"),
        (("2020-13-01", "2020-01-02"), "--from: '2020-13-01' is no day; write for example 2026-03-01"),
        (("2020-01-01", "9999-01-01"), "--to: the year 9999 is not between 1970 and 2200"),
    ],
)
def test_what_is_no_period_is_said_in_a_sentence(shop: Shop, days: tuple[str, str], complaint: str) -> None:
    refused = shop.run("movement", "--from", days[0], "--to", days[1])
    assert (refused.code, refused.err) == (2, f"tidings: {complaint}\n")
