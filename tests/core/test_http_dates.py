"""The dates of HTTP: one is written, three are read."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from core.http_dates import http_date, read_http_date

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
AT = datetime(2026, 3, 1, 7, 59, 5, tzinfo=UTC)


def test_a_date_is_written_in_whole_seconds_of_greenwich() -> None:
    at = AT.replace(microsecond=999_999).astimezone(timezone(timedelta(hours=2)))
    assert http_date(at) == "Sun, 01 Mar 2026 07:59:05 GMT"


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 01 Mar 2026 07:59:05 GMT",
        "Sunday, 01-Mar-26 07:59:05 GMT",
        "Sun Mar  1 07:59:05 2026",
        "Sun, 01 Mar 2026 07:59:05.250 GMT",
        " sun, 01 mar 2026 07:59:05 gmt ",
    ],
)
def test_every_form_of_a_date_is_read(text: str) -> None:
    assert read_http_date(text, NOW) == AT


@pytest.mark.parametrize(
    "text",
    [
        None, "", "soon", "1", "2026-03-01T07:59:05Z", "Sun, 99 Mar 2026 07:59:05 GMT",
        "Sun, 30 Feb 2026 07:59:05 GMT", "Sun, 01 Mar 2026 25:59:05 GMT", "Sun, 01 Mar 0000 07:59:05 GMT",
        "Sun, 01 Mar 2026 07:59:05 +0200", "Sun, 01 Mar 99999999999999999999 07:59:05 GMT",
        "Sun, 01 Mar 2026 07:59:05 GMT, Sun, 01 Mar 2026 07:59:05 GMT", "Sun, ٠١ Mar 2026 07:59:05 GMT",
    ],
)  # fmt: skip
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert read_http_date(text, NOW) is None


@pytest.mark.parametrize(("digits", "year"), [("26", 2026), ("76", 2076), ("77", 1977), ("99", 1999)])
def test_two_digits_are_a_year_of_the_last_fifty_or_the_next(digits: str, year: int) -> None:
    found = read_http_date(f"Sunday, 01-Mar-{digits} 07:59:05 GMT", NOW)
    assert found == AT.replace(year=year)
