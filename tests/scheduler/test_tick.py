"""One tick is everything that is due, once."""

import asyncio
from contextlib import AsyncExitStack

from scheduler.tick import Ticked, decide, tick
from tests.scheduler.kiosk import Kiosk, at


def run(kiosk: Kiosk) -> Ticked:
    async def whole() -> Ticked:
        async with AsyncExitStack() as opened:
            channels = kiosk.channels()
            for channel in channels.values():
                await opened.enter_async_context(channel)
            return await tick(kiosk.database, kiosk.live, channels, kiosk.links, kiosk.clock)

    return asyncio.run(whole())


def test_a_tick_looks_and_sends(kiosk: Kiosk) -> None:
    kiosk.customer("anna", phone="+380501000001")
    ticked = run(kiosk)
    assert ticked.at == kiosk.clock.now()
    assert [(looked.scenario, looked.candidates) for looked in ticked.looks] == [("reminder", 1)]
    assert ticked.delivered.by_channel == {"sms": {"sent": 1}}


def test_a_look_may_be_planned_by_a_cron_line(kiosk: Kiosk) -> None:
    """The first of March is a Sunday, and nine in Kyiv is seven in UTC."""
    kiosk.scenario(schedule="0 9,11 * * mon-fri")
    kiosk.customer("anna", phone="+380501000001")
    for day, looks in [("2026-03-01 12:00", 0), ("2026-03-02 06:59", 0), ("2026-03-02 07:00", 1)]:
        kiosk.clock.move_to(at(day))
        assert len(run(kiosk).looks) == looks
    assert kiosk.state("anna") == ("sent", None)


def test_a_second_tick_at_the_same_time_does_nothing(kiosk: Kiosk) -> None:
    kiosk.customer("anna", phone="+380501000001")
    run(kiosk)
    again = run(kiosk)
    assert again.looks == []
    assert again.delivered.by_channel == {}
    assert len(kiosk.attempts("anna")) == 1


def test_bonuses_expire_before_anybody_is_told_of_them(kiosk: Kiosk) -> None:
    kiosk.customer("anna", phone="+380501000001")
    kiosk.plan()
    kiosk.clock.move_to(at("2026-03-05 08:00"))
    ticked = run(kiosk)
    assert ticked.expired_lots == 1
    assert kiosk.state("anna") == ("recalled", "no_longer_true")


def test_deciding_alone_sends_nothing(kiosk: Kiosk) -> None:
    kiosk.customer("anna", phone="+380501000001")
    decide(kiosk.database, kiosk.live, kiosk.clock)
    assert kiosk.state("anna") == ("planned", None)
