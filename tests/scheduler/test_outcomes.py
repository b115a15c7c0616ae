"""What follows from each outcome that a provider's answer has."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from campaigns.tables import RESERVED
from channels import Accepted, Failed
from core.customers.consent import CONSENT
from core.customers.profiles import CUSTOMER
from core.events import EVENT
from scheduler.claim import Claimer
from scheduler.outcomes import Settled, settle
from tests.channels.providers import sms as twilio
from tests.channels.providers.http import Answer
from tests.scheduler.kiosk import Kiosk


def sms_only(kiosk: Kiosk, verdict: Any = "accept", **parts: str) -> Any:
    """Anna's reminder is planned for SMS; Twilio does with it what `verdict` says."""
    kiosk.scenario(send="[sms]", **parts)
    return planned(kiosk, verdict)


def planned(kiosk: Kiosk, verdict: Any = "accept", **person: Any) -> Any:
    server = kiosk.server("sms")
    kiosk.customer("anna", phone=kiosk.to("sms", verdict), **person)
    kiosk.plan()
    return server


class TestAccepted:
    def test_the_providers_name_the_cost_and_the_language_are_kept(self, kiosk: Kiosk) -> None:
        sms_only(kiosk)
        delivered = kiosk.deliver()
        row = kiosk.message("anna")
        assert row.provider_id == f"SM{1:032x}"
        assert row.accepted_at == kiosk.clock.now()
        assert (float(row.cost), row.locale) == (0.85, "en")
        assert (row.fence, row.lease_until) == (None, None)
        assert delivered.by_channel["sms"] == {"sent": 1}
        assert float(delivered.cost["reminder"]) == 0.85

    def test_an_outcome_of_a_lost_owner_changes_nothing(self, kiosk: Kiosk) -> None:
        sms_only(kiosk)
        with kiosk.database.write() as connection:
            claim = Claimer(kiosk.live.running(), kiosk.links, kiosk.clock.now()).claim(connection, "sms")
        kiosk.set("anna", fence="somebody else's")
        settled = [Settled(claim.messages[0], Accepted("SM1"))]
        with kiosk.database.write() as connection:
            channel = kiosk.channels()["sms"]
            settlement = settle(
                connection, kiosk.live.running(), channel, claim.fence, settled, kiosk.clock.now()
            )
        assert (settlement.lost, settlement.counts) == (1, {})
        assert kiosk.message("anna").state == "sending"
        assert kiosk.attempts("anna") == []


