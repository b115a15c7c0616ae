"""Levels given by hand, through the command line: a closed club as docs/tiers.md shows it."""

import json
import re
import shlex
import shutil
from pathlib import Path

from tests.support.shop import Shop, shop

__all__ = ["shop"]

GUIDE = (Path(__file__).parents[2] / "docs" / "tiers.md").read_text("utf-8")
CUSTOMERS = "customer,name\n10042,Olena\n"
ANSWERED_FOR = ("--author", "maria", "--reason", "a friend of the house")


def close(shop: Shop) -> None:
    """The shop's levels become those of the guide's closed club."""
    [club] = re.findall(r"```yaml\n(tiers:\n  measure: invitation\n.*?)```", GUIDE, re.DOTALL)
    program = (shop.path / "program.yaml").read_text("utf-8")
    program = re.sub(r"tiers:\n.*?\n\n", club + "\n", program, count=1, flags=re.DOTALL)
    shop.write("program.yaml", program)
    for folder in ("scenarios", "segments", "tests"):  # which name the levels of the example
        shutil.rmtree(shop.path / folder)
    assert shop.run("import", "customers", str(shop.write("customers.csv", CUSTOMERS))).code == 0


def test_a_closed_club_is_run_by_the_commands_of_the_guide(shop: Shop) -> None:
    close(shop)
    invited, taken_back = (
        shop.run(*shlex.split(line)[1:]) for line in re.findall(r"^tidings tier .*$", GUIDE, re.MULTILINE)
    )
    assert (invited.code, invited.out) == (0, "10042 is invited to patron; the level is patron\n")
    assert (taken_back.code, taken_back.out) == (0, "10042 is held by no invitation; the level is guest\n")


def test_a_level_given_twice_is_given_once(shop: Shop) -> None:
    invitation = ("tier", "invite", "10042", "gold", *ANSWERED_FOR)
    assert shop.run("import", "customers", str(shop.write("customers.csv", CUSTOMERS))).code == 0
    assert shop.run(*invitation).code == 0
    again = json.loads(shop.run(*invitation, "--format", "json").out)
    assert again == {"customer": "10042", "invited_to": "gold", "tier": "gold", "repeated": True}


def test_a_level_that_is_none_is_refused_in_one_sentence(shop: Shop) -> None:
    assert shop.run("import", "customers", str(shop.write("customers.csv", CUSTOMERS))).code == 0
    wrong = shop.run("tier", "invite", "10042", "godl", *ANSWERED_FOR)
    assert (wrong.code, wrong.err) == (2, "tidings: the program has no level 'godl'; did you mean 'gold'?\n")
    assert shop.run("tier", "take-back", "10042", "--author", "", "--reason", "x").code == 2


def test_levels_are_those_that_are_live_not_those_of_files_that_nobody_applied(shop: Shop) -> None:
    assert shop.run("import", "customers", str(shop.write("customers.csv", CUSTOMERS))).code == 0
    assert shop.run("apply", "--yes", "--as", "anna").code == 0
    shop.change("program.yaml", "{name: gold,", "{name: golden,")
    assert shop.run("tier", "invite", "10042", "golden", *ANSWERED_FOR).code == 2
    assert shop.run("tier", "invite", "10042", "gold", *ANSWERED_FOR).code == 0
