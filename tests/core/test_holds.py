"""Bonuses set aside at tills: held, changed, committed, cancelled."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select

from core.customers.households import Change, dissolve, leave
from core.customers.households import join as household
from core.db import Database
from core.ledger.bonuses import Request, redeem
from core.ledger.expiry import expire
from core.ledger.lots import Refusal
from core.ledger.reading import HOLD
from core.program import Program
from core.purchases.holds import cancel, change, commit, hold, row_of, state_of
from core.purchases.receipts import RECEIPT, Line, Outcome, Purchase, Recorded, record
from tests.core.books import START, accepted, check_books, program
from tests.core.tills import (
    CONFIRMER,
    HOUR,
    MINUTE,
    TILL,
    TILL_CHANGES,
    basket,
    give,
    held,
    join,
    reason,
    state,
)

NOW = START + HOUR


@pytest.fixture
def anna(database: Database) -> Database:
    """Anna with 100 bonuses, and Boris with none."""
    join(database, "anna", "boris")
    give(database, "anna", 10_000)
    return database


def test_what_is_held_cannot_be_spent_by_another_till(anna: Database) -> None:
    with anna.write() as connection:
        answer = held(hold(connection, TILL, basket("R1", pay=8_000), NOW, CONFIRMER)).answer
    assert (answer["points"], answer["paid"], answer["to_pay"], answer["available"]) == (
        "80",
        "80",
        "320",
        "20",
    )
    with anna.write() as connection:
        assert (
            reason(hold(connection, TILL, basket("R2", pay=8_000), NOW, CONFIRMER)) == "insufficient_balance"
        )
        spent = redeem(connection, TILL, Request("gift", "anna", 8_000, NOW), NOW, live=True)
        assert reason(spent) == "insufficient_balance"
        held(hold(connection, TILL, basket("R3", pay=2_000), NOW, CONFIRMER))


def test_the_same_hold_again_is_the_same_answer_and_another_cart_a_conflict(anna: Database) -> None:
    with anna.write() as connection:
        first = held(hold(connection, TILL, basket("R1", pay=8_000), NOW, CONFIRMER))
    with anna.write() as connection:
        again = held(hold(connection, TILL, basket("R1", pay=8_000), NOW + MINUTE, CONFIRMER))
        other = hold(connection, TILL, basket("R1", pay=7_000), NOW + MINUTE, CONFIRMER)
    assert (again.answer, first.repeated, again.repeated) == (first.answer, False, True)
    assert reason(other) == "conflict"


def test_a_hold_ends_by_itself_and_lets_its_bonuses_go(anna: Database) -> None:
    with anna.write() as connection:
        answer = held(hold(connection, TILL, basket("R1", pay=8_000), NOW, CONFIRMER)).answer
        assert answer["expires_at"] == (NOW + timedelta(minutes=10)).isoformat()
    later = NOW + timedelta(minutes=10)
    with anna.write() as connection:
        assert state_of(row_of(connection, "R1"), later) == "expired"
        held(hold(connection, TILL, basket("R2", pay=9_000), later, CONFIRMER))


def test_a_commit_makes_the_receipt_at_the_time_of_the_cart(anna: Database) -> None:
    with anna.write() as connection:
        held(hold(connection, TILL, basket("R1", pay=8_000), NOW, CONFIRMER))
    with anna.write() as connection:
        answer = accepted(commit(connection, TILL, "R1", None, NOW + MINUTE, CONFIRMER))
    assert (answer["spent"], answer["earned"], answer["available"]) == ("80", "32", "52")
    with anna.write() as connection:
        again = commit(connection, TILL, "R1", None, NOW + HOUR, CONFIRMER)
        assert again == Recorded(answer, repeated=True)
        assert connection.scalars(select(RECEIPT.c.at)).one() == NOW
        assert state(connection, "R1") == "committed"
        check_books(connection)


def ended(connection: Connection, program: Program, wanted: Change, at: datetime, *, live: bool) -> Outcome:
    return dissolve(connection, program, wanted.head, at, live=live)


@pytest.mark.parametrize("how", [leave, ended])
def test_nobody_leaves_a_household_with_its_bonuses_set_aside_for_their_cart(
    anna: Database, how: Callable[..., Outcome]
) -> None:
    boris = Change("anna", "boris")

    def change(act: Callable[..., Outcome], minutes: int) -> Outcome:
        with anna.write() as connection:
            return act(connection, TILL, boris, NOW + minutes * MINUTE, live=True)

    accepted(change(household, 0))
    with anna.write() as connection:
        held(hold(connection, TILL, basket("R1", "boris", pay=8_000), NOW, CONFIRMER))
    assert reason(change(how, 1)) == "busy"
    with anna.write() as connection:
        answer = accepted(commit(connection, TILL, "R1", None, NOW + 2 * MINUTE, CONFIRMER))
        held(hold(connection, TILL, basket("R2", "boris", pay=1_000), NOW + 2 * MINUTE, CONFIRMER))
    assert (answer["spent"], answer["available"]) == ("80", "52")
    # A hold that is over keeps nobody, and neither does one of who stays.
    with anna.write() as connection:
        held(hold(connection, TILL, basket("R3", "anna", pay=1_000), NOW + 13 * MINUTE, CONFIRMER))
    assert accepted(change(how, 13))["members"] == []


def test_what_expires_between_hold_and_commit_is_still_spent(database: Database) -> None:
    join(database, "anna")
    give(database, "anna", 10_000)
    last = TILL.end_of(TILL.expires_on(START))
    assert last
    at, after = last - MINUTE, last + MINUTE
    with database.write() as connection:
        held(hold(connection, TILL, basket("R1", pay=8_000), at, CONFIRMER))
    expire(database, TILL, after)
    with database.write() as connection:
        answer = accepted(commit(connection, TILL, "R1", None, after, CONFIRMER))
        check_books(connection)
    assert (answer["spent"], answer["balance"]) == ("80", "32")


def test_a_hold_that_has_ended_is_committed_if_its_bonuses_are_still_there(anna: Database) -> None:
    later = NOW + HOUR
    with anna.write() as connection:
        for receipt in ("R1", "R2"):
            held(hold(connection, TILL, basket(receipt, pay=4_000), NOW, CONFIRMER))
    with anna.write() as connection:
        accepted(commit(connection, TILL, "R1", None, later, CONFIRMER))
        gone = Request("gift", "anna", 9_600, later)
        accepted(redeem(connection, TILL, gone, later, live=True))
    with anna.write() as connection:
        assert reason(commit(connection, TILL, "R2", None, later, CONFIRMER)) == "hold_expired"
        assert state(connection, "R2") == "open"
        check_books(connection)


def test_a_cancelled_hold_is_free_again_and_is_not_committed(anna: Database) -> None:
    with anna.write() as connection:
        held(hold(connection, TILL, basket("R1", pay=8_000), NOW, CONFIRMER))
    with anna.write() as connection:
        first = cancel(connection, "R1", NOW)
        again = cancel(connection, "R1", NOW)
        assert (accepted(first), accepted(again)) == ({"receipt": "R1", "state": "cancelled"},) * 2
        assert reason(commit(connection, TILL, "R1", None, NOW, CONFIRMER)) == "hold_cancelled"
        assert reason(hold(connection, TILL, basket("R1", pay=8_000), NOW, CONFIRMER)) == "hold_cancelled"
        held(hold(connection, TILL, basket("R2", pay=10_000), NOW, CONFIRMER))


def test_a_committed_hold_is_not_cancelled_but_returned(anna: Database) -> None:
    with anna.write() as connection:
        held(hold(connection, TILL, basket("R1", pay=8_000), NOW, CONFIRMER))
        accepted(commit(connection, TILL, "R1", None, NOW, CONFIRMER))
    with anna.write() as connection:
        assert reason(cancel(connection, "R1", NOW)) == "committed"
        assert reason(hold(connection, TILL, basket("R1", pay=8_000), NOW, CONFIRMER)) == "committed"
        assert reason(change(connection, TILL, basket("R1", pay=9_000), NOW, CONFIRMER)) == "committed"


def test_nothing_is_known_of_a_number_that_was_never_held(anna: Database) -> None:
    with anna.write() as connection:
        for outcome in (
            commit(connection, TILL, "R9", None, NOW, CONFIRMER),
            cancel(connection, "R9", NOW),
            change(connection, TILL, basket("R9"), NOW, CONFIRMER),
        ):
            assert reason(outcome) == "unknown_hold"


def test_a_hold_is_changed_while_it_is_open_and_held_longer(anna: Database) -> None:
    with anna.write() as connection:
        held(hold(connection, TILL, basket("R1", pay=8_000), NOW, CONFIRMER))
    later = NOW + 9 * MINUTE
    with anna.write() as connection:
        more = held(change(connection, TILL, basket("R1", pay=10_000), later, CONFIRMER)).answer
        longer = held(change(connection, TILL, basket("R1", pay=10_000), later + MINUTE, CONFIRMER)).answer
    assert (more["points"], more["at"], longer["at"]) == ("100", later.isoformat(), later.isoformat())
    assert longer["expires_at"] == (later + 11 * MINUTE).isoformat()
    with anna.write() as connection:
        too_much = change(connection, TILL, basket("R1", pay=11_000), later, CONFIRMER)
        assert reason(too_much) == "insufficient_balance"
        boris = change(connection, TILL, basket("R1", "boris"), later, CONFIRMER)
        assert reason(boris) == "conflict"
        assert accepted(commit(connection, TILL, "R1", None, later, CONFIRMER))["spent"] == "100"


def test_a_receipt_that_is_sent_without_a_commit_releases_its_hold(anna: Database) -> None:
    cart = basket("R1", pay=8_000)
    with anna.write() as connection:
        held(hold(connection, TILL, cart, NOW, CONFIRMER))
    sent = Purchase("R1", "anna", NOW, cart.lines, pay_points=8_000, offline=True)
    with anna.write() as connection:
        [outcome] = record(connection, TILL, [sent], NOW, live=True)
        assert accepted(outcome)["available"] == "52"
        assert state(connection, "R1") == "committed"
    with anna.write() as connection:
        assert reason(cancel(connection, "R1", NOW)) == "committed"


def test_an_open_hold_is_honoured_though_an_offline_till_had_spent_its_bonuses(anna: Database) -> None:
    """The books say what they would say had the offline receipt come in its time, before the hold."""
    join(anna, "bohdan", phone="+380501234599")
    give(anna, "bohdan", 10_000)
    early = NOW - HOUR / 2
    offline = Purchase("A1", "anna", early, (Line("coffee", 1000, 20_000),), pay_points=8_000, offline=True)
    with anna.write() as connection:
        held(hold(connection, TILL, basket("A2", pay=8_000), NOW, CONFIRMER))
    with anna.write() as connection:
        accepted(record(connection, TILL, [offline], NOW, live=True)[0])
        assert (
            reason(hold(connection, TILL, basket("A3", pay=8_000), NOW, CONFIRMER)) == "insufficient_balance"
        )
    with anna.write() as connection:
        late = accepted(commit(connection, TILL, "A2", None, NOW, CONFIRMER))
    in_order = [
        replace(offline, external_id="B1", customer="bohdan"),
        replace(offline, external_id="B2", customer="bohdan", at=NOW, lines=basket("").lines),
    ]
    with anna.write() as connection:
        _, told = (accepted(it) for it in record(connection, TILL, in_order, NOW, live=True))
    assert {name: late[name] for name in ("spent", "earned", "balance")} == {
        name: told[name] for name in ("spent", "earned", "balance")
    }
    with anna.read() as connection:
        check_books(connection)


def test_a_recorded_receipt_is_not_held(anna: Database) -> None:
    with anna.write() as connection:
        record(connection, TILL, [Purchase("R1", "anna", NOW, (Line("tea", 1000, 1),))], NOW, live=True)
    with anna.write() as connection:
        assert reason(hold(connection, TILL, basket("R1"), NOW, CONFIRMER)) == "conflict"


def test_a_hold_keeps_the_account_that_it_means_to_spend(database: Database) -> None:
    """Bonuses that pay for anything wait for the tea, which those for coffee cannot pay for."""
    join(database, "anna")
    give(database, "anna", 5_000)
    give(database, "anna", 5_000, account="coffee")
    with database.write() as connection:
        tea = basket("R1", "anna", 20_000, pay=5_000, sku="tea")
        held(hold(connection, TILL, tea, NOW, CONFIRMER))
    with database.write() as connection:
        more = hold(connection, TILL, basket("R2", "anna", 20_000, pay=5_000, sku="tea"), NOW, CONFIRMER)
        assert reason(more) == "insufficient_balance"
        coffee = basket("R3", "anna", 20_000, pay=5_000)
        held(hold(connection, TILL, coffee, NOW, CONFIRMER))
    with database.write() as connection:
        accepted(commit(connection, TILL, "R3", None, NOW, CONFIRMER))
        answer = accepted(commit(connection, TILL, "R1", None, NOW, CONFIRMER))
        assert (answer["spent"], answer["balance"]) == ("50", "30")
        check_books(connection)


def test_bonuses_of_an_account_that_the_program_has_no_more_are_spent_as_those_of_the_base(
    database: Database,
) -> None:
    join(database, "anna")
    give(database, "anna", 5_000)
    give(database, "anna", 5_000, account="coffee")
    without = program(*TILL_CHANGES[:1], *TILL_CHANGES[2:])
    with database.write() as connection:
        first = basket("R1", "anna", 20_000, pay=6_000, sku="tea")
        assert held(hold(connection, without, first, NOW, CONFIRMER)).answer["available"] == "40"
        more = basket("R2", "anna", 20_000, pay=4_100, sku="tea")
        assert reason(hold(connection, without, more, NOW, CONFIRMER)) == "insufficient_balance"
        second = Purchase("R3", "anna", NOW, (Line("tea", 1000, 20_000),), pay_points=4_000)
        assert accepted(record(connection, without, [second], NOW, live=True)[0])["available"] == "16"
        answer = accepted(commit(connection, without, "R1", None, NOW, CONFIRMER))
        assert (answer["spent"], answer["balance"]) == ("60", "30")
        check_books(connection)


def test_promo_codes_of_a_held_cart_are_used_when_it_is_committed(anna: Database) -> None:
    with anna.write() as connection:
        cart = basket("R1", codes=("spring",))
        assert held(hold(connection, TILL, cart, NOW, CONFIRMER)).answer["earned"] == "70"
        bad = basket("R2", codes=("autumn",))
        assert reason(hold(connection, TILL, bad, NOW, CONFIRMER)) == "unknown_code"
        assert accepted(commit(connection, TILL, "R1", None, NOW, CONFIRMER))["earned"] == "70"
        assert reason(hold(connection, TILL, basket("R3", codes=("SPRING",)), NOW, CONFIRMER)) == "code_limit"


def at_once(tills: int, work: object) -> list[object]:
    with ThreadPoolExecutor(tills) as pool:
        return list(pool.map(work, range(tills)))  # type: ignore[arg-type]


def test_tills_that_hold_one_balance_at_once_never_hold_more_than_there_is(anna: Database) -> None:
    def take(till: int) -> object:
        with anna.write() as connection:
            return hold(connection, TILL, basket(f"R{till}", pay=3_000), NOW, CONFIRMER)

    outcomes = at_once(8, take)
    assert sum(isinstance(it, Refusal) for it in outcomes) == 5
    with anna.read() as connection:
        assert connection.scalar(select(func.sum(HOLD.c.points))) == 9_000


def test_a_commit_and_a_cancel_at_once_are_one_after_the_other(anna: Database) -> None:
    for number in range(6):
        receipt = f"R{number}"
        with anna.write() as connection:
            held(hold(connection, TILL, basket(receipt, pay=1_000), NOW, CONFIRMER))

        def end(till: int, receipt: str = receipt) -> object:
            with anna.write() as connection:
                if till % 2:
                    return cancel(connection, receipt, NOW)
                return commit(connection, TILL, receipt, None, NOW, CONFIRMER)

        outcomes = at_once(4, end)
        refused = {reason(it) for it in outcomes if isinstance(it, Refusal)}
        assert refused in ({"committed"}, {"hold_cancelled"})
        done = [it for it in outcomes if isinstance(it, Recorded)]
        assert sorted(it.repeated for it in done) == [False, True]
    with anna.read() as connection:
        check_books(connection)


def test_the_program_says_how_long_bonuses_are_held() -> None:
    assert TILL.hold_until(NOW) == NOW + timedelta(minutes=10)
