"""What providers report later: delivered, not delivered, twice, out of order, or nothing at all."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from campaigns.tables import Feedback
from core.customers.consent import CONSENT
from core.customers.merging import Merge, merge
from core.purchases.receipts import Recorded
from scheduler import tally
from scheduler.fallbacks import fall_back
from scheduler.outcomes import Heard, confirm
from tests.channels.providers import sms_http
from tests.scheduler.kiosk import PROGRAM, Kiosk

FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
TWO = "[{id: first, message: hello, send: [sms, email], fallback_after: 2 hours}]"
REPORTS = {"id": "id", "status": "status", "means": {"D": "delivered"}}
THEN = TWO.removesuffix("]") + ", {id: then, wait: 3 hours, message: hello, send: [email]}]"


def sent(kiosk: Kiosk, steps: str = TWO, **person: str) -> None:
    """Anna's SMS was accepted; email is what is left."""
    kiosk.scenario(steps=steps)
    kiosk.customer(
        "anna", **({"phone": kiosk.to("sms", "accept"), "email": kiosk.to("email", "accept")} | person)
    )
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", None)


def test_a_message_waits_for_its_confirmation(kiosk: Kiosk) -> None:
    sent(kiosk)
    assert kiosk.message("anna").fallback_at == kiosk.clock.now() + timedelta(hours=2)


def test_delivered_ends_the_wait(kiosk: Kiosk) -> None:
    sent(kiosk)
    assert kiosk.report("anna", "delivered")
    kiosk.later(hours=3)
    assert kiosk.deliver().fell_back == 0
    assert kiosk.state("anna") == ("delivered", None)
    assert kiosk.server("email").accepted == []


def test_without_word_the_next_channel_follows_when_the_wait_is_over(kiosk: Kiosk) -> None:
    sent(kiosk)
    kiosk.later(hours=1.9)
    kiosk.deliver()
    assert kiosk.server("email").accepted == []
    kiosk.later(hours=0.1)
    assert kiosk.deliver().fell_back == 1
    assert kiosk.server("email").accepted == ["accept0@example.com"]
    assert [channel for channel, *_ in kiosk.attempts("anna")] == ["sms", "email"]
    assert float(kiosk.message("anna").cost) == 0.85


@pytest.mark.parametrize(("reports", "fell_back"), [(None, 0), (REPORTS, 1)], ids=["silent", "reporting"])
def test_of_an_aggregator_that_reports_nothing_no_word_is_waited_for(
    kiosk: Kiosk, reports: dict[str, Any] | None, fell_back: int
) -> None:
    """Everybody would be told twice."""
    kiosk.servers["sms"] = server = sms_http.Server()
    kiosk.environments["sms"] = server.environment()
    http = {**server.config["http"], **({"reports": reports} if reports else {})}
    described = json.dumps({"sender": "Kiosk", "http": http})
    kiosk.write(program=PROGRAM.replace("{sender: Kiosk, tariff: {UA: 0.85}}", described))
    sent(kiosk)
    kiosk.later(hours=3)
    assert kiosk.deliver().fell_back == fell_back
    assert kiosk.state("anna") == ("sent", None)


def test_of_twilio_that_is_not_told_whom_to_call_no_word_is_waited_for(kiosk: Kiosk) -> None:
    kiosk.server("sms")
    kiosk.settings = {"TIDINGS_SMS_STATUS_CALLBACK": ""}
    sent(kiosk)
    kiosk.later(hours=3)
    assert kiosk.deliver().fell_back == 0
    assert kiosk.server("email").accepted == []


def test_undelivered_goes_on_at_once(kiosk: Kiosk) -> None:
    sent(kiosk)
    kiosk.report("anna", "undelivered", "30003")
    assert kiosk.deliver().fell_back == 1
    assert kiosk.state("anna") == ("sent", None)
    assert kiosk.server("email").accepted == ["accept0@example.com"]


def test_undelivered_needs_no_fallback_after_to_go_on(kiosk: Kiosk) -> None:
    sent(kiosk, steps="[{id: first, message: hello, send: [sms, email]}]")
    assert kiosk.message("anna").fallback_at is None
    kiosk.report("anna", "undelivered")
    assert kiosk.deliver().fell_back == 1


