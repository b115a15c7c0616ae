"""Somebody who is forgotten is forgotten by Google, too."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from campaigns.bundle import Bundle
from core.clock import MovableClock
from core.customers.erasure import erase
from core.db import Database
from core.ledger.lots import Refusal
from tests.scheduler.test_cards import Salon
from tests.wallet.acts import announce
from tests.wallet.cards import EXAMPLE
from tidings.erasure import request_of


@pytest.fixture
def salon(database: Database, clock: MovableClock, tmp_path: Path) -> Salon:
    return Salon(database, Bundle.read(EXAMPLE), clock, tmp_path / "outbox")


def test_nothing_of_an_erased_customer_is_left_on_their_object(salon: Salon) -> None:
    olena = salon.holder(name="Олена Коваль", card="KV1")
    salon.buy("olena", "R1", 1000)
    with salon.database.write() as connection:
        announce(connection, olena, "Олено, кава чекає", now=salon.clock.now())
    salon.beat()
    [file] = (salon.outbox / "google-wallet" / "loyaltyObject").glob("*.json")
    assert "Олена" in file.read_text("utf-8")
    salon.clock.move_by(timedelta(minutes=1))
    with salon.database.write() as connection:
        request = request_of(salon.addresses, "olena")
        outcome = erase(connection, salon.running.program, request, salon.clock.now())
        assert not isinstance(outcome, Refusal), outcome
    salon.beat()
    left = {name: value for name, value in json.loads(file.read_text("utf-8")).items() if value}
    assert left == {"id": file.stem, "state": "INACTIVE"}
