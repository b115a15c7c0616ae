"""A hundred thousand changed cards are several processes' work: each phone is woken once."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from campaigns.bundle import Bundle
from core.clock import MovableClock
from scheduler import card_work, jobs
from tests.api.shop import EXAMPLE
from tests.scheduler.test_cards import Salon
from tests.support.databases import PostgresDatabases
from tests.wallet.crowd import AT, gather
from wallet.tables import DEVICE

BATCH = 100
DUE = 3 * BATCH + 10


def test_phones_beyond_one_claim_are_others_work_and_each_is_woken_once(
    postgres_databases: PostgresDatabases, clock: MovableClock, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(card_work, "BATCH", BATCH)
    with postgres_databases.fresh() as database:
        salon = Salon(database, Bundle.read(EXAMPLE), clock, tmp_path)
        gather(database, DUE)
        now = clock.now()
        with database.write() as connection:
            connection.execute(update(DEVICE).values(push_at=AT, owed_tag=1))
            card_work.ask_for_hands(connection, now)
            card_work.ask_for_hands(connection, now)
            assert jobs.opened(connection, jobs.CARDS) == {jobs.CARDS: 3}

        async def all_at_once() -> list[Counter[str]]:
            return await asyncio.gather(*(salon.new_cards().wake() for _ in range(3)))

        done = asyncio.run(all_at_once())
        assert sum(done, Counter()) == {"accepted": DUE}
        with database.write() as connection:
            connection.execute(update(DEVICE).values(push_at=now + timedelta(hours=1)))
            card_work.ask_for_hands(connection, now)
            assert jobs.opened(connection, jobs.CARDS) == {jobs.CARDS: 3}
