"""What the program gives on birthdays: once in a calendar year, on the day itself by the program's zone.

Whoever looks may look as often as they like. A look that was missed is made up for, up to a week; a birthday
that somebody enters when its day is over has been missed for good. Changing it brings nothing twice.
"""

from calendar import isleap
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, String, cast, exists, literal, or_, select

from core.db import Database
from core.events import Position, cursor, move_cursor
from core.grants.giving import CUSTOMER, GRANT, Act, give_grants, rules_on, unfit
from core.ledger.writing import OPERATION
from core.program import Program
from core.units import at_local

# The cursor that remembers the day of the last look.
LOOKED = "grants:birthdays"
CATCH_UP_DAYS = 7
CHUNK = 1_000
BIRTHDAY = "birthday"


def give_for_birthdays(database: Database, program: Program, at: datetime) -> int:
    """Give to everybody whose birthday it is, or was since the last look; returns the number of grants.

    A thousand customers a transaction: it may be interrupted and done again.
    """
    if not rules_on(program, BIRTHDAY):
        return 0
    today = program.day_of(at)
    with database.read() as connection:
        looked = cursor(connection, LOOKED)
    given = sum(_give_for_day(database, program, day, at) for day in _days(looked, today))
    if looked is None or looked.event_id < today.toordinal():
        with database.write() as connection:
            move_cursor(connection, LOOKED, Position(0, today.toordinal()))
    return given


def _days(looked: Position | None, today: date) -> Sequence[date]:
    """Today, and the days since the last look; the first look of all knows only of today."""
    since = today if looked is None else date.fromordinal(looked.event_id) + timedelta(days=1)
    first = min(today, max(since, today - timedelta(days=CATCH_UP_DAYS)))
    return [first + timedelta(days=number) for number in range((today - first).days + 1)]


def _give_for_day(database: Database, program: Program, day: date, at: datetime) -> int:
    rules = [grant.rule for grant in rules_on(program, BIRTHDAY) if unfit(grant, day) is None]
    if not rules:
        return 0
    # Of a day that is over, its last moment; of today, now.
    when = min(at, at_local(day + timedelta(days=1), time(0), program.zone) - timedelta(seconds=1))
    count, last = 0, 0
    while True:
        with database.read() as connection:
            due = _due(connection, rules, day, last)
        if not due:
            return count
        last = due[-1]
        acts = [Act(customer_id, str(day.year), when) for customer_id in due]
        with database.write() as connection:
            given = give_grants(connection, program, BIRTHDAY, acts, at, live=True, among=rules)
        count += sum(not it.reason for it in given)


def _due(connection: Connection, rules: Sequence[str], day: date, after: int) -> list[int]:
    """Who has that birthday, and from some rule has nothing for the year yet; by number, after one."""
    who = cast(CUSTOMER.c.id, String)
    lacking = [~exists().where(OPERATION.c.key == _key(rule, who, day)) for rule in rules]
    present = [CUSTOMER.c.erased_at.is_(None), CUSTOMER.c.merged_into.is_(None)]
    born = CUSTOMER.c.birthday_md.in_(_month_days(day))
    rows = select(CUSTOMER.c.id).where(born, CUSTOMER.c.id > after, or_(*lacking), *present)
    return list(connection.scalars(rows.order_by(CUSTOMER.c.id).limit(CHUNK)))


def _key(rule: str, who: Any, day: date) -> Any:
    """The grant's key (core.grants.giving.grant_key), put together in SQL."""
    return literal(f"{GRANT}:{rule}:") + who + literal(f":{day.year}")


def _month_days(day: date) -> list[int]:
    """Whose birthday is kept on a day: who was born on 29 February has it on the 28th in common years."""
    born = [day.month * 100 + day.day]
    return [*born, 229] if born == [228] and not isleap(day.year) else born
