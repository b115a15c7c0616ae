"""A yearly return of the day on which the customer joined, or first bought."""

from calendar import isleap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    SmallInteger,
    String,
    and_,
    column,
    func,
    select,
    values,
)
from sqlalchemy import cast as sql_cast

from core.db import UtcDateTime, facts
from core.tables import CustomerStats
from core.units import at_local
from triggers.base import (
    CUSTOMER,
    PRESENT,
    Due,
    Fact,
    Kind,
    Look,
    Parameters,
    Trigger,
    Zone,
    utc_day,
    utc_text,
)

STATS = CustomerStats.__table__  # type: ignore[attr-defined]
# No customer of any program joined earlier.
FIRST_YEAR = 1970
# Behind the last time of a year, as text.
YEAR_ENDS = "12-32"


class AnniversaryParameters(Parameters):
    """Of what, and when to speak, seen from it."""

    instead: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("ahead", "before"), "write for example 'days: -3', three days before the anniversary"
    )

    of: Literal["registration", "first_purchase"] = Field(
        default="registration", description="registration or first_purchase"
    )
    days: int = Field(
        default=0, ge=-7, le=7, description="-3 is three days before the anniversary, 1 the day after"
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an anniversary: the times of one stretch of the calendar in UTC, in some years.

    [start, end) are months, days and times as in text; `moved` is by how much the year in UTC differs from
    the year there. `month_day` is of the day itself, `day` the anniversary of this year.
    """

    zone: str
    start: str
    end: str
    first_year: int
    last_year: int
    moved: int
    month_day: str
    day: str
    at: datetime


class Anniversary(Trigger[AnniversaryParameters]):
    """So many years since the customer joined, or first bought; by the calendar of their own time zone.

    What began on 29 February is kept on 28 February in other years. The first purchase is the earliest one
    that was not returned; a receipt that arrives late moves it, and a year is still counted once.
    """

    name: ClassVar[str] = "anniversary"
    kind: ClassVar[Kind] = "state"
    Parameters = AnniversaryParameters
    facts = {
        "years": Fact("number", "how many years it has been"),
        "anniversary": Fact("date", "this year's anniversary"),
        "since": Fact("date", "the day on which it began"),
    }

    def candidates(self, parameters: AnniversaryParameters, look: Look) -> Select[Any]:
        """Whose day has come since the last look, zone by zone."""
        parts = [part for zone in look.zone_rows for part in _parts(zone, parameters.days)]
        # The first years have none, and an empty VALUES is no SQL: a row that nobody matches stands for it.
        # Its day is one all the same, since PostgreSQL reads the year of it.
        parts = parts or [_Part("", "", "", 0, 0, 0, "", "1970-01-01", look.at)]
        target = _table([astuple(part) for part in parts])
        began = utc_text(_began(parameters))
        year = sql_cast(func.substr(began, 1, 4), Integer) - target.c.moved
        years = sql_cast(func.substr(target.c.day, 1, 4), Integer) - year
        day_and_time = func.substr(began, 6)
        theirs = and_(
            func.coalesce(CUSTOMER.c.time_zone, "") == target.c.zone,
            day_and_time >= target.c.start, day_and_time < target.c.end,
            year.between(target.c.first_year, target.c.last_year),
        )  # fmt: skip
        since = sql_cast(year, String) + "-" + target.c.month_day
        return (
            select(
                CUSTOMER.c.id.label("customer_id"), sql_cast(years, String).label("occasion"),
                began.label("subject"), target.c.at.label("at"),
                facts(years=years, anniversary=target.c.day, since=since).label("facts"),
            )
            .select_from(_customers(parameters).join(target, theirs))
            .where(PRESENT, utc_day(_began(parameters)).in_(_days(parts)))
        )  # fmt: skip

    def perhaps(self, parameters: AnniversaryParameters, look: Look) -> Sequence[Select[Any]]:
        """Who joined or first bought on one of the days in UTC over which the anniversary lies."""
        days = _days([part for zone in look.zone_rows for part in _parts(zone, parameters.days)])
        began = utc_day(_began(parameters)).in_(days)
        return (select(CUSTOMER.c.id).select_from(_customers(parameters)).where(began),)

    def still_true(self, parameters: AnniversaryParameters, look: Look, due: Due) -> Select[Any]:
        """The customer is still there, and it began when it was thought to have begun."""
        same = and_(CUSTOMER.c.id == due.c.customer_id, utc_text(_began(parameters)) == due.c.subject)
        return (
            select(due.c.id, due.c.facts).select_from(_customers(parameters).join(due, same)).where(PRESENT)
        )


def _days(parts: list[_Part]) -> list[date]:
    """The days in UTC on which the parts lie: most joined on none of them, which costs little to see."""
    found = {
        date(year + part.moved, int(text[:2]), int(text[3:5]))
        for part in parts for text in {part.start, part.end} - {"", YEAR_ENDS}
        for year in range(part.first_year, part.last_year + 1)
    }  # fmt: skip
    return sorted(found)


def _customers(parameters: AnniversaryParameters) -> Any:
    if parameters.of == "registration":
        return CUSTOMER
    return CUSTOMER.join(STATS, STATS.c.customer_id == CUSTOMER.c.id)


def _began(parameters: AnniversaryParameters) -> ColumnElement[Any]:
    registered: ColumnElement[Any] = CUSTOMER.c.registered_at
    return registered if parameters.of == "registration" else STATS.c.first_purchase_at


def _table(rows: list[tuple[Any, ...]]) -> FromClause:
    columns = (
        column("zone", String), column("start", String), column("end", String),
        column("first_year", SmallInteger), column("last_year", SmallInteger), column("moved", SmallInteger),
        column("month_day", String), column("day", String), column("at", UtcDateTime),
    )  # fmt: skip
    return values(*columns, name="target").data(rows).cte("target")


def _parts(zone: Zone, days: int) -> Iterator[_Part]:
    for day, planned in zone.days():
        anniversary = day - timedelta(days=days)
        yield from _of_day(zone, anniversary, anniversary.month, anniversary.day, planned)
        if (anniversary.month, anniversary.day) == (2, 28) and not isleap(anniversary.year):
            yield from _of_day(zone, anniversary, 2, 29, planned)


def _of_day(zone: Zone, anniversary: date, month: int, day: int, planned: datetime) -> Iterator[_Part]:
    """The parts for everything that began on a day of the calendar, in any earlier year.

    A day there lies over two days of UTC. Where it lies differs by the year (daylight saving, leap years),
    mostly between a few ways: years of the same way are one row.
    """
    found = [
        (stretch, year)
        for year in range(FIRST_YEAR, anniversary.year)
        if (month, day) != (2, 29) or isleap(year)
        for stretch in _stretches(date(year, month, day), zone.zone)
    ]
    found.sort()
    for stretch, group in groupby(found, key=lambda it: it[0]):
        start, end, moved = stretch
        for first, last in _runs([year for _, year in group]):
            yield _Part(
                zone.name, start, end, first, last, moved, f"{month:02}-{day:02}", anniversary.isoformat(),
                planned,
            )  # fmt: skip


def _stretches(day: date, zone: ZoneInfo) -> Iterator[tuple[str, str, int]]:
    """(start, end, by how much the year differs) of a day there, in UTC: two around New Year."""
    start, end = (at_local(it, time(0), zone) for it in (day, day + timedelta(days=1)))
    new_year = datetime(end.year, 1, 1, tzinfo=UTC)
    if start < new_year < end:
        yield _text(start), YEAR_ENDS, start.year - day.year
        start = new_year
    last = _text(end) if end > new_year else YEAR_ENDS
    yield _text(start), last, start.year - day.year


def _text(at: datetime) -> str:
    return f"{at:%m-%d %H:%M:%S}"


def _runs(years: list[int]) -> Iterator[tuple[int, int]]:
    """Rising years as stretches without a gap."""
    for _, group in groupby(enumerate(years), key=lambda it: it[1] - it[0]):
        run = [year for _, year in group]
        yield run[0], run[-1]


TRIGGER = Anniversary()
