"""The replay of days that are over: what would have been sent, and nothing kept of it."""

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns.backtest import Backtest, Period, Replay, Sample, checked, day
from core.db import Database
from core.errors import UserError
from tests.support.happenings import buy, give_back
from tests.support.world import LINKS, World, channels, kyiv, scenario

Fresh = Callable[[], AbstractContextManager[Database]]
MARCH = Period(date(2026, 3, 1), date(2026, 3, 10))
BIRTHDAY = scenario("{birthday: {}}", goal="{purchase: {within: 3 days}}")


def replay(
    world: World, scenarios: dict[str, str], period: Period = MARCH, sample: Sample | None = None,
    program: dict[str, Any] | None = None, files: dict[str, str] | None = None, **more: Any,
) -> dict[str, Backtest]:  # fmt: skip
    running = world.files(scenarios, program, files)
    with world.database.read() as connection:
        replayed = Replay(connection, running, channels(running), LINKS, **more)
        found = replayed.run(list(running.scenarios.values()), period, sample or Sample())
    return {it.scenario: it for it in found}


def told(found: Backtest) -> dict[str, int]:
    """Day → messages, without the silent days."""
    return {f"{it.day:%m-%d}": it.messages for it in found.days if it.messages}


@pytest.fixture
def world(database: Database) -> World:
    """Nothing was ever live; the facts begin on 1 March, and today is 1 April."""
    return World(database, {"other": scenario("{inactive: {for: 900 days}}")})


def test_every_birthday_of_the_days_is_found_on_its_day(world: World) -> None:
    for number in range(1, 13):
        world.customer(f"c{number}", birthday=date(1990, 3, number))
    world.move("2026-04-01 10:00")
    found = replay(world, {"birthday": BIRTHDAY})["birthday"]
    assert told(found) == {f"03-{number:02}": 1 for number in range(1, 11)}
    assert found.sent == {"sms": 10}
    assert found.cost == Decimal("8.50")
    assert found.per_customer == {0: 2, 1: 10}


def test_a_message_that_fails_for_one_customer_does_not_end_the_replay(world: World) -> None:
    with_pet = {"messages/hello/sms.txt": "Hello, friend of {{ customer.attributes.pet }}"}
    world.customer("anna", birthday=date(1990, 3, 2), attributes={"pet": "Tom"})
    world.customer("ihor", birthday=date(1990, 3, 2))
    world.move("2026-04-01 10:00")
    found = replay(world, {"birthday": BIRTHDAY}, files=with_pet)["birthday"]
    assert (found.messages, found.cost) == (2, Decimal("0.85"))


def test_short_links_cost_what_they_would_cost_live(world: World) -> None:
    long = {"url": f"https://kavarnia.example/{'menu/' * 60}", "tracking": {"clicks": True}}
    short = {"messages/hello/sms.txt": "Hello! {{ program.url | tracked }}"}
    world.customer("anna", birthday=date(1990, 3, 2))
    world.move("2026-04-01 10:00")
    found = replay(world, {"birthday": BIRTHDAY}, program=long, files=short)["birthday"]
    assert found.cost == Decimal("0.85"), "one segment, not three"


def test_a_fact_is_known_from_its_day_on(world: World) -> None:
    world.customer("anna", birthday=date(1990, 3, 2), consent=())
    world.customer("ihor", birthday=date(1990, 3, 4), consent=())
    world.move("2026-03-03 12:00")
    world.agree("anna", "sms")
    world.agree("ihor", "sms")
    world.move("2026-04-01 10:00")
    found = replay(world, {"birthday": BIRTHDAY})["birthday"]
    assert told(found) == {"03-04": 1}
    assert found.verdicts["hello"] == {"no_consent": 1, "sent": 1}


def test_what_comes_back_later_was_bought_until_then(world: World) -> None:
    daily = "{schedule: {every: day at 10:00}}"
    drinkers = scenario(daily, schedule="", audience="{bought: {sku: latte}, spent: {at_least: 100}}")
    world.customer("anna")
    receipt = buy(world, "anna", ("latte", 60), ("croissant", 60), at=kyiv("2026-03-01 09:00"))
    world.move("2026-03-03 12:00")
    give_back(world, receipt, "latte")
    world.move("2026-04-01 10:00")
    found = replay(world, {"drinkers": drinkers, "bought": scenario("{purchase: {sku: latte}}", schedule="")})
    assert told(found["drinkers"]) == {"03-01": 1, "03-02": 1, "03-03": 1}
    assert told(found["bought"]) == {"03-01": 1}


def test_an_event_is_answered_in_time_however_short_its_message_is_good(world: World) -> None:
    code = scenario("{purchase: {}}", schedule="", purpose="transactional", limits="{valid_for: 30 seconds}")
    world.customer("anna")
    world.move("2026-03-02 12:00:10")
    world.buy("anna", 100)
    world.move("2026-04-01 10:00")
    assert told(replay(world, {"code": code})["code"]) == {"03-02": 1}


