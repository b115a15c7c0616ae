"""docs/program.md: what it shows can be read, and its worked example comes out as it says."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from campaigns.ruletest import is_rule_test, read_rule_test
from core.earning import earn, keep
from core.earning.earned import REASONS, Earned
from core.errors import Problem
from core.program import Program
from core.program.check import read_program
from core.program.earn import Rule
from core.program.points import Account, Points
from core.program.shops import Partner
from core.program.spend import Spend
from core.program.when import When
from core.purchases.cart import Item
from core.purchases.spending import lay_payment
from core.source import load
from tests.core.carts import Before, cart
from tests.support.databases import load_tables

PAGE = (Path(__file__).parents[2] / "docs" / "program.md").read_text("utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
DEFAULTS = {
    "program": "program: Corner",
    "currency": "currency: UAH",
    "time_zone": "time_zone: Europe/Kyiv",
    "locales": "locales: [en]",
    "points": "points: {name: {en: [bonus, bonuses]}, scale: 2}",
    "tiers": "tiers: {levels: [{name: bronze, from: 0, earn: 3%}, {name: silver, from: 5000, earn: 5%}]}",
    "earn": "earn: {rules: [{rule: base, by: tier}]}",
}


def blocks(*keys: str) -> str:
    """The page's blocks that begin with these keys, and what a program needs besides."""
    found = [next(block for block in BLOCKS if block.startswith(f"{key}:")) for key in keys]
    return whole("\n".join(found))


def whole(text: str) -> str:
    document = load(text, "", [])
    assert document is not None
    return "\n".join([text, *(line for key, line in DEFAULTS.items() if key not in document.data)])


def read(text: str) -> Program:
    problems: list[Problem] = []
    found = read_program(text, problems)
    assert found is not None, problems
    assert problems == []
    return found


EXAMPLE = read(blocks("points", "earn", "spend"))


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_of_the_page_can_be_read(block: str) -> None:
    if is_rule_test(block):
        problems: list[Problem] = []
        assert read_rule_test("page", block, "page", EXAMPLE, problems), problems
    else:
        read(whole(block))


def test_the_test_that_the_page_shows_passes() -> None:
    from tidings.ruletests import read_all, run_one

    load_tables()
    [block] = [block for block in BLOCKS if is_rule_test(block)]
    [test] = read_all(EXAMPLE, {"page.yaml": block})
    assert [str(it) for it in run_one(EXAMPLE, test).mismatches] == []


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the tables below a heading."""
    section = PAGE.partition(f"{heading}\n")[2].partition("\n#")[0]
    for line in section.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def told(earned: Earned) -> dict[str, Decimal]:
    by_rule = {share.rule: Decimal(share.points) / 100 for share in earned.shares}
    return by_rule | {"all": sum(by_rule.values(), Decimal(0))}


def test_the_worked_example_comes_out_as_it_says() -> None:
    bought = [row for row in rows("### A worked example") if re.fullmatch(r"[\d.]+", row[1])]
    items = [Item(row[0], 1000, int(Decimal(row[1]) * 100), category=row[0]) for row in bought]
    basket = cart(*items, at="2026-03-02 08:30", paid_points=6_000)
    paid = lay_payment(EXAMPLE, basket, 6_000)
    assert [str(Decimal(part) / 100) for part in paid] == [
        str(Decimal(row[2]).normalize() + 0) for row in bought
    ]
    silver = Before("silver")
    earned, left = told(earn(EXAMPLE, basket, silver)), told(keep(EXAMPLE, basket, silver, [1000, 0, 1000]))
    said = {
        row[0].strip("`"): row[2:]
        for row in rows("### A worked example")
        if len(row) == 4 and row not in bought
    }
    for name in ("base", "coffee", "morning", "big", "all"):
        assert [Decimal(it) for it in said[name]] == [earned.get(name, 0), left.get(name, 0)], name


def test_every_key_and_every_reason_is_on_the_page() -> None:
    keys = [
        field.alias or name
        for model in (Rule, When, Account, Points, Partner, Spend)
        for name, field in model.model_fields.items()
    ]
    missing = [key for key in keys if not re.search(rf"[`.{{ ]{key}\b", PAGE)]
    assert missing == []
    assert [row[0] for row in rows("## A test for each rule") if row[0].strip("`") in REASONS] == [
        f"`{name}`" for name in REASONS
    ]
