"""What an allowance counts: from when, of whom, on which channel; and which message gives way first."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select, update

from campaigns.dryrun import DryRun
from campaigns.staging import CANDIDATE
from campaigns.tables import Decision, Message
from core.db import Database
from tests.support.world import LINKS, World, channels, kyiv, scenario

DECISION = Decision.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
DAILY = "{schedule: {every: day at 10:00}}"
BY_EMAIL = "[{id: hello, message: hello, send: [email]}]"


def campaign(when: str = DAILY, **parts: str) -> str:
    return scenario(when, schedule="", **parts)


def once(at: str, **parts: str) -> str:
    return campaign(f"{{schedule: {{at: '{at}'}}}}", **parts)


def world_of(database: Database, scenarios: Mapping[str, str], **allowances: str) -> World:
    program: dict[str, Any] = {"allowances": {"marketing": allowances}} if allowances else {}
    world = World(database, scenarios, program=program)
    world.customer("anna", consent=("sms", "email"), email="anna@example.com")
    return world


def heard(world: World, at: str) -> None:
    """The first message was accepted at that time."""
    with world.database.write() as connection:
        connection.execute(
            update(MESSAGE).where(MESSAGE.c.id == 1).values(state="sent", accepted_at=kyiv(at))
        )


@pytest.mark.parametrize(
    ("accepted", "look", "verdict"),
    [
        ("2026-03-01 23:59:59", "2026-03-03 10:00", "planned"),
        ("2026-03-02 00:00", "2026-03-03 10:00", "capped"),
        ("2026-03-02 00:30", "2026-03-03 10:00", "capped"),
        # Half past midnight in Kyiv is still the day before in UTC.
        ("2026-03-01 12:00", "2026-03-03 00:30", "planned"),
        ("2026-03-02 00:30", "2026-03-03 00:30", "capped"),
    ],
)
def test_a_window_of_days_begins_at_midnight_where_the_program_is(
    database: Database, accepted: str, look: str, verdict: str
) -> None:
    scenarios = {"first": once("2026-03-01 10:00"), "second": once(look)}
    world = world_of(database, scenarios, all="1 per 2 days")
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}
    heard(world, accepted)
    assert world.look(look) == {"anna": verdict}


@pytest.mark.parametrize(("accepted", "verdict"), [("10:00", "planned"), ("10:00:01", "capped")])
def test_a_window_of_hours_is_over_when_they_have_passed(
    database: Database, accepted: str, verdict: str
) -> None:
    scenarios = {"first": once("2026-03-01 10:00"), "second": once("2026-03-02 10:00")}
    world = world_of(database, scenarios, all="1 per 24 hours")
    world.look("2026-03-01 10:00")
    heard(world, f"2026-03-01 {accepted}")
    assert world.look("2026-03-02 10:00") == {"anna": verdict}


def test_a_scenarios_limit_counts_its_own_messages_alone(database: Database) -> None:
    scenarios = {"other": campaign(priority="90"), "one": campaign(limits="{at_most: 1 per 7 days}")}
    world = world_of(database, scenarios)
    assert set(world.foreseen("2026-03-01 10:00").values()) == {"planned"}
    world.looks("2026-03-01 10:00")
    world.settle()
    verdicts = {name: verdict for (_, name, _, _), verdict in world.foreseen("2026-03-02 10:00").items()}
    assert verdicts == {"other": "planned", "one": "capped"}
    world.looks("2026-03-02 10:00")
    world.settle()
    assert world.looked("2026-03-08 10:00") == {"planned": 2}


def test_the_allowance_of_a_channel_counts_what_went_by_it_alone(database: Database) -> None:
    scenarios = {"letters": campaign(priority="90", steps=BY_EMAIL), "one": campaign()}
    world = world_of(database, scenarios, sms="1 per 7 days")
    assert set(world.foreseen("2026-03-01 10:00").values()) == {"planned"}
    assert world.looked("2026-03-01 10:00") == {"planned": 2}
    world.settle()
    assert world.looked("2026-03-02 10:00") == {"planned": 1, "capped": 1}
    world.settle()
    assert world.looked("2026-03-08 10:00") == {"planned": 2}


def test_of_several_occasions_the_one_that_happened_first_goes_first(database: Database) -> None:
    text = scenario("{bonus_accrued: {}}", schedule="", limits="{at_most: 1 per 7 days}")
    world = world_of(database, {"one": text})
    world.move("2026-03-01 12:00")
    world.buy("anna", 100, at=kyiv("2026-03-01 11:30"))
    world.buy("anna", 100, at=kyiv("2026-03-01 11:00"))
    assert world.looked("2026-03-01 12:00") == {"planned": 1, "capped": 1}
    assert [it.planned_at for it in world.messages()] == [kyiv("2026-03-01 11:00")]


def test_the_newest_message_that_was_heard_is_named(database: Database) -> None:
    scenarios = {
        "late": once("2026-03-01 10:00"), "early": once("2026-03-02 10:00"), "one": once("2026-03-04 10:00"),
    }  # fmt: skip
    world = world_of(database, scenarios, all="2 per 7 days")
    for day in (1, 2):
        world.looks(f"2026-03-0{day} 10:00")
        world.settle()
    heard(world, "2026-03-03 10:00")
    assert world.look("2026-03-04 10:00") == {"anna": "capped"}
    assert world.detail("anna") == "2 per 7 days used by late"


# --- who gives way


def night(database: Database, waiting: Mapping[str, str], coming: str, at_most: int) -> World:
    """Some scenarios plan in the night and wait for nine; another one comes at eight."""
    scenarios = {name: once("2026-03-02 22:00", priority=it) for name, it in waiting.items()}
    scenarios["coming"] = once("2026-03-03 08:00", priority=coming)
    allowances = {"marketing": {"all": f"{at_most} per 7 days"}}
    world = World(database, scenarios, program={"quiet_hours": "21:00-09:00", "allowances": allowances})
    world.customer("anna")
    world.looks("2026-03-02 22:00")
    world.looks("2026-03-03 08:00")
    return world


@pytest.mark.parametrize(
    ("waiting", "gone"),
    [
        ({"alpha": "20", "beta": "10", "gamma": "30"}, "beta"),
        ({"alpha": "10", "beta": "20", "gamma": "20"}, "alpha"),
        ({"alpha": "10", "beta": "10", "gamma": "20"}, "beta"),
    ],
)
def test_the_least_priority_gives_way_and_between_equals_the_last_name(
    database: Database, waiting: Mapping[str, str], gone: str
) -> None:
    world = night(database, waiting, "90", 3)
    assert {it.scenario for it in world.messages(state="recalled")} == {gone}
    assert world.reasons()["coming"] == f"displaces {gone}"


@pytest.mark.parametrize(
    ("waiting", "verdict"),
    [({"alpha": "50"}, "capped"), ({"omega": "50"}, "deferred"), ({"omega": "60"}, "capped")],
)
def test_who_stands_before_never_gives_way(
    database: Database, waiting: Mapping[str, str], verdict: str
) -> None:
    world = night(database, waiting, "50", 1)
    assert {it[4] for it in world.decisions(world.now) if it[1] == "coming"} == {verdict}


WAITING = once("2026-03-02 22:00", priority="10")
WAITING_LETTER = once("2026-03-02 22:00", priority="10", steps=BY_EMAIL)
BOTH = ("sms", "email")
EXPIRING = scenario("{bonus_expiring: {ahead: 14 days}}", schedule="every day at 08:00", priority="90")


def asleep(database: Database, scenarios: Mapping[str, str], **allowances: str) -> World:
    """Anna has heard nothing yet, and what was planned at ten in the evening waits for nine."""
    program = {"quiet_hours": "21:00-09:00", "allowances": {"marketing": allowances}}
    world = World(database, scenarios, program=program)
    world.customer("anna", email="anna@example.com", consent=BOTH)
    return world


def said_of(world: World, scenario: str) -> dict[str, str]:
    return {it[0]: it[4] for it in world.decisions(world.now) if it[1] == scenario}


@pytest.mark.parametrize("allowance", ["all", "sms"])
def test_each_of_two_occasions_displaces_another_message_and_a_third_finds_none(
    database: Database, allowance: str
) -> None:
    scenarios = {"alpha": WAITING, "beta": WAITING, "expiring": EXPIRING}
    world = asleep(database, scenarios, **{allowance: "2 per 7 days"})
    world.looks("2026-03-02 22:00")
    for day in (10, 11, 12):
        world.bonuses("anna", 100, f"2026-03-{day}")
    assert world.looked("2026-03-03 08:00") == {"deferred": 2, "capped": 1}
    assert {it.scenario for it in world.messages(state="recalled")} == {"alpha", "beta"}


@pytest.mark.parametrize("allowance", ["all", "sms"])
def test_while_there_is_room_nobody_is_capped_and_nothing_gives_way(
    database: Database, allowance: str
) -> None:
    coming = once("2026-03-03 08:00", priority="90")
    world = asleep(database, {"waiting": WAITING, "coming": coming}, **{allowance: "2 per 7 days"})
    world.looks("2026-03-02 22:00")
    assert world.look("2026-03-03 08:00") == {"anna": "deferred"}
    assert world.messages(state="recalled") == []


@pytest.mark.parametrize("allowance", ["all", "sms"])
def test_one_customers_messages_use_up_nothing_of_anothers(database: Database, allowance: str) -> None:
    world = world_of(database, {"one": campaign()}, **{allowance: "1 per 7 days"})
    world.looks("2026-03-01 10:00")
    world.settle()
    world.customer("ihor")
    assert world.look("2026-03-02 10:00") == {"anna": "capped", "ihor": "planned"}


def test_a_message_gives_way_only_to_one_for_the_same_customer(database: Database) -> None:
    coming = once("2026-03-03 08:00", priority="90")
    world = asleep(database, {"waiting": WAITING, "coming": coming}, sms="1 per 7 days")
    world.looks("2026-03-02 22:00")
    world.customer("ihor")
    world.looks("2026-03-03 08:00")
    assert said_of(world, "coming") == {"anna": "deferred", "ihor": "deferred"}
    assert world.detail("ihor") is None
    assert {it.external_id for it in world.messages(state="recalled")} == {"anna"}


def test_of_two_customers_one_makes_room_on_the_channel_and_one_in_all(database: Database) -> None:
    scenarios = {
        "letter": WAITING_LETTER.replace("priority: 10", "priority: 10\naudience: {tier: gold}"),
        "text": WAITING.replace("priority: 10", "priority: 10\naudience: {tier: bronze}"),
        "coming": once("2026-03-03 08:00", priority="90"),
    }
    world = asleep(database, scenarios, all="1 per 7 days", sms="1 per 7 days")
    world.customer("ihor", email="ihor@example.com", consent=BOTH)
    world.tier("ihor", "gold")
    world.looks("2026-03-02 22:00")
    assert {it.external_id: it.channel for it in world.messages()} == {"anna": "sms", "ihor": "email"}
    world.looks("2026-03-03 08:00")
    assert said_of(world, "coming") == {"anna": "deferred", "ihor": "deferred"}
    recalled = {it.external_id: it.scenario for it in world.messages(state="recalled")}
    assert recalled == {"anna": "text", "ihor": "letter"}


def test_what_goes_by_another_channel_displaces_nothing(database: Database) -> None:
    steps = "[{id: hello, message: hello, send: [email, sms]}]"
    coming = once("2026-03-03 08:00", priority="90", steps=steps)
    world = asleep(database, {"waiting": WAITING, "coming": coming}, sms="1 per 7 days")
    world.looks("2026-03-02 22:00")
    assert world.look("2026-03-03 08:00") == {"anna": "deferred"}
    assert {it.scenario: it.channel for it in world.messages(state="deferred")} == {
        "waiting": "sms", "coming": "email",
    }  # fmt: skip


def test_who_is_capped_beside_several_occasions_of_others_is_told_by_whom(database: Database) -> None:
    other = once("2026-03-01 10:00", audience="{tier: gold}")
    text = scenario("{bonus_expiring: {ahead: 14 days}}")
    world = world_of(database, {"other": other, "one": text}, all="1 per 7 days")
    world.customer("ihor")
    world.tier("ihor", "gold")
    world.looks("2026-03-01 10:00")
    world.settle()
    for name, day in (("anna", 10), ("anna", 11), ("ihor", 10)):
        world.bonuses(name, 100, f"2026-03-{day}")
    assert world.looked("2026-03-02 10:00") == {"planned": 1, "capped": 2}
    assert world.detail("ihor") == "1 per 7 days used by other"
    with database.read() as connection:
        details = connection.scalars(select(DECISION.c.detail).where(DECISION.c.verdict == "capped")).all()
    assert sorted(details) == ["1 per 7 days used by one", "1 per 7 days used by other"]


def test_each_channel_names_who_used_it_up_before_and_who_at_this_look(database: Database) -> None:
    one = scenario(
        "{bonus_expiring: {ahead: 14 days}}", steps="[{id: hello, message: hello, send: [sms, email]}]"
    )
    scenarios = {"other": once("2026-03-01 10:00"), "one": one}
    world = world_of(database, scenarios, sms="1 per 7 days", email="1 per 7 days")
    world.looks("2026-03-01 10:00")
    world.settle()
    for day in (10, 11):
        world.bonuses("anna", 100, f"2026-03-{day}")
    assert world.looked("2026-03-02 10:00") == {"planned": 1, "capped": 1}
    with database.read() as connection:
        [detail] = connection.scalars(select(DECISION.c.detail).where(DECISION.c.verdict == "capped"))
    assert detail == ("sms: capped (1 per 7 days used by other), email: capped (1 per 7 days used by one)")


def test_who_was_told_before_is_capped_at_each_occasion_while_others_are_told(database: Database) -> None:
    scenarios = {
        "other": once("2026-03-01 10:00"), "one": scenario("{bonus_expiring: {ahead: 14 days}}"),
    }  # fmt: skip
    world = world_of(database, scenarios, sms="1 per 7 days")
    world.looks("2026-03-01 10:00")
    world.settle()
    world.customer("ihor")
    for name, day in (("anna", 10), ("anna", 11), ("ihor", 10), ("ihor", 11)):
        world.bonuses(name, 100, f"2026-03-{day}")
    assert world.looked("2026-03-02 10:00") == {"planned": 1, "capped": 3}
    assert {it.external_id for it in world.messages(state="planned")} == {"ihor"}


def test_a_dry_run_counts_no_service_message(database: Database) -> None:
    scenarios = {"service": campaign(priority="90", purpose="service"), "ads": campaign()}
    world = world_of(database, scenarios, all="1 per 7 days")
    assert {key[1]: said for key, said in world.foreseen("2026-03-01 10:00").items()} == {
        "service": "planned", "ads": "planned",
    }  # fmt: skip


def test_what_a_stopped_look_would_not_have_kept_takes_no_place_in_a_dry_run(database: Database) -> None:
    scenarios = {"many": campaign(priority="90"), "few": campaign(audience="{tier: gold}")}
    program = {"allowances": {"marketing": {"all": "1 per 7 days"}}, "max_per_look": 2}
    world = World(database, scenarios, program=program)
    for name in ("anna", "ihor", "oksana"):
        world.customer(name)
    world.tier("anna", "gold")
    assert world.dry("2026-03-01 10:00")["few"].send == {"sms": 1}


def test_a_stopped_look_gives_back_its_own_places_alone(database: Database) -> None:
    gold = {"audience": "{tier: gold}"}
    scenarios = {
        "before": campaign(priority="95", **gold), "many": campaign(priority="90"), "few": campaign(**gold),
    }  # fmt: skip
    program = {"allowances": {"marketing": {"all": "1 per 7 days"}}, "max_per_look": 2}
    world = World(database, scenarios, program=program)
    for name in ("anna", "ihor", "oksana", "petro"):
        world.customer(name)
    world.tier("anna", "gold")
    forecasts = world.dry("2026-03-01 10:00")
    assert forecasts["many"].guard is not None
    assert forecasts["few"].gates["capped"] == 1
    assert forecasts["few"].send == {}


def test_a_stopped_look_keeps_the_places_of_who_is_under_way(database: Database) -> None:
    steps = (
        "[{id: hello, message: hello, send: [sms]}, {id: more, wait: 5 days, message: hello, send: [sms]}]"
    )
    scenarios = {"many": campaign(priority="90", steps=steps), "few": campaign(audience="{tier: gold}")}
    program = {"allowances": {"marketing": {"all": "1 per 1 day"}}, "max_per_look": 2}
    world = World(database, scenarios, program=program)
    world.customer("anna")
    world.tier("anna", "gold")
    world.looks("2026-03-01 10:00")
    world.settle()
    for name in ("ihor", "oksana", "petro"):
        world.customer(name)
    forecasts = world.dry("2026-03-06 10:00")
    assert forecasts["many"].guard is not None
    assert forecasts["few"].send == {}
    world.looks("2026-03-06 10:00")
    assert said_of(world, "few")["anna"] == "capped"


def test_a_dry_run_names_who_would_have_used_the_allowance_up(database: Database) -> None:
    scenarios = {"high": campaign(priority="90"), "low": campaign(priority="10")}
    world = world_of(database, scenarios, all="1 per 7 days")
    said: dict[str, str | None] = {}
    with database.read() as connection:
        run = DryRun(connection, world.running, channels(world.running), LINKS, kyiv("2026-03-01 10:00"))
        for it in world.running.by_priority:
            for _ in run._look(it):
                said[it.name] = connection.scalar(select(CANDIDATE.c.detail))
    assert said == {"high": None, "low": "1 per 7 days used by high"}
