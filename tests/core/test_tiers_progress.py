"""The way to the next level, what keeps the one that is held, and discounts."""

from decimal import Decimal

import pytest
from sqlalchemy import select

from core.db import Database
from core.errors import Problem
from core.program.check import read_program
from core.tiers import CUSTOMER, Progress, Standing, discount_of, progress_of
from tests.core.climbing import Till, club, kyiv


def progress(till: Till, at: str) -> Progress:
    """Anna's."""
    with till.database.read() as connection:
        row = connection.execute(select(CUSTOMER.c.tier, CUSTOMER.c.tier_since, CUSTOMER.c.invited_to)).one()
        return progress_of(connection, till.program, {till.id: Standing(*row)}, kyiv(at))[till.id]


def test_the_lowest_level_is_everybodys_and_has_a_way_up(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2026-01-05 10:00", 300)
    assert progress(anna, "2026-01-06 10:00") == Progress("bronze", "everybody", 30_000, "silver", 70_000)
    assert progress(anna, "2027-01-06 00:00").missing == 100_000, "it is more than 365 days ago"


def test_a_level_reached_is_kept_until_a_day_unless_more_is_bought(database: Database) -> None:
    anna = Till(database, club())
    anna.buys("2025-03-01 10:00", 1000)
    anna.buys("2025-06-09 10:00", 400)
    here = progress(anna, "2025-06-10 10:00")
    assert (here.following, here.have, here.missing) == ("gold", 140_000, 360_000)
    assert (here.kept_by, str(here.until), here.to_keep) == ("purchases", "2026-03-31", 60_000)
    anna.buys("2025-06-11 10:00", 600)
    here = progress(anna, "2025-06-12 10:00")
    assert (str(here.until), here.to_keep) == ("2026-07-09", 40_000)
    anna.looks("2026-07-09 12:00")
    assert anna.tier() == "silver"
    anna.looks("2026-07-10 00:00")
    assert anna.tier() == "bronze", "it was the day that progress had said"


def test_by_the_calendar_the_next_year_has_to_be_reached_anew(database: Database) -> None:
    anna = Till(database, club("over: calendar year, grace: 31 days"))
    anna.buys("2024-05-10 10:00", 1000)
    here = progress(anna, "2024-12-01 10:00")
    assert (str(here.until), here.to_keep) == ("2026-01-31", 100_000)
    anna.buys("2025-05-10 10:00", 300)
    here = progress(anna, "2025-12-01 10:00")
    assert (here.have, str(here.until), here.to_keep) == (30_000, "2026-01-31", 70_000)
    here = progress(anna, "2026-01-10 10:00")
    assert (here.have, str(here.until), here.to_keep) == (0, "2026-01-31", 100_000), "2025 is over"


def test_an_invitation_keeps_a_level_for_ever(database: Database) -> None:
    anna = Till(database, club())
    anna.invites("gold", "2025-01-01 12:00")
    assert progress(anna, "2025-01-02 12:00") == Progress("gold", "invitation")


def test_a_closed_club_has_no_way_up(database: Database) -> None:
    anna = Till(database, club("measure: invitation", "{name: guest}, {name: member}"))
    anna.buys("2025-01-01 10:00", 500)
    assert progress(anna, "2025-01-02 12:00") == Progress("guest", "everybody")


@pytest.mark.parametrize(
    ("tier", "spent", "fraction"),
    [
        ("bronze", 0, "0"),
        ("bronze", 499_999, "0"),
        ("bronze", 500_000, "0.03"),
        ("bronze", 2_000_000, "0.05"),
        ("gold", 0, "0.04"),
        ("gold", 2_000_000, "0.05"),
        ("platinum", 0, "0"),
    ],
)
def test_the_greater_of_two_discounts_is_given(tier: str, spent: int, fraction: str) -> None:
    steps = "[{from: 0, percent: 0%}, {from: 5000, percent: 3%}, {from: 20000, percent: 5%}]"
    levels = "{name: bronze, from: 0}, {name: gold, from: 5000, discount: 4%}"
    program = club(f"discount: {{cumulative: {steps}}}", levels)
    assert discount_of(program, tier, spent) == Decimal(fraction)


LEVEL = "levels: [{name: a, from: 0}]"
CUMULATIVE = f"{LEVEL}, discount: {{cumulative: [{{from: 5, percent: 3%}}, {{from: %s}}]}}"
BY_HAND = "with 'measure: invitation' a level is given by hand, not reached; remove 'from'"
PERIOD = "expected a period, got 'calendar week'; write for example '365 days' or 'calendar year'"
FALLING = "who spends more would get less; write at least as much as in the step before"


@pytest.mark.parametrize(
    ("tiers", "place", "finding"),
    [
        ("measure: purchases, levels: [{name: a, from: 0}, {name: b, from: 2.5}]", "levels[1].from",
         "a part of a purchase; write a whole number"),
        ("measure: points, levels: [{name: a, from: 0}, {name: b, from: 2.5}]", "levels[1].from",
         "more than 0 decimal places; write fewer decimals"),
        ("levels: [{name: a, from: 0}, {name: b}]", "levels[1].from",
         "is missing; write for example 'from: 0'"),
        ("measure: invitation, levels: [{name: a}, {name: b, from: 10}]", "levels[1].from", BY_HAND),
        (f"over: calendar week, {LEVEL}", "over", PERIOD),
        (f"over: 12 hours, {LEVEL}", "over",
         "expected whole days, got '12 hours'; write for example '365 days'"),
        (f"over: 99999 days, {LEVEL}", "over", "longer than a hundred years; write fewer days"),
        (CUMULATIVE.replace("%s", "5, percent: 4%"), "discount.cumulative[1].from",
         "the steps must rise; write more than 5"),
        (CUMULATIVE.replace("%s", "6, percent: 2%"), "discount.cumulative[1].percent", FALLING),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_told_with_its_place(tiers: str, place: str, finding: str) -> None:
    text = f"""
program: Kavarnia
currency: UAH
time_zone: Europe/Kyiv
locales: [en]
points: {{name: {{en: [bonus, bonuses]}}, scale: 0}}
tiers: {{{tiers}}}
"""
    problems: list[Problem] = []
    assert read_program(text, problems) is None
    assert [str(problem).partition(" ")[2] for problem in problems] == [f"tiers.{place}: {finding}"]