def test_undelivered_with_no_channel_left_has_failed(kiosk: Kiosk) -> None:
    sent(kiosk, steps="[{id: first, message: hello, send: [sms]}]")
    kiosk.report("anna", "undelivered", "30003")
    kiosk.deliver()
    assert kiosk.state("anna") == ("failed", "30003")
    assert kiosk.verdict("anna") == ("failed", "sms: 30003")
    assert kiosk.message("anna").fallback_at is None


def test_a_report_of_a_dead_number_suppresses_it(kiosk: Kiosk) -> None:
    sent(kiosk)
    kiosk.report("anna", "undelivered", "number_unknown", address="dead")
    assert kiosk.suppressed() == {("sms", "number_unknown")}


@pytest.mark.parametrize("number", [None, 7], ids=["takes-the-number-over", "has-a-number"])
def test_who_opted_out_at_the_provider_and_was_merged_since_agrees_no_more_as_the_survivor(
    kiosk: Kiosk, number: int | None
) -> None:
    sent(kiosk)
    own = {} if number is None else {"phone": kiosk.to("sms", "accept", number)}
    kiosk.customer("anna-2", consented=["sms"], **own)
    kiosk.later(minutes=1)
    with kiosk.database.write() as connection:
        request = Merge("anna", "anna-2", "maria", "the same person")
        done = merge(connection, kiosk.live.running().program, request, kiosk.clock.now(), live=True)
        assert isinstance(done, Recorded), done
    kiosk.later(minutes=1)
    kiosk.report("anna", "undelivered", "opted_out", address="opted_out")
    assert kiosk.suppressed() == {("sms", "opted_out")}
    with kiosk.database.read() as connection:
        theirs = (CONSENT.c.customer_id == kiosk.ids["anna-2"]) & (CONSENT.c.channel == "sms")
        assert connection.scalars(select(CONSENT.c.granted).where(theirs)).all() == [False]


@pytest.mark.parametrize(
    "kinds", [("delivered", "undelivered"), ("read", "delivered", "sent", "undelivered")]
)
def test_the_first_final_report_stands(kiosk: Kiosk, kinds: tuple[str, ...]) -> None:
    sent(kiosk)
    for kind in kinds:
        assert kiosk.report("anna", kind)
    kiosk.later(hours=3)
    kiosk.deliver()
    assert kiosk.state("anna") == ("delivered", None)


def test_a_late_delivered_does_not_take_undelivered_back(kiosk: Kiosk) -> None:
    sent(kiosk)
    kiosk.report("anna", "undelivered")
    kiosk.report("anna", "delivered")
    assert kiosk.deliver().fell_back == 1


def test_the_same_report_twice_is_kept_once(kiosk: Kiosk) -> None:
    sent(kiosk)
    for _ in range(3):
        kiosk.report("anna", "sent")
    with kiosk.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(FEEDBACK)) == 1


def test_a_report_is_news_once(kiosk: Kiosk) -> None:
    sent(kiosk)
    assert [kiosk.report("anna", "undelivered", "opted_out") for _ in range(3)] == [
        Heard.NEWS,
        Heard.REPEATED,
        Heard.REPEATED,
    ]


def test_no_more_fall_back_in_one_go_than_the_limit(kiosk: Kiosk) -> None:
    kiosk.scenario(steps=TWO)
    names = ["anna", "bohdan", "vira"]
    kiosk.customers(
        {
            name: {"phone": kiosk.to("sms", "accept", number), "email": kiosk.to("email", "accept", number)}
            for number, name in enumerate(names)
        }
    )
    kiosk.plan()
    kiosk.deliver()
    kiosk.later(hours=2)
    moved = []
    for _ in range(3):
        with kiosk.database.write() as connection:
            moved.append(fall_back(connection, kiosk.live.running(), kiosk.clock.now(), limit=2))
    assert moved == [2, 1, 0]


def test_a_report_on_a_message_that_is_not_ours_is_said_to_be_so(kiosk: Kiosk) -> None:
    sent(kiosk)
    with kiosk.database.write() as connection:
        assert not confirm(connection, "SM-of-somebody-else", "delivered", None, kiosk.clock.now())


