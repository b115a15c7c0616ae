"""How long the property tests of the ledger search: a normal run some dozens or hundreds of examples, on
PostgreSQL fewer. `LEDGER_SEQUENCES=5000 make test TESTS=tests/core` takes so many of each, for a night.
"""

import os
from dataclasses import dataclass

from hypothesis import HealthCheck, settings

from tests.conftest import FreshDatabase

SEQUENCES = int(os.environ.get("LEDGER_SEQUENCES", "0"))


@dataclass(frozen=True)
class Budget:
    """So many examples on each database, `steps` of a state machine each."""

    sqlite: int
    postgresql: int
    steps: int = 25

    def on(self, fresh: FreshDatabase) -> settings:
        """The settings; a night's run draws other examples each time."""
        with fresh() as database:
            examples = SEQUENCES or (self.sqlite if database.dialect == "sqlite" else self.postgresql)
        return settings(
            max_examples=examples, stateful_step_count=self.steps, deadline=None, derandomize=not SEQUENCES,
            database=None, suppress_health_check=list(HealthCheck), print_blob=bool(SEQUENCES),
        )  # fmt: skip
