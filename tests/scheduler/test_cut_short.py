"""No more time: a service whose tasks are all cancelled, and a provider that outlasts the lease."""

import asyncio
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from channels import Outcome
from channels.sms import Sms, Text
from channels.transport import Transport
from scheduler import delivery
from scheduler.outcomes import settle
from tests.scheduler.kiosk import Kiosk


def test_what_had_not_begun_goes_back_even_if_something_was_just_being_written_down(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = Event(), Event()

    def settled(*given: Any) -> Any:
        writing.set()
        assert go_on.wait(30)
        return settle(*given)

    async def story() -> None:
        sending = asyncio.create_task(kiosk.delivering())
        assert await asyncio.to_thread(writing.wait, 30), "nothing was written down"
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        go_on.set()
        await asyncio.wait({sending, *others}, timeout=30)

    monkeypatch.setattr(delivery, "settle", settled)
    kiosk.settings = {"TIDINGS_SMS_CONCURRENCY": "2"}
    kiosk.scenario(send="[sms]")
    ways = ("accept", "hang", "hang", "accept")
    kiosk.customers({f"anna{n}": {"phone": kiosk.to("sms", way, n)} for n, way in enumerate(ways)})  # type: ignore[arg-type]
    kiosk.plan()
    asyncio.run(story())
    assert kiosk.states() == {"planned": 1, "sent": 1, "unknown": 2}
    assert kiosk.state("anna3") == ("planned", "not_begun")


class Endless(Transport[Text]):
    """Comes to no answer, and the lease goes by meanwhile."""

    def __init__(self, kiosk: Kiosk, lease: timedelta) -> None:
        self._kiosk, self._lease = kiosk, lease

    async def transmit(self, wire: Text) -> Outcome:
        self._kiosk.clock.move_by(self._lease / 2)
        await asyncio.sleep(10)
        raise AssertionError("nobody gave it up")


def test_a_provider_that_outlasts_the_lease_is_given_up_before_others_may_have_the_messages(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = timedelta(seconds=1)
    kiosk.server("sms")
    monkeypatch.setattr(Sms, "provider", lambda _: Endless(kiosk, lease))
    kiosk.settings = {"TIDINGS_SMS_CONCURRENCY": "2"}
    kiosk.scenario(send="[sms]")
    kiosk.customers({f"anna{n}": {"phone": kiosk.to("sms", "accept", n)} for n in range(4)})
    kiosk.plan()

    async def story() -> None:
        channels = {"sms": kiosk.channels()["sms"]}
        async with channels["sms"]:
            await kiosk.delivery(channels, lease=lease).run()

    asyncio.run(story())
    assert {kiosk.state(f"anna{n}") for n in range(4)} == {("unknown", "interrupted")}
