"""Just before sending: is it still wanted, still true, still in time?"""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, update

from campaigns.running import Running
from campaigns.versions import Live, pause, resume
from core.customers.addresses import ADDRESS, SUPPRESSION
from core.db import Database
from scheduler import claim
from scheduler.claim import Claimer, due_on
from scheduler.delivery import tidy
from tests.scheduler.kiosk import MESSAGE, REMINDER, Kiosk, at


def planned(kiosk: Kiosk, **person: object) -> None:
    """Anna's reminder stands in the outbox."""
    kiosk.customer("anna", **({"phone": "+380501000001"} | person))
    kiosk.plan()
    assert kiosk.message("anna").state == "planned"


def test_a_planned_message_leaves_and_its_attempt_is_kept(kiosk: Kiosk) -> None:
    kiosk.scenario(then="1 day", send="[sms]")
    planned(kiosk)
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", None)
    assert kiosk.attempts("anna") == [("sms", 1, "accepted", None)]
    assert kiosk.verdict("anna") == ("sent", None)
    assert kiosk.anchor("anna") == kiosk.clock.now()


def test_it_is_marked_sending_and_committed_before_anything_else_happens(kiosk: Kiosk) -> None:
    planned(kiosk)
    with kiosk.database.write() as connection:
        claimed = Claimer(kiosk.live.running(), kiosk.links, kiosk.clock.now()).claim(connection, "sms")
    row = kiosk.message("anna")
    assert (row.state, row.fence, row.tries) == ("sending", claimed.fence, 1)
    assert row.lease_until == claimed.lease_until == kiosk.clock.now() + timedelta(minutes=5)


def test_who_withdrew_consent_gets_nothing_on_any_channel(kiosk: Kiosk) -> None:
    kiosk.scenario(then="1 day")
    planned(kiosk, email="accept@example.com")
    kiosk.withdraw("anna", "sms")
    kiosk.deliver()
    assert kiosk.state("anna") == ("recalled", "no_consent")
    assert kiosk.verdict("anna") == ("no_consent", None)
    assert kiosk.attempts("anna") == []
    assert kiosk.anchor("anna") == kiosk.clock.now()


def test_a_message_about_ones_own_account_needs_no_consent(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]", purpose="service")
    planned(kiosk, consented=[])
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", None)


@pytest.mark.parametrize(
    ("planned_as", "corrected", "became"),
    [("service", "marketing", ("recalled", "no_consent")), ("marketing", "service", ("sent", None))],
)
def test_a_purpose_that_is_corrected_holds_for_what_waits(
    kiosk: Kiosk, planned_as: str, corrected: str, became: tuple[str, str | None]
) -> None:
    kiosk.scenario(send="[sms]", purpose=planned_as)
    planned(kiosk, consented=[] if planned_as == "service" else ["sms"])
    kiosk.scenario(send="[sms]", purpose=corrected)
    kiosk.withdraw("anna", "sms")
    kiosk.deliver()
    assert kiosk.state("anna") == became
    assert kiosk.message("anna").purpose == corrected


def suppress(kiosk: Kiosk, kind: str, channel: str) -> None:
    with kiosk.database.write() as connection:
        digest = kiosk.addresses.digest(kind, "+380501000001" if kind == "phone" else "accept@example.com")
        row = {"channel": channel, "digest": digest, "reason": "test", "at": kiosk.clock.now()}
        connection.execute(insert(SUPPRESSION).values(**row))


def test_a_suppressed_address_hands_over_to_the_next_channel(kiosk: Kiosk) -> None:
    planned(kiosk, email="accept@example.com")
    suppress(kiosk, "phone", "sms")
    kiosk.deliver()
    assert kiosk.attempts("anna") == [("email", 1, "accepted", None)]


def test_with_every_address_suppressed_the_message_is_recalled(kiosk: Kiosk) -> None:
    planned(kiosk, email="accept@example.com")
    suppress(kiosk, "phone", "sms")
    suppress(kiosk, "email", "email")
    kiosk.deliver()
    assert kiosk.state("anna") == ("recalled", "suppressed")


def test_a_suppression_concerns_its_own_channel_only(kiosk: Kiosk) -> None:
    planned(kiosk)
    suppress(kiosk, "phone", "whatsapp")
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", None)


