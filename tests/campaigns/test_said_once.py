"""Who agreed nowhere is held back once for an occasion; the decision stands until there is another one."""

from datetime import date, datetime

import pytest
from sqlalchemy import select

from campaigns.results import results_of
from campaigns.tables import Decision
from core.db import Database
from tests.support.world import World, kyiv, scenario

DECISION = Decision.__table__  # type: ignore[attr-defined]
SILENT = "{inactive: {for: 60 days}}"
TO_BOTH = "[{id: hello, message: hello, send: [email, sms]}]"


def silent_for_long(database: Database, name: str = "anna", **parts: str) -> World:
    """Somebody who agreed nowhere, and has not bought anything since 5 January."""
    world = World(database, {"back": scenario(SILENT, **parts)}, at="2026-01-13 09:00")
    world.customer(name, consent=())
    world.buy(name, 100, at=kyiv("2026-01-05 10:00"))
    return world


def said(world: World) -> list[tuple[str, datetime]]:
    """What stands of everybody, and since when."""
    with world.database.read() as connection:
        rows = connection.execute(select(DECISION.c.verdict, DECISION.c.at))
        return sorted((row.verdict, row.at) for row in rows)


def test_it_is_decided_when_the_silence_has_lasted_long_enough_and_stands(database: Database) -> None:
    world = silent_for_long(database)
    assert world.looked("2026-03-06 10:00") == {"no_consent": 1}
    for day in (7, 8, 9):
        assert world.looked(f"2026-03-0{day} 10:00") == {}
    assert said(world) == [("no_consent", kyiv("2026-03-06 10:00"))]
    assert world.decisions()[0][4] == "no_consent"


def test_a_report_counts_them_in_the_time_in_which_they_became_due(database: Database) -> None:
    world = silent_for_long(database)
    for day in (6, 7, 8):
        world.looks(f"2026-03-0{day} 10:00")
    with database.read() as connection:
        march, later = (
            results_of(connection, world.running, "back", date(2026, 3, day), date(2026, 3, 31), world.now)
            for day in (1, 7)
        )
    assert (march.silent, later.silent) == ({"no_consent": 1}, {})


def test_a_dry_run_says_it_each_time(database: Database) -> None:
    world = silent_for_long(database)
    assert [*world.foreseen("2026-03-06 10:00").values()] == ["no_consent"]
    world.looks("2026-03-06 10:00")
    assert [*world.foreseen("2026-03-07 10:00").values()] == ["no_consent"]


def test_who_agrees_is_told_and_who_takes_it_back_before_is_held_back_again(database: Database) -> None:
    world = silent_for_long(database)
    world.looks("2026-03-06 10:00")
    world.agree("anna", "email")
    world.agree("anna", "email", granted=False)
    assert world.looked("2026-03-07 10:00") == {}
    world.agree("anna", "sms")
    assert world.look("2026-03-08 10:00") == {"anna": "planned"}


def test_what_another_gate_said_meanwhile_is_replaced(database: Database) -> None:
    world = silent_for_long(database)
    world.looks("2026-03-06 10:00")
    world.agree("anna", "sms")
    world.suppress("anna", "sms")
    assert world.looked("2026-03-07 10:00") == {"suppressed": 1}
    world.agree("anna", "sms", granted=False)
    assert world.looked("2026-03-08 10:00") == {"no_consent": 1}
    assert said(world) == [("no_consent", kyiv("2026-03-08 10:00"))]


@pytest.mark.parametrize(
    "changed",
    [{"steps": TO_BOTH}, {"steps": "[{id: other, message: hello, send: [sms]}]"}],
    ids=["channels", "step"],
)
def test_of_other_channels_and_of_another_step_it_is_said_anew(
    database: Database, changed: dict[str, str]
) -> None:
    world = silent_for_long(database)
    world.looks("2026-03-06 10:00")
    world.apply({"back": scenario(SILENT, **changed)})
    assert world.looked("2026-03-07 10:00") == {"no_consent": 1}
    assert world.looked("2026-03-08 10:00") == {}


def test_what_was_said_of_one_is_said_of_nobody_else(database: Database) -> None:
    """Both bought at one moment: the occasions of two customers read alike."""
    world = silent_for_long(database)
    world.looks("2026-03-06 10:00")
    world.customer("ihor", consent=())
    world.buy("ihor", 100, at=kyiv("2026-01-05 10:00"))
    assert world.looked("2026-03-07 10:00") == {"no_consent": 1}
    assert len(said(world)) == 2


def test_what_one_scenario_said_another_says_for_itself(database: Database) -> None:
    world = silent_for_long(database)
    world.looks("2026-03-06 10:00")
    world.apply({"back": scenario(SILENT), "again": scenario(SILENT)})
    assert world.looked("2026-03-07 10:00") == {"no_consent": 1}
    assert len(said(world)) == 2


def test_the_next_silence_is_another_occasion(database: Database) -> None:
    world = silent_for_long(database)
    world.looks("2026-03-06 10:00")
    world.move("2026-03-06 12:00")
    world.buy("anna", 100)
    assert world.looked("2026-05-07 10:00") == {"no_consent": 1}


def test_service_messages_need_no_consent_and_are_told_whatever_was_said(database: Database) -> None:
    world = silent_for_long(database)
    world.looks("2026-03-06 10:00")
    world.apply({"back": scenario(SILENT, purpose="service")})
    assert world.look("2026-03-07 10:00") == {"anna": "planned"}
