"""The stream of events: read in commit order, and nothing is lost."""

from datetime import timedelta

from sqlalchemy import Connection, select, text, update

from core.db import Database
from core.events import (
    EVENT,
    START,
    Happening,
    Position,
    append,
    between,
    cursor,
    horizon,
    move_cursor,
    number_anew,
)
from tests.core.books import START as NOW
from tests.core.books import program, register


def test_a_reader_never_loses_an_event_that_commits_late(postgres_database: Database) -> None:
    register(postgres_database, program(), "anna")
    read, position = _read(postgres_database, START)
    assert len(read) == 1
    with postgres_database.write() as slow:
        _append(slow, "slow")
        with postgres_database.write() as quick:
            _append(quick, "quick")
        # The quick one has a higher number and is committed; the slow one still runs.
        while_running, position = _read(postgres_database, position)
    after, position = _read(postgres_database, position)
    assert while_running + after == ["slow", "quick"]
    assert _read(postgres_database, position)[0] == []


def test_what_was_written_in_one_transaction_is_read_at_once(database: Database) -> None:
    register(database, program(), "anna")
    _, position = _read(database, START)
    with database.write() as connection:
        _append(connection, "one")
        _append(connection, "two")
        connection.execute(text("SAVEPOINT further"))
        _append(connection, "three")
        connection.execute(text("RELEASE SAVEPOINT further"))
    assert _read(database, position)[0] == ["one", "two", "three"]


def test_a_rolled_back_event_was_never_there(database: Database) -> None:
    register(database, program(), "anna")
    _, position = _read(database, START)
    try:
        with database.write() as connection:
            _append(connection, "undone")
            raise InterruptedError
    except InterruptedError:
        pass
    with database.write() as connection:
        _append(connection, "done")
    assert _read(database, position)[0] == ["done"]


def test_a_place_in_the_middle_of_a_transaction_divides_it(database: Database) -> None:
    register(database, program(), "anna")
    with database.write() as connection:
        _append(connection, "one")
        _append(connection, "two")
    with database.read() as connection:
        row = connection.execute(select(EVENT).where(EVENT.c.subject == "one")).one()
        here, end = Position(row.transaction, row.id), horizon(connection)
        before = connection.scalars(select(EVENT.c.subject).where(between(START, here)).order_by(EVENT.c.id))
        assert list(before) == ["registration", "one"]
        assert list(connection.scalars(select(EVENT.c.subject).where(between(here, end)))) == ["two"]


def test_a_cursor_remembers_how_far_a_reader_has_come(database: Database) -> None:
    with database.write() as connection:
        assert cursor(connection, "bonus-accrued") is None
        move_cursor(connection, "bonus-accrued", Position(7, 9))
        move_cursor(connection, "bonus-accrued", Position(8, 1))
        assert cursor(connection, "bonus-accrued") == Position(8, 1)
        assert cursor(connection, "win-back") is None


def test_reading_on_looks_only_at_what_is_new(sqlite_database: Database) -> None:
    with sqlite_database.read() as connection:
        new = select(EVENT.c.id).where(EVENT.c.kind == "purchase", between(Position(0, 10), Position(0, 20)))
        sql = new.compile(connection, compile_kwargs={"literal_binds": True})
        plan = " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"))
    assert "event_stream (kind=? AND transaction=? AND id>? AND id<?)" in plan


def test_looking_for_news_passes_over_imported_history(database: Database) -> None:
    register(database, program(), "anna")
    with database.write() as connection:
        history = [Happening(1, "purchase", NOW, str(number)) for number in range(2_000)]
        append(connection, history, NOW, live=False)
        append(connection, [Happening(1, "purchase", NOW, "news")], NOW, live=True)
        connection.exec_driver_sql("ANALYZE event")
        news = select(EVENT.c.id).where(EVENT.c.kind == "purchase", EVENT.c.live)
        sql = news.where(between(START, Position(0, 2**62))).compile(
            connection, compile_kwargs={"literal_binds": True}
        )
        word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        plan = " ".join(str(row[-1]) for row in connection.exec_driver_sql(f"{word} {sql}"))
    assert "event_news" in plan


def _append(connection: Connection, subject: str) -> None:
    append(connection, [Happening(1, "purchase", NOW, subject)], NOW + timedelta(hours=1), live=True)


def _read(database: Database, after: Position) -> tuple[list[str], Position]:
    """What a reader sees that stands at `after`, and where it stands then."""
    with database.read() as connection:
        upto = horizon(connection)
        place = (EVENT.c.transaction, EVENT.c.id)
        found = connection.scalars(select(EVENT.c.subject).where(between(after, upto)).order_by(*place))
        return list(found), upto


def test_in_a_cluster_that_numbers_from_the_beginning_readers_go_on_where_they_stood(
    postgres_database: Database,
) -> None:
    register(postgres_database, program(), "anna")
    with postgres_database.write() as connection:
        _append(connection, "read")
    _, position = _read(postgres_database, START)
    with postgres_database.write() as connection:
        _append(connection, "unread")
        connection.execute(update(EVENT).values(transaction=EVENT.c.transaction + 10**9))
        move_cursor(connection, "looks", Position(position.transaction + 10**9, position.event_id))
        move_cursor(connection, "wallet:day", Position(0, 738_000))
    assert _read(postgres_database, position)[0] == [], "its number is not reached for years"
    with postgres_database.write() as connection:
        assert number_anew(connection)
        position, day = cursor(connection, "looks") or START, cursor(connection, "wallet:day")
    assert (_read(postgres_database, position)[0], day) == (["unread"], Position(0, 738_000))
    with postgres_database.write() as connection:
        _append(connection, "later")
        assert not number_anew(connection)
    assert _read(postgres_database, position)[0] == ["unread", "later"]
    with postgres_database.write() as connection:
        move_cursor(connection, "ahead", Position(10**12, 2**62))
        assert number_anew(connection), "a reader stands at a number that no event has reached"
        assert (cursor(connection, "ahead") or START).transaction == 0
