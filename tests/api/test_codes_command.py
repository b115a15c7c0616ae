"""Promo codes by the command line."""

import json

import pytest

from tests.support.shop import Shop, shop

__all__ = ["shop"]

COUPONS = "    - {rule: flyer, give: 20, codes: coupons}\n"


@pytest.fixture
def coupons(shop: Shop) -> Shop:
    """A shop whose program has coupons."""
    rules = (shop.path / "program.yaml").read_text("utf-8")
    first = next(line for line in rules.splitlines(keepends=True) if line.startswith("    - {rule:"))
    shop.change("program.yaml", first, COUPONS + first)
    return shop


def listed(shop: Shop, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(shop.run("codes", "list", *words, "--format", "json").out)
    return found


def test_coupons_are_printed_one_a_line_and_listed(coupons: Shop) -> None:
    made = coupons.run("codes", "create", "flyer", "--count", "3", "--until", "2099-05-31", "--batch", "may")
    assert made.code == 0, made.err
    codes = made.out.split()
    assert len(set(codes)) == 3
    assert "3 coupons of 'flyer'; batch 'may'" in made.err
    assert [it["code"] for it in listed(coupons, "--batch", "may")] == codes
    [first] = listed(coupons, "--limit", "1")
    assert (first["rule"], first["state"], first["last_day"]) == ("flyer", "open", "2099-05-31")
    shown = coupons.run("codes", "list").out
    assert all(code in shown for code in codes)


def test_the_same_batch_again_makes_nothing_new(coupons: Shop) -> None:
    made = coupons.run("codes", "create", "flyer", "--count", "2", "--batch", "may")
    again = coupons.run("codes", "create", "flyer", "--count", "2", "--batch", "may")
    assert again.out == made.out
    assert "(made before)" in again.err
    assert len(listed(coupons)) == 2


def test_a_batch_may_have_any_name(coupons: Shop) -> None:
    for name in ("[spring]", "[/b]"):
        assert coupons.run("codes", "create", "flyer", "--batch", name).code == 0
    shown = coupons.run("codes", "list")
    assert (shown.code, "[spring]" in shown.out, "[/b]" in shown.out) == (0, True, True), shown.err
    assert "--after" in coupons.run("codes", "list", "--after", str(2**63)).err


def test_codes_go_to_a_file(coupons: Shop) -> None:
    file = coupons.path / "flyer.csv"
    made = coupons.run("codes", "create", "flyer", "--count", "2", "--out", str(file))
    assert (made.code, made.out) == (0, "")
    assert file.read_text("utf-8").split() == [it["code"] for it in listed(coupons)]


def test_a_file_that_cannot_be_written_leaves_no_codes(coupons: Shop) -> None:
    made = coupons.run("codes", "create", "flyer", "--out", str(coupons.path / "no-folder" / "flyer.csv"))
    assert made.code != 0
    assert listed(coupons) == []


def test_a_code_is_taken_out_of_use_however_it_is_written(coupons: Shop) -> None:
    code, other = coupons.run("codes", "create", "flyer", "--count", "2").out.split()
    said = coupons.run("codes", "disable", f"{code[:4]}-{code[4:]}".lower())
    assert f"the code {code} is out of use" in said.out
    assert [it["code"] for it in listed(coupons, "--state", "disabled")] == [code]
    assert [it["code"] for it in listed(coupons, "--state", "open")] == [other]


def test_a_batch_is_taken_out_of_use_at_once(coupons: Shop) -> None:
    coupons.run("codes", "create", "flyer", "--count", "3", "--batch", "may")
    assert "3 coupons of 'may' are out of use" in coupons.run("codes", "disable", "--batch", "may").out
    assert listed(coupons, "--state", "open") == []


def test_a_list_without_codes_says_how_to_make_some(coupons: Shop) -> None:
    assert "make some: tidings codes create RULE" in coupons.run("codes", "list").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["create", "flyr"], "flyer"),
        (["create", "flyer", "--length", "3"], "8"),
        (
            ["create", "flyer", "--until", "soon"],
            "--until: 'soon' is not a day; write for",
        ),
        (["create", "flyer", "--count", "0"], "--count"),
        (["list", "--state", "usd"], "there is no state 'usd'; did you mean 'used'?"),
        (["disable"], "name either a code or a batch"),
        (["disable", "--batch", "mai"], "there is no batch 'mai'; 'tidings codes list' shows them"),
        (["disable", "HK7W", "--batch", "may"], "name either a code or a batch"),
        (["disable", "HK7WQ3NA4D"], "HK7WQ3NA4D"),
    ],
)
def test_what_cannot_be_is_one_sentence(coupons: Shop, words: list[str], says: str) -> None:
    said = coupons.run("codes", *words)
    assert said.code == 2
    assert says in said.err
