"""Triggers on events: news from the first apply on, in the order recorded, none lost and none twice."""

from datetime import date

from sqlalchemy import text

from core.db import Database
from core.events import Happening, append, cursor
from tests.support.happenings import still_true, told
from tests.support.world import World, kyiv, scenario

ACCRUED = scenario("{bonus_accrued: {at_least: 5}}", purpose="service", schedule="")
TIER = scenario("{tier_changed: {direction: up}}", purpose="service", schedule="")
THEN_AGAIN = ACCRUED.replace(
    "[{id: hello, message: hello, send: [sms]}]",
    "[{id: hello, message: hello, send: [sms]}, {id: more, wait: 1 hour, message: hello, send: [sms]}]",
)


def accrued(database: Database, **files: str) -> World:
    world = World(database, {"accrued": ACCRUED, **files})
    world.customer("anna")
    return world


def test_what_happened_before_the_first_apply_is_no_news(database: Database) -> None:
    world = World(database, {"other": scenario("{birthday: {}}")})
    world.customer("anna")
    world.buy("anna", 100)
    world.apply({"accrued": ACCRUED})
    assert world.look("2026-03-01 09:01") == {}
    world.buy("anna", 200)
    assert world.look("2026-03-01 09:02") == {"anna": "planned"}
    [message] = world.messages()
    assert message.facts["amount"] == 2000


def test_imported_history_triggers_nothing(database: Database) -> None:
    world = accrued(database)
    world.buy("anna", 100, at=kyiv("2026-02-01 10:00"), live=False)
    assert world.look("2026-03-01 10:00") == {}
    assert world.messages() == []


def test_each_accrual_is_an_occasion_and_is_read_once(database: Database) -> None:
    world = accrued(database)
    world.buy("anna", 100)
    world.buy("anna", 300)
    assert world.looked("2026-03-01 10:00") == {"planned": 2}
    assert world.looked("2026-03-01 10:01") == {}
    assert sorted(it.facts["amount"] for it in world.messages()) == [1000, 3000]


def test_small_change_and_other_reasons_are_passed_over(database: Database) -> None:
    text_ = ACCRUED.replace("{at_least: 5}", "{at_least: 5, reason: purchase}")
    world = World(database, {"accrued": text_})
    world.customer("anna")
    world.buy("anna", 49)
    world.bonuses("anna", 500)
    assert world.look("2026-03-01 10:00") == {}


def test_a_message_is_planned_for_when_it_happened_and_not_for_when_it_was_told(database: Database) -> None:
    world = World(database, {"accrued": ACCRUED + "limits: {valid_for: 1 day}\n"})
    world.customer("anna")
    world.customer("late")
    world.move("2026-03-03 12:00")
    world.buy("anna", 100, at=kyiv("2026-03-03 11:00"))
    world.buy("late", 100, at=kyiv("2026-03-02 11:00"))
    assert world.look("2026-03-03 12:01") == {"anna": "planned", "late": "expired"}
    [message] = world.messages()
    assert message.planned_at == kyiv("2026-03-03 11:00")


def test_an_event_that_commits_late_is_not_lost(postgres_database: Database) -> None:
    """The row of the first purchase has a lower id, and is written by a transaction that ends later."""
    world = accrued(postgres_database)
    slow = Database(postgres_database.url)
    data = {"amount": 700, "reason": "purchase", "starts_at": None, "expires_on": None}
    with slow.write() as connection:
        connection.execute(text("SELECT pg_current_xact_id()"))
        append(
            connection,
            [Happening(world.ids["anna"], "bonus_accrued", world.now, "slow", data)],
            world.now,
            live=True,
        )
        world.buy("anna", 100)
        # A transaction from before the slow one's end is not read past it.
        assert world.look("2026-03-01 10:00") == {}
    assert world.looked("2026-03-01 10:01") == {"planned": 2}
    assert sorted(it.facts["amount"] for it in world.messages()) == [700, 1000]
    slow.close()


def test_the_cursor_moves_only_with_what_was_decided(database: Database) -> None:
    world = accrued(database)
    world.buy("anna", 100)
    with database.read() as connection:
        before = cursor(connection, "scenario:accrued")
    world.foreseen("2026-03-01 10:00")
    with database.read() as connection:
        assert cursor(connection, "scenario:accrued") == before
    world.look("2026-03-01 10:00")
    with database.read() as connection:
        assert cursor(connection, "scenario:accrued") != before


def test_a_returned_purchase_recalls_what_would_follow(database: Database) -> None:
    world = World(database, {"accrued": THEN_AGAIN})
    world.customer("anna")
    receipt = world.buy("anna", 100)
    world.look("2026-03-01 10:00")
    assert set(still_true(world)) == {"anna"}
    world.give_back(receipt)
    assert still_true(world) == {}


def test_a_purchase_that_was_spent_and_then_returned_is_no_longer_true_either(database: Database) -> None:
    world = accrued(database)
    receipt = world.buy("anna", 100)
    world.look("2026-03-01 10:00")
    world.redeem("anna", 10)
    assert set(still_true(world)) == {"anna"}
    world.give_back(receipt)
    assert still_true(world) == {}