def test_no_purpose_skips_suppression(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]", purpose="transactional")
    planned(kiosk)
    suppress(kiosk, "phone", "sms")
    kiosk.deliver()
    assert kiosk.state("anna") == ("recalled", "suppressed")


def test_an_address_that_is_gone_hands_over_to_the_next_channel(kiosk: Kiosk) -> None:
    planned(kiosk, email="accept@example.com")
    with kiosk.database.write() as connection:
        connection.execute(update(ADDRESS).where(ADDRESS.c.kind == "phone").values(active=False))
    kiosk.deliver()
    assert kiosk.attempts("anna") == [("email", 1, "accepted", None)]


def test_with_no_address_left_the_message_is_recalled(kiosk: Kiosk) -> None:
    planned(kiosk)
    with kiosk.database.write() as connection:
        connection.execute(delete(ADDRESS))
    kiosk.deliver()
    assert kiosk.state("anna") == ("recalled", "unreachable")


def test_the_newest_usable_address_is_written_to(kiosk: Kiosk) -> None:
    device = kiosk.to("push", "accept", 2)
    kiosk.customer("anna", push=kiosk.to("push", "dead", 1))
    kiosk.plan()
    kiosk.later(minutes=1)
    with kiosk.database.write() as connection:
        kiosk.addresses.add(connection, [(kiosk.ids["anna"], "push", device)], kiosk.clock.now())
    kiosk.deliver()
    assert kiosk.server("push").accepted == [device]


def test_spent_bonuses_recall_the_message(kiosk: Kiosk) -> None:
    planned(kiosk)
    kiosk.spend("anna", 450)
    kiosk.deliver()
    assert kiosk.state("anna") == ("recalled", "no_longer_true")
    assert kiosk.verdict("anna") == ("no_longer_true", None)


def test_the_message_says_and_keeps_what_is_true_now(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone=kiosk.to("sms", "accept"))
    kiosk.plan()
    kiosk.spend("anna", 100)
    kiosk.deliver()
    assert kiosk.server("sms").forms[0]["Body"] == "400 bonuses"
    assert kiosk.message("anna").facts["expiring"] == 40_000


def test_the_version_whose_words_it_says_is_kept(kiosk: Kiosk) -> None:
    planned(kiosk)
    kiosk.files["messages/hello/sms.txt"] = "Now {{ trigger.expiring | points }}\n"
    kiosk.write()
    kiosk.deliver()
    assert kiosk.message("anna").version == 2


def test_quiet_hours_defer_to_their_end_by_the_customers_own_clock(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]", schedule="every hour")
    planned(kiosk, time_zone="Asia/Tokyo")
    kiosk.clock.move_to(at("2026-03-01 12:30"))  # half past nine in the evening in Tokyo
    kiosk.deliver()
    assert kiosk.state("anna") == ("deferred", "quiet_hours")
    assert kiosk.verdict("anna") == ("deferred", "quiet_hours")
    assert kiosk.message("anna").due_at == at("2026-03-02 00:00")
    assert kiosk.anchor("anna") is None
    kiosk.clock.move_to(at("2026-03-01 23:59"))
    kiosk.deliver()
    assert kiosk.message("anna").state == "deferred"
    kiosk.clock.move_to(at("2026-03-02 00:00"))
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", None)


def test_transactional_messages_know_no_quiet_hours(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]", purpose="transactional")
    planned(kiosk)
    kiosk.clock.move_to(at("2026-03-01 20:00"))
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", None)


def test_a_blackout_day_defers_marketing_to_the_next_morning(kiosk: Kiosk) -> None:
    planned(kiosk)
    kiosk.write(program=kiosk.files["program.yaml"] + "blackout: [2026-03-01]\n")
    kiosk.deliver()
    assert kiosk.state("anna") == ("deferred", "quiet_hours")
    assert kiosk.message("anna").due_at == at("2026-03-02 07:00")


@pytest.mark.parametrize(("hours", "state"), [(1.9, "sent"), (2, "expired")])
def test_a_message_is_dropped_at_the_end_of_its_validity(kiosk: Kiosk, hours: float, state: str) -> None:
    kiosk.scenario(send="[sms]", limits="{valid_for: 2 hours}")
    planned(kiosk)
    kiosk.later(hours=hours)
    kiosk.deliver()
    assert kiosk.message("anna").state == state


