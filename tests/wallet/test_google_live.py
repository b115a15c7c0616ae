"""Google's objects follow the cards: what a round writes, of what it tells, and what it does in trouble."""

from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import MovableClock
from tests.wallet.till import ISSUER, Till
from wallet import news
from wallet.google import due
from wallet.google.account import Account
from wallet.google.budget import Budget, Weight, message_weight
from wallet.google.client import wallet_for
from wallet.google.live import GoogleCards
from wallet.google.settings import GoogleSettings
from wallet.tables import PASS


class TestWhatIsWritten:
    """The object says what the card says, and nothing is written that is there already."""

    def test_a_change_is_patched_and_told(self, till: Till) -> None:
        customer = till.save()
        till.change(customer, 9)
        assert till.round() == {"written": 1}
        assert till.kept(customer)["loyaltyPoints"]["balance"] == {"string": "9"}
        assert till.told() == [True]
        assert till.round() == {}

    def test_a_change_that_nobody_asked_to_hear_of_is_silent(self, till: Till) -> None:
        customer = till.save()
        till.shop.guests[customer].terms = "Нові правила."
        till.change(customer)
        assert till.round() == {"written": 1}
        assert till.told() == [False]

    def test_a_link_asked_for_again_writes_nothing_twice(self, till: Till) -> None:
        customer = till.save()
        asked = len(till.google.single)
        assert till.link(customer).outcome.value == "written"
        assert len(till.google.single) == asked

    def test_what_was_only_tried_is_written_to_google_once_there_is_an_account(
        self, till: Till, account: Account, tmp_path: Path
    ) -> None:
        customer = till.shop.issue()
        folder = wallet_for(GoogleSettings(), account, tmp_path)
        till.cards = GoogleCards(folder, ISSUER, "loyalty", *till.made)
        for _ in range(2):
            assert till.link(customer).outcome.value == "written"
        assert len(list((tmp_path / "loyaltyObject").iterdir())) == 1
        till.restart()
        assert till.link(customer).outcome.value == "written"
        assert till.kept(customer)["state"] == "ACTIVE"

    def test_a_rise_to_gold_moves_the_object_to_the_gold_class(self, till: Till) -> None:
        customer = till.save()
        till.change(customer, tier="gold")
        till.round()
        assert till.google.kept[till.kept(customer)["classId"]]["hexBackgroundColor"] == "#6b4f1d"

    def test_a_class_that_google_lost_is_written_while_its_object_waits(self, till: Till) -> None:
        customer, other = till.save(), till.save("petro")
        del till.google.kept[till.kept(customer)["classId"]]
        till.change(customer, 10)
        till.change(other, 10)
        assert till.round() == {"written": 2}
        assert till.kept(customer)["classId"] in till.google.kept

    def test_a_new_version_or_process_writes_the_class_once_more(self, till: Till) -> None:
        customer = till.save()
        kind = till.kept(customer)["classId"]
        till.google.kept[kind]["issuerName"] = "of old"
        for balance in (1, 2):
            till.change(customer, balance)
            till.round()
        assert till.google.kept[kind]["issuerName"] == "of old"
        till.restart()
        till.change(customer, 3)
        till.round()
        assert till.google.kept[kind]["issuerName"] == "Kavarnia"

    def test_a_colour_changed_in_the_cards_file_reaches_cards_that_say_the_same(self, till: Till) -> None:
        customer = till.save()
        before = till.kept(customer)
        till.redesign(colours={"background": "#aa0000"}, by_tier={})
        till.change(customer)
        assert till.round() == {"written": 1}
        assert till.google.kept[before["classId"]]["hexBackgroundColor"] == "#aa0000"
        assert till.kept(customer) == before

    def test_many_go_in_one_batch_and_two_rounds_at_once_share_them(self, till: Till) -> None:
        customers = [till.save(f"c{number}") for number in range(6)]
        for customer in customers:
            till.change(customer, 9)
        till.google.single.clear()
        assert till.round(2) == {"written": 6}
        assert len(till.google.objects()) == 6
        assert sum(till.google.batches) == 6

    def test_who_changes_last_does_not_wait_until_a_long_queue_is_through(self, till: Till) -> None:
        customers = [till.save(f"c{number}") for number in range(6)]
        for customer in customers:
            till.change(customer, 9)
        with till.shop.database.write() as connection:
            claimed = due.claim(connection, till.clock.now(), 3)
        assert {it.row.customer_id for it in claimed} == {customers[0], *customers[-2:]}