def test_confirmed_after_all_while_the_fallback_waits_nobody_is_told_twice(kiosk: Kiosk) -> None:
    sent(kiosk)
    kiosk.settings = {"TIDINGS_EMAIL_PASSWORD": "wrong"}
    kiosk.later(hours=2)
    kiosk.deliver()
    assert kiosk.state("anna") == ("planned", "authentication_failed")
    kiosk.report("anna", "delivered")
    kiosk.settings = {}
    kiosk.later(hours=1)
    kiosk.deliver()
    assert kiosk.state("anna") == ("delivered", None)
    assert kiosk.message("anna").channel == "sms", "the way by which it arrived"
    assert kiosk.server("email").accepted == []


def test_a_dead_number_that_is_told_of_while_the_fallback_waits_costs_no_other_address(kiosk: Kiosk) -> None:
    sent(kiosk)
    kiosk.settings = {"TIDINGS_EMAIL_PASSWORD": "wrong"}
    kiosk.later(hours=2)
    kiosk.deliver()
    kiosk.report("anna", "undelivered", "number_unknown", address="dead")
    assert kiosk.suppressed() == {("sms", "number_unknown")}
    with kiosk.database.read() as connection:
        assert tally.counted(connection)[tally.REPORT, "sms", "undelivered", ""] == 1
    kiosk.settings = {}
    kiosk.later(hours=1)
    kiosk.deliver()
    assert kiosk.server("email").accepted == ["accept0@example.com"]


def late(kiosk: Kiosk, kind: str, detail: str | None = None, **more: Any) -> Heard:
    """What is reported of Anna's SMS once the email has gone out in its place."""
    sent(kiosk)
    name = kiosk.message("anna").provider_id
    kiosk.later(hours=2)
    kiosk.deliver()
    assert kiosk.message("anna").channel == "email"
    kiosk.later(hours=20)
    with kiosk.database.write() as connection:
        return confirm(connection, name, kind, detail, kiosk.clock.now(), **more)


def test_a_number_that_is_told_to_be_dead_after_the_fallback_left_gets_no_other_sms(kiosk: Kiosk) -> None:
    assert late(kiosk, "undelivered", "number_unknown", address="dead") is Heard.NEWS
    assert kiosk.suppressed() == {("sms", "number_unknown")}
    assert (kiosk.state("anna"), kiosk.message("anna").channel) == (("sent", None), "email")
    with kiosk.database.read() as connection:
        assert tally.counted(connection)[tally.REPORT, "sms", "undelivered", ""] == 1


def test_who_opted_out_is_heard_after_the_fallback_left(kiosk: Kiosk) -> None:
    assert late(kiosk, "undelivered", "opted_out", address="opted_out") is Heard.NEWS
    with kiosk.database.read() as connection:
        own = select(CONSENT.c.channel).where(CONSENT.c.granted)
        assert set(connection.scalars(own)) == {"email"}


def test_an_sms_that_arrives_after_the_fallback_left_is_ours_and_changes_nothing(kiosk: Kiosk) -> None:
    assert late(kiosk, "delivered") is Heard.NEWS
    assert (kiosk.state("anna"), kiosk.message("anna").channel) == (("sent", None), "email")
    assert kiosk.attempts("anna") == [("sms", 1, "accepted", "gone_on"), ("email", 1, "accepted", None)]


def test_who_says_no_to_the_sms_that_nobody_confirmed_has_heard_it_and_gets_no_email(kiosk: Kiosk) -> None:
    sent(kiosk)
    kiosk.later(hours=1)
    kiosk.withdraw("anna", "sms")
    kiosk.later(hours=1)
    assert kiosk.deliver().fell_back == 0
    assert kiosk.state("anna") == ("sent", "fallback recalled: no_consent")
    assert kiosk.message("anna").channel == "sms"
    assert kiosk.server("email").accepted == []


def test_who_says_no_while_the_fallback_waits_gets_none(kiosk: Kiosk) -> None:
    sent(kiosk)
    kiosk.settings = {"TIDINGS_EMAIL_PASSWORD": "wrong"}
    kiosk.later(hours=2)
    kiosk.deliver()
    assert kiosk.state("anna") == ("planned", "authentication_failed")
    kiosk.withdraw("anna", "sms")
    kiosk.settings = {}
    kiosk.later(hours=1)
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", "fallback recalled: no_consent")
    assert kiosk.server("email").accepted == []


def test_a_no_to_a_channel_that_could_not_carry_the_message_keeps_no_other_back(kiosk: Kiosk) -> None:
    sent(kiosk)
    kiosk.report("anna", "undelivered", "opted_out", address="opted_out")
    kiosk.deliver()
    assert kiosk.server("email").accepted == ["accept0@example.com"]