def test_later_days_know_what_earlier_days_would_have_sent(world: World) -> None:
    world.customer("anna")
    world.move("2026-04-01 10:00")
    daily = scenario("{schedule: {every: day at 10:00}}", schedule="", limits="{at_most: 1 per 3 days}")
    found = replay(world, {"daily": daily})["daily"]
    assert told(found) == {"03-01": 1, "03-04": 1, "03-07": 1, "03-10": 1}
    assert found.verdicts["hello"] == {"capped": 6, "sent": 4}


def test_a_later_step_comes_when_its_wait_is_over(world: World) -> None:
    world.customer("anna", birthday=date(1990, 3, 2))
    world.customer("buyer", birthday=date(1990, 3, 2))
    world.move("2026-03-03 12:00")
    world.buy("buyer", 100)
    world.move("2026-04-01 10:00")
    steps = (
        "[{id: hello, message: hello, send: [sms]},"
        " {id: gift, wait: 2 days, unless: [purchase], message: gift, send: [sms]}]"
    )
    found = replay(world, {"birthday": scenario("{birthday: {}}", steps=steps)})["birthday"]
    assert told(found) == {"03-02": 2, "03-04": 1}
    assert found.verdicts["gift"] == {"exited": 1, "sent": 1}


def test_a_night_is_waited_through_and_asked_again_in_the_morning(world: World) -> None:
    world.customer("anna", consent=["sms"])
    world.customer("ihor", consent=["sms"])
    world.move("2026-03-02 22:30")
    world.buy("anna", 100)
    world.buy("ihor", 100)
    world.move("2026-03-03 07:00")
    world.agree("ihor", "sms", granted=False)
    world.move("2026-04-01 10:00")
    accrued = scenario("{bonus_accrued: {at_least: 1}}", schedule="")
    found = replay(world, {"accrued": accrued}, program={"quiet_hours": "21:00-09:00"})["accrued"]
    assert told(found) == {"03-03": 1}
    assert found.verdicts["hello"] == {"no_consent": 1, "sent": 1}


def test_imported_history_is_replayed_as_if_it_had_been_live(world: World) -> None:
    world.customer("anna")
    world.move("2026-04-01 10:00")
    world.buy("anna", 100, at=kyiv("2026-03-05 12:07"), live=False)
    accrued = scenario("{bonus_accrued: {at_least: 1}}", schedule="")
    assert told(replay(world, {"accrued": accrued})["accrued"]) == {"03-05": 1}


def test_several_scenarios_share_the_customers_allowance(world: World) -> None:
    world.customer("anna", birthday=date(1990, 3, 2))
    world.move("2026-04-01 10:00")
    daily = scenario("{schedule: {every: day at 10:00}}", schedule="", priority="10")
    scenarios = {"birthday": scenario("{birthday: {}}", priority="90"), "daily": daily}
    found = replay(world, scenarios, program={"allowances": {"marketing": {"all": "1 per 2 days"}}})
    assert told(found["birthday"]) == {}
    assert told(found["daily"]) == {"03-01": 1, "03-03": 1, "03-05": 1, "03-07": 1, "03-09": 1}


def test_what_other_scenarios_really_sent_counts(database: Database) -> None:
    world = World(database, {"birthday": scenario("{birthday: {}}", priority="90")})
    world.customer("anna", birthday=date(1990, 3, 2))
    world.look("2026-03-02 10:00")
    world.settle()
    world.move("2026-04-01 10:00")
    daily = scenario("{schedule: {every: day at 12:00}}", schedule="", priority="10")
    limits = {"allowances": {"marketing": {"all": "1 per 2 days"}}}
    found = replay(world, {"daily": daily, "birthday": BIRTHDAY}, program=limits)
    assert told(found["birthday"]) == {}
    running = world.files({"daily": daily}, limits)
    with database.read() as connection:
        replayed = Replay(connection, running, channels(running), LINKS)
        [alone] = replayed.run([running.scenarios["daily"]], MARCH, Sample())
    assert told(alone) == {"03-01": 1, "03-04": 1, "03-06": 1, "03-08": 1, "03-10": 1}


def test_the_goal_is_told_of_both_arms(world: World) -> None:
    for number in range(40):
        world.customer(f"c{number}", birthday=date(1990, 3, 2))
    world.move("2026-03-03 12:00")
    for number in range(0, 40, 2):
        world.buy(f"c{number}", 100)
    world.move("2026-04-01 10:00")
    held = scenario("{birthday: {}}", goal="{purchase: {within: 3 days}}", holdout="50%")
    found = replay(world, {"birthday": held})["birthday"]
    assert found.goal is not None
    assert found.goal.treatment.enrolled + found.goal.holdout.enrolled == 40
    assert found.goal.treatment.reached + found.goal.holdout.reached == 20
    assert found.held_out == found.goal.holdout.enrolled
    assert found.goal.waiting == 0


