"""A small shop on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import MovableClock
from core.db import Database
from tests.scheduler.kiosk import Kiosk


@pytest.fixture
def kiosk(
    database: Database, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kiosk]:
    """A shop that is live at ten in the morning, before its first look."""
    kiosk = Kiosk(database, clock, tmp_path, monkeypatch)
    kiosk.write()
    yield kiosk
    kiosk.close()
