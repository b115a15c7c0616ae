"""Who the customer is: the profile, the level, attributes."""

from calendar import isleap
from datetime import MAXYEAR, MINYEAR, date
from typing import cast

from sqlalchemy import String, and_, func, literal, or_

from campaigns.audience import Test
from campaigns.conditions.compare import each, moment, number, one, text, written
from campaigns.conditions.view import Condition, Meaning, View
from core.db import json_is, json_number, json_string
from core.db.members import member
from core.tables import Customer

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
MONTH = 100  # of `birthday_md`


def profile(name: str) -> Meaning:
    """A text of the profile."""
    return lambda view, test: text(CUSTOMER.c[name], test)


def time(name: str) -> Meaning:
    """A time of the profile."""
    return lambda view, test: moment(view, CUSTOMER.c[name], test)


def tier(view: View, test: Test) -> Condition:
    """The level by its name, or by its place among the levels."""
    if test.op not in ("at_least", "at_most"):
        return text(CUSTOMER.c.tier, test)
    names = list(view.program.tier_names)
    place = names.index(str(one(test)))
    meant = names[place:] if test.op == "at_least" else names[: place + 1]
    return cast(Condition, CUSTOMER.c.tier.in_(meant))


def known(_view: View, test: Test) -> Condition:
    """The profile says something about one of these."""
    return or_(*(_said(str(name)) for name in each(test)))


def _said(name: str) -> Condition:
    column = CUSTOMER.c[name]
    return cast(Condition, column.is_not(None) if name == "birthday" else func.coalesce(column, "") != "")


def birthday(_view: View, test: Test) -> Condition:
    """The month or the day of the month."""
    month = test.field.endswith("month")
    column = CUSTOMER.c.birthday_md // MONTH if month else CUSTOMER.c.birthday_md % MONTH
    return number(column, test, int)


def age(view: View, test: Test) -> Condition:
    """Full years on the program's day: a range of birthdays."""
    today = view.today

    def at_least(years: int) -> Condition:
        return cast(Condition, CUSTOMER.c.birthday <= _years_before(today, years))

    def is_between(low: int, high: int) -> Condition:
        return and_(at_least(low), CUSTOMER.c.birthday > _years_before(today, high + 1))

    if test.op == "between":
        low, high = each(test)
        return is_between(int(low), int(high))
    if test.op == "one_of":
        return or_(*(is_between(int(n), int(n)) for n in each(test)))
    years = int(one(test))
    if test.op in ("at_least", "more_than"):
        return at_least(years + (test.op == "more_than"))
    return cast(Condition, CUSTOMER.c.birthday > _years_before(today, years + (test.op == "at_most")))


def _years_before(day: date, years: int) -> date:
    """The latest birthday of who is so old on a day; 29 February is kept on the 28th in other years."""
    year = min(max(day.year - years, MINYEAR), MAXYEAR)
    if (day.month, day.day) == (2, 28) and not isleap(day.year) and isleap(year):
        return date(year, 2, 29)
    try:
        return day.replace(year=year)
    except ValueError:  # 29 February
        return date(year, 2, 28)


def attribute(_view: View, test: Test) -> Condition:
    """An attribute of the customer: a text, a number, true or false, or a list of them."""
    name = test.field.removeprefix("attributes.")
    key = member(CUSTOMER.c.attributes, name)
    if test.op == "contains":
        return text(json_string(CUSTOMER.c.attributes, key), test)
    if test.op != "one_of":
        return number(json_number(CUSTOMER.c.attributes, key), test, float)
    return json_is(CUSTOMER.c.attributes, key, *(literal(written(it), String) for it in each(test)))