def test_a_sample_is_stable_and_part_of_the_whole(world: World) -> None:
    for number in range(30):
        world.customer(f"c{number}", birthday=date(1990, 3, 2))
    world.move("2026-04-01 10:00")
    for sample in (Sample(count=10), Sample(part=Decimal("0.3"))):
        found = replay(world, {"birthday": BIRTHDAY}, sample=sample)["birthday"]
        again = replay(world, {"birthday": BIRTHDAY}, sample=sample)["birthday"]
        assert found.as_json() == again.as_json()
        assert found.of_customers == 30
        assert told(found) == {"03-02": found.customers}
    assert replay(world, {"birthday": BIRTHDAY}, sample=Sample(count=10))["birthday"].customers == 10


def lively(database: Database) -> World:
    """A month in which something happens every day."""
    world = World(database, {"other": scenario("{inactive: {for: 900 days}}")})
    for number in range(12):
        world.customer(f"c{number}", birthday=date(1990, 3, 1 + number), consent=("sms", "email"), push=True)
        world.bonuses(f"c{number}", 200, "2026-03-20")
    for number in range(1, 38):
        world.move(world.now + timedelta(hours=8))
        world.buy(f"c{number % 12}", 100 * (number % 7 + 1))
    world.move("2026-04-01 10:00")
    return world


LIVELY = {
    "birthday": BIRTHDAY,
    "accrued": scenario("{bonus_accrued: {at_least: 20}}", schedule="", holdout="20%"),
    "expiring": scenario("{bonus_expiring: {at_least: 100, ahead: [14 days, 3 days]}}", priority="70"),
}


def test_the_same_days_are_the_same_bytes_on_both_databases(
    sqlite_database: Database, postgres_database: Database
) -> None:
    limits = {"allowances": {"marketing": {"all": "2 per 3 days"}}, "quiet_hours": "21:00-09:00"}
    said = []
    for database, times in ((sqlite_database, 2), (postgres_database, 1)):
        world = lively(database)
        for _ in range(times):
            found = replay(world, LIVELY, program=limits)
            said.append(json.dumps([it.as_json() for it in found.values()], ensure_ascii=False))
    assert len(set(said)) == 1
    assert json.loads(said[0])[0]["messages"] > 0


def test_a_replay_that_is_interrupted_leaves_nothing(sqlite_database: Database) -> None:
    world = lively(sqlite_database)

    def content() -> str:
        with sqlite_database.engine.connect() as connection:
            dump = connection.connection.driver_connection.iterdump()  # type: ignore[union-attr]
            return hashlib.sha256("\n".join(dump).encode()).hexdigest()

    def interrupt(_day: date, messages: int) -> None:
        if messages:
            raise KeyboardInterrupt

    before = content()
    with pytest.raises(KeyboardInterrupt):
        replay(world, LIVELY, told=interrupt)
    assert content() == before
    assert replay(world, LIVELY)["birthday"].messages
    assert content() == before


def test_what_is_seen_as_of_today_is_said(world: World) -> None:
    world.customer("anna", birthday=date(1990, 3, 2))
    world.move("2026-03-20 10:00")
    world.change("anna", city="Lviv")
    world.move("2026-04-01 10:00")
    notes = replay(world, {"birthday": BIRTHDAY})["birthday"].notes
    assert "as they are today (1 customers changed theirs since)" in notes[0]


def test_a_phone_that_was_replaced_later_was_good_then(world: World) -> None:
    world.customer("anna", birthday=date(1990, 3, 2))
    world.customer("ihor", birthday=date(1990, 3, 2), phone="")
    world.move("2026-03-20 10:00")
    world.change("anna", phone="+380671112233")
    world.change("ihor", phone="+380671112234")
    world.move("2026-04-01 10:00")
    found = replay(world, {"birthday": BIRTHDAY})["birthday"]
    assert found.verdicts["hello"] == {"sent": 1, "unreachable": 1}


def test_days_that_are_not_over_cannot_be_replayed(world: World) -> None:
    running = world.running
    now = kyiv("2026-03-10 09:00")
    assert checked(date(2026, 3, 1), date(2026, 3, 9), now, running) == Period(
        date(2026, 3, 1), date(2026, 3, 9)
    )
    with pytest.raises(UserError, match="is not over yet; the last day that can be replayed is 2026-03-09"):
        checked(date(2026, 3, 1), date(2026, 3, 10), now, running)
    with pytest.raises(UserError, match="is before --from"):
        checked(date(2026, 3, 2), date(2026, 3, 1), now, running)
    with pytest.raises(UserError, match="--from: 'monday' is no day"):
        day("monday", "--from")
