"""How the channels are: paused, left alone and since when, and what a plan has let go today."""

from structlog.testing import capture_logs

from channels import Accepted
from scheduler.condition import Condition, conditions
from scheduler.throttle import BREAK, BREAK_AFTER, judge, pause
from tests.scheduler.kiosk import Kiosk


def condition(kiosk: Kiosk, channel: str) -> Condition:
    program = kiosk.live.running().program
    with kiosk.database.read() as connection:
        found = conditions(connection, kiosk.channels(), program, kiosk.clock.now())
    return next(it for it in found if it.channel == channel)


def test_a_provider_that_is_down_is_told_of_once_with_since_when(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]")
    kiosk.customers({f"anna{n}": {"phone": kiosk.to("sms", "temporary", n)} for n in range(BREAK_AFTER + 2)})
    kiosk.plan()
    began = kiosk.clock.now()
    with capture_logs() as logs:
        for _ in range(4):
            kiosk.deliver()
            kiosk.later(seconds=BREAK.total_seconds() + 1)
    assert [it["event"] for it in logs].count("channel left alone for a while") == 1
    found = condition(kiosk, "sms")
    assert (found.reason, found.broken_since) == ("rate_limited", began)
    assert found.open_until is not None
    assert found.waiting == BREAK_AFTER + 2

    with capture_logs() as logs, kiosk.database.write() as connection:
        judge(connection, "sms", [Accepted("SM1")], kiosk.clock.now())
    assert "channel works again" in [it["event"] for it in logs]
    assert condition(kiosk, "sms").broken_since is None


def test_a_day_s_places_and_a_pause_are_shown(kiosk: Kiosk) -> None:
    plan = "  email: {warm_up: {from: 2026-03-01, per_day: [2, 5]}, rate: 10 per second, "
    kiosk.write(program=kiosk.files["program.yaml"].replace("  email: {", plan))
    kiosk.scenario(send="[email]")
    kiosk.customers({f"anna{n}": {"email": kiosk.to("email", "accept", n)} for n in range(4)})
    kiosk.plan()
    kiosk.deliver()
    found = condition(kiosk, "email")
    assert (found.transport, found.rate) == ("smtp", "10 per second")
    assert (found.used, found.places, found.waiting) == (2, 2, 2)
    kiosk.later(days=1)
    found = condition(kiosk, "email")
    assert (found.used, found.places) == (0, 5), "another day has its own places"
    with kiosk.database.write() as connection:
        pause(connection, "email", kiosk.clock.now(), "a new name")
    assert condition(kiosk, "email").paused_reason == "a new name"