def test_a_tier_that_was_lost_again_is_no_longer_true(database: Database) -> None:
    world = World(database, {"tier": TIER})
    world.customer("anna")
    world.customer("ihor")
    world.tier("anna", "gold")
    world.tier("ihor", "silver")
    world.look("2026-03-01 10:00")
    assert set(still_true(world)) == {"anna", "ihor"}
    world.tier("anna", "silver")
    assert set(still_true(world)) == {"ihor"}


def test_only_the_direction_and_tier_that_are_meant_are_news(database: Database) -> None:
    down = scenario("{tier_changed: {direction: down}}", purpose="service", schedule="")
    gold = scenario("{tier_changed: {direction: any, to: gold}}", purpose="service", schedule="")
    world = World(database, {"down": down, "gold": gold})
    world.customer("anna")
    world.tier("anna", "gold")
    world.tier("anna", "silver")
    world.look("2026-03-01 10:00")
    assert [(it.scenario, it.subject) for it in world.messages()] == [("down", "silver")]
    world.tier("anna", "gold")
    world.look("2026-03-01 10:01")
    assert [(it.scenario, it.subject) for it in world.messages()] == [("down", "silver"), ("gold", "gold")]


def test_of_several_steps_at_once_only_the_last_is_news(database: Database) -> None:
    world = World(database, {"tier": TIER})
    world.customer("anna")
    world.buy("anna", 1_000)
    world.buy("anna", 6_000)
    world.look("2026-03-01 10:00")
    assert [(it.external_id, it.facts["tier"], it.facts["previous"]) for it in world.messages()] == [
        ("anna", "gold", "silver")
    ]


def test_a_tier_that_was_lost_and_reached_again_at_once_is_told_of_once(database: Database) -> None:
    world = World(database, {"tier": TIER})
    world.customer("anna")
    for tier in ("gold", "silver", "gold"):
        world.tier("anna", tier)
    assert world.looked("2026-03-01 10:00") == {"planned": 1}


def test_a_step_that_came_later_hides_none_from_a_look_at_the_time_before(database: Database) -> None:
    world = World(database, {"tier": TIER})
    world.customer("anna")
    world.tier("anna", "silver")
    world.look("2026-03-01 10:00")
    world.move("2026-03-01 10:01")
    world.tier("anna", "gold")
    for at, tier in (("2026-03-01 10:00", "silver"), ("2026-03-01 10:01", "gold")):
        [(_, _, occasion, _)] = world.foreseen(at)
        assert occasion.startswith(f"{tier}#")


def test_nobody_is_congratulated_on_the_tier_to_which_they_fell(database: Database) -> None:
    world = World(database, {"tier": TIER})
    world.customer("anna")
    world.tier("anna", "silver")
    world.look("2026-03-01 10:00")
    world.move("2026-03-01 10:01")
    world.tier("anna", "gold")
    world.move("2026-03-01 10:02")
    world.tier("anna", "silver")
    assert still_true(world) == {}, "of the first rise to silver"
    assert world.looked() == {}


def test_a_message_can_say_which_tier_it_is_and_since_when(database: Database) -> None:
    world = World(database, {"tier": TIER})
    world.customer("anna")
    world.tier("anna", "silver")
    world.look("2026-03-01 10:00")
    assert told(world) == [("anna", {
        "tier": "silver", "previous": "bronze", "direction": "up", "since": date(2026, 3, 1),
    })]  # fmt: skip


def test_a_tier_that_a_return_undid_is_no_longer_true(database: Database) -> None:
    world = World(database, {"tier": TIER})
    world.customer("anna")
    receipt = world.buy("anna", 1_000)
    world.look("2026-03-01 10:00")
    assert set(still_true(world)) == {"anna"}
    world.give_back(receipt)
    assert still_true(world) == {}


def test_a_scenario_that_now_waits_for_an_event_begins_with_what_happens_from_now_on(
    database: Database,
) -> None:
    world = World(database, {"one": scenario("{birthday: {}}")})
    world.customer("anna")
    world.buy("anna", 100)
    world.move("2026-03-01 10:00")
    world.apply({"one": ACCRUED})
    assert world.look("2026-03-01 10:01") == {}


def test_a_scenario_that_was_removed_and_comes_back_does_not_make_up_for_the_time_between(
    database: Database,
) -> None:
    daily = scenario("{schedule: {every: day at 10:00}}", schedule="")
    world = World(database, {"accrued": ACCRUED, "daily": daily})
    world.customer("anna")
    world.look("2026-03-01 10:00")
    world.apply({"other": scenario("{birthday: {}}")})
    world.buy("anna", 100)
    world.move("2026-03-04 15:00")
    world.apply({"accrued": ACCRUED, "daily": daily})
    assert world.look("2026-03-04 15:01") == {}
    assert world.look("2026-03-05 10:00") == {"anna": "planned"}