class TestWhatIsTold:
    """Three things a day, the last one kept for what weighs more."""

    def test_the_third_change_of_a_balance_is_silent_and_a_level_is_told_still(self, till: Till) -> None:
        customer = till.save()
        for balance in (1, 2, 3):
            till.change(customer, balance)
            assert till.round() == {"written": 1}
        till.change(customer, 4, "gold")
        till.round()
        till.change(customer, 5, "silver")
        till.round()
        assert till.told() == [True, True, False, True, False]
        till.clock.move_by(timedelta(days=1))
        till.google.notified.clear()
        till.change(customer, 6)
        till.round()
        assert till.told()[-1] is True

    def test_what_google_refuses_to_tell_is_written_silently_and_counts(self, till: Till) -> None:
        customer = till.save()
        till.google.notified[till.kept(customer)["id"], "update"] = 3
        for balance in (1, 2, 3):
            till.change(customer, balance)
            till.round()
        # Twice it was asked with and then without a notification, the third time without at once.
        assert till.told() == [True, False, True, False, False]
        assert till.kept(customer)["loyaltyPoints"]["balance"] == {"string": "3"}
        assert till.shop.row(customer).google_notices.count(" ") == 1

    def test_a_message_takes_the_place_of_a_balance_but_never_the_other_way(self, till: Till) -> None:
        customer = till.save()
        for number in (1, 2, 3, 4):
            till.announce(customer, f"Кава {number}", f"m{number}")
            till.round()
        told = [body["message"]["body"] for _, _, body in till.google.single if body and "message" in body]
        assert told == ["Кава 1", "Кава 2", "Кава 3"]
        assert till.messages(customer) == [("Кава 4", "TEXT")]
        till.change(customer, 1)
        till.round()
        assert till.told()[-1] is False

    def test_who_asks_for_the_link_while_a_change_waits_is_told_of_it_all_the_same(self, till: Till) -> None:
        customer = till.save()
        till.change(customer, 9)
        assert till.link(customer).outcome.value == "written"
        till.round()
        assert till.told() == [True]
        assert till.shop.row(customer).google_notices, "and it counts"

    def test_what_a_round_told_while_somebody_asked_for_the_link_counts(self, till: Till) -> None:
        customer = till.save()
        till.change(customer, 9)
        till.round()
        told = till.shop.row(customer).google_notices
        till.link(customer)
        assert till.shop.row(customer).google_notices == told != ""

    @pytest.mark.parametrize(
        ("updates_told", "messages_told", "allowed"),
        [
            (0, 0, {Weight.LEVEL, Weight.VALUE, Weight.MESSAGE, Weight.LIGHT_MESSAGE}),
            (1, 1, {Weight.LEVEL, Weight.MESSAGE, Weight.LIGHT_MESSAGE}),
            (2, 2, {Weight.LEVEL, Weight.MESSAGE}),
            (3, 2, {Weight.MESSAGE}),
            (2, 3, {Weight.LEVEL}),
            (3, 3, set()),
        ],
    )
    def test_the_budget_is_spent_by_weight(
        self, clock: MovableClock, updates_told: int, messages_told: int, allowed: set[Weight]
    ) -> None:
        budget = Budget()
        for weight, times in ((Weight.VALUE, updates_told), (Weight.LIGHT_MESSAGE, messages_told)):
            for _ in range(times):
                budget = budget.spent(weight, clock.now())
        kept = Budget.of(budget.text(), clock.now())
        assert {weight for weight in Weight if kept.allows(weight)} == allowed
        tomorrow = Budget.of(budget.text(), clock.now() + timedelta(days=1))
        assert {weight for weight in Weight if tomorrow.allows(weight)} == set(Weight)

    def test_a_scenario_below_the_ordinary_priority_is_light(self) -> None:
        assert [message_weight(it) for it in (None, 0, 49, 50, 100)] == [
            Weight.MESSAGE, Weight.LIGHT_MESSAGE, Weight.LIGHT_MESSAGE, Weight.MESSAGE, Weight.MESSAGE,
        ]  # fmt: skip


