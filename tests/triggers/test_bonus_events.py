"""Bonuses given, spent and expired: whose news it is, and what undoes it."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from core.db import Database
from core.events import Happening, append
from core.grants.granting import give_for_news
from core.grants.referrals import name_inviter
from core.ledger.adjustments import KIND, Adjustment, adjust
from core.ledger.expiry import expire
from core.purchases.receipts import Recorded
from scheduler.looks import Looks
from tests.support.happenings import buy, give_back, let_expire, merge, share, spend, still_true, tell, told
from tests.support.world import World, kyiv, scenario

REFERRAL = {
    "earn": {"rules": [{"rule": "base", "by": "tier"}, {"rule": "inviter", "give": 100, "on": "referral"}]}
}
WELCOME = {"earn": {"rules": [{"rule": "base", "by": "tier"}, {"rule": "hello", "on": "review", "give": 20}]}}


def waiting_for(database: Database, when: str, **more: object) -> World:
    """Anna and Ihor are known."""
    world = World(database, {"news": scenario(when, purpose="service", schedule="")}, **more)  # type: ignore[arg-type]
    world.customer("anna")
    world.customer("ihor")
    return world


def adjusted(world: World, name: str, points: int) -> None:
    """Someone gives or takes bonuses by hand."""
    world._number += 1
    request = Adjustment(
        f"k{world._number}", name, world.program.to_points(points), "maria", "a mistake at the till"
    )
    with world.database.write() as connection:
        outcome = adjust(connection, world.program, request, world.now, live=True)
    assert isinstance(outcome, Recorded), outcome


# --- given


def test_a_message_can_say_which_purchase_earned_the_bonuses(database: Database) -> None:
    world = waiting_for(database, "{bonus_accrued: {}}")
    receipt = buy(world, "anna", ("latte", 100), store="S1")
    world.look("2026-03-01 10:00")
    assert told(world) == [("anna", {
        "amount": Decimal(10), "reason": "purchase", "starts_on": date(2026, 3, 1),
        "expires_on": date(2026, 8, 28), "receipt": receipt, "total": Decimal(100), "store": "S1",
    })]  # fmt: skip


def test_of_one_purchase_bonuses_that_last_otherwise_are_told_apart(database: Database) -> None:
    gift = {"rule": "many", "give": 25, "when": {"lines": {"at_least": 2}}, "lasts": "30 days"}
    world = waiting_for(
        database, "{bonus_accrued: {}}", program={"earn": {"rules": [{"rule": "base", "by": "tier"}, gift]}}
    )
    buy(world, "anna", ("latte", 100), ("croissant", 100))
    assert world.looked("2026-03-01 10:00") == {"planned": 2}
    assert sorted((it["amount"], it["expires_on"]) for _, it in told(world)) == [
        (Decimal(20), date(2026, 8, 28)), (Decimal(25), date(2026, 3, 31)),
    ]  # fmt: skip


@pytest.mark.parametrize(("least", "meant"), [("10", True), ("10.01", False)])
def test_exactly_enough_is_enough(database: Database, least: str, meant: bool) -> None:
    world = waiting_for(database, f"{{bonus_accrued: {{at_least: {least}}}}}")
    buy(world, "anna", ("latte", 100))
    assert world.look("2026-03-01 10:00") == ({"anna": "planned"} if meant else {})


def test_bonuses_given_by_hand_to_a_member_of_a_household_are_that_member_s_news(database: Database) -> None:
    world = waiting_for(database, "{bonus_accrued: {}}")
    share(world, "anna", "ihor")
    adjusted(world, "ihor", 100)
    assert world.look("2026-03-01 10:00") == {"ihor": "planned"}


def test_what_is_given_by_hand_belongs_to_no_receipt_however_it_is_numbered(database: Database) -> None:
    world = waiting_for(database, "{bonus_accrued: {}}")
    alike = f"{KIND}:k{world._number + 2}"[len("receipt:") :]
    buy(world, "ihor", ("latte", 1), receipt=alike)
    adjusted(world, "anna", 100)
    world.look("2026-03-01 10:00")
    assert [(name, it["receipt"]) for name, it in told(world) if it["amount"] == 100] == [("anna", None)]


def test_a_reward_for_a_friend_who_brought_everything_back_is_no_longer_true(database: Database) -> None:
    world = waiting_for(database, "{bonus_accrued: {reason: inviter}}", program=REFERRAL)
    for inviter, friend in (("anna", "bohdan"), ("ihor", "olha")):
        world.customer(friend)
        with database.write() as connection:
            name_inviter(connection, world.ids[friend], inviter, world.now, live=True)
        buy(world, friend, ("latte", 100), receipt=friend)
    give_for_news(database, world.program, world.now)
    world.look("2026-03-01 10:00")
    assert set(still_true(world)) == {"anna", "ihor"}
    world.give_back("olha")
    give_for_news(database, world.program, world.now)
    assert set(still_true(world)) == {"anna"}


def test_a_look_at_the_past_knows_no_reward_that_was_taken_back_later(database: Database) -> None:
    world = waiting_for(database, "{bonus_accrued: {reason: inviter}}", program=REFERRAL)
    world.customer("olha")
    with database.write() as connection:
        name_inviter(connection, world.ids["olha"], "anna", world.now, live=True)
    buy(world, "olha", ("latte", 100), receipt="olha")
    give_for_news(database, world.program, world.now)
    world.move("2026-03-02 10:00")
    world.give_back("olha")
    give_for_news(database, world.program, world.now)
    assert list(world.foreseen("2026-03-01 12:00").values()) == ["planned"]
    assert world.foreseen("2026-03-02 10:00") == {}


def test_what_a_rule_gave_has_no_receipt(database: Database) -> None:
    world = waiting_for(database, "{bonus_accrued: {reason: hello}}", program=WELCOME)
    tell(world, "anna", "review")
    world.buy("anna", 100)
    world.look("2026-03-01 10:00")
    [(name, facts)] = told(world)
    assert (name, facts["amount"], facts["reason"], facts["receipt"]) == ("anna", Decimal(20), "hello", None)


def test_after_a_partial_return_the_message_says_what_is_left(database: Database) -> None:
    world = waiting_for(database, "{bonus_accrued: {at_least: 5}}")
    for name, kept in (("anna", 60), ("ihor", 40)):
        buy(world, name, ("latte", 100), ("croissant", kept), receipt=name)
    world.look("2026-03-01 10:00")
    for name in ("anna", "ihor"):
        give_back(world, name, "latte")
    assert {name: it["amount"] for name, it in still_true(world).items()} == {"anna": Decimal(6)}


def test_a_late_receipt_that_changes_what_an_earlier_one_earned_changes_the_message(
    database: Database,
) -> None:
    """The late receipt lifts Anna to silver: the purchase after it earned 20 %, not 10 %."""
    world = waiting_for(database, "{bonus_accrued: {at_least: 5}}")
    world.move("2026-03-06 12:00")
    buy(world, "anna", ("latte", 100), at=kyiv("2026-03-05 12:00"), receipt="known")
    world.look("2026-03-06 12:01")
    buy(world, "anna", ("latte", 1_000), at=kyiv("2026-03-03 12:00"), receipt="late")
    assert still_true(world)["anna"]["amount"] == Decimal(20)


def test_in_a_household_the_member_who_earned_is_told(database: Database) -> None:
    world = waiting_for(database, "{bonus_accrued: {}}", program=WELCOME)
    share(world, "anna", "ihor")
    world.buy("ihor", 100)
    tell(world, "ihor", "review")
    world.look("2026-03-01 10:00")
    assert {name for name, _ in told(world)} == {"ihor"}
    assert sorted(it["amount"] for _, it in told(world)) == [Decimal(10), Decimal(20)]
    assert set(still_true(world)) == {"ihor"}


def test_a_household_member_s_return_recalls_the_news_although_the_book_of_the_receipt_is_closed(
    database: Database,
) -> None:
    world = waiting_for(database, "{bonus_accrued: {}}")
    receipt = world.buy("ihor", 100)
    world.look("2026-03-01 10:00")
    share(world, "anna", "ihor")
    assert set(still_true(world)) == {"ihor"}
    world.give_back(receipt)
    assert still_true(world) == {}


def test_what_a_duplicate_was_given_is_told_to_the_survivor_once(database: Database) -> None:
    world = waiting_for(database, "{bonus_accrued: {}}")
    world.buy("ihor", 100)
    merge(world, "ihor", "anna")
    world.look("2026-03-01 10:00")
    assert [(name, it["amount"]) for name, it in told(world)] == [("anna", Decimal(10))]


# --- spent


def test_a_message_can_say_how_much_was_spent_and_where(database: Database) -> None:
    world = waiting_for(database, "{bonus_redeemed: {at_least: 50}}")
    world.bonuses("anna", 500)
    receipt = buy(world, "anna", ("latte", 100), store="S1", pay=50)
    buy(world, "anna", ("latte", 100), pay=49)
    world.look("2026-03-01 10:00")
    expected = {"amount": Decimal(50), "receipt": receipt, "total": Decimal(100), "store": "S1"}
    assert told(world) == [("anna", expected)]


def test_what_was_given_back_was_not_spent(database: Database) -> None:
    world = waiting_for(database, "{bonus_redeemed: {}}")
    world.bonuses("ihor", 90)
    whole = spend(world, "anna")
    part = buy(world, "ihor", ("latte", 100), ("croissant", 50), pay=90)
    world.look("2026-03-01 10:00")
    world.give_back(whole)
    give_back(world, part, "latte")
    assert {name: it["amount"] for name, it in still_true(world).items()} == {"ihor": Decimal(30)}


def test_what_is_taken_by_hand_is_not_spent(database: Database) -> None:
    world = waiting_for(database, "{bonus_redeemed: {}}")
    adjusted(world, "anna", 100)
    adjusted(world, "anna", -60)
    world.bonuses("ihor", 100)
    world.redeem("ihor", 60)
    assert world.look("2026-03-01 10:00") == {"ihor": "planned"}


def test_in_a_household_the_member_who_paid_is_told(database: Database) -> None:
    world = waiting_for(database, "{bonus_redeemed: {}}")
    share(world, "anna", "ihor")
    world.bonuses("anna", 100)
    buy(world, "ihor", ("latte", 100), pay=50)
    assert world.look("2026-03-01 10:00") == {"ihor": "planned"}


# --- expired


def test_a_message_can_say_what_expired_and_when(database: Database) -> None:
    world = waiting_for(database, "{bonus_expired: {at_least: 100}}")
    let_expire(world, "anna", 100)
    let_expire(world, "ihor", 99)
    world.look("2026-03-01 10:00")
    lost = {"amount": Decimal(100), "expired_on": date(2026, 2, 28), "reason": "test"}
    assert told(world) == [("anna", lost)]
    [message] = world.messages()
    assert message.planned_at == kyiv("2026-03-01 00:00")


def test_bonuses_that_a_late_receipt_had_spent_have_not_expired(database: Database) -> None:
    world = waiting_for(database, "{bonus_expired: {at_least: 10}}")
    for name in ("anna", "ihor"):
        world.bonuses(name, 100, "2026-03-03")
    world.move("2026-03-04 10:00")
    expire(database, world.program, world.now)
    world.look("2026-03-04 10:01")
    assert set(still_true(world)) == {"anna", "ihor"}
    buy(world, "anna", ("latte", 200), at=kyiv("2026-03-03 18:00"), pay=100)
    buy(world, "ihor", ("latte", 200), at=kyiv("2026-03-03 18:00"), pay=70)
    assert {name: it["amount"] for name, it in still_true(world).items()} == {"ihor": Decimal(30)}


def test_a_look_at_the_past_knows_no_receipt_that_came_later(database: Database) -> None:
    world = waiting_for(database, "{bonus_expired: {at_least: 100}}")
    world.bonuses("anna", 100, "2026-03-03")
    world.move("2026-03-04 10:00")
    expire(database, world.program, world.now)
    world.move("2026-03-04 12:00")
    buy(world, "anna", ("latte", 200), at=kyiv("2026-03-03 18:00"), pay=70)
    assert [it for it, *_ in world.foreseen("2026-03-04 11:00")] == ["anna"]
    assert world.foreseen("2026-03-04 12:00") == {}


def test_the_head_of_a_household_hears_of_what_expired(database: Database) -> None:
    world = waiting_for(database, "{bonus_expired: {}}")
    world.bonuses("ihor", 100, "2026-03-03")
    share(world, "anna", "ihor")
    world.move("2026-03-04 10:00")
    expire(database, world.program, world.now)
    assert world.look("2026-03-04 10:01") == {"anna": "planned"}


def test_what_is_told_in_the_second_in_which_it_expired_is_still_true(database: Database) -> None:
    world = waiting_for(database, "{bonus_expired: {}}")
    world.move(kyiv("2026-03-01 10:00") + timedelta(milliseconds=300))
    let_expire(world, "anna", 100)
    world.look(world.now + timedelta(milliseconds=200))
    assert set(still_true(world)) == {"anna"}


def test_what_expired_while_a_look_began_is_not_lost(database: Database) -> None:
    """The look took its time before the expiry was written down, and reads its event all the same."""
    world = waiting_for(database, "{bonus_expired: {}}")
    begun = kyiv("2026-03-01 10:00")
    world.move(begun + timedelta(seconds=3))
    let_expire(world, "anna", 100)
    Looks(database, world.live).run(begun)
    assert [name for name, _ in told(world)] == ["anna"]


@pytest.mark.parametrize("when", ["{bonus_accrued: {}}", "{bonus_redeemed: {}}", "{bonus_expired: {}}"])
def test_the_smallest_amount_that_there_is_is_told_of(database: Database, when: str) -> None:
    world = waiting_for(database, when)
    least = Decimal("0.01")
    let_expire(world, "anna", least)
    spend(world, "anna", least)
    world.look("2026-03-01 10:00")
    assert {it["amount"] for _, it in told(world)} == {least}


def test_a_redemption_that_an_older_program_noted_without_a_reason_was_one(database: Database) -> None:
    world = waiting_for(database, "{bonus_redeemed: {}}")
    with database.write() as connection:
        noted = Happening(world.ids["anna"], "bonus_redeemed", world.now, "old", {"amount": 500})
        append(connection, [noted], world.now, live=True)
    world.look("2026-03-01 10:00")
    assert [(name, it["amount"]) for name, it in told(world)] == [("anna", Decimal(5))]


@pytest.mark.parametrize("when", ["{bonus_accrued: {}}", "{bonus_redeemed: {}}"])
def test_nobody_erased_hears_of_bonuses(database: Database, when: str) -> None:
    world = waiting_for(database, when)
    spend(world, "anna")
    world.look("2026-03-01 10:00")
    world.erase("anna")
    assert still_true(world) == {}
