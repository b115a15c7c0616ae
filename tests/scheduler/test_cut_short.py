"""A service that has no more time: all its tasks are cancelled, at whatever they are."""

import asyncio
from threading import Event
from typing import Any

import pytest

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
