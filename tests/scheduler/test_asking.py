"""A message of which nobody knows whether it left: its provider is asked, and can only confirm."""

import asyncio
from contextlib import nullcontext
from datetime import timedelta
from email.utils import format_datetime

import pytest
from sqlalchemy import select, update

from campaigns.states import history
from core.clock import MovableClock
from core.customers.profiles import CUSTOMER
from core.tables import Address
from scheduler.asking import PAUSES, Asked, Asking
from scheduler.claim import reap
from tests.channels.providers import sms
from tests.channels.providers.http import Answer, Request
from tests.scheduler.kiosk import ATTEMPT, MESSAGE, Kiosk

ADDRESS = Address.__table__  # type: ignore[attr-defined]


class Twilio(sms.Server):
    """Takes messages over and lists them; `mute` is how many of its answers are lost on the way."""

    def __init__(self, clock: MovableClock) -> None:
        super().__init__()
        self._clock, self.mute, self.status = clock, 0, "queued"

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        if request.method == "POST" and answer.status == 201:
            self._write_down(request, answer.content["sid"])
            self.mute -= 1
            return Answer(0) if self.mute >= 0 else answer
        return answer

    def _write_down(self, request: Request, sid: str) -> None:
        form, at = sms.form_of(request), format_datetime(self._clock.now())
        self.listed.append(
            {"sid": sid, "to": form["To"], "from": "Kiosk", "body": form["Body"], "direction": "outbound-api",
             "status": self.status, "date_created": at, "date_sent": at}
        )  # fmt: skip


@pytest.fixture
def twilio(kiosk: Kiosk) -> Twilio:
    kiosk.scenario(send="[sms]")
    kiosk.servers["sms"] = server = Twilio(kiosk.clock)
    kiosk.environments["sms"] = server.environment()
    return server


def send(kiosk: Kiosk, *names: str, phone: str | None = None, verdict: str = "accept") -> None:
    people = {
        name: {"phone": phone or kiosk.to("sms", verdict, number)}  # type: ignore[arg-type]
        for number, name in enumerate(names)
    }
    kiosk.customers(people)
    kiosk.plan()
    kiosk.deliver()


def forget(kiosk: Kiosk, *names: str) -> None:
    """As if the answers to these had been lost."""
    for name in names:
        kiosk.set(name, state="unknown", provider_id=None, accepted_at=None)
        with kiosk.database.write() as connection:
            own = update(ATTEMPT).where(ATTEMPT.c.message_id == kiosk.message(name).id)
            connection.execute(own.values(outcome="unknown", provider_id=None))


def ask(kiosk: Kiosk) -> Asked:
    channels = kiosk.channels()

    async def asking() -> Asked:
        async with channels["sms"]:
            return await Asking(
                kiosk.database, kiosk.live, kiosk.links, kiosk.clock, lambda name: nullcontext(channels[name])
            ).run()

    return asyncio.run(asking())


def test_an_answer_that_was_lost_is_found_and_the_message_was_sent_when_it_was_tried(
    kiosk: Kiosk, twilio: Twilio
) -> None:
    kiosk.scenario(then="1 day", send="[sms]")
    twilio.mute, tried = 1, kiosk.clock.now()
    send(kiosk, "anna")
    assert kiosk.state("anna") == ("unknown", "connection_lost")
    assert ask(kiosk) == Asked(), "it was asked too soon"
    kiosk.later(minutes=1)
    assert ask(kiosk) == Asked(found=1)

    row = kiosk.message("anna")
    assert (row.state, row.reason, row.provider_id) == ("sent", "found_by_asking", twilio.listed[0]["sid"])
    assert (row.accepted_at, row.changed_at) == (tried, tried + timedelta(minutes=1))
    assert row.cost is not None
    assert kiosk.anchor("anna") == tried
    assert kiosk.verdict("anna") == ("sent", "found_by_asking")
    with kiosk.database.read() as connection:
        states = [(it.state, it.reason) for it in history(connection, [row.id])[row.id]]
    assert states[-2:] == [("unknown", "connection_lost"), ("sent", "found_by_asking")]

    kiosk.later(days=1)
    assert ask(kiosk) == Asked()
    assert kiosk.report("anna", "delivered"), "a later report is not known as its own"
    assert kiosk.state("anna")[0] == "delivered"
    assert len(twilio.accepted) == 1


