"""The period of a report of the books: two days, by the program's clocks."""

from datetime import date, datetime
from typing import Annotated

from fastapi import Query

from core.program import Program
from core.units import first_moment
from tidings.api.problems import refuse

Since = Annotated[
    date, Query(alias="from", description="The first day of the period.", examples=["2026-03-01"])
]
Until = Annotated[date, Query(alias="to", description="The day after the last one.", examples=["2026-04-01"])]


def period(program: Program, since: date, until: date) -> tuple[datetime, datetime]:
    """When it begins and ends; Refused if that is no period."""
    if until <= since:
        raise refuse("invalid", "to: must be a day after `from`", "to")
    return _moment(program, since, "from"), _moment(program, until, "to")


def _moment(program: Program, day: date, field: str) -> datetime:
    try:
        return first_moment(day, program.zone)
    except ValueError as error:
        raise refuse("invalid", f"{field}: {error}", field) from None
