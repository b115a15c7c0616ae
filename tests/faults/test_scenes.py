"""The short form of `make faults`: a fault of each kind, scene after scene in one town, then the audit."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.scenes import SCENES, perform
from tests.faults.stage import Stage, close

SEED = 20260301
# test_audit.py kills on SQLite as well, test_workers.py restarts PostgreSQL in order as well; `make faults`
# plays every scene by itself, for minutes, on both databases.
SHORT = {
    "postgresql": ("killed", "frozen", "database", "leaders", "network"),
    "sqlite": ("commands", "providers", "full-disk", "clock"),
    "sqlite, at night": ("summer-time",),
}
ROUNDS = {"clock": 2}


def test_every_scene_has_a_short_form() -> None:
    assert {name for names in SHORT.values() for name in names} == set(SCENES)


@pytest.mark.parametrize("where", SHORT)
def test_all_promises_are_kept_whatever_is_broken(where: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        stage = Stage(tmp_path, stack, SEED, where.split(",", maxsplit=1)[0], rounds=ROUNDS, each=30)
        town = perform(stage, *SHORT[where])
        if town is None:
            pytest.skip("this machine permits no mounts")
        broken = [it for it in close(stage, town) if not it.kept]
    assert broken == []