def test_it_is_asked_about_though_its_scenario_has_another_name_by_then(kiosk: Kiosk, twilio: Twilio) -> None:
    twilio.mute = 1
    send(kiosk, "anna")
    text = kiosk.files["scenarios/reminder.yaml"]
    for before, after in (("reminder", "nudge"), ("nudge", "hint")):
        kiosk.write(**{before: None, after: f"formerly: {before}\n{text}"})
    kiosk.later(minutes=1)
    assert ask(kiosk) == Asked(found=1)


def test_what_never_arrived_stays_unknown_and_is_asked_about_with_growing_pauses(
    kiosk: Kiosk, twilio: Twilio
) -> None:
    send(kiosk, "anna", verdict="drop")
    since = kiosk.clock.now()
    for pause in PAUSES:
        kiosk.clock.move_to(since + pause - timedelta(seconds=1))
        assert ask(kiosk) == Asked(), "it was asked too soon"
        kiosk.later(seconds=1)
        assert ask(kiosk) == Asked(open=1)
    kiosk.later(days=9)
    assert ask(kiosk) == Asked(), "it was not given up"
    assert kiosk.state("anna") == ("unknown", "connection_lost")
    assert sum(request.method == "POST" for request in twilio.requests) == 1, "it was sent again"


def test_a_twin_that_is_known_already_is_not_taken_for_it(kiosk: Kiosk, twilio: Twilio) -> None:
    send(kiosk, "anna", "boris", phone=kiosk.to("sms", "accept"))
    forget(kiosk, "boris")
    twilio.listed = [it for it in twilio.listed if it["sid"] == kiosk.message("anna").provider_id]
    kiosk.later(minutes=1)
    assert ask(kiosk) == Asked(open=1)
    assert kiosk.state("boris")[0] == "unknown"


def test_two_in_doubt_to_one_number_do_not_share_one_name(kiosk: Kiosk, twilio: Twilio) -> None:
    send(kiosk, "anna", "boris", phone=kiosk.to("sms", "accept"))
    forget(kiosk, "anna", "boris")
    twilio.listed = twilio.listed[:1]
    kiosk.later(minutes=1)
    assert ask(kiosk) == Asked(found=1, open=1)
    assert sorted(kiosk.states().items()) == [("sent", 1), ("unknown", 1)]


def test_a_sender_that_died_is_asked_about_as_well(kiosk: Kiosk, twilio: Twilio) -> None:
    twilio.mute = 1
    send(kiosk, "anna")
    row = kiosk.message("anna")
    kiosk.set("anna", state="sending", lease_until=kiosk.clock.now())
    kiosk.later(minutes=6)
    with kiosk.database.write() as connection:
        assert reap(connection, {"sms": "at_most_once"}, kiosk.clock.now()) == 1
    kiosk.later(minutes=1)
    assert ask(kiosk) == Asked(found=1)
    assert kiosk.message("anna").accepted_at == row.changed_at


def test_what_the_provider_says_of_its_way_is_known_at_once(kiosk: Kiosk, twilio: Twilio) -> None:
    kiosk.scenario(send="[sms, email]", limits="{valid_for: 5 days}")
    twilio.mute, twilio.status = 1, "delivered"
    send(kiosk, "anna")
    kiosk.later(minutes=1)
    assert ask(kiosk) == Asked(found=1)
    assert kiosk.state("anna")[0] == "delivered"


def test_who_was_erased_is_not_asked_about(kiosk: Kiosk, twilio: Twilio) -> None:
    twilio.mute = 1
    send(kiosk, "anna")
    with kiosk.database.write() as connection:
        connection.execute(ADDRESS.delete())
        anonymous = update(CUSTOMER).values(name=None, phone=None)
        connection.execute(anonymous)
    before = len(twilio.requests)
    kiosk.later(minutes=1)
    assert ask(kiosk) == Asked(open=1)
    assert len(twilio.requests) == before
    with kiosk.database.read() as connection:
        assert connection.scalars(select(MESSAGE.c.state)).all() == ["unknown"]