class TestTemporary:
    def test_the_providers_own_wait_is_honoured(self, kiosk: Kiosk) -> None:
        sms_only(kiosk, "temporary")
        assert kiosk.deliver().by_channel["sms"] == {"retry": 1}
        row = kiosk.message("anna")
        assert (row.state, row.reason, row.tries) == ("planned", "rate_limited", 1)
        assert row.due_at == kiosk.clock.now() + timedelta(seconds=7)
        assert kiosk.anchor("anna") is None

    def test_the_pause_doubles_spread_by_the_message(self, kiosk: Kiosk) -> None:
        kiosk.server("email")
        kiosk.scenario(send="[email]")
        kiosk.customer("anna", email="temporary@example.com")
        kiosk.plan()
        pauses = []
        for _ in range(5):
            kiosk.deliver()
            pauses.append((kiosk.message("anna").due_at - kiosk.clock.now()).total_seconds())
            kiosk.clock.move_to(kiosk.message("anna").due_at)
        assert all(30 <= pause / 2**number <= 45 for number, pause in enumerate(pauses))

    def test_after_six_tries_it_has_failed(self, kiosk: Kiosk) -> None:
        sms_only(kiosk, "temporary")
        for _ in range(6):
            kiosk.deliver()
            kiosk.later(seconds=7)
        assert kiosk.state("anna") == ("failed", "rate_limited")
        assert [number for _, number, _, _ in kiosk.attempts("anna")] == [1, 2, 3, 4, 5, 6]
        assert kiosk.verdict("anna") == ("failed", "sms: rate_limited")

    def test_it_expires_in_between_when_the_next_try_would_be_too_late(self, kiosk: Kiosk) -> None:
        sms_only(kiosk, "temporary", limits="{valid_for: 1 minute}")
        kiosk.later(seconds=54)
        kiosk.deliver()
        assert kiosk.state("anna") == ("expired", "rate_limited")

    def test_a_host_that_is_down_does_not_use_up_the_tries(self, kiosk: Kiosk) -> None:
        kiosk.shut_down("email")
        kiosk.scenario(send="[email]")
        kiosk.customers({f"anna{number}": {"email": f"accept{number}@example.com"} for number in range(30)})
        kiosk.plan()
        for _ in range(10):
            delivered = kiosk.deliver()
            assert delivered.broken == {"email": "cannot_connect"}
            kiosk.later(minutes=2)
        assert kiosk.states() == {"planned": 30}
        # Those that found out have used one.
        assert max(kiosk.message(f"anna{number}").tries for number in range(30)) == 1

    def test_a_provider_that_comes_back_gets_everything(self, kiosk: Kiosk) -> None:
        kiosk.scenario(send="[email]")
        kiosk.shut_down("email")
        kiosk.customers({f"anna{number}": {"email": f"accept{number}@example.com"} for number in range(30)})
        kiosk.plan()
        kiosk.deliver()
        kiosk.server("email")
        kiosk.later(minutes=2)
        kiosk.deliver()
        assert kiosk.states() == {"sent": 30}

    @pytest.mark.parametrize("reply", ["452 4.2.2 mailbox full", "451 4.7.1 greylisted", "450 not now"])
    def test_a_mailbox_that_takes_nothing_now_is_tried_six_times_and_the_cascade_goes_on(
        self, kiosk: Kiosk, reply: str
    ) -> None:
        kiosk.server("email").on_recipient = {"full": reply}
        kiosk.scenario(send="[email, sms]")
        people = {f"anna{n}": {"email": f"full{n}@example.com", "phone": kiosk.to("sms", "accept", n)}
                  for n in range(4)}  # fmt: skip
        kiosk.customers(people)
        kiosk.plan()
        for _ in range(40):
            assert kiosk.deliver().broken == {}
            kiosk.later(minutes=1)
        assert kiosk.states() == {"sent": 4}
        for name in people:
            assert [channel for channel, *_ in kiosk.attempts(name)] == ["email"] * 6 + ["sms"]

    def test_behind_full_mailboxes_the_others_get_their_mail_at_once(self, kiosk: Kiosk) -> None:
        kiosk.server("email").on_recipient = {"full": "452 4.2.2 mailbox full"}
        kiosk.scenario(send="[email]")
        kiosk.customers({f"anna{n}": {"email": f"full{n}@example.com"} for n in range(60)})
        kiosk.customers({f"boris{n}": {"email": kiosk.to("email", "accept", n)} for n in range(60)})
        kiosk.plan()
        kiosk.deliver()
        assert kiosk.states() == {"planned": 60, "sent": 60}

    def test_a_full_mailbox_uses_its_try_also_while_the_server_is_busy(self, kiosk: Kiosk) -> None:
        kiosk.scenario(send="[email]")
        kiosk.customers({f"anna{n}": {"email": f"busy{n}@example.com"} for n in range(20)})
        kiosk.customer("boris", email="full@example.com")
        kiosk.plan()
        now, running, channel = kiosk.clock.now(), kiosk.live.running(), kiosk.channels()["email"]
        with kiosk.database.write() as connection:
            claim = Claimer(running, kiosk.links, now).claim(connection, "email")
            reasons = ["mailbox_full" if it.address[0] == "f" else "server_busy" for it in claim.messages]
            settled = [
                Settled(it, Failed("temporary", reason))
                for it, reason in zip(claim.messages, reasons, strict=True)
            ]
            breaker = settle(connection, running, channel, claim.fence, settled, now).breaker
        assert breaker == "server_busy"
        assert (kiosk.message("boris").tries, kiosk.message("anna1").tries) == (1, 0)

    def test_a_server_that_puts_everybody_off_by_policy_is_left_alone(self, kiosk: Kiosk) -> None:
        kiosk.server("email")
        kiosk.scenario(send="[email]")
        kiosk.customers({f"anna{n}": {"email": kiosk.to("email", "temporary", n)} for n in range(40)})
        kiosk.plan()
        assert kiosk.deliver().broken == {"email": "deferred_by_policy"}
        assert kiosk.message("anna1").tries == 1


