"""HTTP dates (RFC 9110, 5.6.7): in `Last-Modified`, `If-Modified-Since` and `Retry-After`."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime

from core.clock import Clock, SystemClock

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = "|".join(_MONTHS)
# A fraction of a second is no part of an HTTP date; who sends one means the whole second.
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.\d+)?"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        rf"[a-z]{{3}}, (?P<day>\d\d) (?P<month>{_MONTH}) (?P<year>\d{{4}}) {_TIME} GMT",
        rf"[a-z]{{6,9}}, (?P<day>\d\d)-(?P<month>{_MONTH})-(?P<year>\d\d) {_TIME} GMT",
        rf"[a-z]{{3}} (?P<month>{_MONTH}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)
_CENTURY, _HALF = 100, 50
LONGEST_WAIT = 86400.0


def http_date(at: datetime) -> str:
    """The date as we send it, in whole seconds."""
    return format_datetime(at.astimezone(UTC), usegmt=True)


def read_http_date(text: str | None, now: datetime) -> datetime | None:
    """The time of an HTTP date of any of its three forms, aware UTC; None for anything else.

    Years of two digits (RFC 850) are of the last fifty years or the next, as seen at `now`.
    """
    found = next(filter(None, (form.fullmatch(text.strip()) for form in _FORMS)), None) if text else None
    if found is None:
        return None
    year = int(found["year"])
    if len(found["year"]) == len("26"):
        year += now.year - now.year % _CENTURY
        year -= _CENTURY if year > now.year + _HALF else 0
    month = _MONTHS.index(found["month"].lower()) + 1
    day, hour, minute, second = (int(found[part]) for part in ("day", "hour", "minute", "second"))
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:  # the 31st of February, a leap second
        return None


def retry_after(value: str, date: str = "", clock: Clock | None = None) -> float | None:
    """Retry-After (RFC 9110, 10.2.3) in seconds, at most a day; None for none that can be read.

    A date is held against `date`, the answer's own, so that it does not matter whether the two clocks agree;
    without one, against `clock`. One that is over means now.
    """
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), LONGEST_WAIT)
    now = (clock or SystemClock()).now()
    until = read_http_date(value, now)
    if until is None:
        return None
    since = read_http_date(date, now) or now
    return min(max((until - since).total_seconds(), 0.0), LONGEST_WAIT)
