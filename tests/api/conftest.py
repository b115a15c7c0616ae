"""A shop with its API, on both databases."""

from datetime import datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from campaigns.bundle import Bundle
from campaigns.running import Running, make_ready
from core.clock import MovableClock
from core.db import Database
from scheduler.beat import Pulse
from tests.api.front import Front
from tests.api.shop import EXAMPLE, TOKEN, Shop, Ticks, make_workspace
from tidings.api import Services
from tidings.cards import cards_of
from tidings.workspace import Workspace


@pytest.fixture(scope="session")
def compiled() -> Running:
    """The example, checked and compiled once for all tests."""
    return make_ready(Bundle.read(EXAMPLE), 1)


@pytest.fixture
def workspace(tmp_path: Path, database: Database, compiled: Running, clock: MovableClock) -> Workspace:
    return make_workspace(tmp_path / "shop", database, compiled, clock)


@pytest.fixture(scope="session")
def front() -> Front:
    """Serves one shop after the other."""
    return Front()


@pytest.fixture
def shop(workspace: Workspace, clock: MovableClock, front: Front) -> Shop:
    woken: list[datetime] = []
    ticks = Ticks()
    services = Services(
        workspace, clock, cards_of(workspace, clock), TOKEN,
        wake=lambda: woken.append(clock.now()), pulses=lambda: [Pulse("news", clock.now())], ticks=ticks,
    )  # fmt: skip
    app = front.of(services)
    till = TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}, raise_server_exceptions=False)
    stranger = TestClient(app, raise_server_exceptions=False)
    return Shop(services, till, stranger, clock, woken, ticks)