class TestPermanent:
    def test_it_has_failed_for_good(self, kiosk: Kiosk) -> None:
        sms_only(kiosk, "permanent", then="1 day")
        kiosk.deliver()
        assert kiosk.state("anna") == ("failed", "filtered_by_carrier")
        assert kiosk.suppressed() == set()
        assert kiosk.anchor("anna") == kiosk.clock.now()

    def test_the_cascade_goes_on_at_once_each_channel_once(self, kiosk: Kiosk) -> None:
        device, phone = kiosk.to("push", "dead"), kiosk.to("sms", "permanent")
        kiosk.customer("anna", push=device, phone=phone, email=kiosk.to("email", "permanent"))
        kiosk.plan()
        kiosk.deliver()
        tried = [(channel, outcome) for channel, _, outcome, _ in kiosk.attempts("anna")]
        assert tried == [("push", "permanent"), ("sms", "permanent"), ("email", "permanent")]
        assert kiosk.state("anna") == ("failed", "blocked_by_policy")

    def test_the_cascade_passes_over_channels_that_are_closed(self, kiosk: Kiosk) -> None:
        person = {"phone": kiosk.to("sms", "accept"), "email": kiosk.to("email", "accept")}
        kiosk.customer("anna", push=kiosk.to("push", "permanent"), consented=["push", "email"], **person)
        kiosk.plan()
        kiosk.deliver()
        assert [channel for channel, *_ in kiosk.attempts("anna")] == ["push", "email"]

    def test_a_fallback_keeps_within_the_channels_own_allowance(self, kiosk: Kiosk) -> None:
        kiosk.write(program=kiosk.files["program.yaml"] + "allowances: {marketing: {sms: 1 per 7 days}}\n")
        kiosk.scenario(send="[sms]")
        kiosk.customer("anna", phone=kiosk.to("sms", "accept"), push=kiosk.to("push", "permanent"))
        kiosk.plan()
        kiosk.deliver()
        step = "{id: first, message: hello, send: [push, sms]}"
        when = "{bonus_expiring: {at_least: 1, ahead: 3 days}}"
        kiosk.write(second=f"when: {when}\nsteps: [{step}]\nschedule: every minute\n")
        kiosk.later(minutes=1)
        kiosk.plan()
        kiosk.deliver()
        assert kiosk.message("anna").scenario == "second"
        assert kiosk.state("anna")[0] == "failed"

    def test_two_fallbacks_of_one_chunk_share_the_channels_allowance(self, kiosk: Kiosk) -> None:
        kiosk.write(program=kiosk.files["program.yaml"] + "allowances: {marketing: {sms: 1 per 7 days}}\n")
        kiosk.scenario(send="[push, sms]")
        kiosk.write(second=kiosk.files["scenarios/reminder.yaml"])
        kiosk.customer("anna", phone=kiosk.to("sms", "accept"), push=kiosk.to("push", "permanent"))
        kiosk.plan()
        kiosk.deliver()
        assert kiosk.states() == {"failed": 1, "sent": 1}

    def test_a_fallback_counts_the_allowance_from_when_the_customer_heard_it(self, kiosk: Kiosk) -> None:
        kiosk.write(program=kiosk.files["program.yaml"] + "allowances: {marketing: {sms: 1 per 7 days}}\n")
        kiosk.scenario(send="[sms]")
        kiosk.customer("anna", phone=kiosk.to("sms", "accept"), push=kiosk.to("push", "permanent"))
        kiosk.plan()
        kiosk.deliver()
        # It was meant for a week ago and has only just gone out.
        kiosk.set("anna", planned_at=kiosk.clock.now() - timedelta(days=8))
        step = "{id: first, message: hello, send: [push, sms]}"
        when = "{bonus_expiring: {at_least: 1, ahead: 3 days}}"
        kiosk.write(second=f"when: {when}\nsteps: [{step}]\nschedule: every minute\n")
        kiosk.later(minutes=1)
        kiosk.plan()
        kiosk.deliver()
        assert kiosk.message("anna").scenario == "second"
        assert kiosk.state("anna")[0] == "failed"

    def test_a_fallback_counts_what_a_merged_duplicate_heard(self, kiosk: Kiosk) -> None:
        kiosk.write(program=kiosk.files["program.yaml"] + "allowances: {marketing: {sms: 1 per 7 days}}\n")
        kiosk.scenario(send="[sms]")
        kiosk.customer("double", phone=kiosk.to("sms", "accept"))
        kiosk.plan()
        kiosk.deliver()
        kiosk.scenario(send="[push, sms]", schedule="every minute")
        kiosk.later(minutes=1)
        kiosk.customer("anna", phone=kiosk.to("sms", "accept", 2), push=kiosk.to("push", "permanent"))
        kiosk.plan()
        merged = update(CUSTOMER).where(CUSTOMER.c.id == kiosk.ids["double"])
        with kiosk.database.write() as connection:
            connection.execute(merged.values(merged_into=kiosk.ids["anna"]))
        kiosk.deliver()
        assert kiosk.state("anna")[0] == "failed"

    def test_a_dead_address_is_suppressed_on_this_channel_alone(self, kiosk: Kiosk) -> None:
        sms_only(kiosk, "dead")
        kiosk.deliver()
        assert kiosk.suppressed() == {("sms", "number_invalid")}
        assert consents(kiosk, "anna") == {"sms": True}

    def test_who_opted_out_at_the_provider_has_withdrawn_consent(self, kiosk: Kiosk) -> None:
        server = planned(kiosk, email="accept@example.com")
        server.next.append(twilio.error(400, 21610))
        kiosk.deliver()
        assert kiosk.suppressed() == {("sms", "opted_out")}
        assert consents(kiosk, "anna") == {"sms": False, "email": True}
        assert [channel for channel, *_ in kiosk.attempts("anna")] == ["sms", "email"]

    def test_a_failed_message_gives_its_allowance_back(self, kiosk: Kiosk) -> None:
        sms_only(kiosk, "permanent", limits="{at_most: 1 per 30 days}")
        kiosk.deliver()
        assert kiosk.message("anna").state not in RESERVED


