"""Lengths of time, amounts, rates, windows and schedules: what may be written, and what it means."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from core.program.lifetime import Lasts, Starts
from core.schedule import Cron, Every, Looked, Schedule, next_after, times_between
from core.units import (
    Allowance,
    Amount,
    Day,
    Days,
    Duration,
    Number,
    Percent,
    Rate,
    Series,
    Span,
    TimeWindow,
    WallTime,
    Zone,
    at_local,
)

KYIV = ZoneInfo("Europe/Kyiv")  # clocks go forward on 29 March 2026 at 3:00, back on 25 October at 4:00
HAVANA = ZoneInfo("America/Havana")  # clocks go forward at midnight
KOLKATA = ZoneInfo("Asia/Kolkata")
YEAR = st.integers(0, 365 * 24 * 60).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))


def read(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


def complaint(kind: Any, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    return caught.value.errors()[0]["msg"]


def local(text: str, zone: ZoneInfo = KYIV) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


# --- lengths of time


@pytest.mark.parametrize(
    ("text", "days", "seconds"),
    [
        ("14 days", 14, 0),
        ("1 day", 1, 0),
        ("0 days", 0, 0),
        ("2 weeks", 14, 0),
        ("12 hours", 0, 43200),
        ("1 hour", 0, 3600),
        ("30 minutes", 0, 1800),
        ("45 seconds", 0, 45),
        ("  3  Days ", 3, 0),
    ],
)
def test_a_length_of_time_is_calendar_days_or_elapsed_seconds(text: str, days: int, seconds: int) -> None:
    assert read(Duration, text) == Duration(days=days, seconds=seconds)


@pytest.mark.parametrize("wrong", ["days", "-1 days", "1.5 days", "2 moons", "14 14", True, None, ["1 day"]])
def test_anything_else_is_answered_with_an_example(wrong: object) -> None:
    assert complaint(Duration, wrong).endswith("write for example '14 days'")


@pytest.mark.parametrize(
    ("short", "meant"),
    [
        ("14", "14 days"), (14, "14 days"), ("14days", "14 days"), ("1d", "1 day"), ("12h", "12 hours"),
        ("30 min.", "30 minutes"), ("2w", "2 weeks"), ("2 months", "60 days"), ("1 year", "365 days"),
    ],
)  # fmt: skip
def test_a_length_as_others_write_it_is_answered_with_how_it_is_written_here(
    short: object, meant: str
) -> None:
    assert complaint(Duration, short).endswith(f"; write '{meant}'")
    assert read(Duration, meant)


@pytest.mark.parametrize(
    ("long", "word"),
    [("36526 days", "days"), ("999999 weeks", "weeks"), ("999999 hours", "hours"), ("10000000 days", "days")],
)
def test_nobody_means_more_than_a_hundred_years(long: str, word: str) -> None:
    assert complaint(Duration, long) == f"longer than a hundred years; write fewer {word}"
    assert read(Duration, "36525 days").ago(local("2026-03-28 10:00"), KYIV)


def test_a_length_of_time_is_written_back_as_people_write_it() -> None:
    written = [
        str(read(Duration, text))
        for text in ("14 days", "1 day", "2 weeks", "90 minutes", "60 minutes", "0 days")
    ]
    assert written == ["14 days", "1 day", "14 days", "90 minutes", "1 hour", "0 days"]


def test_days_before_a_day_are_calendar_days() -> None:
    assert Duration(days=3).before(date(2026, 3, 2)) == date(2026, 2, 27)


def test_a_day_later_is_the_same_time_of_day_across_a_change_of_clocks() -> None:
    assert Duration(days=1).after(local("2026-03-28 10:00"), KYIV) == local("2026-03-29 10:00")
    assert Duration(days=1).ago(local("2026-10-25 10:00"), KYIV) == local("2026-10-24 10:00")


def test_hours_are_elapsed_time_across_a_change_of_clocks() -> None:
    assert Duration(seconds=24 * 3600).after(local("2026-03-28 10:00"), KYIV) == local("2026-03-29 11:00")


def test_some_places_want_whole_days_and_some_want_more_than_nothing() -> None:
    assert read(Days, "0 days") == Duration()
    assert complaint(Days, "12 hours") == "expected whole days, got '12 hours'; write for example '14 days'"
    assert complaint(Span, "0 days") == "expected a length of time, got '0 days'; write for example '14 days'"


def test_one_value_or_a_list_is_always_a_series() -> None:
    assert read(Series[Duration], "3 days") == (Duration(days=3),)
    assert read(Series[Duration], ["14 days", "3 days"]) == (Duration(days=14), Duration(days=3))


# --- numbers


def test_amounts_are_exact_and_finite() -> None:
    assert read(Amount, 100) == Decimal(100)
    assert read(Amount, Decimal("0.10")) == Decimal("0.10")
    assert read(Number, -5) == Decimal(-5)
    assert complaint(Amount, -5) == "expected zero or more, got -5; "
    for wrong in ("5", True, None, Decimal("NaN"), Decimal("1e999999"), 10**15):
        assert complaint(Amount, wrong).startswith("expected a number")


def test_a_percentage_is_a_fraction() -> None:
    assert read(Percent, "10%") == Decimal("0.1")
    assert read(Percent, "2.5 %") == Decimal("0.025")
    assert TypeAdapter(Percent).dump_python(Decimal("0.025"), mode="json") == "2.5%"
    assert TypeAdapter(Percent).dump_python(Decimal(1), mode="json") == "100%"


@pytest.mark.parametrize(
    ("wrong", "fix"),
    [
        (10, "write '10%'"),
        (True, "write '10%'"),
        (Decimal("0.1"), "write '10%', or '0.1%' if that is what you mean"),
        (Decimal("1.0"), "write '100%', or '1.0%' if that is what you mean"),
        (Decimal("12.5"), "write '12.5%'"),
        ("10", "write '10%'"),
        ("110%", "write '10%'"),
        ("-1%", "write '10%'"),
        ("x%", "write '10%'"),
    ],
)
def test_a_percentage_needs_its_sign(wrong: object, fix: str) -> None:
    assert complaint(Percent, wrong).endswith(fix)


def test_rates_and_allowances() -> None:
    assert read(Rate, "100 per second") == Rate(100, 1)
    assert read(Rate, "30 per minute").per_second == 0.5
    assert str(read(Rate, "5000 per day")) == "5000 per day"
    assert read(Allowance, "4 per 30 days") == Allowance(4, Duration(days=30))
    assert read(Allowance, "1 per day") == Allowance(1, Duration(days=1))
    assert str(read(Allowance, "2 per 12 hours")) == "2 per 12 hours"


@pytest.mark.parametrize("wrong", ["0 per 7 days", "4 per 0 days", "4", "four per day", "4 per", 4])
def test_an_allowance_that_allows_nothing_is_refused(wrong: object) -> None:
    assert complaint(Allowance, wrong).endswith("write for example '4 per 30 days'")


@pytest.mark.parametrize("wrong", ["0 per second", "100", "100/s", "100 per fortnight", 100])
def test_a_rate_needs_a_number_and_a_time(wrong: object) -> None:
    assert complaint(Rate, wrong).endswith("write for example '100 per second'")


# --- windows


def test_a_window_has_its_start_and_not_its_end() -> None:
    window = read(TimeWindow, "9:00-18:00")
    assert [window.contains(time(h)) for h in (8, 9, 17, 18)] == [False, True, True, False]


def test_a_window_goes_over_midnight() -> None:
    quiet = read(TimeWindow, "21:00-09:00")
    assert [quiet.contains(time(h)) for h in (20, 21, 0, 8, 9)] == [False, True, True, True, False]
    assert str(quiet) == "21:00-09:00"


def test_a_window_may_end_at_midnight() -> None:
    window = read(TimeWindow, "22:00-24:00")
    assert window.contains(time(23, 59))
    assert not window.contains(time(0))


def test_a_window_ends_next_morning_or_the_same_one() -> None:
    quiet = TimeWindow.parse("21:00-09:00")
    evening = datetime(2026, 3, 1, 22, tzinfo=KYIV)
    assert quiet.end_after(evening) == datetime(2026, 3, 2, 9, tzinfo=KYIV)
    assert quiet.end_after(evening.replace(hour=3)) == datetime(2026, 3, 1, 9, tzinfo=KYIV)
    assert quiet.end_after(datetime(2026, 3, 1, 9, tzinfo=KYIV)) == datetime(2026, 3, 2, 9, tzinfo=KYIV)


def test_a_window_that_ends_in_the_skipped_hour_ends_when_the_clocks_have_gone_forward() -> None:
    end = TimeWindow.parse("21:00-03:30").end_after(datetime(2026, 3, 28, 23, tzinfo=KYIV))
    assert end == datetime(2026, 3, 29, 4, 30, tzinfo=KYIV)


def test_a_window_that_ends_in_the_repeated_hour_ends_in_either_of_them() -> None:
    window = TimeWindow.parse("21:00-03:30")
    assert window.end_after(datetime(2026, 10, 25, 3, 10, tzinfo=KYIV)).utcoffset() == timedelta(hours=3)
    assert window.end_after(datetime(2026, 10, 25, 3, 10, fold=1, tzinfo=KYIV)) == datetime(
        2026, 10, 25, 3, 30, fold=1, tzinfo=KYIV
    )


@pytest.mark.parametrize(
    "wrong", ["21:00", "21-9", "25:00-09:00", "24:30-09:00", "21:00-09:60", 2100, "09:00-09:00"]
)
def test_a_window_is_written_with_two_times(wrong: object) -> None:
    assert "write for example '21:00-09:00'" in complaint(TimeWindow, wrong)


@settings(derandomize=True)
@given(
    st.times(),
    st.times(),
    YEAR,
    st.sampled_from([KYIV, HAVANA]),
)
def test_a_window_always_ends_within_two_days(start: time, end: time, at: datetime, zone: ZoneInfo) -> None:
    moment = at.astimezone(zone)
    ends = TimeWindow(start.replace(microsecond=0), end.replace(microsecond=0)).end_after(moment)
    assert moment.astimezone(UTC) < ends.astimezone(UTC) <= moment.astimezone(UTC) + timedelta(hours=49)


# --- dates and zones


def test_dates_times_and_zones() -> None:
    assert read(Day, "2026-03-15") == date(2026, 3, 15)
    assert read(WallTime, "2026-03-15 10:00").isoformat() == "2026-03-15T10:00:00"
    assert read(WallTime, "2026-03-15T10:00:30").isoformat() == "2026-03-15T10:00:30"
    assert read(Zone, "Europe/Kyiv") == "Europe/Kyiv"
    assert complaint(Day, "15.03.2026") == "expected a date, got '15.03.2026'; write for example '2026-03-15'"
    for wrong in ("2026-03-15", "2026-03-15 10:00Z", "noon", 5):
        assert complaint(WallTime, wrong).endswith("write for example '2026-03-15 10:00'")
    for unknown in ("Europe/Kiyv", "../etc/passwd", "", 5, "a" * 300):
        assert complaint(Zone, unknown).endswith("write a name such as 'Europe/Kyiv'")


def test_a_skipped_time_moves_forward_and_a_repeated_one_is_the_first() -> None:
    assert at_local(date(2026, 3, 29), time(3, 30), KYIV) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert at_local(date(2026, 10, 25), time(3, 30), KYIV) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


# --- schedules


def struck(text: str, after: str, until: str, zone: ZoneInfo = KYIV) -> list[str]:
    """The local times at which a schedule strikes."""
    schedule = Schedule.parse(text) if text.lower().startswith("every") else Schedule.parse_cron(text)
    times = times_between(schedule, local(after, zone), local(until, zone), zone)
    assert all(moment.tzinfo is UTC for moment in times)
    return [moment.astimezone(zone).strftime("%d %H:%M") for moment in times]


def test_a_daily_schedule_strikes_once_a_day() -> None:
    assert struck("every day at 10:00", "2026-03-01 10:00", "2026-03-03 10:00") == ["02 10:00", "03 10:00"]


def test_a_schedule_strikes_at_the_end_of_its_span_and_not_at_its_beginning() -> None:
    assert struck("every day at 10:00", "2026-03-01 10:00", "2026-03-02 09:59") == []
    assert struck("every day at 10:00", "2026-03-01 09:59", "2026-03-01 10:00") == ["01 10:00"]


def test_weekdays() -> None:
    week = ("2026-03-01 00:00", "2026-03-08 23:00")
    assert struck("every monday at 09:30", *week) == ["02 09:30"]
    assert struck("every monday and friday at 9:30", *week) == ["02 09:30", "06 09:30"]
    assert struck("Every Saturday, Sunday at 9:30", *week) == struck("every weekend at 9:30", *week)
    assert len(struck("every weekday at 9:30", *week)) == 5


@pytest.mark.parametrize("night", ["2026-03-29", "2026-10-25"])
def test_a_change_of_clocks_neither_skips_nor_repeats_a_day(night: str) -> None:
    month = night[:8]
    for at in ("02:30", "03:00", "03:30", "03:59", "04:00"):
        assert len(struck(f"every day at {at}", f"{month}20 12:00", f"{month}30 12:00")) == 10


def test_clocks_that_skip_midnight_skip_nobody() -> None:
    strikes = struck("every day at 00:00", "2026-03-07 12:00", "2026-03-09 12:00", HAVANA)
    assert strikes == ["08 01:00", "09 00:00"]


def test_every_hour_counts_elapsed_time() -> None:
    assert struck("every hour", "2026-03-29 01:30", "2026-03-29 05:30") == [
        "29 02:00",
        "29 04:00",
        "29 05:00",
    ]
    assert struck("every hour", "2026-10-25 02:30", "2026-10-25 04:30") == [
        "25 03:00",
        "25 03:00",
        "25 04:00",
    ]
    assert len(struck("every 15 minutes", "2026-03-01 10:00", "2026-03-01 12:00")) == 8
    assert len(struck("every 2 hours", "2026-03-01 00:00", "2026-03-02 00:00")) == 12


def test_a_cron_line_reads_as_crontab_does() -> None:
    assert struck("0 10 * * *", "2026-03-01 12:00", "2026-03-03 12:00") == ["02 10:00", "03 10:00"]
    assert struck("*/30 9-10 * * mon-fri", "2026-03-01 00:00", "2026-03-02 23:00") == [
        "02 09:00", "02 09:30", "02 10:00", "02 10:30",
    ]  # fmt: skip
    assert struck("0 9 1,15 * *", "2026-03-01 10:00", "2026-04-01 10:00") == ["15 09:00", "01 09:00"]
    assert struck("0 9 * * 7", "2026-03-01 10:00", "2026-03-08 10:00") == ["08 09:00"]
    assert struck("0 9 29 feb *", "2026-01-01 00:00", "2028-12-31 00:00") == ["29 09:00"]


def test_a_day_of_the_month_or_of_the_week_will_do_when_both_are_named() -> None:
    assert struck("0 9 15 * mon", "2026-03-10 00:00", "2026-03-17 00:00") == ["15 09:00", "16 09:00"]


def test_a_cron_line_of_every_hour_counts_the_repeated_one_and_not_the_skipped_one() -> None:
    assert struck("30 * * * *", "2026-03-29 02:00", "2026-03-29 05:00") == ["29 02:30", "29 04:30"]
    assert struck("30 * * * *", "2026-10-25 02:00", "2026-10-25 05:00") == [
        "25 02:30", "25 03:30", "25 03:30", "25 04:30",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong", ["0 10 * *", "60 10 * * *", "0 10 * * moon", "5-1 * * * *", "*/0 * * * *", "", 10]
)
def test_a_wrong_cron_line_is_answered_with_a_right_one(wrong: object) -> None:
    assert "write for example '0 10 * * *'" in complaint(Cron, wrong)


def test_a_cron_line_for_a_day_that_never_comes_is_refused() -> None:
    assert complaint(Cron, "0 0 31 2 *").startswith("'0 0 31 2 *' names a day that never comes")


@pytest.mark.parametrize(
    "wrong", ["day at 10:00", "every day", "every day at 10", "every moonday at 10:00", "every 0 minutes", 10]
)
def test_a_wrong_schedule_is_answered_with_a_right_one(wrong: object) -> None:
    assert complaint(Schedule, wrong).endswith("write for example 'every day at 10:00'")


def test_a_look_at_the_end_of_a_day_is_not_taken_for_one_at_its_beginning() -> None:
    said = "24:00 is the end of its day; write 00:00, and the day after"
    assert complaint(Schedule, "every monday at 24:00") == complaint(Every, "monday at 24:00") == said


def test_a_look_is_planned_by_every_or_by_a_cron_line() -> None:
    assert read(Looked, "every day at 10:00") == Schedule.parse("every day at 10:00")
    assert read(Looked, "0 9 * * mon-fri") == Schedule.parse_cron("0 9 * * mon-fri")
    assert complaint(Looked, "daily").endswith("write for example 'every day at 10:00'")
    assert "write for example '0 10 * * *'" in complaint(Looked, "0 25 * * *")
    assert complaint(Looked, "0 9 31 2 *").startswith("'0 9 31 2 *' names a day that never comes")


def test_the_word_every_may_stand_in_the_key() -> None:
    assert (
        read(Every, "monday at 09:30")
        == read(Every, "every monday at 09:30")
        == Schedule.parse("every monday at 09:30")
    )


def test_the_next_time() -> None:
    assert next_after(Schedule.parse("every day at 10:00"), local("2026-03-01 10:00"), KYIV) == local(
        "2026-03-02 10:00"
    )
    assert next_after(Schedule.parse_cron("0 0 29 2 *"), local("2026-03-01 10:00"), KYIV) == local(
        "2028-02-29 00:00"
    )
    assert next_after(Schedule.parse("every hour"), local("2026-03-01 10:00"), KYIV) == local(
        "2026-03-01 11:00"
    )


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.sampled_from(
        ["every day at 03:30", "every monday at 00:00", "30 * * * *", "*/20 */3 * * *", "every hour"]
    ),
    YEAR,
    st.lists(st.integers(0, 72 * 60), min_size=1, max_size=4),
    st.sampled_from([KYIV, HAVANA, KOLKATA]),
)
def test_looking_in_pieces_finds_what_one_long_look_finds(
    text: str, start: datetime, minutes: list[int], zone: ZoneInfo
) -> None:
    schedule = Schedule.parse(text) if text.lower().startswith("every") else Schedule.parse_cron(text)
    marks = [start]
    for step in minutes:
        marks.append(marks[-1] + timedelta(minutes=step))
    pieces = [t for a, b in pairwise(marks) for t in times_between(schedule, a, b, zone)]
    assert pieces == times_between(schedule, start, marks[-1], zone)


# --- the life of bonuses


@pytest.mark.parametrize(
    ("text", "granted", "starts"),
    [
        ("at once", "2026-03-05", "2026-03-05"),
        ("after 14 days", "2026-03-05", "2026-03-19"),
        ("on day 1 of the month", "2026-03-05", "2026-04-01"),
        ("on day 31 of the month", "2026-02-05", "2026-02-28"),
        ("on day 5 of the month", "2026-03-05", "2026-03-05"),
    ],
)
def test_when_bonuses_start(text: str, granted: str, starts: str) -> None:
    found = read(Starts, text)
    assert found.on(date.fromisoformat(granted)) == date.fromisoformat(starts)
    assert read(Starts, str(found)) == found


@pytest.mark.parametrize(
    ("written", "starts", "last"),
    [
        ("forever", "2026-03-05", None),
        ("180 days", "2026-03-05", "2026-09-01"),
        ("until 12-31", "2026-03-05", "2026-12-31"),
        ("until 12-31", "2026-12-31", "2026-12-31"),
        ("until 03-01", "2026-03-05", "2027-03-01"),
        ("until 02-29", "2026-01-05", "2026-02-28"),
        ("until day 31 of the month", "2026-04-02", "2026-04-30"),
        ("until day 10 of the month", "2026-12-15", "2027-01-10"),
        ({"until": "12-31", "save_from": "10-01"}, "2026-09-30", "2026-12-31"),
        ({"until": "12-31", "save_from": "10-01"}, "2026-10-01", "2027-12-31"),
        ({"until": "03-01", "save_from": "12-01"}, "2026-11-30", "2027-03-01"),
        ({"until": "03-01", "save_from": "12-01"}, "2027-01-10", "2028-03-01"),
    ],
)
def test_the_last_day_of_bonuses(written: object, starts: str, last: str | None) -> None:
    found = read(Lasts, written)
    assert found.last_day(date.fromisoformat(starts)) == (last and date.fromisoformat(last))


@pytest.mark.parametrize(
    "wrong",
    [
        "0 days",
        "12 hours",
        "until 13-01",
        "until 02-30",
        "until day 32 of the month",
        {"until": "12-31"},
        180,
    ],
)
def test_a_wrong_lifetime_is_answered_with_a_right_one(wrong: object) -> None:
    assert "write for example '" in complaint(Lasts, wrong)
