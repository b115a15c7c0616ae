"""Codes by which customers confirm what they spend."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from core.customers.addresses import ADDRESS, suppress
from core.db import Database
from core.ledger.lots import Refusal
from core.ledger.reading import HOLD
from core.purchases.confirmations import CODE, Drawn, Status, Waiting, settle, status
from core.purchases.holds import change, commit, hold, new_code, row_of
from core.purchases.receipts import Purchase, record
from tests.core.books import START, accepted
from tests.core.tills import CONFIRMER, HOUR, MINUTE, TILL, basket, give, held, join, reason

NOW = START + HOUR
MUCH, LITTLE = 15_000, 10_000


@pytest.fixture
def anna(database: Database) -> Database:
    """Anna with 1000 bonuses and a phone."""
    join(database, "anna")
    give(database, "anna", 100_000)
    return database


def take(
    database: Database, receipt: str = "R1", pay: int = MUCH, at: timedelta = timedelta()
) -> Drawn | None:
    """Hold so much; the code that is to be sent."""
    with database.write() as connection:
        return held(hold(connection, TILL, basket(receipt, pay=pay), NOW + at, CONFIRMER)).drawn


def end(database: Database, code: str | None, at: timedelta = timedelta(), receipt: str = "R1") -> str:
    """Commit with a code: why not, or "done"."""
    with database.write() as connection:
        outcome = commit(connection, TILL, receipt, code, NOW + at, CONFIRMER)
    return outcome.reason if isinstance(outcome, Refusal) else "done"


def look(database: Database, at: timedelta = timedelta(), receipt: str = "R1") -> Status:
    with database.read() as connection:
        return status(connection, row_of(connection, receipt), NOW + at)


def test_much_is_spent_only_with_the_code_that_was_sent(anna: Database) -> None:
    drawn = take(anna)
    assert drawn is not None
    assert (drawn.phone, drawn.points, len(drawn.code)) == ("+380501234567", MUCH, 6)
    assert drawn.code not in repr(drawn)
    assert drawn.phone not in repr(drawn)
    assert [end(anna, None), end(anna, "999999"), end(anna, drawn.code)] == [
        "code_required", "code_wrong", "done",
    ]  # fmt: skip
    assert end(anna, None, HOUR) == "done"


def test_little_is_spent_without_a_code(anna: Database) -> None:
    assert take(anna, pay=LITTLE) is None
    with anna.write() as connection:
        assert reason(new_code(connection, "R1", NOW, CONFIRMER)) == "no_code_needed"
    assert end(anna, None) == "done"


def test_nobody_reads_a_code_in_the_database(anna: Database) -> None:
    drawn = take(anna)
    assert drawn is not None
    with anna.read() as connection:
        everything = [*connection.execute(select(HOLD)), *connection.execute(select(CODE))]
    assert drawn.code not in str(everything)
    assert drawn.phone not in str(everything)


def test_a_code_is_good_for_five_minutes(anna: Database) -> None:
    drawn = take(anna)
    assert drawn is not None
    assert end(anna, drawn.code, 5 * MINUTE) == "code_expired"
    assert end(anna, drawn.code, 5 * MINUTE - timedelta(seconds=1)) == "done"


def test_five_wrong_codes_and_a_new_one_must_be_asked_for(anna: Database) -> None:
    drawn = take(anna)
    assert drawn is not None
    assert [end(anna, "000000") for _ in range(5)] == ["code_wrong"] * 5
    assert end(anna, drawn.code) == "too_many_tries"
    with anna.write() as connection:
        fresh = new_code(connection, "R1", NOW + MINUTE, CONFIRMER)
    assert isinstance(fresh, Drawn)
    assert [end(anna, drawn.code, MINUTE), end(anna, fresh.code, MINUTE)] == ["code_wrong", "done"]


def test_a_customer_gets_one_code_a_minute_and_five_an_hour(anna: Database) -> None:
    assert take(anna) is not None
    soon = look(anna, MINUTE / 2)
    assert soon.ask_again_at == NOW + MINUTE
    assert take(anna, "R2", at=MINUTE / 2) is None
    for number in range(1, 5):
        with anna.write() as connection:
            assert isinstance(new_code(connection, "R2", NOW + number * MINUTE, CONFIRMER), Drawn)
    with anna.write() as connection:
        assert new_code(connection, "R2", NOW + 10 * MINUTE, CONFIRMER) == Waiting(NOW + HOUR)
        assert isinstance(new_code(connection, "R2", NOW + HOUR, CONFIRMER), Drawn)


def test_a_code_that_certainly_did_not_leave_can_be_asked_for_again_at_once(anna: Database) -> None:
    drawn = take(anna)
    assert drawn is not None
    with anna.write() as connection:
        settle(connection, drawn.id, "failed", "not_ready", NOW)
    assert (look(anna).state, look(anna).reason, look(anna).ask_again_at) == ("failed", "not_ready", None)
    with anna.write() as connection:
        assert isinstance(new_code(connection, "R1", NOW, CONFIRMER), Drawn)


def test_without_a_phone_or_with_one_that_takes_nothing_so_much_is_not_held(database: Database) -> None:
    join(database, "anna", phone=None)
    join(database, "boris", phone="+380671112233")
    for name in ("anna", "boris"):
        give(database, name, 100_000)
    with database.write() as connection:
        digest = connection.scalars(select(ADDRESS.c.digest)).one()
        suppress(connection, "sms", digest, "STOP", START)
    with database.write() as connection:
        reasons = [
            reason(hold(connection, TILL, basket(f"R-{name}", name, pay=MUCH), NOW, CONFIRMER))
            for name in ("anna", "boris")
        ]
        assert connection.execute(select(HOLD)).first() is None
    assert reasons == ["no_phone", "number_suppressed"]


def test_another_cart_needs_another_code(anna: Database) -> None:
    first = take(anna)
    assert first is not None
    with anna.write() as connection:
        more = held(change(connection, TILL, basket("R1", pay=MUCH + 100), NOW + MINUTE, CONFIRMER))
        longer = held(change(connection, TILL, basket("R1", pay=MUCH + 100), NOW + 2 * MINUTE, CONFIRMER))
    assert more.drawn is not None
    assert longer.drawn is None
    assert [end(anna, it, 2 * MINUTE) for it in (first.code, more.drawn.code)] == ["code_wrong", "done"]


def test_a_cart_that_was_changed_too_soon_for_a_new_code_has_none(anna: Database) -> None:
    first = take(anna)
    assert first is not None
    with anna.write() as connection:
        settle(connection, first.id, "sent", None, NOW)
        changed = held(change(connection, TILL, basket("R1", pay=MUCH + 100), NOW + MINUTE / 2, CONFIRMER))
    assert changed.drawn is None
    shown = look(anna, MINUTE / 2)
    assert (shown.state, shown.reason, shown.valid_until, shown.tries_left) == ("none", None, None, 0)
    assert shown.ask_again_at == NOW + MINUTE


def test_the_receipt_itself_does_not_go_round_the_code(anna: Database) -> None:
    cart = basket("R1", pay=MUCH)
    with anna.write() as connection:
        sent = Purchase("R1", "anna", NOW, cart.lines, pay_points=MUCH)
        [outcome] = record(connection, TILL, [sent], NOW, live=True)
        assert reason(outcome) == "confirmation_required"
        gone = Purchase("R1", "anna", NOW, cart.lines, pay_points=MUCH, offline=True)
        [outcome] = record(connection, TILL, [gone], NOW, live=True)
        assert accepted(outcome)["spent"] == "150"


def test_a_till_shows_to_which_phone_the_code_went(anna: Database) -> None:
    take(anna)
    shown = look(anna)
    assert (shown.phone, shown.valid_until, shown.tries_left) == ("+380•••67", NOW + 5 * MINUTE, 5)