def consents(kiosk: Kiosk, name: str) -> dict[str, bool]:
    with kiosk.database.read() as connection:
        own = select(CONSENT.c.channel, CONSENT.c.granted).where(CONSENT.c.customer_id == kiosk.ids[name])
        return {row.channel: row.granted for row in connection.execute(own)}


class TestConfiguration:
    def test_a_wrong_password_leaves_the_channel_alone_and_messages_wait(self, kiosk: Kiosk) -> None:
        server = sms_only(kiosk)
        server.next.append(Answer(401, {"code": 20003}))
        assert kiosk.deliver().broken == {"sms": "authentication_failed"}
        assert kiosk.state("anna") == ("planned", "authentication_failed")
        kiosk.later(seconds=59)
        kiosk.deliver()
        assert len(server.requests) == 1
        kiosk.later(seconds=1)
        assert kiosk.deliver().broken == {}
        assert kiosk.message("anna").state == "sent"

    def test_it_waits_without_losing_its_tries(self, kiosk: Kiosk) -> None:
        server = sms_only(kiosk)
        kiosk.settings = {"TIDINGS_SMS_AUTH_TOKEN": "wrong"}
        for _ in range(7):
            kiosk.deliver()
            kiosk.later(minutes=2)
        assert kiosk.state("anna") == ("planned", "authentication_failed")
        assert kiosk.message("anna").tries == 0
        kiosk.settings = {}
        kiosk.deliver()
        assert kiosk.state("anna") == ("sent", None)
        assert server.accepted == [kiosk.to("sms", "accept")]

    def test_what_concerns_one_recipient_does_not_stop_the_others(self, kiosk: Kiosk) -> None:
        server = sms_only(kiosk)
        kiosk.later(minutes=1)
        kiosk.customer("boris", phone=kiosk.to("sms", "accept", 7))
        server.next.append(twilio.error(400, 21612))
        assert kiosk.deliver().broken == {}
        assert kiosk.state("anna") == ("planned", "no_route")
        assert kiosk.message("anna").due_at == kiosk.clock.now() + timedelta(hours=1)


