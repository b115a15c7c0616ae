"""What a replay asks once more when a quiet night is over, as the outbox does before it sends."""

from datetime import date

import pytest

from core.db import Database
from tests.campaigns.test_backtest import replay, told
from tests.support.happenings import add_card
from tests.support.world import World, kyiv, scenario

NIGHT = {"quiet_hours": "21:00-09:00"}
LATE = "every day at 22:00"


@pytest.fixture
def world(database: Database) -> World:
    """Two birthdays on 2 March; one of them buys in the night after it."""
    world = World(database, {"other": scenario("{inactive: {for: 900 days}}")})
    for name in ("buyer", "anna"):
        world.customer(name, birthday=date(1990, 3, 2))
    world.move("2026-03-03 07:00")
    world.buy("buyer", 2000)
    world.move("2026-04-01 10:00")
    return world


def test_a_goal_that_was_met_in_the_night_recalls_the_message(world: World) -> None:
    text = scenario("{birthday: {}}", schedule=LATE, goal="{purchase: {within: 3 days}}")
    found = replay(world, {"late": text}, program=NIGHT)["late"]
    assert told(found) == {"03-03": 1}
    assert found.verdicts["hello"] == {"exited": 1, "sent": 1}


def test_a_goal_that_was_met_too_late_recalls_nothing(world: World) -> None:
    text = scenario("{birthday: {}}", schedule=LATE, goal="{purchase: {within: 2 hours}}")
    assert told(replay(world, {"late": text}, program=NIGHT)["late"]) == {"03-03": 2}


def test_nor_does_a_purchase_of_before_by_a_till_whose_clock_was_ahead(database: Database) -> None:
    world = World(database, {"other": scenario("{inactive: {for: 900 days}}")})
    world.customer("anna", birthday=date(1990, 3, 2))
    world.move("2026-03-02 21:59")
    world.buy("anna", 20, at=kyiv("2026-03-02 22:03"))
    world.move("2026-04-01 10:00")
    text = scenario("{birthday: {}}", schedule=LATE, goal="{purchase: {within: 3 days}}")
    found = replay(world, {"late": text}, program=NIGHT)["late"]
    assert told(found) == {"03-03": 1}
    assert found.goal is not None
    assert found.goal.treatment.reached == 0


ASKED = ["unless: [purchase]", "unless: {tier: [silver, gold]}", "only_if: {tier: bronze}"]


@pytest.mark.parametrize("asked", ASKED)
def test_what_the_step_asks_is_asked_again_in_the_morning(world: World, asked: str) -> None:
    first = f"{{id: hello, message: hello, send: [sms], {asked}}}"
    steps = f"[{first}, {{id: more, wait: 1 day, message: more, send: [sms]}}]"
    text = scenario("{birthday: {}}", schedule=LATE, steps=steps)
    found = replay(world, {"late": text}, program=NIGHT)["late"]
    assert found.verdicts["hello"] == {"exited": 1, "sent": 1}
    assert found.verdicts["more"] == {"sent": 1}


def test_who_has_no_card_in_a_wallet_is_not_reached_on_it(world: World) -> None:
    steps = "[{id: hello, message: hello, send: [wallet]}]"
    text = scenario("{birthday: {}}", schedule=LATE, steps=steps, purpose="service")
    world._files = {"messages/hello/wallet.txt": "Hello!"}
    add_card(world, "anna")
    email = {"from": "hello@kavarnia.example"}
    found = replay(world, {"late": text}, program=NIGHT | {"channels": {"email": email, "wallet": {}}})[
        "late"
    ]
    assert found.verdicts["hello"] == {"sent": 1, "unreachable": 1}


def test_who_needs_no_address_is_reached_in_the_morning_too(world: World) -> None:
    steps = "[{id: hello, message: hello, send: [webhook]}]"
    text = scenario("{birthday: {}}", schedule=LATE, steps=steps, purpose="service")
    world._files = {"messages/hello/webhook.txt": "Hello!"}
    found = replay(
        world,
        {"late": text},
        program=NIGHT | {"channels": {"email": {"from": "hello@kavarnia.example"}, "webhook": {}}},
    )["late"]
    assert told(found) == {"03-03": 2}