class TestNews:
    """The message on the card is the object's message, once and by its own id."""

    def test_a_message_is_told_without_the_update_telling_of_it_too(self, till: Till) -> None:
        customer = till.save()
        with till.shop.database.write() as connection:
            connection.execute(PASS.update().values(google_saved=True))
        till.announce(customer, "Кава за пів ціни", "m1")
        assert till.round() == {"written": 1}
        assert till.messages(customer) == [("Кава за пів ціни", "TEXT_AND_NOTIFY")]
        assert [it["id"] for it in till.kept(customer)["messages"]] == ["m1"]
        assert till.told() == [], "the object itself shows nothing new"
        row = till.shop.row(customer)
        assert (row.google_news, row.news_seen_at) == ("m1", till.clock.now())
        till.change(customer, 9)
        till.round()
        assert till.messages(customer) == [("Кава за пів ціни", "TEXT")], "told once"

    def test_a_message_that_takes_anothers_place_leaves_one(self, till: Till) -> None:
        customer = till.save()
        for name in ("m1", "m2"):
            till.announce(customer, f"Кава {name}", name)
            till.round()
        assert till.messages(customer) == [("Кава m2", "TEXT_AND_NOTIFY")]

    def test_a_message_whose_time_is_over_is_taken_off_silently(self, till: Till) -> None:
        customer = till.save()
        till.announce(customer, "Кава", "m1")
        till.round()
        with till.shop.database.write() as connection:
            connection.execute(PASS.update().values(**news.NONE))
        till.change(customer)
        till.round()
        assert till.messages(customer) == []
        assert till.told() == [False]

    def test_a_message_of_which_nobody_knows_whether_it_came_is_not_told_twice(self, till: Till) -> None:
        customer = till.save()
        till.announce(customer, "Кава", "m1")
        serial = till.shop.row(customer).serial
        # It came, and then we went down before we could write so.
        with till.shop.database.write() as connection:
            due.telling(connection, {serial: "m1"})
        message = {"id": "m1", "header": "Новини", "body": "Кава", "messageType": "TEXT_AND_NOTIFY"}
        till.kept(customer)["messages"] = [message]
        assert till.round() == {"written": 1}
        assert till.messages(customer) == [("Кава", "TEXT")]
        assert not till.google.notified
        assert till.shop.row(customer).google_news == "m1"

    def test_a_message_that_came_though_its_answer_was_lost_is_not_told_twice(self, till: Till) -> None:
        customer = till.save()
        till.announce(customer, "Кава", "m1")
        till.google.lost = ["addMessage"]
        assert till.round() == {"retry: HTTP 500": 1}
        till.change(customer, 9)
        till.clock.move_by(timedelta(seconds=30))
        assert till.round() == {"written": 1}
        assert till.messages(customer) == [("Кава", "TEXT")]
        assert till.google.notified[till.kept(customer)["id"], "message"] == 1
        assert till.shop.row(customer).google_notices.count("m") == 1, "and it counts"

    def test_a_message_that_google_could_not_take_comes_later(self, till: Till) -> None:
        customer = till.save()
        till.announce(customer, "Кава", "m1")
        till.google.failures = [(503, None)]
        assert till.round() == {"retry: HTTP 503": 1}
        till.clock.move_by(timedelta(seconds=30))
        assert till.round() == {"written": 1}
        assert till.messages(customer) == [("Кава", "TEXT_AND_NOTIFY")]

    def test_who_asks_for_the_link_meanwhile_is_told_all_the_same(self, till: Till) -> None:
        customer = till.save()
        till.announce(customer, "Кава", "m1")
        assert till.link(customer).outcome.value == "written"
        assert till.round() == {"written": 1}
        assert till.messages(customer) == [("Кава", "TEXT_AND_NOTIFY")]

    def test_a_card_that_is_saved_for_the_first_time_has_its_message_silently(self, till: Till) -> None:
        customer = till.shop.issue()
        till.announce(customer, "Кава", "m1")
        till.link(customer)
        assert till.messages(customer) == [("Кава", "TEXT")]
        assert till.shop.row(customer).news_seen_at is None, "nobody has saved it yet"