class TestUnknown:
    def test_at_most_once_is_never_sent_again_and_reported(self, kiosk: Kiosk) -> None:
        server = sms_only(kiosk, "drop")
        assert kiosk.deliver().unknown == 1
        assert kiosk.state("anna") == ("unknown", "connection_lost")
        assert kiosk.verdict("anna") == ("unknown", "connection_lost")
        kiosk.later(days=1)
        kiosk.deliver()
        assert len(server.requests) == 1

    def test_unknown_never_falls_back_and_keeps_its_allowance(self, kiosk: Kiosk) -> None:
        planned(kiosk, "drop", email=kiosk.to("email", "accept"))
        kiosk.deliver()
        assert kiosk.state("anna")[0] == "unknown"
        assert kiosk.state("anna")[0] in RESERVED
        assert kiosk.server("email").accepted == []

    def test_at_least_once_is_sent_again_under_the_same_name(self, kiosk: Kiosk) -> None:
        server = kiosk.server("email")
        kiosk.scenario(send="[email]")
        kiosk.customer("anna", email="drop@example.com")
        kiosk.plan()
        kiosk.deliver()
        assert kiosk.state("anna") == ("planned", "connection_lost")
        first = kiosk.message("anna").id
        kiosk.clock.move_to(kiosk.message("anna").due_at)
        kiosk.deliver()
        assert kiosk.message("anna").id == first
        assert [outcome for _, _, outcome, _ in kiosk.attempts("anna")] == ["unknown", "unknown"]
        assert server.accepted == []

    def test_out_of_tries_it_is_unknown_and_not_failed(self, kiosk: Kiosk) -> None:
        kiosk.server("email")
        kiosk.scenario(send="[email, sms]")
        kiosk.customer("anna", email="drop@example.com", phone=kiosk.to("sms", "accept"))
        kiosk.plan()
        for _ in range(6):
            kiosk.deliver()
            kiosk.clock.move_to(max(kiosk.message("anna").due_at, kiosk.clock.now()))
        assert kiosk.state("anna") == ("unknown", "connection_lost")
        assert kiosk.server("sms").accepted == []

    @pytest.mark.parametrize(
        ("said", "state", "texts"),
        [("550 5.7.1 too many alike", ("unknown", "blocked_by_policy"), 0),
         ("550 5.1.1 no such user", ("sent", None), 1)],
    )  # fmt: skip
    def test_refused_the_second_time_it_goes_by_another_channel_only_if_the_mailbox_is_no_more(
        self, kiosk: Kiosk, said: str, state: tuple[str, str | None], texts: int
    ) -> None:
        server = kiosk.server("email")
        kiosk.scenario(send="[email, sms]")
        kiosk.customer("anna", email="drop@example.com", phone=kiosk.to("sms", "accept"))
        kiosk.plan()
        kiosk.deliver()
        server.on_recipient["drop"] = said
        kiosk.clock.move_to(kiosk.message("anna").due_at)
        kiosk.deliver()
        assert kiosk.state("anna") == state
        assert len(kiosk.server("sms").accepted) == texts

    def test_what_may_have_left_before_is_not_said_to_be_recalled(self, kiosk: Kiosk) -> None:
        kiosk.server("email")
        kiosk.scenario(send="[email]")
        kiosk.customer("anna", email="drop@example.com")
        kiosk.plan()
        kiosk.deliver()
        kiosk.withdraw("anna", "email")
        kiosk.later(minutes=5)
        kiosk.deliver()
        assert kiosk.state("anna") == ("unknown", "no_consent")

    def test_a_silent_provider_is_left_alone_before_everything_is_unknown(self, kiosk: Kiosk) -> None:
        kiosk.scenario(send="[sms]")
        kiosk.customers(
            {f"anna{number}": {"phone": kiosk.to("sms", "drop", number)} for number in range(100)}
        )
        kiosk.plan()
        assert kiosk.deliver().broken == {"sms": "connection_lost"}
        assert kiosk.states() == {"planned": 80, "unknown": 20}
        kiosk.later(minutes=1)
        kiosk.deliver()
        assert kiosk.states() == {"planned": 75, "unknown": 25}

    def test_a_server_that_refuses_everybody_by_policy_does_not_burn_the_campaign(self, kiosk: Kiosk) -> None:
        kiosk.scenario(send="[email]")
        kiosk.customers(
            {f"anna{number}": {"email": kiosk.to("email", "permanent", number)} for number in range(400)}
        )
        kiosk.plan()
        assert kiosk.deliver().broken == {"email": "blocked_by_policy"}
        failed = kiosk.states()["failed"]
        assert failed <= 200, "what was claimed when the refusals came"
        kiosk.later(minutes=1)
        kiosk.deliver()
        assert kiosk.states() == {"planned": 395 - failed, "failed": failed + 5}
        assert kiosk.suppressed() == set()


