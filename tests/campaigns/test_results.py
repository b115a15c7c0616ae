"""What came of a scenario: whom it is about, what is counted, and against whom it is held."""

from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from ruamel.yaml import YAML
from sqlalchemy import select

from campaigns.results import Arm, ScenarioResults, results_of, results_of_all
from campaigns.results.intervals import Amounts, difference_of_means, difference_of_rates, rate
from campaigns.tables import Decision, Enrolment, Feedback, Message
from core.db import Database, insert_many
from core.errors import UserError
from core.units import Duration
from tests.support.happenings import buy, give_back, merge
from tests.support.statements import heard
from tests.support.world import PROGRAM, World, kyiv, scenario

DECISION = Decision.__table__  # type: ignore[attr-defined]
ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
MARCH = (date(2026, 3, 1), date(2026, 3, 31))
GOAL = "{purchase: {within: 3 days}}"
BIRTHDAY = scenario("{birthday: {}}", holdout="50%", goal=GOAL)


def results(world: World, name: str = "birthday", **more: Any) -> ScenarioResults:
    with world.database.read() as connection:
        return results_of(connection, world.running, name, *MARCH, world.now, **more)


def people(world: World, count: int, on: date = date(1990, 3, 1)) -> None:
    for number in range(count):
        world.customer(f"c{number}", birthday=on)


def arms(world: World) -> dict[str, list[str]]:
    """The arm of a scenario → its customers, by name."""
    names = {number: name for name, number in world.ids.items()}
    found: dict[str, list[str]] = {"treatment": [], "holdout": []}
    with world.database.read() as connection:
        for row in connection.execute(select(ENROLMENT).order_by(ENROLMENT.c.customer_id)):
            found[row.arm].append(names[row.customer_id])
    return found


@pytest.fixture
def world(database: Database) -> World:
    """Twenty customers had their birthday today, and half of them are held out."""
    made = World(database, {"birthday": BIRTHDAY})
    people(made, 20)
    made.look("2026-03-01 10:00")
    return made