def test_a_fallback_that_is_no_longer_true_leaves_the_first_message_sent(kiosk: Kiosk) -> None:
    sent(kiosk)
    kiosk.later(hours=1)
    kiosk.spend("anna", 450)
    kiosk.later(hours=1)
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", "fallback recalled: no_longer_true")
    assert kiosk.verdict("anna")[0] == "sent"


def test_a_fallback_that_would_come_too_late_is_left_out(kiosk: Kiosk) -> None:
    kiosk.write()
    kiosk.scenario(steps=TWO, limits="{valid_for: 1 hour}")
    kiosk.customer("anna", phone=kiosk.to("sms", "accept"), email=kiosk.to("email", "accept"))
    kiosk.plan()
    kiosk.deliver()
    kiosk.later(hours=2)
    assert kiosk.deliver().fell_back == 0
    assert kiosk.state("anna") == ("sent", None)


def test_the_folder_reports_nothing_so_nothing_is_waited_for(kiosk: Kiosk) -> None:
    kiosk.scenario(steps=TWO)
    kiosk.customer("anna", phone="+380501000001", email="anna@example.com")
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.message("anna").fallback_at is None


def test_an_unknown_message_never_falls_back(kiosk: Kiosk) -> None:
    kiosk.scenario(steps=TWO)
    kiosk.customer("anna", phone=kiosk.to("sms", "drop"), email=kiosk.to("email", "accept"))
    kiosk.plan()
    kiosk.deliver()
    kiosk.later(hours=3)
    assert kiosk.deliver().fell_back == 0
    assert kiosk.state("anna") == ("unknown", "connection_lost")


class TestWaitForTheNextStep:
    def test_it_runs_from_the_acceptance(self, kiosk: Kiosk) -> None:
        sent(kiosk, THEN)
        assert kiosk.anchor("anna") == kiosk.clock.now()

    def test_it_starts_anew_when_another_channel_had_to_follow(self, kiosk: Kiosk) -> None:
        sent(kiosk, THEN)
        kiosk.later(hours=2)
        kiosk.deliver()
        assert kiosk.anchor("anna") == kiosk.clock.now()

    def test_it_is_held_up_while_the_other_channel_waits(self, kiosk: Kiosk) -> None:
        sent(kiosk, THEN)
        kiosk.settings = {"TIDINGS_EMAIL_PASSWORD": "wrong"}
        kiosk.later(hours=2)
        kiosk.deliver()
        assert kiosk.anchor("anna") is None

    def test_it_runs_on_when_the_first_channel_confirms_while_the_other_waits(self, kiosk: Kiosk) -> None:
        sent(kiosk, THEN)
        accepted = kiosk.clock.now()
        kiosk.settings = {"TIDINGS_EMAIL_PASSWORD": "wrong"}
        kiosk.later(hours=2)
        kiosk.deliver()
        kiosk.report("anna", "delivered")
        assert kiosk.anchor("anna") == accepted
        kiosk.settings = {}
        kiosk.later(hours=1)
        kiosk.plan()
        assert kiosk.message("anna").step == "then"

    def test_a_late_confirmation_does_not_start_the_wait_of_a_later_step(self, kiosk: Kiosk) -> None:
        sent(kiosk, THEN.replace("3 hours", "1 hour"))
        kiosk.settings = {"TIDINGS_EMAIL_PASSWORD": "wrong"}
        first = kiosk.message("anna").provider_id
        kiosk.later(hours=1)
        kiosk.plan()
        kiosk.later(hours=1)
        kiosk.deliver()
        with kiosk.database.write() as connection:
            assert confirm(connection, first, "delivered", None, kiosk.clock.now())
        assert kiosk.message("anna").step == "then"
        assert kiosk.anchor("anna") is None

    def test_a_late_end_of_one_step_does_not_start_the_wait_of_a_later_one(self, kiosk: Kiosk) -> None:
        sent(kiosk, THEN.replace("3 hours", "1 hour"))
        kiosk.settings = {"TIDINGS_EMAIL_PASSWORD": "wrong"}
        kiosk.later(hours=1)
        kiosk.plan()
        kiosk.deliver()
        assert kiosk.message("anna").step == "then"
        assert kiosk.anchor("anna") is None
        kiosk.later(hours=1)
        kiosk.deliver()
        assert kiosk.anchor("anna") is None
