"""A scenario is paused or cancelled while senders have its messages in hand."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from campaigns import versions
from scheduler import tally
from scheduler.cancelling import Cancelled, cancel
from tests.channels.providers import sms
from tests.channels.providers.http import Answer, Request
from tests.scheduler.kiosk import Kiosk

Act = Callable[[], object]


class Acting(sms.Server):
    """During the third message somebody does something."""

    def __init__(self, act: Act) -> None:
        super().__init__()
        self._act = act

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        if len(self.accepted) == 3:
            self._act()
        return answer


def crowd(kiosk: Kiosk, count: int, act: Act | None = None) -> None:
    if act is not None:
        kiosk.servers["sms"] = server = Acting(act)
        kiosk.environments["sms"] = server.environment()
    kiosk.settings = {"TIDINGS_SMS_CONCURRENCY": "1"}
    kiosk.scenario(send="[sms, email]")
    kiosk.customers({
        f"anna{n}": {"phone": kiosk.to("sms", "accept", n), "email": kiosk.to("email", "accept", n)}
        for n in range(count)
    })  # fmt: skip
    kiosk.plan()


def take_back(kiosk: Kiosk) -> Cancelled:
    return cancel(kiosk.database, "reminder", kiosk.clock.now())


def pause(kiosk: Kiosk) -> None:
    with kiosk.database.write() as connection:
        versions.pause(connection, "reminder")


def test_what_waits_is_recalled(kiosk: Kiosk) -> None:
    crowd(kiosk, 3)
    kiosk.set("anna1", accepted_at=kiosk.clock.now())
    assert take_back(kiosk) == Cancelled(recalled=3, perhaps=0, leaving=0)
    assert kiosk.state("anna0") == ("recalled", "cancelled")
    assert kiosk.verdict("anna0")[0] == "cancelled"
    assert kiosk.state("anna1") == ("sent", "fallback recalled: cancelled"), "its first way was taken over"
    kiosk.deliver()
    assert kiosk.server("sms").accepted == []


def test_what_is_planned_later_goes(kiosk: Kiosk) -> None:
    crowd(kiosk, 1)
    take_back(kiosk)
    kiosk.later(days=1)
    kiosk.customer("bert", phone=kiosk.to("sms", "accept", 7))
    kiosk.plan()
    kiosk.deliver()
    assert (kiosk.state("anna0")[0], kiosk.state("bert")[0]) == ("recalled", "sent")


@pytest.mark.parametrize(("act", "left"), [(pause, "planned"), (take_back, "recalled")])
def test_what_a_sender_has_not_begun_is_put_back(
    kiosk: Kiosk, act: Callable[[Kiosk], object], left: str
) -> None:
    kiosk.settings = {"TIDINGS_SMS_CONCURRENCY": "1"}
    crowd(kiosk, 12, lambda: act(kiosk))
    kiosk.deliver()
    states = kiosk.states()
    assert set(states) == {left, "sent"}, "a message on its way was given up"
    assert states["sent"] == len(kiosk.server("sms").accepted) < 12
    # Which of those that are due at one moment go first is nobody's promise.
    kept = [row for row in map(kiosk.message, kiosk.ids) if row.state == left]
    assert [row.tries for row in kept] == [0] * len(kept), "waiting cost a try"


def test_what_a_machine_planned_whose_clock_is_ahead_is_recalled_too(kiosk: Kiosk) -> None:
    crowd(kiosk, 1)
    kiosk.set("anna0", planned_at=kiosk.clock.now() + timedelta(seconds=3))
    assert take_back(kiosk).recalled == 1
    with kiosk.database.read() as connection:
        assert tally.counted(connection)[tally.MESSAGE, "sms", "recalled", "cancelled"] == 1
