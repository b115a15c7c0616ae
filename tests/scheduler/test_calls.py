"""The call list from the scenario to the phone, and back with what came of the calls."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from campaigns.tables import Feedback
from core.customers.consent import CONSENT
from core.customers.erasure import erase
from core.errors import Problems, UserError
from scheduler.fallbacks import fall_back
from scheduler.outcomes import MESSAGE
from tests.scheduler.kiosk import Kiosk
from tidings.calls import Listed, Result, Wanted, listed, read_results, record
from tidings.erasure import request_of

FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
PHONES = {"anna": "+380501000001", "ihor": "+380501000002", "olha": "+380501000003"}


@pytest.fixture
def people(kiosk: Kiosk) -> Kiosk:
    """Three customers who may be called, and who may be written to by SMS if nobody answers."""
    kiosk.files["messages/hello/call_list.txt"] = "{{ customer.first_name }} has {{ balance | points }}.\n"
    kiosk.files["program.yaml"] += "  call_list: {}\n"
    kiosk.settings["TIDINGS_CALL_LIST_TRANSPORT"] = "list"
    kiosk.scenario(send="[call_list, sms]")
    kiosk.customers(
        {name: {"phone": phone, "consented": ["call_list", "sms"]} for name, phone in PHONES.items()}
    )
    kiosk.plan()
    kiosk.deliver()
    return kiosk


def calls(kiosk: Kiosk, **wanted: str) -> Listed:
    day = kiosk.clock.now().date()
    return listed(
        kiosk.database, kiosk.live, kiosk.links, Wanted(day, wanted.get("scenario")), kiosk.clock.now()
    )


def came_back(kiosk: Kiosk, **results: str) -> dict[str, int]:
    """The sheet as it comes back: name → result."""
    lines = [f"{kiosk.message(name).provider_id};{result}" for name, result in results.items()]
    path = kiosk.folder / "calls.csv"
    path.write_text("\ufeffCall;Result\r\n" + "\r\n".join(lines), encoding="utf-8")
    with kiosk.database.write() as connection:
        return record(connection, read_results(path), kiosk.clock.now())


def test_the_list_says_whom_to_call_and_what_to_say(people: Kiosk) -> None:
    found = calls(people)
    assert [(call.customer, call.phone, call.say) for call in found.calls] == [
        (name, phone, f"{name.capitalize()} has 500 bonuses.") for name, phone in PHONES.items()
    ]
    assert [call.id for call in found.calls] == [people.message(name).provider_id for name in PHONES]
    assert (found.calls[0].scenario, found.calls[0].planned.hour) == ("reminder", 10)
    assert calls(people, scenario="another").calls == []


def test_it_is_read_anew_whenever_it_is_made(people: Kiosk) -> None:
    """Somebody erased, or who wants no calls any more: no file has to be found and mended."""
    people.withdraw("anna", "call_list")
    at, program = people.clock.now(), people.live.running().program
    with people.database.write() as connection:
        erase(connection, program, request_of(people.addresses, "ihor"), at)
    people.spend("olha", 300)
    found = calls(people)
    assert [(call.customer, call.say) for call in found.calls] == [("olha", "Olha has 200 bonuses.")]
    assert found.left_out == {"no_consent": 1}


def test_a_scenario_that_is_renamed_during_the_day_stays_on_its_list(people: Kiosk) -> None:
    before = calls(people).calls
    people.write(reminder=None, nudge=f"formerly: reminder\n{people.files['scenarios/reminder.yaml']}")
    found = calls(people)
    assert [call.say for call in found.calls] == [call.say for call in before]
    assert ({call.scenario for call in found.calls}, found.left_out) == ({"nudge"}, {})


def test_what_came_of_the_calls_decides_what_follows(people: Kiosk) -> None:
    results = {"anna": "Reached", "ihor": " no  answer", "olha": "wrong number"}
    assert came_back(people, **results) == {"recorded": 3}
    assert calls(people).calls == []
    people.clock.move_by(timedelta(minutes=1))
    people.deliver()
    assert people.state("anna") == ("delivered", None)
    # Whom nobody reached is written to instead.
    assert [people.message(name).channel for name in PHONES] == ["call_list", "sms", "sms"]
    assert people.suppressed() == {("call_list", "number_invalid")}


def test_the_same_sheet_read_twice_counts_once(people: Kiosk) -> None:
    assert came_back(people, anna="reached", ihor="") == {"recorded": 1}
    assert came_back(people, anna="reached") == {"repeated": 1}
    with people.database.read() as connection:
        assert connection.scalars(select(FEEDBACK.c.kind)).all() == ["delivered"]


def test_who_wants_no_more_calls_has_said_so(people: Kiosk) -> None:
    came_back(people, anna="no more calls")
    with people.database.read() as connection:
        mine = select(CONSENT.c.channel, CONSENT.c.granted).where(CONSENT.c.customer_id == people.ids["anna"])
        assert dict(connection.execute(mine).all()) == {"call_list": False, "sms": True}


@pytest.mark.parametrize("delivered", [False, True], ids=["before the SMS", "after it"])
def test_who_is_reached_at_last_and_wants_no_more_calls_has_said_so_whatever_went_out_meanwhile(
    people: Kiosk, delivered: bool
) -> None:
    sheet = {"anna": people.message("anna").provider_id, "ihor": people.message("ihor").provider_id}
    assert came_back(people, anna="no answer", ihor="no answer") == {"recorded": 2}
    if not delivered:
        with people.database.write() as connection:
            fall_back(connection, people.live.running(), people.clock.now())
    else:
        people.deliver()
    assert people.message("anna").channel == "sms"
    people.later(hours=20)
    results = [Result(2, sheet["anna"], "no more calls"), Result(3, sheet["ihor"], "wrong number")]
    with people.database.write() as connection:
        assert record(connection, results, people.clock.now()) == {"recorded": 2}
        assert record(connection, results, people.clock.now()) == {"repeated": 2}
        who = (CONSENT.c.customer_id == people.ids["anna"]) & CONSENT.c.granted
        assert connection.scalars(select(CONSENT.c.channel).where(who)).all() == ["sms"]
    assert people.suppressed() == {("call_list", "number_invalid")}


def test_only_what_stands_on_the_list_has_a_result(people: Kiosk, tmp_path: Path) -> None:
    path = tmp_path / "back.csv"
    path.write_text("call,result\ncall-nobody,reached\n", encoding="utf-8")
    with people.database.write() as connection:
        assert record(connection, read_results(path), people.clock.now()) == {"unknown": 1}
    path.write_text("call,result\ncall-1,reached\ncall-2,angry\n", encoding="utf-8")
    with pytest.raises(Problems) as wrong:
        read_results(path)
    assert "back.csv:3" in str(wrong.value.problems[0])
    path.write_text("number,result\n1,reached\n", encoding="utf-8")
    with pytest.raises(UserError, match="has no column 'call'"):
        read_results(path)


def test_what_is_written_into_the_folder_is_on_no_list(people: Kiosk) -> None:
    with people.database.write() as connection:
        connection.execute(MESSAGE.update().values(provider_id="call_list/1.anna.1.txt"))
    assert calls(people).calls == []
