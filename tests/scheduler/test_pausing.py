"""A channel is paused and resumed while senders run."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from channels import Failed
from scheduler import throttle
from scheduler.claim import Claimer
from scheduler.line import Chunk, Line
from scheduler.outcomes import Settled, settle
from tests.channels.helpers import outgoing
from tests.channels.providers import sms
from tests.channels.providers.http import Answer, Request
from tests.scheduler.kiosk import Kiosk

WHY = "the sender's name is being changed"


def pause(kiosk: Kiosk, channel: str = "sms") -> None:
    with kiosk.database.write() as connection:
        throttle.pause(connection, channel, kiosk.clock.now(), WHY)


def resume(kiosk: Kiosk, channel: str = "sms") -> bool:
    with kiosk.database.write() as connection:
        return throttle.resume(connection, channel)


def crowd(kiosk: Kiosk, count: int, send: str = "[sms]") -> None:
    kiosk.scenario(send=send)
    people = {
        f"anna{n}": {"phone": kiosk.to("sms", "accept", n), "email": kiosk.to("email", "accept", n)}
        for n in range(count)
    }
    kiosk.customers(people)
    kiosk.plan()


def test_a_paused_channel_sends_nothing_and_its_messages_wait(kiosk: Kiosk) -> None:
    pause(kiosk)
    crowd(kiosk, 3)
    kiosk.write(other="when: {bonus_expiring: {at_least: 100, ahead: 3 days}}\nschedule: every day at 10:00\n"
                      "steps: [{id: first, message: hello, send: [email]}]\n")  # fmt: skip
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.server("sms").forms == []
    assert len(kiosk.server("email").accepted) == 3, "another channel waits as well"
    assert resume(kiosk)
    assert not resume(kiosk)
    kiosk.deliver()
    assert kiosk.states() == {"sent": 6}
    assert len(kiosk.server("sms").forms) == 3


class Pausing(sms.Server):
    """During the third message somebody pauses the channel; the provider answers when senders know."""

    def __init__(self, kiosk: Kiosk) -> None:
        super().__init__()
        self._kiosk = kiosk

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        if len(self.accepted) == 3:
            pause(self._kiosk)
        return answer


def test_a_running_sender_begins_nothing_more(kiosk: Kiosk) -> None:
    kiosk.servers["sms"] = server = Pausing(kiosk)
    kiosk.environments["sms"] = server.environment()
    kiosk.settings = {"TIDINGS_SMS_CONCURRENCY": "1"}
    crowd(kiosk, 12)
    kiosk.deliver()
    states = kiosk.states()
    assert set(states) == {"planned", "sent"}, "a message on its way was given up"
    assert states["sent"] == len(server.accepted) < 12
    before = kiosk.message("anna11").tries
    assert before == 0, "waiting cost a try"


class Changing(Pausing):
    """The pause is taken back as soon as senders know of it."""

    def __init__(self, kiosk: Kiosk, heard: Event) -> None:
        super().__init__(kiosk)
        self._heard = heard

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        if len(self.accepted) == 3:
            assert self._heard.wait(30), "no sender heard of the pause"
            resume(self._kiosk)
        return answer


def test_a_channel_that_goes_on_while_a_message_is_on_its_way_sends_the_others(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Event()

    def hears(line: Line, *look: int) -> None:
        paused(line, *look)
        heard.set()

    paused = Line.pause
    monkeypatch.setattr(Line, "pause", hears)
    kiosk.servers["sms"] = server = Changing(kiosk, heard)
    kiosk.environments["sms"] = server.environment()
    kiosk.settings = {"TIDINGS_SMS_CONCURRENCY": "1"}
    crowd(kiosk, 12)
    asyncio.run(asyncio.wait_for(kiosk.delivering(), 20))
    assert kiosk.states() == {"sent": 12}


def test_what_a_pause_takes_back_says_so_and_loses_no_try(kiosk: Kiosk) -> None:
    crowd(kiosk, 1)
    running, now, channel = kiosk.live.running(), kiosk.clock.now(), kiosk.channels()["sms"]
    with kiosk.database.write() as connection:
        claim = Claimer(running, kiosk.links, now).claim(connection, "sms")
    line, chunk = Line(channel, now), Chunk(running, claim, [], look=3)
    assert line.holds_up(chunk) == "not_begun"
    line.pause(4)
    assert line.holds_up(replace(chunk, look=4)) == "not_begun", "it was claimed after the channel went on"
    with kiosk.database.write() as connection:
        put_back = [Settled(claim.messages[0], Failed("temporary", line.holds_up(chunk)))]
        settle(connection, running, channel, claim.fence, put_back, now)
    waiting = kiosk.message("anna0")
    assert (waiting.state, waiting.reason, waiting.tries, waiting.due_at) == ("planned", "paused", 0, now)


def test_within_a_batch_what_has_not_begun_is_put_back(kiosk: Kiosk) -> None:
    crowd(kiosk, 6)
    kiosk.settings = {"TIDINGS_SMS_CONCURRENCY": "1"}
    outcomes: dict[str, Any] = {}

    async def story() -> None:
        async with kiosk.channels()["sms"] as channel:
            batch = [outgoing(kiosk.to("sms", "accept", n), sms.Server.parts) for n in range(6)]

            def record(key: str, outcome: Any) -> None:
                outcomes[key] = outcome
                if len(outcomes) == 2:
                    channel.pause()

            await channel.send(batch, record)

    asyncio.run(story())
    assert sorted(type(it).__name__ for it in outcomes.values()) == ["Accepted"] * 2 + ["Failed"] * 4
    assert {it.reason for it in outcomes.values() if hasattr(it, "kind")} == {"paused"}
    assert len(kiosk.server("sms").accepted) == 2


def test_the_reason_of_the_first_pause_stands(kiosk: Kiosk) -> None:
    pause(kiosk)
    at = kiosk.clock.now()
    kiosk.later(hours=1)
    with kiosk.database.write() as connection:
        throttle.pause(connection, "sms", at + timedelta(hours=1), "another reason")
        row = throttle.known(connection, "sms")
    assert (row.paused_at, row.paused_reason) == (at, WHY)
