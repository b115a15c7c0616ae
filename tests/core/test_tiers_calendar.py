"""Levels by the calendar: kept to the end of the period and its grace, then what was done in it decides."""

import pytest

from core.db import Database
from tests.core.climbing import Till, club

YEAR = "over: calendar year, grace: 31 days"


def test_a_level_is_kept_for_the_next_year_when_the_ended_one_reached_it(database: Database) -> None:
    anna = Till(database, club(YEAR))
    anna.buys("2024-05-10 10:00", 5000)
    anna.looks("2025-02-01 00:00")
    assert anna.tier() == "gold", "2024 reached it"
    anna.looks("2026-01-31 23:59")
    assert anna.tier() == "gold", "the grace"
    anna.looks("2026-02-01 00:00")
    assert anna.moves()[-1] == ("2026-02-01 00:00", "gold", "bronze")


def test_it_falls_to_what_the_ended_year_reached(database: Database) -> None:
    anna = Till(database, club(YEAR))
    anna.buys("2024-05-10 10:00", 5000)
    anna.buys("2025-05-10 10:00", 1200)
    anna.looks("2026-03-15 03:00")
    assert anna.moves()[-1] == ("2026-02-01 00:00", "gold", "silver")
    anna.looks("2027-02-01 00:00")
    assert anna.moves()[-1] == ("2027-02-01 00:00", "silver", "bronze")


def test_what_was_done_in_the_grace_counts_as_the_new_years(database: Database) -> None:
    anna = Till(database, club(YEAR))
    anna.buys("2024-05-10 10:00", 5000)
    anna.buys("2026-01-20 10:00", 5000)
    anna.looks("2026-02-01 00:00")
    assert anna.tier() == "gold", "it would be given again with the next purchase"
    anna.looks("2028-02-01 00:00")
    assert anna.moves()[-1] == ("2028-02-01 00:00", "gold", "bronze")


def test_the_year_ends_at_the_programs_midnight(database: Database) -> None:
    anna = Till(database, club("over: calendar year"))
    anna.buys("2024-12-31 23:59", 600)
    anna.buys("2025-01-01 00:00", 600)
    assert anna.tier() == "bronze", "two years, neither enough"
    anna.buys("2025-12-31 23:59", 400)
    assert anna.moves() == [("2025-12-31 23:59", "bronze", "silver")]
    anna.looks("2026-12-31 23:59")
    assert anna.tier() == "silver"
    anna.looks("2027-01-01 00:00")
    assert anna.moves()[-1] == ("2027-01-01 00:00", "silver", "bronze")


@pytest.mark.parametrize(
    ("over", "lost"),
    [("calendar month", "2024-04-01 00:00"), ("calendar quarter", "2024-07-01 00:00")],
)
def test_months_and_quarters_end_too(database: Database, over: str, lost: str) -> None:
    anna = Till(database, club(f"over: {over}"))
    anna.buys("2024-02-29 12:00", 1000)
    anna.looks("2024-12-01 00:00")
    assert anna.moves()[-1] == (lost, "silver", "bronze")


def test_a_return_after_the_years_end_takes_the_level_of_the_next_year(database: Database) -> None:
    anna = Till(database, club(YEAR))
    receipt = anna.buys("2024-05-10 10:00", 5000)
    anna.buys("2024-06-10 10:00", 1000)
    anna.looks("2025-02-01 00:00")
    anna.returns(receipt, "2025-03-01 10:00")
    assert anna.moves() == [("2024-06-10 10:00", "bronze", "silver")]
    assert anna.events()[-1] == ("silver", "down")