def test_a_deferral_beyond_the_validity_expires_at_once(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]", limits="{valid_for: 20 hours}")
    planned(kiosk)
    kiosk.later(hours=12)
    kiosk.deliver()
    assert kiosk.state("anna") == ("expired", "expired")
    assert kiosk.verdict("anna") == ("expired", "quiet_hours")


def test_a_paused_scenario_waits_and_goes_on(kiosk: Kiosk) -> None:
    planned(kiosk)
    with kiosk.database.write() as connection:
        pause(connection, "reminder")
    assert kiosk.deliver().by_channel == {}
    assert kiosk.message("anna").state == "planned"
    with kiosk.database.write() as connection:
        resume(connection, "reminder")
    kiosk.deliver()
    assert kiosk.message("anna").state == "sent"


def test_what_the_blast_guard_stopped_later_does_not_stop_what_was_planned_before(kiosk: Kiosk) -> None:
    planned(kiosk)
    kiosk.write(program=kiosk.files["program.yaml"] + "max_per_look: 1\n")
    for number in range(3):
        kiosk.customer(f"boris{number}", phone=f"+3805010001{number}0")
    kiosk.later(days=1)
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.states() == {"sent": 1}


def test_a_removed_scenario_recalls_its_messages(kiosk: Kiosk) -> None:
    planned(kiosk)
    kiosk.write(reminder=None, other=REMINDER)
    kiosk.deliver()
    assert kiosk.state("anna") == ("recalled", "scenario_removed")


class Overtaken(Live):
    """Somebody applies files just after a sender has asked what is live."""

    def __init__(self, kiosk: Kiosk, **changed: str | None) -> None:
        super().__init__(kiosk.database)
        self._kiosk, self._changed = kiosk, changed

    def running(self) -> Running:
        found, changed, self._changed = super().running(), self._changed, {}
        if changed:
            self._kiosk.write(**changed)
        return found


def test_a_scenario_that_is_renamed_while_its_messages_are_claimed_keeps_them(kiosk: Kiosk) -> None:
    planned(kiosk)

    async def run() -> None:
        async with kiosk.channels()["sms"] as channel:
            kiosk.live = Overtaken(kiosk, reminder=None, nudge=f"formerly: reminder\n{REMINDER}")
            await kiosk.delivery({"sms": channel}).run()

    asyncio.run(run())
    assert kiosk.state("anna") == ("sent", None)


def test_a_scenario_that_is_renamed_while_nobody_confirms_goes_on_to_its_next_channel(kiosk: Kiosk) -> None:
    kiosk.scenario(steps="[{id: first, message: hello, send: [sms, email], fallback_after: 2 hours}]")
    planned(kiosk, phone=kiosk.to("sms", "accept"), email=kiosk.to("email", "accept"))
    kiosk.deliver()
    kiosk.later(hours=2)
    again = f"formerly: reminder\n{kiosk.files['scenarios/reminder.yaml']}"
    live = Overtaken(kiosk, reminder=None, nudge=again)
    policies = {name: channel.policy for name, channel in kiosk.channels().items()}
    assert tidy(kiosk.database, live, policies, kiosk.clock) == (0, 1)
    assert kiosk.message("anna").channel == "email"


def renamed_words(kiosk: Kiosk) -> None:
    """The folder `hello` is called `hi` from now on."""
    for path in [it for it in kiosk.files if it.startswith("messages/hello/")]:
        kiosk.files[path.replace("hello", "hi")] = kiosk.files.pop(path)
    kiosk.write(reminder=kiosk.files["scenarios/reminder.yaml"].replace("hello", "hi"))


def test_a_message_whose_folder_gets_another_name_leaves_all_the_same(kiosk: Kiosk) -> None:
    planned(kiosk, phone=kiosk.to("sms", "accept"))
    renamed_words(kiosk)
    kiosk.deliver()
    assert kiosk.state("anna") == ("sent", None)
    assert kiosk.message("anna").message == "hi"


