"""How much a customer may be told, and who gives way to whom."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, select, update

from campaigns.tables import Attempt, Enrolment, Message
from campaigns.verdicts import verdicts
from core.db import Database
from tests.support.happenings import merge
from tests.support.world import World, kyiv, scenario

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
DAILY = "{schedule: {every: day at 10:00}}"


def campaign(when: str = DAILY, **parts: str) -> str:
    return scenario(when, schedule="", **parts)


def world_of(database: Database, scenarios: Mapping[str, str], **allowances: str) -> World:
    program: dict[str, Any] = {"allowances": {"marketing": allowances}} if allowances else {}
    return World(database, scenarios, program=program)


def test_a_scenarios_own_limit_rolls(database: Database) -> None:
    world = world_of(database, {"one": campaign(limits="{at_most: 2 per 7 days}")})
    world.customer("anna")
    verdicts = []
    for day in range(1, 11):
        verdicts.append(world.look(f"2026-03-{day:02} 10:00")["anna"])
        world.settle()
    assert verdicts == ["planned", "planned", *["capped"] * 5, "planned", "planned", "capped"]
    assert world.detail("anna") == "2 per 7 days used by one"


def test_a_dropped_step_is_over_and_the_next_one_waits_from_then(database: Database) -> None:
    steps = "[{id: hello, message: hello, send: [sms]}, {id: more, wait: 1 day, message: hello, send: [sms]}]"
    world = world_of(
        database,
        {
            "first": campaign(priority="90"),
            "second": campaign("{schedule: {at: '2026-03-01 10:00'}}", steps=steps),
        },
        all="1 per 1 day",
    )
    world.customer("anna")
    world.looks("2026-03-01 10:00")
    world.settle()
    assert ("anna", "second", "2026-03-01 10:00", "hello", "capped") in world.decisions()
    world.apply({"second": campaign("{schedule: {at: '2026-03-01 10:00'}}", steps=steps)})
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}


def test_one_allowance_for_all_goes_to_the_higher_priority(database: Database) -> None:
    world = world_of(
        database, {"low": campaign(priority="10"), "high": campaign(priority="90")}, all="1 per 7 days"
    )
    world.customer("anna")
    world.looks("2026-03-01 10:00")
    assert [(it.scenario, it.state) for it in world.messages()] == [("high", "planned")]
    assert world.detail("anna") in (None, "1 per 7 days used by high")
    verdicts = {scenario: verdict for _, scenario, _, _, verdict in world.decisions()}
    assert verdicts == {"high": "planned", "low": "capped"}


def test_an_allowance_of_one_channel_leaves_the_others_open(database: Database) -> None:
    steps = "[{id: hello, message: hello, send: [sms, email]}]"
    world = world_of(database, {"one": campaign(steps=steps)}, sms="1 per 7 days")
    world.customer("both", consent=("sms", "email"), email="both@example.com")
    world.customer("sms", consent=("sms",))
    world.looks("2026-03-01 10:00")
    world.settle()
    assert world.look("2026-03-02 10:00") == {"both": "planned", "sms": "capped"}
    assert world.detail("sms") == "sms: capped (1 per 7 days used by one), email: no_consent"
    assert [it.channel for it in world.messages() if it.external_id == "both"] == ["sms", "email"]


@pytest.mark.parametrize("limit", ["all", "sms", "scenario"])
def test_two_occasions_of_one_customer_in_one_look_count_one_after_the_other(
    database: Database, limit: str
) -> None:
    when = "{bonus_expiring: {ahead: 14 days}}"
    own = "{at_most: 1 per 7 days}" if limit == "scenario" else ""
    text = scenario(when, limits=own)
    world = world_of(database, {"one": text}, **({} if own else {limit: "1 per 7 days"}))
    world.customer("anna")
    world.customer("other")
    world.bonuses("anna", 100, "2026-03-11")
    world.bonuses("anna", 100, "2026-03-10")
    world.bonuses("other", 100, "2026-03-11")
    assert world.looked("2026-03-01 10:00") == {"planned": 2, "capped": 1}
    assert {(name, occasion[:10]): verdict for name, _, occasion, _, verdict in world.decisions()} == {
        ("anna", "2026-03-10"): "planned",
        ("anna", "2026-03-11"): "capped",
        ("other", "2026-03-11"): "planned",
    }


def test_the_second_occasion_takes_the_next_channel(database: Database) -> None:
    text = scenario(
        "{bonus_expiring: {ahead: 14 days}}", steps="[{id: hello, message: hello, send: [sms, email]}]"
    )
    world = world_of(database, {"one": text}, sms="1 per 7 days")
    world.customer("anna", consent=("sms", "email"), email="anna@example.com")
    world.bonuses("anna", 100, "2026-03-10")
    world.bonuses("anna", 100, "2026-03-11")
    world.looks("2026-03-01 10:00")
    assert [(it.subject, it.channel) for it in world.messages()] == [
        ("2026-03-10", "sms"),
        ("2026-03-11", "email"),
    ]


@pytest.mark.parametrize(
    ("state", "verdict"),
    [("sent", "capped"), ("unknown", "capped"), ("delivered", "capped"), ("recalled", "planned"),
     ("failed", "planned"), ("expired", "planned")],
)  # fmt: skip
def test_what_never_left_gives_its_place_back_and_what_may_have_left_keeps_it(
    database: Database, state: str, verdict: str
) -> None:
    world = world_of(database, {"one": campaign()}, all="1 per 7 days")
    world.customer("anna")
    world.looks("2026-03-01 10:00")
    world.settle(state)
    assert world.look("2026-03-02 10:00") == {"anna": verdict}


def test_service_messages_neither_use_allowances_nor_heed_them(database: Database) -> None:
    world = world_of(
        database,
        {"ads": campaign(priority="10"),
         "service": campaign(purpose="service", priority="90", limits="{at_most: 1 per 30 days}")},
        all="1 per 7 days",
    )  # fmt: skip
    world.customer("anna")
    for day in (1, 2):
        world.looks(f"2026-03-0{day} 10:00")
        world.settle()
    assert [(it.scenario, it.occasion[:10]) for it in world.messages()] == [
        ("service", "2026-03-01"), ("ads", "2026-03-01"), ("service", "2026-03-02"),
    ]  # fmt: skip


def evening_and_morning(**parts: Mapping[str, str]) -> dict[str, str]:
    """One scenario plans in the night and waits for nine; the other comes at eight."""
    at = {"waiting": "{schedule: {at: '2026-03-02 22:00'}}", "coming": "{schedule: {at: '2026-03-03 08:00'}}"}
    return {name: campaign(at[name], **parts.get(name, {})) for name in at}


def night(database: Database, scenarios: Mapping[str, str], **allowances: str) -> World:
    world = World(
        database, scenarios, program={"quiet_hours": "21:00-09:00", "allowances": {"marketing": allowances}}
    )
    world.customer("anna", consent=("sms", "email"), email="anna@example.com")
    world.looks("2026-03-02 22:00")
    return world


def outbox(world: World) -> list[tuple[str, str, str | None]]:
    return [(it.scenario, it.state, it.reason) for it in world.messages()]


@pytest.mark.parametrize("allowance", ["all", "sms"])
def test_a_higher_priority_displaces_what_still_waits(database: Database, allowance: str) -> None:
    scenarios = evening_and_morning(waiting={"priority": "10"}, coming={"priority": "90"})
    world = night(database, scenarios, **{allowance: "1 per 7 days"})
    assert world.dry("2026-03-03 08:00")["coming"].displaces == 1
    world.looks("2026-03-03 08:00")
    assert outbox(world) == [("waiting", "recalled", "displaced"), ("coming", "deferred", "quiet_hours")]
    verdicts = {scenario: verdict for _, scenario, _, _, verdict in world.decisions()}
    assert verdicts == {"waiting": "displaced", "coming": "deferred"}
    assert world.dry("2026-03-03 08:30")["coming"].displaces == 0


def test_both_sides_tell_who_displaced_whom(database: Database) -> None:
    scenarios = evening_and_morning(waiting={"priority": "10"}, coming={"priority": "90"})
    world = night(database, scenarios, all="1 per 7 days")
    world.looks("2026-03-03 08:00")
    with database.read() as connection:
        told = verdicts().c
        said = connection.execute(select(told.scenario, told.verdict, told.detail)).all()
    assert {tuple(row) for row in said} == {
        ("waiting", "displaced", "by coming"),
        ("coming", "deferred", "displaces waiting"),
    }


def test_what_an_earlier_channel_may_have_sent_is_not_displaced(database: Database) -> None:
    scenarios = evening_and_morning(waiting={"priority": "10"}, coming={"priority": "90"})
    world = night(database, scenarios, all="1 per 7 days")
    [message] = world.messages()
    tried = {
        "message_id": message.id, "customer_id": message.customer_id, "channel": "email",
        "outcome": "unknown", "at": world.now,
    }  # fmt: skip
    with database.write() as connection:
        connection.execute(ATTEMPT.insert().values(number=1, **tried))
    assert world.dry("2026-03-03 08:00")["coming"].displaces == 0
    assert world.look("2026-03-03 08:00") == {"anna": "capped"}


def test_a_displaced_step_starts_no_wait_for_who_stands_further_on(database: Database) -> None:
    steps = (
        "[{id: hello, message: hello, send: [sms]}, {id: more, wait: 8 days, message: hello, send: [sms]}]"
    )
    scenarios = evening_and_morning(waiting={"priority": "10", "steps": steps}, coming={"priority": "90"})
    world = night(database, scenarios, all="1 per 7 days")
    with database.write() as connection:
        connection.execute(update(ENROLMENT).values(step=2, status="finished"))
    world.looks("2026-03-03 08:00")
    assert [it.anchor_at for it in world.enrolments() if it.scenario == "waiting"] == [None]


def test_what_is_late_and_has_not_left_yet_still_counts(database: Database) -> None:
    """A provider is down for a week: the message will be heard after all, so its place is taken."""
    world = world_of(database, {"one": campaign()}, all="1 per 1 day")
    world.customer("anna")
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}
    assert world.look("2026-03-03 10:00") == {"anna": "capped"}
    world.settle()
    assert world.look("2026-03-04 10:00") == {"anna": "planned"}


def test_a_lower_priority_displaces_nothing(database: Database) -> None:
    scenarios = evening_and_morning(waiting={"priority": "60"})
    world = night(database, scenarios, all="1 per 7 days")
    world.looks("2026-03-03 08:00")
    assert outbox(world) == [("waiting", "deferred", "quiet_hours")]
    assert world.detail("anna") == "1 per 7 days used by waiting"


def test_between_equals_the_name_decides(database: Database) -> None:
    world = night(database, evening_and_morning(), all="1 per 7 days")
    world.looks("2026-03-03 08:00")
    # `coming` stands before `waiting`.
    assert [(it.scenario, it.state) for it in world.messages()] == [
        ("waiting", "recalled"),
        ("coming", "deferred"),
    ]


def test_what_was_sent_is_not_displaced(database: Database) -> None:
    scenarios = evening_and_morning(waiting={"priority": "10"}, coming={"priority": "90"})
    world = night(database, scenarios, all="1 per 7 days")
    world.settle()
    assert world.look("2026-03-03 08:00") == {"anna": "capped"}


@pytest.mark.parametrize("allowance", ["all", "sms"])
@pytest.mark.parametrize("left", ["accepted", "tried"])
def test_a_fallback_of_what_has_left_is_not_displaced(database: Database, allowance: str, left: str) -> None:
    scenarios = evening_and_morning(waiting={"priority": "10"}, coming={"priority": "90"})
    world = night(database, scenarios, **{allowance: "1 per 7 days"})
    values = {"accepted_at": world.now} if left == "accepted" else {"tries": 1}
    with database.write() as connection:
        connection.execute(update(MESSAGE).values(**values))
    assert world.dry("2026-03-03 08:00")["coming"].displaces == 0
    assert world.look("2026-03-03 08:00") == {"anna": "capped"}
    assert outbox(world) == [("waiting", "deferred", "quiet_hours")]


def test_one_that_gives_way_on_its_channel_makes_room_in_all(database: Database) -> None:
    scenarios = evening_and_morning(waiting={"priority": "10"}, coming={"priority": "90"})
    world = night(database, scenarios, all="1 per 7 days", sms="1 per 7 days")
    world.looks("2026-03-03 08:00")
    assert [(it.scenario, it.state) for it in world.messages()] == [
        ("waiting", "recalled"),
        ("coming", "deferred"),
    ]


def test_two_occasions_do_not_displace_the_same_message_twice(database: Database) -> None:
    expiring = scenario("{bonus_expiring: {ahead: 14 days}}", schedule="every day at 08:00", priority="90")
    waiting = campaign("{schedule: {at: '2026-03-02 22:00'}}", priority="10")
    world = night(database, {"waiting": waiting, "expiring": expiring}, all="1 per 7 days")
    world.bonuses("anna", 100, "2026-03-10")
    world.bonuses("anna", 100, "2026-03-11")
    assert world.looked("2026-03-03 08:00") == {"deferred": 1, "capped": 1}


def test_an_allowance_counts_from_when_the_customer_hears_it(database: Database) -> None:
    """A message planned at night and deferred to nine counts from nine."""
    text = campaign("{schedule: {every: day at 22:00}}")
    world = World(
        database,
        {"one": text},
        program={"quiet_hours": "21:00-09:00", "allowances": {"marketing": {"all": "1 per 1 day"}}},
    )
    world.customer("anna")
    assert world.look("2026-03-01 22:00") == {"anna": "deferred"}
    world.move("2026-03-02 09:00")
    world.settle()
    assert world.look("2026-03-02 22:00") == {"anna": "capped"}
    assert world.messages()[0].accepted_at == kyiv("2026-03-02 09:00")


def test_a_step_that_was_displaced_is_over_and_the_next_one_follows(database: Database) -> None:
    steps = (
        "[{id: hello, message: hello, send: [sms]}, {id: more, wait: 8 days, message: hello, send: [sms]}]"
    )
    scenarios = evening_and_morning(waiting={"priority": "10", "steps": steps}, coming={"priority": "90"})
    world = night(database, scenarios, all="1 per 7 days")
    world.looks("2026-03-03 08:00")
    world.move("2026-03-03 09:00")
    world.settle()
    assert world.look("2026-03-11 10:00") == {"anna": "planned"}


def test_a_weekly_campaign_goes_out_every_week_though_each_look_is_heard_a_little_later(
    database: Database,
) -> None:
    world = world_of(database, {"one": campaign("{schedule: {every: monday at 10:00}}")}, sms="1 per 7 days")
    world.customer("anna")
    verdicts = []
    for day in (2, 9, 16):
        verdicts.append(world.look(f"2026-03-{day:02} 10:00"))
        world.move(f"2026-03-{day:02} 10:00:05")
        world.settle()
    assert verdicts == [{"anna": "planned"}] * 3


def test_a_window_in_hours_is_elapsed_time(database: Database) -> None:
    world = world_of(database, {"one": campaign()}, sms="1 per 24 hours")
    world.customer("anna")
    world.looks("2026-03-01 10:00")
    world.move("2026-03-01 10:00:05")
    world.settle()
    assert world.look("2026-03-02 10:00") == {"anna": "capped"}


def test_many_occasions_of_one_customer_take_no_more_turns_than_the_allowance_has_places(
    database: Database,
) -> None:
    world = world_of(database, {"one": scenario("{bonus_expiring: {ahead: 40 days}}")}, all="2 per 7 days")
    for number, occasions in enumerate((3, 25)):
        world.customer(f"customer-{number}")
        for day in range(1, occasions + 1):
            world.bonuses(f"customer-{number}", 100, f"2026-03-{day + 2:02}")
    statements: list[str] = []
    note = partial(_note, statements)
    event.listen(database.engine, "before_cursor_execute", note)
    assert world.looked("2026-03-01 10:00") == {"planned": 4, "capped": 24}
    event.remove(database.engine, "before_cursor_execute", note)
    assert sum("UPDATE look_option" in it for it in statements) < 25
    planned = [(it.external_id, it.subject) for it in world.messages()]
    assert sorted(planned) == [
        (f"customer-{number}", f"2026-03-{day:02}") for number in (0, 1) for day in (3, 4)
    ]


def _note(statements: list[str], _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    statements.append(statement)


@pytest.mark.parametrize("limit", ["own", "sms", "all"])
def test_what_a_merged_duplicate_heard_counts_as_the_survivors(database: Database, limit: str) -> None:
    own = {"limits": "{at_most: 1 per 7 days}"} if limit == "own" else {}
    allowances = {} if limit == "own" else {limit: "1 per 7 days"}
    world = world_of(database, {"one": campaign(**own)}, **allowances)
    world.customer("double")
    world.looks("2026-03-01 10:00")
    world.settle()
    for name in ("anna", "ihor"):
        world.customer(name)
    merge(world, "double", "anna")
    assert world.look("2026-03-02 10:00") == {"anna": "capped", "ihor": "planned"}
    said = "1 per 7 days used by one"
    assert world.detail("anna") == (f"sms: capped ({said})" if limit == "sms" else said)
    world.settle()
    assert world.look("2026-03-08 10:00")["anna"] == "planned"


def test_what_somebody_heard_themselves_counts_beside_what_their_duplicate_heard(database: Database) -> None:
    world = world_of(database, {"one": campaign()}, all="2 per 7 days")
    for name in ("double", "anna", "ihor"):
        world.customer(name)
    world.looks("2026-03-01 10:00")
    world.settle()
    merge(world, "double", "anna")
    assert world.look("2026-03-02 10:00") == {"anna": "capped", "ihor": "planned"}
    world.settle()
    assert world.look("2026-03-03 10:00") == {"anna": "capped", "ihor": "capped"}


@pytest.mark.parametrize("limit", ["own", "sms", "all"])
def test_where_others_were_merged_what_somebody_heard_themselves_counts_as_ever(
    database: Database, limit: str
) -> None:
    own = {"limits": "{at_most: 1 per 7 days}"} if limit == "own" else {}
    allowances = {} if limit == "own" else {limit: "1 per 7 days"}
    world = world_of(database, {"one": campaign(**own)}, **allowances)
    world.customer("double", consent=())
    world.customer("ihor")
    world.looks("2026-03-01 10:00")
    world.settle()
    world.customer("anna")
    merge(world, "double", "anna")
    assert world.look("2026-03-02 10:00") == {"anna": "planned", "ihor": "capped"}
    said = "1 per 7 days used by one"
    assert world.detail("ihor") == (f"sms: capped ({said})" if limit == "sms" else said)


def test_what_still_waited_for_a_duplicate_takes_no_place(database: Database) -> None:
    world = world_of(database, {"one": campaign()}, all="1 per 7 days")
    world.customer("double")
    world.looks("2026-03-01 10:00")
    world.customer("anna")
    merge(world, "double", "anna")
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}