class TestPoisoned:
    def test_a_message_that_cannot_be_rendered_is_set_aside_and_the_others_go(self, kiosk: Kiosk) -> None:
        kiosk.files["messages/hello/sms.txt"] = "{{ customer.attributes.pet | upper }}\n"
        kiosk.server("sms")
        kiosk.scenario(send="[sms]")
        kiosk.customer("anna", phone=kiosk.to("sms", "accept", 1), attributes={"pet": "cat"})
        kiosk.customer("boris", phone=kiosk.to("sms", "accept", 2))
        kiosk.customer("clara", phone=kiosk.to("sms", "accept", 3), attributes={"pet": "dog"})
        kiosk.plan()
        kiosk.deliver()
        assert [kiosk.state(name)[0] for name in ("anna", "boris", "clara")] == ["sent", "failed", "sent"]
        assert kiosk.state("boris")[1] == "not_rendered"
        assert kiosk.attempts("boris") == [("sms", 1, "permanent", "not_rendered")]

    def test_a_text_that_no_channel_can_carry_is_set_aside_and_the_others_go(self, kiosk: Kiosk) -> None:
        kiosk.files["messages/hello/sms.txt"] = "{{ customer.attributes.pet }}\n"
        kiosk.scenario(send="[sms]")
        kiosk.customer("anna", phone=kiosk.to("sms", "accept", 1), attributes={"pet": "x" * 2000})
        kiosk.customer("boris", phone=kiosk.to("sms", "accept", 2), attributes={"pet": "cat"})
        kiosk.plan()
        kiosk.deliver()
        assert kiosk.state("anna") == ("failed", "text_too_long")
        assert kiosk.state("boris") == ("sent", None)

    def test_facts_that_make_no_sense_poison_their_own_message_only(self, kiosk: Kiosk) -> None:
        kiosk.files["messages/thanks/sms.txt"] = "{{ trigger.expires_on | day }}\n"
        step = "{id: first, message: thanks, send: [sms]}"
        kiosk.write(thanks=f"when: {{bonus_accrued: {{at_least: 1}}}}\nsteps: [{step}]\n")
        for number in range(2):
            kiosk.customer(f"anna{number}", phone=f"+38050100000{number}", bonuses=0)
            kiosk.give(f"anna{number}", 50)
        kiosk.plan()
        own = EVENT.c.customer_id == kiosk.ids["anna0"]
        with kiosk.database.write() as connection:
            [data] = connection.scalars(select(EVENT.c.data).where(own, EVENT.c.kind == "bonus_accrued"))
            poison = {**data, "expires_on": "some day"}
            connection.execute(update(EVENT).where(own).values(data=poison))
        kiosk.deliver()
        assert kiosk.state("anna0") == ("failed", "not_rendered")
        assert kiosk.state("anna1") == ("sent", None)


@pytest.mark.parametrize("verdict", ["accept", "permanent", "temporary", "dead", "drop"])
def test_nothing_is_left_in_sending(kiosk: Kiosk, verdict: str) -> None:
    sms_only(kiosk, verdict)
    kiosk.deliver()
    row = kiosk.message("anna")
    assert row.state != "sending"
    assert (row.fence, row.lease_until) == (None, None)
