"""The look that gives what became due by itself: full profiles, friends who have bought, birthdays.

Profiles and friends are heard of in the stream of events, once each, after the fact. So neither a
registration nor a till ever waits for somebody else's account (core.grants.referral_grants).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select

from core.db import Database
from core.events import EVENT, START, Position, between, cursor, horizon, move_cursor
from core.grants.birthdays import give_for_birthdays
from core.grants.full_profiles import PROFILE, give_for_profiles
from core.grants.giving import CUSTOMER, Given, rules_on
from core.grants.referral_grants import FRIEND, INVITER, News, settle
from core.grants.referrals import NAMED
from core.program import Program

# The cursor that remembers how far the stream was read.
READER = "grants"
PAGE, CHUNK = 5_000, 500
OF_PROFILES = ("registered", "profile_changed")
OF_FRIENDS = (NAMED, "purchase", "return")


def give_what_is_due(database: Database, program: Program, at: datetime) -> int:
    """What the stream and the calendar bring by `at`; returns the number of grants. As often as one likes."""
    return give_for_news(database, program, at) + give_for_birthdays(database, program, at)


def give_for_news(database: Database, program: Program, at: datetime) -> int:
    """What has happened since the last look; returns the number of grants.

    The place in the stream moves on only when all was given: what is interrupted is looked at again, and
    nothing is given twice. News that no rule asks about is passed by: a new rule begins with what comes then.
    """
    with database.read() as connection:
        start, end = cursor(connection, READER) or START, horizon(connection)
        # Nothing new, nothing to write: a quiet night writes no place.
        end = end if start < end and _anything(connection, start, end) else start
    given = 0
    while start < end:
        with database.read() as connection:
            rows = _news(connection, program, start, end)
        given += _profiles(database, program, rows, at) + _friends(database, program, rows, at)
        start = Position(rows[-1].transaction, rows[-1].id) if len(rows) == PAGE else end
        with database.write() as connection:
            move_cursor(connection, READER, start)
    return given


def _anything(connection: Connection, start: Position, end: Position) -> bool:
    return connection.scalar(select(EVENT.c.id).where(between(start, end)).limit(1)) is not None


def _news(connection: Connection, program: Program, start: Position, end: Position) -> list[Any]:
    asked = []
    if rules_on(program, PROFILE):
        asked.append(EVENT.c.kind.in_(OF_PROFILES))
    if rules_on(program, INVITER) or rules_on(program, FRIEND):
        asked.append(and_(EVENT.c.kind.in_(OF_FRIENDS), CUSTOMER.c.referred_by.is_not(None)))
    if not asked:
        return []
    present = [CUSTOMER.c.erased_at.is_(None), CUSTOMER.c.merged_into.is_(None)]
    kinds = EVENT.c.kind.in_((*OF_PROFILES, *OF_FRIENDS))
    columns = (EVENT.c.customer_id, EVENT.c.kind, EVENT.c.at, EVENT.c.transaction, EVENT.c.id)
    chosen = select(*columns).join(CUSTOMER, CUSTOMER.c.id == EVENT.c.customer_id)
    live = chosen.where(EVENT.c.live, kinds, between(start, end), or_(*asked), *present)
    return list(connection.execute(live.order_by(EVENT.c.transaction, EVENT.c.id).limit(PAGE)))


def _profiles(database: Database, program: Program, rows: Sequence[Row[Any]], at: datetime) -> int:
    changed = sorted({row.customer_id for row in rows if row.kind in OF_PROFILES})
    given = 0
    for start in range(0, len(changed) if rules_on(program, PROFILE) else 0, CHUNK):
        with database.write() as connection:
            some = changed[start : start + CHUNK]
            given += _count(give_for_profiles(connection, program, some, at, at, live=True))
    return given


def _friends(database: Database, program: Program, rows: Sequence[Row[Any]], at: datetime) -> int:
    news = _heard(rows)
    friends = sorted(news)
    given = 0
    for start in range(0, len(friends), CHUNK):
        with database.write() as connection:
            some = {i: news[i] for i in friends[start : start + CHUNK]}
            given += _count(settle(connection, program, some, at, live=True).given)
    return given


def _heard(rows: Sequence[Row[Any]]) -> Mapping[int, News]:
    """What was heard of each friend."""
    heard: dict[int, tuple[list[datetime], list[datetime]]] = {}
    for row in rows:
        if row.kind in OF_FRIENDS:
            named, bought = heard.setdefault(row.customer_id, ([], []))
            if row.kind != "return":
                (named if row.kind == NAMED else bought).append(row.at)
    return {i: News(named[0] if named else None, bought) for i, (named, bought) in heard.items()}


def _count(given: Sequence[Given]) -> int:
    return sum(not it.reason for it in given)
