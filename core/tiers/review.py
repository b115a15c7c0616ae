"""The nightly look: who falls because the period and its grace are over."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, and_, case, func, literal, or_, select, update

from core.db import Database, UtcDateTime
from core.errors import EnvironmentFault
from core.events import START, Position, append, cursor, move_cursor
from core.ledger.book import CHUNK, Book
from core.ledger.writing import ACCOUNT
from core.program import Program
from core.program.versions import runs, version
from core.tables import Customer
from core.tiers.bought import RECEIPT, measured
from core.tiers.climb import INSTANT, Climb
from core.tiers.periods import periods
from core.tiers.records import write
from core.tiers.standing import Standing
from core.units import midnight

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
# The cursor that remembers the day of the last review.
REVIEWED = "tiers:day"
# So many accounts are held at once.
AT_ONCE = 1_000


def review_of_the_day(database: Database, program: Program, at: datetime) -> int | None:
    """`review`, once a day of the program, whoever asks how often; None if it was done today.

    A thousand customers a transaction: on the night after a year nobody's till waits for all the others. It
    may be interrupted and done again. Midnights that nobody looked at before other levels went live are
    looked at first, by the rules of their time.
    """
    today = Position(0, program.day_of(at).toordinal())
    with database.read() as connection:
        reviewed = cursor(connection, REVIEWED) or START
        if reviewed >= today:
            return None
        missed = _missed(connection, reviewed.event_id, at)
    moved = sum(_night(database, rules, until, at) for rules, until in missed)
    moved += _night(database, program, at, at)
    with database.write() as connection:
        move_cursor(connection, REVIEWED, today)
    return moved


def _missed(connection: Connection, reviewed: int, at: datetime) -> list[tuple[Program, datetime]]:
    """The programs whose last midnights nobody has looked at, each with its end: others are live since.

    `reviewed` is the number of the day of the last review.
    """
    found = []
    for (_, before), (since, after) in pairwise(runs(connection)):
        end = since - INSTANT
        # By no zone a later day: what is long over is not read at all.
        if since > at or end.toordinal() + 1 <= reviewed:
            continue
        # One that is too old to be read has no say.
        with suppress(EnvironmentFault):
            rules = version(connection, before)
            if rules.day_of(end).toordinal() > reviewed and rules.tiers != version(connection, after).tiers:
                found.append((rules, end))
    return found


def _night(database: Database, program: Program, until: datetime, at: datetime) -> int:
    """Move down, at `at`, who did not pass a check until a time by this program."""
    with database.read() as connection:
        due = sorted(_due(connection, program, until, None))
    moved = 0
    for start in range(0, len(due), AT_ONCE):
        with database.write() as connection:
            moved += _look(connection, program, at, due[start : start + AT_ONCE], live=True, until=until)
    return moved


def review(
    connection: Connection, program: Program, at: datetime,
    *, among: Sequence[int] | None = None, live: bool = True,
) -> int:  # fmt: skip
    """Move down everyone who did not pass a check until `at`; returns how many moved.

    A move has the time of its check, whenever it is found. Who seems to fall is looked at again under the
    account's lock, so that a purchase of the same moment is not overlooked. An import looks `among` its own
    customers (at most 5,000), and its history is not `live`.
    """
    due = sorted(_due(connection, program, at, among))
    moved = 0
    for start in range(0, len(due), CHUNK):
        moved += _look(connection, program, at, due[start : start + CHUNK], live=live)
    return moved


def _look(
    connection: Connection, program: Program, at: datetime, ids: Sequence[int],
    *, live: bool, until: datetime | None = None,
) -> int:  # fmt: skip
    """Move down, at `at`, who of these did not pass a check until a time (None: `at`)."""
    holder = func.coalesce(CUSTOMER.c.household_id, CUSTOMER.c.id)
    book = Book(connection, program, connection.scalars(select(holder).where(CUSTOMER.c.id.in_(ids))), at)
    columns = (CUSTOMER.c.id, CUSTOMER.c.tier, CUSTOMER.c.tier_since, CUSTOMER.c.invited_to)
    rows = connection.execute(select(*columns, holder.label("holder")).where(CUSTOMER.c.id.in_(ids))).all()
    if until is not None and until < at:
        rows = [row for row in rows if _stood_still(row, book, program, until)]
    standings = {row.id: Standing(row.tier, row.tier_since, row.invited_to) for row in rows}
    climb = Climb(connection, program, standings, until or at, None)
    for customer_id in standings:
        climb.settle(program, customer_id, until or at)
    moved = [(row.holder, standings[row.id].moves[-1].at) for row in rows if standings[row.id].moves]
    append(connection, write(connection, standings, at), at, live=live)
    _date(connection, moved)
    return len(moved)


def _stood_still(row: Any, book: Book, program: Program, until: datetime) -> bool:
    """Nothing has happened since by which the level would be another one than the fall leaves: only a replay
    goes back behind that.
    """
    last = book.last_at[row.holder]
    return (last is None or last <= until) and program.rank(row.tier) >= 0


def _date(connection: Connection, times: Sequence[tuple[int, datetime]]) -> None:
    """A receipt from before the move comes late from now on, and has the move worked out again."""
    for holder, at in times:
        earlier = or_(ACCOUNT.c.last_at.is_(None), ACCOUNT.c.last_at < literal(at, UtcDateTime))
        theirs = update(ACCOUNT).where(ACCOUNT.c.customer_id == holder, earlier)
        connection.execute(theirs.values(last_at=at))


def _due(
    connection: Connection, program: Program, at: datetime, among: Sequence[int] | None
) -> Sequence[int]:
    """Who has not done enough for the last check, or holds a level that the program no longer has."""
    check = periods(program).last_check(program.day_of(at))
    span = periods(program).span(check)
    levels = program.tiers.levels
    rank = case({level.name: number for number, level in enumerate(levels)}, value=CUSTOMER.c.tier, else_=0)
    floor = case({it.name: i for i, it in enumerate(levels)}, value=CUSTOMER.c.invited_to, else_=0)
    enough = case({it.name: program.tier_amount(it) for it in levels}, value=CUSTOMER.c.tier, else_=0)
    removed = CUSTOMER.c.tier.not_in(program.tier_names)
    reached = literal(midnight(periods(program).reached_before(check), program.zone), UtcDateTime)
    recent = (
        (RECEIPT.c.customer_id == CUSTOMER.c.id)
        & RECEIPT.c.returned_at.is_(None)
        & (RECEIPT.c.at >= literal(midnight(span[0], program.zone), UtcDateTime))
        & (RECEIPT.c.at < literal(midnight(span[1], program.zone), UtcDateTime))
    )
    statement = (
        select(CUSTOMER.c.id)
        .select_from(CUSTOMER.outerjoin(RECEIPT, recent))
        .where(CUSTOMER.c.tier.is_not(None), CUSTOMER.c.tier != levels[0].name)
        .where(or_(removed, and_(CUSTOMER.c.tier_since < reached, rank > floor)))
        .group_by(CUSTOMER.c.id, CUSTOMER.c.tier)
        .having(or_(removed, measured(program) < enough))
    )
    if among is not None:
        statement = statement.where(CUSTOMER.c.id.in_(among))
    return connection.scalars(statement).all()
