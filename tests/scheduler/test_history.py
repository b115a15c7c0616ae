"""Every state that a message came into is kept, with its time and its reason."""

from datetime import timedelta

from sqlalchemy import select

from campaigns.states import history
from campaigns.tables import MessageState
from scheduler.claim import Claimer
from tests.channels.providers import sms as twilio
from tests.scheduler.kiosk import Kiosk, at

STATE = MessageState.__table__  # type: ignore[attr-defined]
Told = tuple[str, str, str | None]


def told(kiosk: Kiosk, name: str = "anna") -> list[Told]:
    """State, channel and reason of each change of the customer's message."""
    with kiosk.database.read() as connection:
        number = kiosk.message(name).id
        return [(it.state, it.channel, it.reason) for it in history(connection, [number])[number]]


def test_a_message_that_goes_through_tells_when_it_was_planned_begun_sent_and_delivered(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone=kiosk.to("sms", "accept"))
    kiosk.plan()
    assert told(kiosk) == [("planned", "sms", None)]
    kiosk.deliver()
    kiosk.later(minutes=2)
    kiosk.report("anna", "delivered")
    assert told(kiosk) == [
        ("planned", "sms", None),
        ("sending", "sms", None),
        ("sent", "sms", None),
        ("delivered", "sms", None),
        ("delivered", "sms", None),
    ]
    with kiosk.database.read() as connection:
        number = kiosk.message("anna").id
        changes = history(connection, [number])[number]
    assert changes[-1].is_report != changes[-2].is_report
    assert changes[-1].at - changes[-3].at == timedelta(minutes=2)


def test_a_retry_and_a_cascade_say_why(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms, email]")
    kiosk.customer("anna", phone=kiosk.to("sms", "temporary"), email=kiosk.to("email", "accept"))
    kiosk.plan()
    kiosk.deliver()
    kiosk.later(seconds=7)
    kiosk.server("sms").next.append(twilio.error(400, 21211))
    kiosk.deliver()
    changes = told(kiosk)
    assert changes[:4] == [
        ("planned", "sms", None),
        ("sending", "sms", None),
        ("planned", "sms", "rate_limited"),
        ("sending", "sms", None),
    ]
    assert changes[4][:2] == ("planned", "email")
    assert (changes[4][2] or "").startswith("after sms: ")
    assert changes[5:] == [("sending", "email", None), ("sent", "email", None)]


def test_a_quiet_night_is_told(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]", limits="{quiet_hours: '09:00-21:00'}")
    kiosk.customer("anna", phone=kiosk.to("sms", "accept"))
    kiosk.plan()
    assert told(kiosk) == [("planned", "sms", None), ("deferred", "sms", "quiet_hours")]
    kiosk.clock.move_to(at("2026-03-01 19:00"))
    kiosk.deliver()
    assert [state for state, _, _ in told(kiosk)] == ["planned", "deferred", "sending", "sent"]


def test_what_died_on_its_way_and_what_was_recalled_is_told(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[email]")
    kiosk.customers({name: {"email": f"{name}@example.com"} for name in ("anna", "boris")})
    kiosk.plan()
    with kiosk.database.write() as connection:
        Claimer(kiosk.live.running(), kiosk.links, kiosk.clock.now()).claim(connection, "email", limit=1)
    kiosk.later(minutes=6)
    kiosk.withdraw("boris", "email")
    kiosk.withdraw("anna", "email")
    kiosk.deliver()
    assert told(kiosk) == [
        ("planned", "email", None),
        ("sending", "email", None),
        ("planned", "email", "interrupted"),
        ("unknown", "email", "no_consent"),
    ]
    assert told(kiosk, "boris") == [("planned", "email", None), ("recalled", "email", "no_consent")]


def test_rows_are_only_ever_added(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone=kiosk.to("sms", "temporary"))
    kiosk.plan()
    seen: list[tuple[object, ...]] = []
    for _ in range(3):
        kiosk.deliver()
        kiosk.later(seconds=7)
        with kiosk.database.read() as connection:
            rows = [tuple(row) for row in connection.execute(select(STATE).order_by(STATE.c.id))]
        assert rows[: len(seen)] == seen
        assert len(rows) == len(seen) + 2
        seen = rows
