"""Somebody is half-way through an edit: whoever looks after the service works by what is live."""

import json
import os

import pytest

from tests.support.shop import Shop, shop

__all__ = ["shop"]

CUSTOMERS = "customer,name\nK-1,Олена\n"


@pytest.fixture
def edited(shop: Shop) -> Shop:
    """A shop that is live, with a key and coupons, and in whose folder a file is broken since."""
    assert shop.run("apply", "--yes").code == 0
    assert shop.run("import", "customers", str(shop.write("customers.csv", CUSTOMERS))).code == 0
    assert shop.run("keys", "create", "till-1", "--role", "till").code == 0
    assert shop.run("codes", "create", "apology", "--batch", "leaked").code == 0
    shop.write("scenarios/half.yaml", "when: [")
    return shop


@pytest.mark.parametrize(
    "command",
    [
        "messages",
        "customer K-1",
        "keys list",
        "keys create till-2 --role till --expires 2099-12-31",
        "codes disable --batch leaked",
        "codes create apology",
    ],
)
def test_operating_goes_on_while_a_file_is_broken(edited: Shop, command: str) -> None:
    said = edited.run(*command.split())
    assert said.code == 0, said.err


def test_what_an_editor_left_beside_a_test_is_passed_over_and_what_is_no_file_is_told(shop: Shop) -> None:
    (shop.path / "tests/.#birthday.yaml").symlink_to("somebody@edits.it")
    assert shop.run("check").code == 0
    (shop.path / "tests/lost.yaml").symlink_to("elsewhere.yaml")
    os.mkfifo(shop.path / "tests/pipe.yaml")
    for command in ("check", "test"):
        said = shop.run(command)
        assert said.code == 1
        told = said.out + said.err
        assert "tests/lost.yaml: is a link that leads to nothing; correct it, or remove it" in told
        assert "tests/pipe.yaml: is no file; put a file there, or remove it" in told


def test_a_customer_stands_as_the_live_program_has_it_not_files_that_nobody_applied(shop: Shop) -> None:
    assert shop.run("apply", "--yes").code == 0
    assert shop.run("import", "customers", str(shop.write("customers.csv", CUSTOMERS))).code == 0
    page = shop.run("customer", "K-1", "--format", "json").out
    shop.change("program.yaml", "silver", "argent")
    for file in shop.path.glob("scenarios/*.yaml"):
        file.write_text(file.read_text("utf-8").replace("silver", "argent"), "utf-8")
    assert json.loads(shop.run("customer", "K-1", "--format", "json").out) == json.loads(page)


def test_coupons_are_of_the_live_rules_not_of_files_that_nobody_applied(shop: Shop) -> None:
    assert shop.run("apply", "--yes").code == 0
    shop.change("program.yaml", "rule: apology", "rule: sorry")
    assert shop.run("codes", "create", "apology").code == 0
    made = shop.run("codes", "create", "sorry")
    assert "no rule 'sorry' is opened by coupons; there are " in made.err
    assert "; a new one is there once program.yaml is applied" in made.err
