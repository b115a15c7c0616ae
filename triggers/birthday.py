"""A birthday."""

from calendar import isleap
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    Select,
    SmallInteger,
    String,
    and_,
    column,
    extract,
    func,
    literal,
    select,
    values,
)
from sqlalchemy import cast as sql_cast

from core.db import UtcDateTime, facts
from triggers.base import CUSTOMER, PRESENT, Due, Fact, Kind, Look, Parameters, Trigger, Zone


class BirthdayParameters(Parameters):
    """When to speak, seen from the birthday."""

    instead: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("ahead", "before"), "write for example 'days: -3', three days before the birthday"
    )

    days: int = Field(
        default=0, ge=-7, le=7, description="-3 is three days before the birthday, 1 the day after"
    )


class Birthday(Trigger[BirthdayParameters]):
    """The customer's birthday, by the calendar of their own time zone.

    A birthday on 29 February is kept on 28 February in other years.
    """

    name: ClassVar[str] = "birthday"
    kind: ClassVar[Kind] = "state"
    Parameters = BirthdayParameters
    facts = {
        "birthday": Fact("date", "this year's birthday"),
        "age": Fact("number", "the age reached on it"),
    }

    def candidates(self, parameters: BirthdayParameters, look: Look) -> Select[Any]:
        """An index range of birthdays for each day that has passed since the last look, zone by zone."""
        rows = [row for zone in look.zone_rows for row in _targets(zone, parameters.days)]
        target = (
            values(
                column("zone", String), column("month_day", SmallInteger),
                column("birthday", Date), column("at", UtcDateTime), name="target",
            )
            .data(rows)
            .cte("target")
        )  # fmt: skip
        theirs = and_(
            CUSTOMER.c.birthday_md == target.c.month_day,
            func.coalesce(CUSTOMER.c.time_zone, "") == target.c.zone,
        )
        year = sql_cast(extract("year", target.c.birthday), Integer)
        age = year - sql_cast(extract("year", CUSTOMER.c.birthday), Integer)
        return select(
            CUSTOMER.c.id.label("customer_id"), sql_cast(year, String).label("occasion"),
            sql_cast(target.c.birthday, String).label("subject"), target.c.at.label("at"),
            _facts(target.c.birthday, age).label("facts"),
        ).join(target, theirs).where(PRESENT)  # fmt: skip

    def still_true(self, parameters: BirthdayParameters, look: Look, due: Due) -> Select[Any]:
        """The customer is still there, with a birthday on that day (a corrected date recalls the message)."""
        # As text: what waits since the scenario had another trigger has a subject that is no date. The
        # leading 1 keeps the zero of 0301.
        named = literal("1") + func.replace(func.substr(due.c.subject, 6), "-", "")
        theirs = sql_cast(CUSTOMER.c.birthday_md + 10_000, String)
        leap = and_(CUSTOMER.c.birthday_md == 229, named == "10228")
        same = and_(CUSTOMER.c.id == due.c.customer_id, (theirs == named) | leap, PRESENT)
        return select(due.c.id, due.c.facts).join(CUSTOMER, same)


def _facts(birthday: Any, age: Any) -> ColumnElement[Any]:
    return facts(birthday=sql_cast(birthday, String), age=age)


def _targets(zone: Zone, days: int) -> Iterator[tuple[str, int, date, datetime]]:
    """(zone, month × 100 + day, this year's birthday, planned time) of everyone due in a zone."""
    for day, planned in zone.days():
        birthday = day - timedelta(days=days)
        yield zone.name, birthday.month * 100 + birthday.day, birthday, planned
        if (birthday.month, birthday.day) == (2, 28) and not isleap(birthday.year):
            yield zone.name, 229, birthday, planned


TRIGGER = Birthday()
