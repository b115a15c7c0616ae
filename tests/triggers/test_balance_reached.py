"""A balance that is reached: each crossing from below once, however and whenever it comes to be known."""

from datetime import timedelta
from decimal import Decimal

from core.db import Database
from core.ledger.expiry import expire
from tests.support.happenings import buy, still_true
from tests.support.world import World, kyiv, scenario

TWO_STEPS = "[{id: hello, message: hello, send: [sms]}, {id: more, wait: 1 day, message: hello, send: [sms]}]"


def world_of(database: Database, at_least: int = 100, **parts: str) -> World:
    when = f"{{balance_reached: {{at_least: {at_least}}}}}"
    return World(database, {"reached": scenario(when, **parts)})


def test_a_balance_on_the_amount_has_reached_it(database: Database) -> None:
    world = world_of(database)
    for name, amount in (("on", 100), ("above", 150), ("below", 99)):
        world.customer(name)
        world.bonuses(name, amount, "2026-12-01")
    assert world.look("2026-03-01 10:00") == {"above": "planned", "on": "planned"}
    facts = {it.external_id: it.facts for it in world.enrolments()}["above"]
    assert facts == {"balance": 15_000, "at_least": 10_000, "reached_on": "2026-03-01 07:00:00.000000"}


def test_what_never_expires_what_begins_this_moment_and_the_last_hundredth_count(database: Database) -> None:
    world = world_of(database)
    world.move("2026-03-02 10:00")
    for name, amounts in (("whole", (100,)), ("hundredth", (Decimal("99.99"), Decimal("0.01")))):
        world.customer(name)
        for amount in amounts:
            world.bonuses(name, amount)
    assert world.looked("2026-03-02 10:00") == {"planned": 2}
    assert world.looked("2026-03-03 10:00") == {}


