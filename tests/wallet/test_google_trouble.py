"""Google in trouble, passes that are over, two who write at once: nothing is lost, nothing is left."""

import asyncio
from collections import Counter
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import select

from tests.wallet.acts import void
from tests.wallet.conftest import Speak
from tests.wallet.google import refusal, without_nulls
from tests.wallet.till import ISSUER, Till
from wallet import passes
from wallet.google import due
from wallet.google.bodies import loyalty_object
from wallet.google.client import Wallet
from wallet.google.due import Done, Later
from wallet.google.live import GoogleCards, google_round, write_now
from wallet.google.plan import digest
from wallet.tables import PASS


class TestInTrouble:
    """What Google does not take is kept, and tried as it asks."""

    def test_what_google_could_not_take_is_tried_again(self, till: Till) -> None:
        customer = till.save()
        till.change(customer, 9)
        till.google.failures = [(503, None)]
        assert till.round() == {"retry: HTTP 503": 1}
        assert till.round() == {}
        till.clock.move_by(timedelta(seconds=30))
        assert till.round() == {"written": 1}

    def test_google_says_how_long_to_wait(self, till: Till) -> None:
        customer = till.save()
        till.change(customer, 9)
        till.google.failures = [(429, None, {"retry-after": "600"})]
        till.round()
        assert till.shop.row(customer).google_try_at == till.clock.now() + timedelta(minutes=10)

    def test_an_outage_of_days_loses_nothing(self, till: Till) -> None:
        customer = till.save()
        till.change(customer, 9)
        till.google.broken[till.kept(customer)["id"]] = (500, None)
        for _ in range(14):
            assert till.round() == {"retry: HTTP 500": 1}
            till.clock.move_by(timedelta(hours=1))
        till.google.broken.clear()
        assert till.round() == {"written": 1}

    def test_an_account_without_rights_stops_everything_and_loses_nothing(self, till: Till) -> None:
        till.google.failures = []
        one, other = (till.save(name) for name in ("olena", "petro"))
        refused = refusal(403, "permissionDenied")
        till.google.failures = [refused, refused]
        till.change(one, 9)
        assert till.round() == {"configuration: permissionDenied": 1}
        till.change(other, 9)
        assert till.round() == {"configuration: permissionDenied": 1}
        assert till.google.failures == [refused], "the second card asked for nothing"
        till.google.failures = []
        till.clock.move_by(due.MISCONFIGURED)
        assert till.round() == {"written": 2}

    def test_one_card_that_is_not_ours_to_write_stops_nobody_elses(self, till: Till) -> None:
        one, other = (till.save(name) for name in ("olena", "petro"))
        till.google.broken[till.kept(one)["id"]] = refusal(403, "permissionDenied")
        till.change(one, 9)
        till.change(other, 9)
        assert till.round() == {"configuration: permissionDenied": 1, "written": 1}
        till.change(other, 10)
        assert till.round() == {"written": 1}

    def test_a_customer_who_wants_the_card_is_the_one_to_learn_that_it_works_again(self, till: Till) -> None:
        one = till.save()
        till.google.failures = [refusal(403, "permissionDenied")]
        till.change(one, 9)
        till.round()
        assert till.link(till.shop.issue("petro")).outcome.value == "written"
        till.change(one, 10)
        till.clock.move_by(due.MISCONFIGURED)
        assert till.round() == {"written": 1}

    def test_a_key_that_google_refuses_is_no_crash(
        self, till: Till, speak: Speak, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        customer = till.save()
        till.change(customer, 9)
        monkeypatch.setattr(till.google, "_token", lambda request: (400, {"error": "invalid_grant"}))
        shop = till.shop

        async def task(wallet: Wallet) -> Counter[str]:
            cards = GoogleCards(wallet, ISSUER, "loyalty", *till.made)
            return await google_round(shop.database, cards, shop.faces, till.clock)

        assert speak(task) == {"configuration: credentials": 1}
        assert shop.row(customer).google_try_at == till.clock.now() + due.MISCONFIGURED

    def test_content_that_google_refuses_waits_for_the_next_change(self, till: Till) -> None:
        customer = till.save()
        till.change(customer, 9)
        till.google.broken[till.kept(customer)["id"]] = refusal(400, "invalidResource")
        for _ in range(due.ATTEMPTS_AT_MOST):
            assert till.round() == {"refused: invalidResource": 1}
            till.clock.move_by(due.MISCONFIGURED)
        assert till.round() == {}
        till.google.broken.clear()
        till.change(customer, 10)
        assert till.round() == {"written": 1}

    def test_a_change_that_comes_while_google_refuses_for_the_last_time_is_the_next_one(
        self, till: Till
    ) -> None:
        customer = till.save()
        till.change(customer, 9)
        with till.shop.database.write() as connection:
            [claimed] = due.claim(connection, till.clock.now())
        till.change(customer, 10)
        with till.shop.database.write() as connection:
            due.settle(connection, [], [Later(claimed, 0, None, None, "")], till.clock.now())
        assert till.round() == {"written": 1}
        assert till.kept(customer)["loyaltyPoints"]["balance"] == {"string": "10"}

    def test_a_class_that_google_refuses_is_tried_until_somebody_has_mended_it(self, till: Till) -> None:
        customer = till.save()
        kind = till.kept(customer)["classId"]
        till.google.broken[kind] = refusal(400, "invalidResource", "the logo cannot be fetched")
        till.restart()
        till.change(customer, 9)
        for _ in range(due.ATTEMPTS_AT_MOST + 1):
            assert till.round() == {"class refused: invalidResource": 1}
            till.clock.move_by(due.MISCONFIGURED)
        till.google.broken.clear()
        assert till.round() == {"written": 1}

    def test_a_customer_whose_card_cannot_be_made_waits(self, till: Till) -> None:
        customer = till.save()
        till.change(customer, 9)
        del till.shop.guests[customer]
        assert till.round() == {"refused: no card": 1}


class TestPassesThatAreOver:
    """Nothing of a holder is left at Google."""

    def test_a_voided_card_is_emptied_even_if_nobody_knows_its_holder(self, till: Till) -> None:
        customer = till.save()
        till.announce(customer, "Кава", "m1")
        till.round()
        with till.shop.database.write() as connection:
            void(connection, [customer])
        till.change(customer)
        del till.shop.guests[customer]
        assert till.round() == {"written": 1}
        left = {name for name, value in till.kept(customer).items() if value}
        assert left == {"id", "classId", "state"}
        assert till.kept(customer)["state"] == "INACTIVE"
        assert till.told()[-1] is False

    def test_what_google_refuses_of_a_pass_that_is_over_is_tried_for_ever(self, till: Till) -> None:
        customer = till.save()
        till.google.broken[till.kept(customer)["id"]] = refusal(400, "invalidResource")
        with till.shop.database.write() as connection:
            void(connection, [customer])
        till.change(customer)
        for _ in range(due.ATTEMPTS_AT_MOST + 2):
            assert till.round() == {"refused: invalidResource": 1}
            till.clock.move_by(due.OVER)
        till.google.broken.clear()
        assert till.round() == {"written": 1}
        assert till.kept(customer)["state"] == "INACTIVE"

    def test_a_pass_that_was_replaced_is_emptied_and_the_new_one_is_another_object(self, till: Till) -> None:
        customer = till.save()
        old = till.kept(customer)["id"]
        with till.shop.database.write() as connection:
            passes.replace(connection, customer, till.shop.guests[customer].face(), till.clock.now())
        assert till.link(customer).outcome.value == "written"
        assert till.round() == {"written": 1}
        assert (till.google.kept[old]["state"], till.kept(customer)["state"]) == ("INACTIVE", "ACTIVE")
        assert "loyaltyPoints" not in till.google.kept[old]


class TestTwoAtOnce:
    """Whoever writes last at Google, the last word is the card's."""

    @pytest.mark.parametrize("order", ["slow, quick", "quick, slow"])
    def test_an_older_card_that_arrives_last_is_written_over(self, till: Till, order: str) -> None:
        customer = till.save()
        till.change(customer, 9)
        with till.shop.database.write() as connection:
            [slow] = due.claim(connection, till.clock.now())
        till.change(customer, 10)
        row = till.shop.row(customer)
        with till.shop.database.write() as connection:
            quick = due.hold(connection, row, till.clock.now())
        # The 9 of the slow writer reaches Google after the 10 of the quick one.
        till.kept(customer)["loyaltyPoints"]["balance"] = {"string": "9"}
        ten = loyalty_object(ISSUER, "loyalty", till.shop.guests[customer].face(), row.serial)
        name = till.kept(customer)["id"]
        records = {
            "slow": Done(slow, name, "of the nine", None, "", None),
            "quick": Done(quick, name, digest(ten), None, "", None),
        }
        for writer in order.split(", "):
            with till.shop.database.write() as connection:
                due.settle(connection, [records[writer]], [], till.clock.now())
        assert till.round() == {"written": 1}
        assert till.kept(customer)["loyaltyPoints"]["balance"] == {"string": "10"}
        assert till.round() == {}

    def test_an_older_card_that_arrives_last_is_written_over_though_its_answer_is_lost(
        self, till: Till
    ) -> None:
        customer = till.save()
        till.change(customer, 9)
        with till.shop.database.write() as connection:
            [slow] = due.claim(connection, till.clock.now())
        till.change(customer, 10)
        till.link(customer)
        assert till.kept(customer)["loyaltyPoints"]["balance"] == {"string": "10"}
        # The 9 of the slow writer reaches Google now, and nobody hears that it did.
        till.kept(customer)["loyaltyPoints"]["balance"] = {"string": "9"}
        with till.shop.database.write() as connection:
            lost = Later(slow, 1, due.backoff(0), slow.row.google_notice, slow.row.google_notices)
            due.settle(connection, [], [lost], till.clock.now())
        till.clock.move_by(due.backoff(0))
        till.round()
        assert till.kept(customer)["loyaltyPoints"]["balance"] == {"string": "10"}
        assert till.told() == [True, False], "who asked for the link was told"
        assert till.round() == {}

    def test_two_phones_that_ask_for_the_link_together_make_one_object(
        self, till: Till, speak: Speak
    ) -> None:
        customer = till.shop.issue()
        serial, shop = till.shop.row(customer).serial, till.shop

        async def task(wallet: Wallet) -> list[str]:
            cards = GoogleCards(wallet, ISSUER, "loyalty", *till.made)
            both = (write_now(shop.database, cards, serial, shop.faces, till.clock) for _ in range(2))
            return [it.outcome.value for it in await asyncio.gather(*both)]

        assert speak(task) == ["written", "written"]
        till.round()
        assert till.round() == {}
        assert len([name for name in till.google.kept if "loyalty" not in name]) == 1

    @pytest.mark.parametrize("seed", [1, 2])
    def test_in_whatever_order_things_happen_google_shows_the_card_in_the_end(
        self, till: Till, seed: int
    ) -> None:
        draw = Random(seed)
        customer = till.save()
        troubles = [
            (503, None),
            (429, None),
            refusal(404, "resourceNotFound"),
            refusal(409, "existingResource"),
        ]
        troubles += [refusal(403, "permissionDenied"), refusal(403, "quotaExceeded"), (200, b"nonsense")]
        for step in range(25):
            match draw.randrange(6):
                case 0:
                    till.change(customer, draw.randrange(3), draw.choice(["gold", "silver"]))
                case 1:
                    till.announce(customer, f"Кава {step}", f"m{step}")
                case 2:
                    till.google.failures = draw.choices(troubles, k=draw.randrange(3))
                case 3:
                    till.link(customer)
                case 4:
                    till.google.kept = {k: v for k, v in till.google.kept.items() if draw.random() < 0.8}
                case _:
                    till.round()
            till.clock.move_by(timedelta(minutes=draw.randrange(20)))
        till.google.failures = []
        till.change(customer, 77)
        for _ in range(5):
            till.clock.move_by(timedelta(hours=1))
            till.round()
        with till.shop.database.read() as connection:
            face = till.shop.faces(connection, [customer])[customer]
            assert connection.scalar(select(PASS.c.google_try_at)) is None
        wanted = without_nulls(loyalty_object(ISSUER, "loyalty", face, till.shop.row(customer).serial))
        kept = till.kept(customer)
        assert {**kept, "messages": []} == wanted
        assert [it["body"] for it in kept["messages"]] == [
            text for text in [till.shop.row(customer).news] if text
        ]
