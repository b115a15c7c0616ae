"""Double opt-in: a yes to email counts once the letter to that very address was answered."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from core.customers import double_opt_in, letters
from core.customers.consent import CONSENT, Choice
from core.customers.double_opt_in import REQUEST, confirm, give
from core.customers.erasure import Erasure, erase
from core.customers.letters import LETTER
from core.customers.merging import Merge, merge
from core.customers.profiles import Profile, save
from core.db import Database
from core.events import EVENT
from core.program import Program
from tests.core.books import ADDRESSES, PROGRAM, START, accepted, read

ASKING = read(PROGRAM + "consent: {double_opt_in: true, version: 2026-03, text: We may write to you.}\n")
NOT_ASKING = read(PROGRAM)
SAID = START + timedelta(days=1)
LATER = SAID + timedelta(hours=3)
FORM: dict[str, Any] = {"form": "checkout", "url": "https://shop.example/checkout"}
YES = Choice(1, "email", True, SAID, "website", wording="2026-03", proof=FORM)


@pytest.fixture
def anna(database: Database) -> Database:
    put(database, "anna@shop.example")
    return database


def put(
    database: Database, email: str, name: str = "anna", program: Program = ASKING, at: Any = START
) -> None:
    with database.write() as connection:
        save(connection, program, ADDRESSES, [Profile(name, email=email)], at, live=True)


def say(database: Database, *choices: Choice, program: Program = ASKING, live: bool = True) -> list[str]:
    with database.write() as connection:
        return give(connection, program, choices, choices[-1].at, live=live)


def answer(database: Database, letter: Any, at: Any = LATER) -> bool:
    with database.write() as connection:
        found = letters.find(connection, letter.id, at)
        return found is not None and confirm(connection, found, at)


def rows(database: Database, table: Any) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key.columns)))


def agrees(database: Database) -> bool | None:
    found = {row.channel: row.granted for row in rows(database, CONSENT) if row.purpose == "marketing"}
    return found.get("email")


def test_a_yes_waits_until_the_letter_is_answered_and_both_times_are_its_proof(anna: Database) -> None:
    assert say(anna, YES) == ["created"]
    assert agrees(anna) is None
    [letter] = rows(anna, LETTER)
    assert (letter.kind, letter.channel, letter.state) == ("double-opt-in", "email", "planned")
    assert answer(anna, letter)
    [consent] = rows(anna, CONSENT)
    assert (consent.granted, consent.at, consent.source, consent.wording) == (
        True,
        LATER,
        "website",
        "2026-03",
    )
    times = {"asked_at": SAID.isoformat(), "confirmed_at": LATER.isoformat(), "letter": letter.id}
    assert consent.proof == {**FORM, **times}
    [event] = [row for row in rows(anna, EVENT) if row.kind == "consent_given"]
    assert event.data["proof"] == consent.proof


def test_answering_twice_changes_nothing_more(anna: Database) -> None:
    say(anna, YES)
    [letter] = rows(anna, LETTER)
    assert [answer(anna, letter), answer(anna, letter, LATER + timedelta(hours=1))] == [True, True]
    assert [row.at for row in rows(anna, CONSENT)] == [LATER]
    assert len([row for row in rows(anna, EVENT) if row.kind == "consent_given"]) == 1


def test_a_no_that_is_said_meanwhile_ends_it(anna: Database) -> None:
    say(anna, YES)
    say(anna, Choice(1, "email", False, SAID + timedelta(hours=1), "call centre"))
    [letter] = rows(anna, LETTER)
    assert not answer(anna, letter)
    assert agrees(anna) is False


def test_an_answer_after_a_week_comes_too_late(anna: Database) -> None:
    say(anna, YES)
    [letter] = rows(anna, LETTER)
    assert not answer(anna, letter, SAID + timedelta(days=7))
    assert agrees(anna) is None


def test_a_confirmed_address_is_not_asked_again(anna: Database) -> None:
    say(anna, YES)
    answer(anna, rows(anna, LETTER)[0])
    say(anna, Choice(1, "email", False, LATER + timedelta(days=1), "page"))
    say(anna, Choice(1, "email", True, LATER + timedelta(days=2), "page"))
    assert agrees(anna) is True
    assert len(rows(anna, LETTER)) == 1
    assert rows(anna, CONSENT)[0].proof == {"address_confirmed_at": LATER.isoformat()}


def test_a_new_address_is_asked_anew_and_an_old_one_comes_back_without_a_letter(anna: Database) -> None:
    say(anna, YES)
    answer(anna, rows(anna, LETTER)[0])
    moved = LATER + timedelta(days=1)
    put(anna, "anna@home.example", at=moved)
    assert agrees(anna) is False
    old, new = rows(anna, LETTER)
    assert new.digest != old.digest
    assert not answer(anna, old, moved)
    put(anna, "anna@shop.example", at=moved + timedelta(hours=1))
    assert agrees(anna) is True
    assert len(rows(anna, LETTER)) == 2


def test_a_yes_before_the_address_is_known_is_asked_when_it_comes(database: Database) -> None:
    with database.write() as connection:
        save(connection, ASKING, ADDRESSES, [Profile("anna")], START, live=True)
    say(database, YES)
    assert rows(database, LETTER) == []
    put(database, "anna@shop.example", at=LATER)
    [letter] = rows(database, LETTER)
    assert answer(database, letter, LATER + timedelta(hours=1))
    assert agrees(database) is True


def test_one_letter_confirms_every_purpose_and_letters_do_not_pile_up(anna: Database) -> None:
    minutes = [timedelta(minutes=it) for it in range(3)]
    say(anna, YES, Choice(1, "email", True, SAID, "website", "surveys"))
    for later in minutes[1:]:
        say(anna, Choice(1, "email", True, SAID + later, "website"))
    [letter] = rows(anna, LETTER)
    answer(anna, letter)
    assert {(row.purpose, row.granted) for row in rows(anna, CONSENT)} == {
        ("marketing", True),
        ("surveys", True),
    }
    states = [row.state for row in rows(anna, REQUEST)]
    assert sorted(states) == ["confirmed", "confirmed", "replaced", "replaced"]


def test_nobody_gets_more_than_five_letters_a_day(anna: Database) -> None:
    for number in range(8):
        say(anna, Choice(1, "email", True, SAID + timedelta(hours=number), "website"))
    assert len(rows(anna, LETTER)) == letters.WITHIN_WINDOW


def test_history_waits_without_a_letter_unless_it_was_confirmed_elsewhere(anna: Database) -> None:
    assert say(anna, YES, YES, live=False) == ["created", "created"]
    assert say(anna, YES, live=False) == ["unchanged"]
    assert (rows(anna, LETTER), agrees(anna)) == ([], None)
    elsewhere = Choice(1, "email", True, LATER, "old system", proof={"confirmed_at": SAID.isoformat()})
    say(anna, elsewhere, live=False)
    assert agrees(anna) is True


def test_other_channels_and_earlier_consents_are_as_they_were(anna: Database) -> None:
    say(anna, YES, program=NOT_ASKING)
    say(anna, Choice(1, "email", True, LATER, "website"), Choice(1, "sms", True, LATER, "website"))
    assert {(row.channel, row.granted) for row in rows(anna, CONSENT)} == {("email", True), ("sms", True)}
    assert rows(anna, LETTER) == []


def test_a_duplicates_letter_confirms_for_the_survivor(anna: Database) -> None:
    put(anna, "anna@shop.example", "anna-2")
    say(anna, Choice(2, "email", True, SAID, "website"))
    with anna.write() as connection:
        accepted(merge(connection, ASKING, Merge("anna-2", "anna", "maria", "the same"), LATER, live=True))
    assert answer(anna, rows(anna, LETTER)[0], LATER + timedelta(minutes=1))
    assert [(row.customer_id, row.granted) for row in rows(anna, CONSENT)] == [(1, True)]


def test_a_duplicates_confirmed_yes_is_none_to_the_survivors_other_address(anna: Database) -> None:
    put(anna, "other@shop.example", "anna-2")
    say(anna, Choice(2, "email", True, SAID, "website"))
    answer(anna, rows(anna, LETTER)[0])
    assert agrees(anna)
    with anna.write() as connection:
        same = Merge("anna-2", "anna", "maria", "the same")
        accepted(merge(connection, ASKING, same, LATER + timedelta(hours=1), live=True))
    assert agrees(anna) is False
    assert answer(anna, rows(anna, LETTER)[-1], LATER + timedelta(hours=2))
    assert agrees(anna)


def test_a_no_of_the_survivor_ends_what_waited_for_the_duplicate(database: Database) -> None:
    put(database, "anna@shop.example", "anna-2")
    put(database, "", "anna")
    say(database, YES)
    [letter] = rows(database, LETTER)
    with database.write() as connection:
        same = Merge("anna-2", "anna", "maria", "the same")
        accepted(merge(connection, ASKING, same, SAID + timedelta(minutes=1), live=True))
    say(database, Choice(2, "email", False, SAID + timedelta(hours=1), "preference page"))
    assert [row.state for row in rows(database, REQUEST)] == ["withdrawn"]
    assert not answer(database, letter)
    assert agrees(database) is False


@pytest.mark.parametrize("before", [False, True], ids=["said after the yes", "said before it"])
def test_a_no_of_the_survivor_counts_by_its_time_when_profiles_are_merged(
    database: Database, before: bool
) -> None:
    put(database, "anna@shop.example", "anna-2")
    put(database, "", "anna")
    say(database, YES)
    no = SAID + (-1 if before else 1) * timedelta(minutes=5)
    say(database, Choice(2, "email", False, no, "preference page"))
    with database.write() as connection:
        same = Merge("anna-2", "anna", "maria", "the same")
        accepted(merge(connection, ASKING, same, SAID + timedelta(hours=1), live=True))
    assert answer(database, rows(database, LETTER)[0]) is before
    assert agrees(database) is before


def test_of_two_yeses_of_one_person_one_goes_on_waiting(anna: Database) -> None:
    put(anna, "anna@shop.example", "anna-2")
    say(anna, YES)
    say(anna, Choice(2, "email", True, SAID + timedelta(minutes=1), "checkout"))
    with anna.write() as connection:
        same = Merge("anna-2", "anna", "maria", "the same")
        accepted(merge(connection, ASKING, same, SAID + timedelta(hours=1), live=True))
    assert [(row.customer_id, row.state) for row in rows(anna, REQUEST)] == [(1, "replaced"), (1, "open")]
    assert answer(anna, rows(anna, LETTER)[0])
    [consent] = rows(anna, CONSENT)
    assert (consent.customer_id, consent.granted, consent.source) == (1, True, "checkout")


def test_erasure_takes_requests_letters_and_proof_and_leaves_when_and_where(anna: Database) -> None:
    say(anna, YES)
    [letter] = rows(anna, LETTER)
    answer(anna, letter)
    with anna.write() as connection:
        request = Erasure("anna", ADDRESSES, {"email": "email"}, "dpo")
        accepted(erase(connection, ASKING, request, LATER + timedelta(days=1)))
    assert [rows(anna, table) for table in (CONSENT, REQUEST, LETTER)] == [[], [], []]
    [event] = [row for row in rows(anna, EVENT) if row.kind == "consent_given"]
    assert (event.subject, event.at, event.data) == ("email", LATER, {})
    assert not answer(anna, letter)


def test_asking_again_is_limited(anna: Database) -> None:
    say(anna, YES)
    with anna.write() as connection:
        assert not double_opt_in.ask_again(connection, 1, SAID + timedelta(minutes=1))
        assert double_opt_in.ask_again(connection, 1, SAID + timedelta(minutes=11))


def test_of_two_who_ask_at_one_moment_one_gets_a_letter(anna: Database) -> None:
    start = Barrier(2)
    wanted = letters.Wanted(1, letters.EXPORT, "email", ADDRESSES.digest("email", "anna@shop.example"))

    def ask(_: int) -> set[int]:
        start.wait()
        with anna.write() as connection:
            return letters.plan(connection, [wanted], SAID)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(ask, range(2)), key=len) == [set(), {1}]
    assert len(rows(anna, LETTER)) == 1


def test_a_no_ends_what_waits_even_once_nobody_is_asked_any_more(anna: Database) -> None:
    say(anna, YES)
    [letter] = rows(anna, LETTER)
    say(anna, Choice(1, "email", False, LATER, "api"), program=NOT_ASKING)
    assert [row.state for row in rows(anna, REQUEST)] == ["withdrawn"]
    assert not answer(anna, letter, LATER + timedelta(hours=1))
    assert agrees(anna) is False


def test_a_yes_after_the_no_goes_on_waiting(anna: Database) -> None:
    say(anna, replace(YES, at=LATER))
    say(anna, Choice(1, "email", False, SAID, "import"), program=NOT_ASKING)
    assert [row.state for row in rows(anna, REQUEST)] == ["open"]


def test_a_yes_is_compared_with_the_customers_own_requests_alone(database: Database) -> None:
    # With everybody's of the batch, five thousand rows of a repeated import took a minute.
    names = ["anna", "bohdan", "chrystyna"]
    for name in names:
        put(database, f"{name}@shop.example", name)
    again = [replace(YES, customer_id=number) for number in (1, 2, 3)]
    say(database, *again)
    with database.write() as connection:
        known = double_opt_in._Known.of(connection, [1, 2, 3])
    assert {who: [row.customer_id for row in own] for who, own in known.requests.items()} == {
        1: [1], 2: [2], 3: [3],
    }  # fmt: skip
    assert say(database, *again) == ["unchanged"] * 3
