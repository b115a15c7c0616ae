"""What is done for customers by hand, through the command line."""

import json

import pytest

from tests.support.shop import Shop, shop

__all__ = ["shop"]

CUSTOMERS = """customer,name,phone
K-1,Olena,+380501234567
K-2,Olena Koval,+380501234567
K-3,Taras,
"""
ANSWERED_FOR = ("--author", "maria", "--reason", "goodwill")


def bring_in(shop: Shop) -> None:
    assert shop.run("import", "customers", str(shop.write("customers.csv", CUSTOMERS))).code == 0
    assert shop.run("adjust", "K-1", "50", *ANSWERED_FOR).code == 0


def test_bonuses_are_given_and_taken_by_hand(shop: Shop) -> None:
    bring_in(shop)
    taken = shop.run("adjust", "K-1", "-20.5", *ANSWERED_FOR, "--id", "t-1", "--format", "json")
    assert json.loads(taken.out)["balance"] == "29.5"
    again = shop.run("adjust", "K-1", "-20.5", *ANSWERED_FOR, "--id", "t-1", "--format", "json")
    assert json.loads(again.out) == json.loads(taken.out) | {"repeated": True}
    refused = shop.run("adjust", "K-1", "-200", *ANSWERED_FOR)
    assert (refused.code, refused.err) == (2, "tidings: 29.5 bonuses are available for this\n")


@pytest.mark.parametrize("number", ["", " ", "7" * 201])
def test_a_number_of_ones_own_is_kept_or_refused_and_never_passed_over(shop: Shop, number: str) -> None:
    bring_in(shop)
    for words in (("adjust", "K-1", "5", *ANSWERED_FOR), ("transfer", "K-1", "K-3", "5")):
        refused = shop.run(*words, "--id", number)
        said = "tidings: --id: write 1 to 200 characters, or leave it out\n"
        assert (refused.code, refused.err) == (2, said)
    assert shop.run("adjust", "K-1", "5", *ANSWERED_FOR, "--id", "7" * 200).code == 0


@pytest.mark.parametrize("written", ["1e3", "1_000", "٣", "5,50", "5.", "many", "NaN", "−5", " 5", ""])
def test_bonuses_are_written_in_digits_with_decimals_after_a_point(shop: Shop, written: str) -> None:
    bring_in(shop)
    refused = shop.run("adjust", "K-1", written, *ANSWERED_FOR)
    said = f"tidings: '{written}' is no number of bonuses; write digits, and decimals after a point\n"
    assert (refused.code, refused.err) == (2, said)
    assert json.loads(shop.run("customer", "K-1", "--format", "json").out)["balance"]["total"] == "50"


@pytest.mark.parametrize(
    ("written", "wrong"),
    [("5.001", "has more than 2 decimal places"), ("9" * 30, "is out of range")],
)
def test_a_number_of_bonuses_that_no_account_keeps_says_why(shop: Shop, written: str, wrong: str) -> None:
    bring_in(shop)
    refused = shop.run("adjust", "K-1", written, *ANSWERED_FOR)
    said = f"tidings: {written} {wrong}; write another number of bonuses\n"
    assert (refused.code, refused.err) == (2, said)


def test_a_transfer_needs_a_program_that_has_them(shop: Shop) -> None:
    bring_in(shop)
    shop.change("program.yaml", "\ntransfers:", "\n# transfers:")
    assert shop.run("transfer", "K-1", "K-3", "5").code == 2
    shop.change("program.yaml", "\nspend:", "\ntransfers: {at_most: 10}\nspend:")
    given = shop.run("transfer", "K-1", "K-3", "5")
    assert (given.code, given.out) == (0, "5 bonuses from K-1 to K-3; K-1 has 45 left\n")
    assert shop.run("transfer", "K-1", "K-3", "11").code == 2


def test_a_household_is_kept_from_the_command_line(shop: Shop) -> None:
    bring_in(shop)
    joined = shop.run("household", "join", "K-1", "K-3")
    assert (joined.code, joined.out) == (0, "K-1 shares an account with K-3; 4 more may join\n")
    assert shop.run("household", "head", "K-1", "K-3").code == 0
    assert json.loads(shop.run("household", "show", "K-1", "--format", "json").out)["head"] == "K-3"
    assert shop.run("household", "dissolve", "K-3").code == 0


def test_a_duplicate_is_found_and_merged(shop: Shop) -> None:
    bring_in(shop)
    found = json.loads(shop.run("merge", "--candidates", "--format", "json").out)
    assert found == [{"by": "phone", "customers": ["K-1", "K-2"]}]
    merged = shop.run("merge", "K-2", "K-1", "--author", "maria", "--reason", "phone", "--format", "json")
    assert json.loads(merged.out)["survivor"] == "K-1"
    assert shop.run("merge", "K-2").code == 2


def test_a_person_is_forgotten_after_a_look_at_what_goes(shop: Shop) -> None:
    bring_in(shop)
    look = shop.run("erase", "K-1", "--dry-run", "--format", "json")
    assert json.loads(look.out)["addresses"] == 1
    gone = shop.run("erase", "K-1", "--yes", "--format", "json")
    answer = json.loads(gone.out)
    assert (answer["written_off"], answer["balance"]) == ("50", "0")
    assert json.loads(shop.run("erase", "K-1", "--yes", "--format", "json").out)["repeated"] is True
    assert "Olena Koval" in shop.run("customer", "K-2").out
    assert shop.run("customer", "K-1").code == 2


def test_partners_settle_by_table_json_and_csv(shop: Shop) -> None:
    bring_in(shop)
    period = ("settlement", "--from", "2020-01-01", "--to", "2199-01-01")
    assert "nobody owes anybody anything" in shop.run(*period).out
    [party] = json.loads(shop.run(*period, "--format", "json").out)["parties"]
    assert party["closing"] == "50"
    assert shop.run(*period, "--format", "csv").out == "giver,place,points,amount,currency\n"
    assert shop.run("settlement", "--from", "2020-01-02", "--to", "2020-01-02").code == 2
