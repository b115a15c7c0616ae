"""`retention` in program.yaml: how long, from when on, and what is refused."""

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.program.retention import OF_A_MESSAGE, Age, Retention
from core.units import Duration
from tests.core.test_program import SMALLEST, findings, program

PAGE = Path(__file__).parents[2] / "docs" / "retention.md"
KYIV = ZoneInfo("Europe/Kyiv")


@pytest.mark.parametrize(
    ("age", "at", "before"),
    [
        ("13 months", "2026-03-31 10:00", "2025-02-28 10:00"),
        ("2 years", "2024-02-29 10:00", "2022-02-28 10:00"),
        ("45 days", "2026-04-01 10:00", "2026-02-15 10:00"),
        ("6 weeks", "2026-04-01 10:00", "2026-02-18 10:00"),
    ],
)
def test_age_is_reckoned_by_the_programs_calendar(age: str, at: str, before: str) -> None:
    when, then = (datetime.fromisoformat(it).replace(tzinfo=KYIV) for it in (at, before))
    assert Age.read(age).before(when, KYIV) == then
    assert Age.read("never").before(when, KYIV) is None
    assert Age.read("9999 years").before(when.astimezone(UTC), KYIV) < then  # type: ignore[operator]


def test_an_age_that_covers_a_time_is_suggested_and_does_cover_it() -> None:
    for days in (1, 28, 29, 365, 366, 500, 800):
        age = Age.long_enough(Duration(days=days))
        assert age.covers(Duration(days=days))
        assert not Age(months=age.months - 1).covers(Duration(days=days)) or age.months == 1
    assert Age.long_enough(None).for_ever
    assert not Age(months=25).covers(None)


def test_what_belongs_to_a_message_goes_with_it_at_the_latest() -> None:
    kept = program(SMALLEST + "retention: {messages: 2 months}\n").retention
    assert {str(kept.of(kind)) for kind in OF_A_MESSAGE} == {"2 months"}
    assert str(kept.of("feedback")) == "25 months"


TOO_SHORT = "'3 days' is too short: what is under way still needs it; write '30 days' or longer"
NO_AGE = "expected how long something is kept, got 'soon'; write for example '13 months' or 'never'"
OUTLASTS = (
    "goes with the messages that it belongs to, after 25 months; write '25 months', or 'messages: never'"
)


@pytest.mark.parametrize(
    ("written", "said"),
    [("events: 3 days", TOO_SHORT), ("events: soon", NO_AGE), ("facts: never", OUTLASTS)],
)
def test_what_cannot_be_is_told_with_what_to_write(written: str, said: str) -> None:
    key = written.partition(":")[0]
    assert findings(SMALLEST + f"retention: {{{written}}}\n") == [f"7:13: retention.{key}: {said}"]


def test_the_page_shows_what_holds_without_a_line() -> None:
    shown = re.findall(
        r"^  (\w+): (.+)$", PAGE.read_text("utf-8").partition("```yaml")[2].partition("```")[0], re.MULTILINE
    )
    assert dict(shown) == {name: str(age) for name, age in Retention()}