def test_a_cascade_whose_folder_gets_another_name_goes_on(kiosk: Kiosk) -> None:
    kiosk.scenario(steps="[{id: first, message: hello, send: [sms, email], fallback_after: 2 hours}]")
    planned(kiosk, phone=kiosk.to("sms", "accept"), email=kiosk.to("email", "accept"))
    kiosk.deliver()
    renamed_words(kiosk)
    kiosk.later(hours=2)
    kiosk.deliver()
    assert (kiosk.message("anna").channel, kiosk.state("anna")) == ("email", ("sent", None))


def test_a_later_step_whose_folder_gets_another_name_is_said_all_the_same(kiosk: Kiosk) -> None:
    kiosk.scenario(then="1 day", send="[sms]")
    planned(kiosk, phone=kiosk.to("sms", "accept"))
    kiosk.deliver()
    renamed_words(kiosk)
    kiosk.later(days=1)
    kiosk.plan()
    kiosk.deliver()
    second = kiosk.message("anna")
    assert (second.step, second.message, second.state) == ("second", "hi", "sent")


def test_somebody_who_waits_does_not_queue_behind_a_campaign(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone="+380501000001")
    kiosk.plan()
    kiosk.later(minutes=1)
    kiosk.customer("boris", phone="+380501000002", bonuses=0)
    kiosk.write(code=REMINDER.replace("every day at 10:00", "every minute") + "purpose: transactional\n")
    kiosk.plan()
    kiosk.later(minutes=1)
    kiosk.plan()
    with kiosk.database.write() as connection:
        claimed = Claimer(kiosk.live.running(), kiosk.links, kiosk.clock.now()).claim(
            connection, "sms", limit=1
        )
    assert [it.row.scenario for it in claimed.messages] == ["code"]


def test_two_claims_never_take_the_same_message(kiosk: Kiosk) -> None:
    for number in range(5):
        kiosk.customer(f"anna{number}", phone=f"+38050100001{number}")
    kiosk.plan()
    claimer = Claimer(kiosk.live.running(), kiosk.links, kiosk.clock.now())
    with kiosk.database.write() as connection:
        first = claimer.claim(connection, "sms", limit=3)
    with kiosk.database.write() as connection:
        second = claimer.claim(connection, "sms", limit=3)
    taken = [{it.row.id for it in taken_by.messages} for taken_by in (first, second)]
    assert (len(taken[0]), len(taken[1])) == (3, 2)
    assert not taken[0] & taken[1]


def test_what_is_true_is_asked_anew_at_each_claim_even_within_a_second(kiosk: Kiosk) -> None:
    for name, phone in (("anna", "+380501000001"), ("boris", "+380501000002")):
        kiosk.customer(name, phone=phone)
    kiosk.plan()
    claimer = Claimer(kiosk.live.running(), kiosk.links, kiosk.clock.now())
    with kiosk.database.write() as connection:
        first = claimer.claim(connection, "sms", limit=1)
    (left,) = {"anna", "boris"} - {it.row.external_id for it in first.messages}
    kiosk.spend(left, 450)
    with kiosk.database.write() as connection:
        assert not claimer.claim(connection, "sms").messages
    assert kiosk.state(left) == ("recalled", "no_longer_true")


def test_looking_for_work_reads_an_index_and_not_the_outbox(sqlite_database: Database) -> None:
    with sqlite_database.read() as connection:
        due = claim._due(connection, at("2026-03-01 08:00")).where(MESSAGE.c.channel == "sms")
        compiled = due.order_by(MESSAGE.c.due_at).limit(100).compile(connection.engine)
        words = "EXPLAIN QUERY PLAN " + str(compiled)
        plan = connection.exec_driver_sql(words, tuple(compiled.params.values())).all()
    assert len(plan) == 1
    assert "USING" in plan[0].detail
    assert "INDEX message_due (channel=? AND due_at<?)" in plan[0].detail


def test_nothing_is_due_on_a_channel_without_messages(kiosk: Kiosk) -> None:
    planned(kiosk)
    with kiosk.database.read() as connection:
        assert due_on(connection, "sms", kiosk.clock.now())
        assert not due_on(connection, "email", kiosk.clock.now())
        assert not due_on(connection, "sms", kiosk.clock.now() - timedelta(minutes=1))
