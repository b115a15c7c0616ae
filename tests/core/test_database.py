"""The database, as everybody reaches it."""

from contextlib import ExitStack

import pytest

from core.db import Database
from core.errors import EnvironmentFault


def test_where_every_connection_is_in_use_whoever_waits_is_told_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database.engine.pool, "_timeout", 0)
    with pytest.raises(EnvironmentFault, match="has been in use for half a minute"):
        _use_all(database)
    with database.read():
        pass


def _use_all(database: Database) -> None:
    with ExitStack() as held:
        for _ in range(50):
            held.enter_context(database.read())
