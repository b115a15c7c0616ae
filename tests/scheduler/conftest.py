"""A small shop on each database."""

from collections.abc import Iterator
from contextlib import closing
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
    with closing(Kiosk(database, clock, tmp_path, monkeypatch)) as kiosk:
        kiosk.write()
        yield kiosk


@pytest.fixture
def postgres_kiosk(
    postgres_database: Database, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kiosk]:
    """The same, where several write at once."""
    with closing(Kiosk(postgres_database, clock, tmp_path, monkeypatch)) as kiosk:
        kiosk.write()
        yield kiosk