def test_who_is_told_in_the_second_of_the_crossing_has_still_reached_it(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.move(kyiv("2026-03-02 10:00") + timedelta(milliseconds=300))
    world.bonuses("anna", 100)
    world.look(world.now + timedelta(milliseconds=200))
    assert set(still_true(world)) == {"anna"}


def test_everybody_has_a_crossing_of_their_own(database: Database) -> None:
    world = world_of(database)
    for name, minute in (("anna", 10), ("ihor", 20)):
        world.customer(name)
        world.move(f"2026-03-01 09:{minute}")
        world.bonuses(name, 200)
    world.customer("at-once")
    world.bonuses("at-once", 200)
    world.look("2026-03-01 10:00")
    assert set(still_true(world)) == {"anna", "ihor", "at-once"}
    world.redeem("ihor", 150)
    assert set(still_true(world)) == {"anna", "at-once"}


def test_more_on_top_is_no_new_crossing(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.bonuses("anna", 100, "2026-12-01")
    world.look("2026-03-01 10:00")
    world.settle()
    world.bonuses("anna", 500, "2026-12-01")
    assert world.looked("2026-03-02 10:00") == {}
    world.redeem("anna", 500)
    assert world.look("2026-03-03 10:00") == {}


def test_each_crossing_from_below_is_an_occasion(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.bonuses("anna", 120, "2026-12-01")
    world.look("2026-03-01 10:00")
    world.settle()
    world.redeem("anna", 50)
    assert world.look("2026-03-02 10:00") == {}
    world.bonuses("anna", 60, "2026-12-01")
    assert world.look("2026-03-03 10:00") == {"anna": "planned"}
    assert len({it.occasion for it in world.enrolments()}) == 2


def test_what_fell_and_rose_between_two_looks_crossed_again(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.bonuses("anna", 120, "2026-12-01")
    world.look("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-01 12:00")
    world.redeem("anna", 50)
    world.move("2026-03-01 13:00")
    world.bonuses("anna", 60, "2026-12-01")
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}


def test_a_week_without_looks_gives_the_crossing_that_still_holds_and_only_that(database: Database) -> None:
    world = world_of(database)
    for name in ("twice", "gone"):
        world.customer(name)
    world.look("2026-03-01 10:00")
    for day, name, amount in ((2, "twice", 120), (2, "gone", 120), (3, "twice", -60), (3, "gone", -60),
                              (5, "twice", 70)):  # fmt: skip
        world.move(f"2026-03-{day:02} 12:00")
        if amount > 0:
            world.bonuses(name, amount, "2026-12-01")
        else:
            world.redeem(name, -amount)
    assert world.look("2026-03-09 10:00") == {"twice": "planned"}
    [enrolment] = world.enrolments()
    assert enrolment.facts["reached_on"] == "2026-03-05 10:00:00.000000"
    assert world.look("2026-03-10 10:00") == {}


def test_a_late_receipt_that_lifts_the_balance_crosses_on_the_day_it_arrives(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.move("2026-03-04 12:00")
    world.buy("anna", 900)  # 10%: 90 bonuses
    assert world.look("2026-03-05 10:00") == {}
    world.buy("anna", 200, at=kyiv("2026-03-02 12:00"))
    assert world.look("2026-03-06 10:00") == {"anna": "planned"}
    [enrolment] = world.enrolments()
    assert enrolment.facts["reached_on"] == "2026-03-05 08:00:00.000000"


def test_a_late_receipt_makes_no_crossing_of_the_past_anew(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.move("2026-03-04 12:00")
    world.buy("anna", 900)
    world.move("2026-03-05 12:00")
    world.buy("anna", 200)
    assert world.look("2026-03-06 10:00") == {"anna": "planned"}
    world.settle()
    # By its own time the amount was reached a day earlier.
    world.buy("anna", 300, at=kyiv("2026-03-03 12:00"))
    assert world.look("2026-03-07 10:00") == {}


def test_a_return_takes_the_crossing_back_and_the_next_one_is_another(database: Database) -> None:
    world = world_of(database, steps=TWO_STEPS)
    world.customer("anna")
    receipt = world.buy("anna", 1_000)
    world.look("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-01 12:00")
    world.give_back(receipt)
    assert world.look("2026-03-02 10:00") == {"anna": "no_longer_true"}
    world.move("2026-03-02 12:00")
    world.buy("anna", 1_000)
    assert world.look("2026-03-03 10:00") == {"anna": "planned"}


def test_a_payment_that_comes_back_crosses_anew(database: Database) -> None:
    world = world_of(database)
    for name, amount in (("anna", 120), ("bystander", 10)):
        world.customer(name)
        world.bonuses(name, amount, "2026-12-01")
    world.look("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-01 12:00")
    receipt = buy(world, "anna", ("latte", 100), pay=50)
    assert world.look("2026-03-02 10:00") == {}
    world.move("2026-03-02 12:00")
    world.give_back(receipt)
    assert world.look("2026-03-03 10:00") == {"anna": "planned"}


def test_bonuses_count_from_their_start_to_the_end_of_their_day(database: Database) -> None:
    world = world_of(database)
    world.customer("later")
    world.bonuses("later", 120, "2026-12-01", starts=kyiv("2026-03-03 00:00"))
    world.customer("over")
    world.bonuses("over", 120, "2026-03-01")
    assert world.look("2026-03-01 10:00") == {"over": "planned"}
    assert world.look("2026-03-02 10:00") == {}
    assert world.look("2026-03-03 10:00") == {"later": "planned"}
    # Nobody has written the expiry down yet; it is over all the same.
    world.bonuses("over", 110, "2026-12-01")
    assert world.look("2026-03-04 10:00") == {"over": "planned"}


def test_bonuses_that_start_cross_anew_though_nothing_was_booked_since(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.bonuses("anna", Decimal("99.99"))
    world.bonuses("anna", 120, "2026-03-02")
    world.bonuses("anna", Decimal("0.01"), starts=kyiv("2026-03-04 00:00"))
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}
    world.settle()
    assert world.look("2026-03-03 10:00") == {}
    assert world.look("2026-03-04 10:00") == {"anna": "planned"}


def test_what_waits_is_over_at_midnight_with_the_last_hundredth_that_was_enough(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.bonuses("anna", Decimal("99.99"))
    world.bonuses("anna", Decimal("0.01"), "2026-03-01")
    world.look("2026-03-01 10:00")
    assert set(still_true(world)) == {"anna"}
    world.move("2026-03-02 00:00")
    assert still_true(world) == {}


def test_what_expired_is_gone_from_midnight_on_whenever_it_is_written_down_or_corrected(
    database: Database,
) -> None:
    world = world_of(database)
    world.customer("anna")
    world.bonuses("anna", 200, "2026-03-01")
    world.look("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-02 12:00")
    world.bonuses("anna", 100)
    world.move("2026-03-02 13:00")
    expire(world.database, world.program, world.now)
    # A late receipt was paid with half of what has expired since.
    buy(world, "anna", ("latte", 200), pay=100, at=kyiv("2026-03-01 12:00"))
    assert world.look("2026-03-03 10:00") == {"anna": "planned"}
    assert world.enrolments()[-1].facts["reached_on"] == "2026-03-02 10:00:00.000000"


def test_what_somebody_owes_is_taken_off_nobody_elses_balance(database: Database) -> None:
    world = world_of(database)
    for name in ("anna", "ihor"):
        world.customer(name)
    receipt = world.buy("ihor", 1_000)
    world.redeem("ihor", 100)
    world.give_back(receipt)
    world.bonuses("anna", 150)
    assert world.look("2026-03-01 10:00") == {"anna": "planned"}


def test_another_amount_has_another_crossing(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    for minute, amount in ((10, 105), (20, 10)):
        world.move(f"2026-03-01 09:{minute}")
        world.bonuses("anna", amount)
    world.look("2026-03-01 10:00")
    world.settle()
    world.apply({"reached": scenario("{balance_reached: {at_least: 110}}")})
    assert world.look("2026-03-02 10:00") == {"anna": "planned"}


def test_who_comes_to_the_audience_with_the_amount_is_told_whoever_was_told_before(
    database: Database,
) -> None:
    world = world_of(database, audience="{tier: silver}")
    for name in ("anna", "ihor"):
        world.customer(name)
        world.bonuses(name, 200)
    world.tier("anna", "silver")
    assert world.look("2026-03-01 10:00").get("anna") == "planned"
    world.settle()
    world.tier("ihor", "silver")
    assert world.look("2026-03-02 10:00") == {"ihor": "planned"}


def test_what_happens_at_one_moment_is_one_move(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.bonuses("anna", 120, "2026-12-01")
    world.look("2026-03-01 10:00")
    world.settle()
    world.redeem("anna", 100)
    world.bonuses("anna", 100, "2026-12-01")
    assert world.look("2026-03-02 10:00") == {}


def test_a_balance_that_fell_and_rose_since_the_first_message_needs_no_second(database: Database) -> None:
    world = world_of(database, steps=TWO_STEPS)
    world.customer("anna")
    world.bonuses("anna", 120, "2026-12-01")
    world.look("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-01 12:00")
    world.redeem("anna", 50)
    world.move(world.now + timedelta(hours=1))
    world.bonuses("anna", 70, "2026-12-01")
    decisions = {(step, verdict) for _, _, _, step, verdict in _look(world, "2026-03-02 10:00")}
    assert decisions == {("more", "no_longer_true"), ("hello", "planned")}


def _look(world: World, at: str) -> list[tuple[str, str, str, str, str]]:
    world.look(at)
    return world.decisions(world.now)


def test_an_imported_balance_was_reached_when_it_happened(database: Database) -> None:
    world = world_of(database)
    world.customer("other")
    world.bonuses("other", 10)
    world.customer("old", registered_at=kyiv("2025-11-01 10:00"))
    world.buy("old", 2_000, at=kyiv("2025-12-05 10:00"), live=False)
    assert world.look("2026-03-01 10:00") == {"old": "planned"}
    [enrolment] = world.enrolments()
    assert enrolment.facts["reached_on"] == "2025-12-05 08:00:00.000000"


def test_the_holder_of_a_household_is_due_and_an_earlier_look_says_the_same(database: Database) -> None:
    world = world_of(database)
    world.customer("anna")
    world.bonuses("anna", 120, "2026-12-01")
    world.look("2026-03-01 10:00")
    world.settle()
    world.move("2026-03-02 12:00")
    world.redeem("anna", 120)
    assert set(world.foreseen("2026-03-01 10:00").values()) == {"planned"}
    assert world.foreseen("2026-03-03 10:00") == {}
