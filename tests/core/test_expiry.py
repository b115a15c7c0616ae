"""Bonuses whose day is over are written off, once, at the end of that day in the program's zone."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from core.db import Database
from core.events import EVENT
from core.ledger.bonuses import Request, grant
from core.ledger.expiry import expire
from core.ledger.writing import ENTRY, LOT
from core.program import Program
from core.purchases.receipts import record
from tests.core.books import START, accepted, check_books, program, purchase, register

SHORT = program(("lasts: 180 days", "lasts: 5 days"))


def give(database: Database, program: Program, points: int = 1_000, at: datetime = START) -> None:
    """A grant to anna."""
    register(database, program, "anna")
    with database.write() as connection:
        accepted(grant(connection, program, Request("gift", "anna", points, at), at, live=True))


@pytest.mark.parametrize(
    ("zone", "end"),
    [
        ("Europe/Kyiv", datetime(2026, 3, 6, 22, 0, tzinfo=UTC)),
        ("Asia/Tokyo", datetime(2026, 3, 6, 15, 0, tzinfo=UTC)),
        ("America/Los_Angeles", datetime(2026, 3, 7, 8, 0, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2026, 3, 6, 10, 0, tzinfo=UTC)),
        ("Pacific/Pago_Pago", datetime(2026, 3, 6, 11, 0, tzinfo=UTC)),
    ],
)
def test_bonuses_live_to_the_end_of_their_last_day(database: Database, zone: str, end: datetime) -> None:
    here = program(("lasts: 180 days", "lasts: 5 days"), ("Europe/Kyiv", zone))
    give(database, here)
    assert expire(database, here, end - timedelta(microseconds=1)) == 0
    assert expire(database, here, end) == 1
    assert expire(database, here, end) == 0
    with database.read() as connection:
        written = connection.execute(select(ENTRY).where(ENTRY.c.kind == "expiry")).one()
        happened = connection.execute(select(EVENT).where(EVENT.c.kind == "bonus_expired")).one()
        check_books(connection)
    assert (written.amount, written.at, happened.live) == (-1_000, end, True)


def test_only_what_is_left_expires(database: Database) -> None:
    give(database, SHORT)
    with database.write() as connection:
        record(connection, SHORT, [purchase("1", "anna", START, 1_000, pay=400)], START, live=True)
    expire(database, SHORT, START + timedelta(days=30))
    with database.read() as connection:
        written = connection.scalars(select(ENTRY.c.amount).where(ENTRY.c.kind == "expiry")).all()
        assert sorted(written) == [-600, -60]
        check_books(connection)


def test_more_customers_than_go_into_one_transaction_all_expire(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.ledger.expiry.CHUNK", 20)
    names = [f"c{number}" for number in range(50)]
    register(database, SHORT, *names)
    with database.write() as connection:
        receipts = [purchase(name, name, START, 1_000) for name in names]
        record(connection, SHORT, receipts, START, live=True)
    assert expire(database, SHORT, START + timedelta(days=30)) == 50
    with database.read() as connection:
        assert connection.scalars(select(LOT.c.id).where(LOT.c.remaining != 0)).all() == []
        check_books(connection)


def test_history_that_was_over_before_it_was_imported_is_no_news(database: Database) -> None:
    register(database, SHORT, "anna")
    old = purchase("1", "anna", START - timedelta(days=90), 1_000)
    with database.write() as connection:
        record(connection, SHORT, [old], START, live=False)
    assert expire(database, SHORT, START, all_history=True) == 1
    with database.read() as connection:
        happened = connection.execute(select(EVENT).where(EVENT.c.kind == "bonus_expired")).one()
    assert happened.live is False


def test_bonuses_for_ever_never_expire(database: Database) -> None:
    lasting = program(("lasts: 180 days", "lasts: forever"))
    give(database, lasting)
    assert expire(database, lasting, START + timedelta(days=36_500)) == 0


def test_history_that_an_import_brings_in_is_left_to_it_for_a_day(database: Database) -> None:
    register(database, SHORT, "anna")
    with database.write() as connection:
        record(
            connection, SHORT, [purchase("1", "anna", START - timedelta(days=90), 1_000)], START, live=False
        )
    assert expire(database, SHORT, START + timedelta(minutes=1)) == 0
    assert expire(database, SHORT, START + timedelta(days=1)) == 1