@pytest.fixture(params=[3, 20_000])
def few_at_a_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the customers are read in one go or in many makes no difference."""
    monkeypatch.setattr("campaigns.results.effect.CUSTOMERS", request.param)


@pytest.mark.usefixtures("few_at_a_time")
def test_purchases_in_time_are_counted_in_both_arms(world: World) -> None:
    by_arm = arms(world)
    (told, late, *_), (held, *_) = by_arm["treatment"], by_arm["holdout"]
    world.settle()
    world.move("2026-03-03 12:00")
    world.buy(told, 100)
    world.buy(told, 20)
    world.buy(held, 70)
    world.move("2026-03-04 10:30")
    world.buy(late, 500)
    found = results(world).effect
    assert (found.treatment.customers, found.holdout.customers) == tuple(map(len, by_arm.values()))
    assert (found.treatment.bought, found.treatment.spent.total) == (1, 12_000)
    assert (found.holdout.bought, found.holdout.spent.total) == (1, 7_000)
    assert not found.waiting + found.held_waiting


def test_what_came_back_was_bought_before_or_paid_with_bonuses_is_no_sale(world: World) -> None:
    back, before, other = arms(world)["treatment"][:3]
    world.move("2026-03-02 10:00")
    world.bonuses(other, 30)
    give_back(world, world.buy(back, 100))
    world.buy(before, 100, at=kyiv("2026-03-01 09:30"))
    buy(world, other, ("latte", 100), pay=30)
    world.move("2026-03-05 10:00")
    found = results(world).effect.treatment
    assert (found.bought, found.spent.total) == (1, 7_000)


def test_whose_time_is_not_over_is_not_compared_yet(world: World) -> None:
    by_arm = arms(world)
    world.move("2026-03-04 09:59")
    found = results(world).effect
    assert (found.waiting, found.held_waiting) == (len(by_arm["treatment"]), len(by_arm["holdout"]))
    assert found.uplift is None
    world.move("2026-03-04 10:00")
    assert results(world).effect.treatment.customers == len(by_arm["treatment"])
    # Another time may be asked for.
    assert results(world, within=Duration.parse("4 days")).effect.waiting


def test_a_customer_counts_once_however_often_they_entered(database: Database) -> None:
    accrued = scenario("{bonus_accrued: {at_least: 5}}", schedule="", goal=GOAL, purpose="service")
    world = World(database, {"birthday": accrued})
    world.customer("a")
    for day in (1, 2, 20):
        world.move(f"2026-03-{day:02} 12:00")
        world.buy("a", 100)
        world.looks()
    world.move("2026-03-30 12:00")
    found = results(world)
    assert found.entered == 3
    # The second purchase was within three days of the first entry; the third is in nobody's time.
    assert (found.effect.treatment.customers, found.effect.treatment.spent.total) == (1, 10_000)


def test_the_purchase_that_somebody_entered_by_is_no_sale_whatever_the_tills_clock_says(
    database: Database,
) -> None:
    accrued = scenario("{bonus_accrued: {at_least: 5}}", schedule="", goal=GOAL, purpose="service")
    world = World(database, {"accrued": accrued})
    world.customer("anna")
    world.buy("anna", 100, at=kyiv("2026-03-01 09:03"))
    assert world.look("2026-03-01 09:01") == {"anna": "planned"}
    world.settle()
    world.move("2026-03-20 10:00")
    found = results(world, "accrued").effect.treatment
    assert (found.customers, found.bought) == (1, 0)


def test_who_enters_no_more_because_they_were_told_is_not_held_against_it(database: Database) -> None:
    accrued = scenario("{bonus_accrued: {at_least: 5}}", schedule="", holdout="50%", goal=GOAL)
    world = World(database, {"birthday": accrued})
    people(world, 20)
    everybody = list(world.ids)
    for name in everybody:
        world.bonuses(name, 10)
    world.look("2026-03-01 10:00")
    by_arm = arms(world)
    # Whoever was told says stop; those held out never had a reason to, and enter again and again.
    for name in by_arm["treatment"]:
        world.agree(name, "sms", granted=False)
    world.move("2026-03-20 10:00")
    for name in everybody:
        world.bonuses(name, 10)
    world.look("2026-03-20 10:30")
    assert len(arms(world)["holdout"]) == 2 * len(by_arm["holdout"])
    world.move("2026-03-21 10:00")
    for name in everybody:
        world.buy(name, 100)
    world.move("2026-03-28 10:00")
    found = results(world).effect
    # All of them bought the same, so nothing was changed.
    assert (found.treatment.bought, found.holdout.bought) == (0, 0)


def test_bonuses_that_paid_are_worth_what_they_were_when_they_paid(world: World) -> None:
    other = arms(world)["treatment"][0]
    world.move("2026-03-02 10:00")
    world.bonuses(other, 30)
    buy(world, other, ("latte", 100), pay=30)
    points = YAML(typ="safe").load(PROGRAM)["points"]
    world.apply({"birthday": BIRTHDAY}, {"points": points | {"worth": 0.5}})
    world.move("2026-03-05 10:00")
    assert results(world).effect.treatment.spent.total == 7_000


def test_a_duplicate_is_the_customer_it_was_merged_into(world: World) -> None:
    one, other, *_ = arms(world)["treatment"]
    world.move("2026-03-02 10:00")
    world.buy(other, 100)
    merge(world, other, one)
    world.move("2026-03-05 10:00")
    found = results(world)
    assert found.effect.treatment.customers == len(arms(world)["treatment"]) - 1
    assert found.effect.treatment.spent.total == 10_000


def test_who_is_held_out_of_all_marketing_is_compared_with_marketing_as_a_whole(database: Database) -> None:
    program = {"holdout": "40%"}
    world = World(database, {"birthday": BIRTHDAY}, program=program)
    people(world, 60)
    world.look("2026-03-01 10:00")
    with database.read() as connection:
        said = dict(map(tuple, connection.execute(select(DECISION.c.customer_id, DECISION.c.detail))))
    of_all = [name for name, number in world.ids.items() if said.get(number) == "of all marketing"]
    rest = [name for name in world.ids if name not in of_all]
    world.move("2026-03-20 10:00")
    world.buy(of_all[0], 10)
    world.buy(rest[0], 500)
    found = results(world).effect
    assert found.held_out_of_all == len(of_all)
    assert found.treatment.customers + found.holdout.customers == len(rest)
    with database.read() as connection:
        whole = results_of_all(connection, world.running, *MARCH, world.now)
    # The reasons are kept for some months only; the draw says the same.
    with database.write() as connection:
        connection.execute(DECISION.delete())
    again = results(world).effect
    assert whole is not None
    assert (whole.effect.holdout.customers, whole.effect.holdout.spent.total) == (len(of_all), 1_000)
    assert (whole.effect.treatment.customers, whole.effect.treatment.spent.total) == (len(rest), 50_000)
    assert again == found


def test_without_a_holdout_of_the_program_marketing_has_nothing_to_be_held_against(world: World) -> None:
    with world.database.read() as connection:
        assert results_of_all(connection, world.running, *MARCH, world.now) is None


def test_both_arms_are_as_somebody_who_reads_every_row_would_count_them(database: Database) -> None:
    random = Random(5)
    accrued = scenario("{bonus_accrued: {at_least: 1}}", schedule="", holdout="30%", goal=GOAL)
    world = World(database, {"birthday": accrued})
    for number in range(12):
        world.customer(f"c{number}")
    bought: list[tuple[str, Any, int]] = []
    for hour in range(60):
        world.move(kyiv("2026-03-01 09:00") + timedelta(hours=7 * hour + random.randrange(6)))
        name, total = f"c{random.randrange(12)}", random.randrange(20, 90)
        world.buy(name, total)
        bought.append((name, world.now, total * 100))
        world.looks()
    found = results(world).effect
    names = {number: name for name, number in world.ids.items()}
    expected = {"treatment": Arm(), "holdout": Arm()}
    with database.read() as connection:
        entries = connection.execute(select(ENROLMENT).order_by(ENROLMENT.c.at, ENROLMENT.c.id)).all()
    waiting = 0
    for customer in sorted({it.customer_id for it in entries}):
        own = [it for it in entries if it.customer_id == customer]
        start, end = own[0].at, own[0].at + timedelta(days=3)
        amounts = [total for name, at, total in bought if name == names[customer] and start < at <= end]
        if end <= world.now:
            expected[own[0].arm].add(amounts)
        else:
            waiting += 1
    assert (found.treatment, found.holdout) == (expected["treatment"], expected["holdout"])
    assert found.treatment.bought
    assert found.holdout.bought
    assert found.waiting + found.held_waiting == waiting


# --- messages


def test_every_message_is_counted_by_what_became_of_it(world: World) -> None:
    count = len(arms(world)["treatment"])
    [before] = results(world).steps
    assert (before.planned, before.waiting, before.sent) == (count, count, 0)
    states = ["sent", "delivered", "failed", "recalled", "unknown"]
    with world.database.write() as connection:
        ids = connection.scalars(select(MESSAGE.c.id).order_by(MESSAGE.c.id)).all()
        for number, state in zip(ids, states, strict=False):
            more = {"accepted_at": world.now} if state in ("sent", "delivered") else {}
            values = {
                "state": state,
                "cost": 0.85,
                "reason": "no_longer_true" if state == "recalled" else None,
            }
            connection.execute(MESSAGE.update().where(MESSAGE.c.id == number).values(**values, **more))
    found = results(world)
    [told] = found.steps
    assert (told.sent, told.delivered, told.unknown, told.waiting) == (2, 1, 1, count - 5)
    assert told.lost == {"failed": 1, "no_longer_true": 1}
    assert told.channels == {"sms": 2}
    assert found.cost == Decimal("4.25")


def test_what_was_reported_counts_each_message_once_and_no_programs(world: World) -> None:
    world.settle()
    with world.database.write() as connection:
        one, other, *_ = connection.execute(select(MESSAGE).order_by(MESSAGE.c.id)).all()
        kinds = [
            (one, "opened", False), (one, "opened", False), (one, "clicked", False), (other, "opened", True),
            (other, "read", None), (other, "bounced", None), (other, "replied", None),
            (one, "delivered", None),
        ]  # fmt: skip
        rows = [
            {"message_id": row.id, "customer_id": row.customer_id, "kind": kind, "at": world.now,
             "machine": machine, "scenario": row.scenario, "detail": None}
            for row, kind, machine in kinds
        ]  # fmt: skip
        insert_many(connection, Feedback.__table__, rows)  # type: ignore[attr-defined]
    [told] = results(world).steps
    assert told.reports == {"opened": 2, "clicked": 1, "bounced": 1, "stopped": 1}


def test_who_was_told_nothing_is_counted_by_the_gate(world: World) -> None:
    world.move("2026-03-10 09:00")
    world.customer("mute", consent=(), birthday=date(1990, 3, 10))
    world.look("2026-03-10 10:00")
    assert results(world).silent == {"no_consent": 1}


def test_texts_that_were_drawn_are_compared_with_each_other(database: Database) -> None:
    steps = "[{id: hello, variants: [{message: one, weight: 1}, {message: two, weight: 1}], send: [sms]}]"
    world = World(database, {"birthday": scenario("{birthday: {}}", steps=steps, goal=GOAL)})
    people(world, 20)
    world.look("2026-03-01 10:00")
    world.settle()
    with database.read() as connection:
        drawn = connection.execute(select(MESSAGE.c.customer_id, MESSAGE.c.message)).all()
    names = {number: name for name, number in world.ids.items()}
    of_one = [names[number] for number, message in drawn if message == "one"]
    world.move("2026-03-02 10:00")
    world.buy(of_one[0], 100)
    world.move("2026-03-06 10:00")
    found = results(world)
    assert [(it.message, it.planned) for it in found.steps] == [
        ("one", len(of_one)),
        ("two", 20 - len(of_one)),
    ]
    shown = {text: (it.customers, it.bought) for (_, text), it in found.effect.variants.items()}
    assert shown == {"one": (len(of_one), 1), "two": (20 - len(of_one), 0)}


# --- which scenario


def test_a_renamed_scenario_has_one_story_and_a_removed_one_keeps_its_own(world: World) -> None:
    before = results(world)
    world.apply({"feast": BIRTHDAY + "formerly: birthday\n"})
    renamed = results(world, "feast")
    assert (renamed.entered, renamed.held_out) == (before.entered, before.held_out) == (20, before.held_out)
    world.apply({"other": scenario("{inactive: {for: 900 days}}")})
    with heard(world.database) as asked:
        removed = results(world, "feast")
    # Of one version, whatever there was before.
    assert len([it for it in asked if "bundle_version.files" in it.partition("WHERE")[0]]) == 1
    assert (removed.status, removed.entered, str(removed.within)) == ("removed", 20, "3 days")
    with pytest.raises(UserError, match="no scenario 'feats' was ever live; did you mean 'feast'"):
        results(world, "feats")


def test_only_who_entered_in_these_days_is_counted(world: World) -> None:
    with world.database.read() as connection:
        days = [(date(2026, 2, 1), date(2026, 2, 28)), (date(2026, 3, 1), date(2026, 3, 1)),
                (date(2026, 3, 2), date(2026, 3, 31))]  # fmt: skip
        counts = [results_of(connection, world.running, "birthday", *it, world.now).entered for it in days]
        with pytest.raises(UserError, match="write them in order"):
            results_of(connection, world.running, "birthday", date(2026, 3, 2), date(2026, 3, 1), world.now)
    assert counts == [0, 20, 0]


def test_a_scenario_without_a_goal_is_measured_by_a_fortnight(database: Database) -> None:
    world = World(database, {"birthday": scenario("{birthday: {}}")})
    found = results(world)
    assert (found.goal, str(found.within)) == (None, "14 days")


# --- how sure it is


def test_intervals_are_those_of_the_literature() -> None:
    # Newcombe, Statistics in Medicine 17 (1998): 81 of 263 (p. 861), and 56/70 - 48/80 by method 10 (p. 877).
    share = rate(81, 263)
    assert share is not None
    assert (round(share.low, 4), round(share.high, 4)) == (0.2553, 0.3662)
    more = difference_of_rates(56, 70, 48, 80)
    assert more is not None
    assert (round(more.value, 4), round(more.low, 4), round(more.high, 4)) == (0.2, 0.0524, 0.3339)
    assert more.is_sure
    nothing = difference_of_rates(0, 10, 0, 20)
    assert nothing is not None
    assert (round(nothing.low, 4), round(nothing.high, 4)) == (-0.1611, 0.2775)


def amounts(*seen: int) -> Amounts:
    found = Amounts()
    for amount in seen:
        found.add(amount)
    return found


def test_means_are_compared_with_the_spread_of_both() -> None:
    more = difference_of_means(amounts(10, 12, 14, 16), amounts(6, 14))
    assert more is not None
    # Variances 20/3 of four and 32 of two: sqrt(20/12 + 16) = 4.203 is Welch's error, the larger one.
    assert more.value == 3
    assert (round(more.low, 3), round(more.high, 3)) == (-5.238, 11.238)
    assert not more.is_sure


def test_a_small_group_that_bought_nothing_makes_nobody_sure() -> None:
    # A sixth of ninety bought for 100; of ten nobody did, as chance would have it once in six times.
    told = amounts(*[100] * 15, *[0] * 75)
    more = difference_of_means(told, amounts(*[0] * 10))
    assert more is not None
    # 125 000 / 98 is the variance of both: sqrt(1275.5 / 90 + 1275.5 / 10) = 11.905.
    assert (round(more.low, 2), round(more.high, 2)) == (-6.67, 40.0)
    assert not more.is_sure
    enough = difference_of_means(told, amounts(*[0] * 100))
    assert enough is not None
    assert enough.is_sure


@pytest.mark.parametrize("seen", [[], [5]])
def test_of_one_customer_or_none_no_difference_is_told(seen: list[int]) -> None:
    few, many = amounts(*seen), Amounts(10, 100, 2_000)
    assert difference_of_means(few, many) is None
    assert difference_of_means(many, few) is None
    assert rate(0, 0) is None
    assert difference_of_rates(1, 2, 0, 0) is None
