"""Several senders on one PostgreSQL hold a channel's rate together."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from campaigns.tables import MessageState
from core.clock import MovableClock
from core.db import Database
from tests.scheduler.kiosk import PROGRAM, Kiosk

STATE = MessageState.__table__  # type: ignore[attr-defined]
RATE, MESSAGES, SENDERS = 10, 60, 3


def test_a_rate_holds_for_all_senders_together(
    postgres_database: Database, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk = Kiosk(postgres_database, clock, tmp_path, monkeypatch)
    kiosk.files["program.yaml"] = PROGRAM.replace("sms: {", f"sms: {{rate: {RATE} per second, ", 1)
    kiosk.scenario(send="[sms]")
    kiosk.customers({f"anna{n}": {"phone": kiosk.to("sms", "accept", n)} for n in range(MESSAGES)})
    kiosk.plan()

    async def together() -> None:
        async with AsyncExitStack() as opened:
            senders = []
            for _ in range(SENDERS):
                channels = kiosk.channels()
                for channel in channels.values():
                    await opened.enter_async_context(channel)
                senders.append(kiosk.delivery(channels).run())
            await asyncio.gather(*senders)

    asyncio.run(together())
    assert kiosk.states() == {"sent": MESSAGES}
    with kiosk.database.read() as connection:
        left = list(
            connection.scalars(select(STATE.c.at).where(STATE.c.state == "sending").order_by(STATE.c.at))
        )
    fullest = max(sum(at <= other < at + timedelta(seconds=1) for other in left) for at in left)
    assert fullest == RATE
    assert left[-1] - left[0] >= timedelta(seconds=MESSAGES / RATE - 1)
    kiosk.close()
