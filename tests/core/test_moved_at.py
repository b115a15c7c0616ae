"""An account says until when its balance may have risen: never less than the books do."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update

from core.db import Database
from core.ledger.book import Book
from core.ledger.moved_at import fill
from core.ledger.writing import ACCOUNT, INSTANT, LOT, OPERATION
from core.program.lifetime import Life
from tests.core.books import START, program, register

Fresh = Callable[[], AbstractContextManager[Database]]
WHO = 1
# So many bonuses, given or taken; so many days later than what was before, and starting after so many.
MOVES = st.lists(
    st.tuples(st.sampled_from((50, 20, -10, -60)), st.integers(0, 3), st.integers(0, 9)), max_size=8
)


def move(database: Database, points: int, at: datetime, starts: datetime, key: str) -> None:
    """Give, or take, in a book of its own."""
    with database.write() as connection:
        book = Book(connection, program(), [WHO], at)
        op = book.operation(WHO, "adjustment", key, [], at)
        if points > 0:
            book.accrue(op, points, reason="adjustment", life=Life(starts, None, None))
        else:
            book.redeem(op, -points)
        book.close()


def on_account(database: Database) -> datetime | None:
    with database.read() as connection:
        return connection.scalar(select(ACCOUNT.c.moved_at).where(ACCOUNT.c.customer_id == WHO))


def by_the_books(database: Database) -> datetime | None:
    """When the last operation was written down, or the last open lot starts."""
    theirs: list[Any] = [
        select(func.max(OPERATION.c.recorded_at)).where(OPERATION.c.customer_id == WHO),
        select(func.max(LOT.c.active_from)).where(LOT.c.customer_id == WHO, LOT.c.remaining != 0),
    ]
    with database.read() as connection:
        known = [at for at in map(connection.scalar, theirs) if at is not None]
    return max(known, default=None)


def unknown(database: Database) -> None:
    """As an account of before the upgrade is found, or one that a program of before wrote down."""
    with database.write() as connection:
        connection.execute(update(ACCOUNT).values(moved_at=None))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
def test_whatever_is_given_and_taken_it_is_as_late_as_the_books_say(
    fresh_database: Fresh, moves: list[tuple[int, int, int]]
) -> None:
    with fresh_database() as database:
        register(database, program(), "anna")
        at, latest = START, on_account(database)
        for number, (points, later, waits) in enumerate(moves):
            at += timedelta(days=later)
            starts = at + timedelta(days=waits)
            move(database, points, at, starts, f"m{number}")
            found = on_account(database)
            assert found is not None
            assert found >= (by_the_books(database) or found)
            # And no later than what ever happened, or was ever to start, but for an instant each time.
            latest = max(filter(None, (latest, at, starts if points > 0 else None)))
            assert found - latest < timedelta(milliseconds=1)


def test_what_starts_later_is_not_forgotten_when_something_else_moves(database: Database) -> None:
    register(database, program(), "anna")
    starts = START + timedelta(days=14)
    move(database, 50, START, starts, "later")
    move(database, 20, START + timedelta(days=1), START + timedelta(days=1), "now")
    assert on_account(database) == starts + INSTANT


def test_a_program_that_does_not_know_of_it_leaves_what_the_books_say(postgres_database: Database) -> None:
    register(postgres_database, program(), "anna")
    move(postgres_database, 50, START, START, "first")
    older = text("UPDATE account SET total = total + 5, last_at = last_at")
    with postgres_database.write() as connection:
        connection.execute(update(OPERATION).values(recorded_at=START + timedelta(days=3)), {})
        connection.execute(older)
    assert on_account(postgres_database) == START + timedelta(days=3)


def test_of_an_account_of_before_the_next_writer_has_it_looked_up(postgres_database: Database) -> None:
    register(postgres_database, program(), "anna")
    starts = START + timedelta(days=14)
    move(postgres_database, 50, START, starts, "later")
    unknown(postgres_database)
    move(postgres_database, 20, START + timedelta(days=1), START + timedelta(days=1), "now")
    assert on_account(postgres_database) == starts


def test_accounts_of_before_are_filled_in_part_by_part(postgres_database: Database) -> None:
    register(postgres_database, program(), "anna", "boris", "vera")
    move(postgres_database, 50, START, START + timedelta(days=14), "later")
    unknown(postgres_database)
    assert fill(postgres_database, part=2) == 1
    assert on_account(postgres_database) == by_the_books(postgres_database) == START + timedelta(days=14)
    assert fill(postgres_database) == 0
