"""The way to the next level, what keeps the one that is held, and discounts."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.db import Database
from core.errors import Problem
from core.program.check import read_program
from core.tiers import CUSTOMER, Progress, Standing, discount_of, progress_of
from core.tiers import progress as find_out
from core.tiers.ladder import climb, settle
from core.tiers.record import Record
from core.units import midnight
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


BY_PURCHASES = "{name: one, from: 0}, {name: two, from: 2}"
MONTHLY = "measure: purchases, over: calendar month, grace: 5 days"


def test_what_keeps_a_level_is_asked_for_by_the_last_day_on_which_it_counts(database: Database) -> None:
    anna = Till(database, club(MONTHLY, BY_PURCHASES))
    for at in ("2026-03-10 10:00", "2026-03-11 10:00"):
        anna.buys(at, 50)
    here = progress(anna, "2026-03-20 12:00")
    assert (str(here.until), here.to_keep, here.keep_by) == ("2026-05-05", 2, None), "April has not begun"
    anna.buys("2026-04-20 10:00", 50)
    here = progress(anna, "2026-04-20 12:00")
    assert (str(here.until), here.to_keep, str(here.keep_by)) == ("2026-05-05", 1, "2026-04-30")
    here = progress(anna, "2026-05-03 12:00")
    assert (str(here.until), here.to_keep, str(here.keep_by)) == ("2026-05-05", 2, "2026-05-05"), "all anew"
    anna.buys("2026-05-03 11:00", 50)
    anna.looks("2026-05-06 00:00")
    assert anna.tier() == "one"


def test_buying_on_the_last_day_that_is_told_keeps_the_level(database: Database) -> None:
    anna = Till(database, club(MONTHLY, BY_PURCHASES))
    for at in ("2026-03-10 10:00", "2026-03-11 10:00", "2026-04-20 10:00", "2026-04-30 23:59"):
        anna.buys(at, 50)
    anna.looks("2026-05-06 00:00")
    assert anna.tier() == "two"


PURCHASES = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 900)), min_size=1, max_size=6)
PROGRAMS = (
    "over: 60 days, grace: 10 days",
    "over: calendar month, grace: 5 days",
    "over: calendar month, grace: 45 days",
    "over: calendar quarter",
    "over: calendar year, grace: 31 days",
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(PROGRAMS), PURCHASES, st.integers(0, 500))
def test_what_is_told_to_keep_a_level_keeps_it(
    terms: str, purchases: list[tuple[int, int]], later: int
) -> None:
    program, at = club(terms), kyiv("2025-01-01 12:00")
    start = at
    record, standing = Record(), Standing("bronze", start)
    for day, money in sorted(purchases):
        at = start + timedelta(days=day)
        settle(program, standing, record, standing.since or start, at)
        record.add(at, money * 100, 0)
        climb(program, standing, record, at)
    now = at + timedelta(days=later, hours=1)
    settle(program, standing, record, standing.since or start, now)
    here = find_out(program, standing, record, now)
    if here.keep_by is None or here.to_keep is None or here.until is None:
        return
    held, last = standing.tier, midnight(here.keep_by + timedelta(days=1), program.zone)
    record.add(last - timedelta(minutes=1), here.to_keep, 0)
    settle(program, standing, record, now, midnight(here.until + timedelta(days=1), program.zone))
    assert standing.tier == held


@pytest.mark.parametrize("terms", ["over: 30 days", "over: calendar month"])
def test_after_midnight_a_level_is_told_as_a_purchase_would_find_it(database: Database, terms: str) -> None:
    anna = Till(database, club(terms))
    anna.buys("2026-03-01 10:00", 1000)
    here = progress(anna, "2026-03-31 23:59")
    ends = here.until
    assert (here.level, ends and str(ends)) == ("silver", "2026-03-31" if "30" in terms else "2026-04-30")
    assert ends is not None
    after = f"{ends + timedelta(days=1)} 00:01"
    here = progress(anna, after)
    assert (here.level, here.until, here.following) == ("bronze", None, "silver")
    assert here.since == kyiv(f"{ends + timedelta(days=1)} 00:00")
    assert anna.tier() == "silver", "the night's look has not been"
    anna.looks(after)
    assert (anna.tier(), progress(anna, after)) == ("bronze", here)


def test_a_level_that_is_gone_from_the_program_is_told_as_a_purchase_would_find_it(
    database: Database,
) -> None:
    anna = Till(database, club())
    anna.buys("2026-03-01 10:00", 2000)
    anna.program = club(levels="{name: start, from: 0}, {name: middle, from: 1500}")
    assert progress(anna, "2026-03-02 10:00").level == "middle"


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
