"""What looks did, what is kept of their end, and why one broke."""

import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, bindparam, update

from campaigns.commit import Guarded, Tally
from campaigns.gates import Step
from campaigns.look import Span
from campaigns.scenario import Scenario
from campaigns.tables import ScenarioRun
from campaigns.versions import STATE, reader_of
from core.db import insert_ignoring
from core.errors import UserError
from core.events import move_cursor
from scheduler import following
from scheduler.lateness import lateness
from triggers.base import Zone

RUN = ScenarioRun.__table__  # type: ignore[attr-defined]
_LOOKED_AT = update(STATE).where(STATE.c.name == bindparam("whose"))


@dataclass(slots=True)
class Counts:
    """Verdict → how many, channel → how many were planned."""

    verdicts: Counter[str] = field(default_factory=Counter)
    channels: Counter[str] = field(default_factory=Counter)

    def add(self, step: Step, tally: Tally) -> None:
        """Count what became of those who are staged."""
        following.planned(step)
        self.verdicts += tally.verdicts
        self.channels += tally.channels


@dataclass(slots=True)
class Looked:
    """What the looks at one scenario did.

    `error` says why nothing was kept of a look that broke, without any personal data.
    """

    scenario: str
    version: int
    at: datetime
    counts: Counts = field(default_factory=Counts)
    guarded: Guarded | None = None
    error: str | None = None

    @property
    def verdicts(self) -> Counter[str]:
        """Verdict → how many."""
        return self.counts.verdicts

    @property
    def channels(self) -> Counter[str]:
        """Channel → how many messages were planned."""
        return self.counts.channels

    @property
    def candidates(self) -> int:
        """How many were looked at."""
        return self.verdicts.total()


def hold(connection: Connection, looked: Looked, guarded: Guarded) -> None:
    """Stop the scenario: the look would write to more customers than the program allows in one go."""
    looked.guarded = guarded
    mine = update(STATE).where(STATE.c.name == looked.scenario)
    connection.execute(mine.values(status="held", held=guarded.count))


def conclude(
    connection: Connection,
    scenario: Scenario,
    looked: Looked,
    span: Span,
    zones: Sequence[Zone],
    planned: int,
) -> None:
    """Remember how far the looks at a scenario's first step have come, in the transaction that ends one."""
    late = lateness(connection, scenario, span, zones)
    state = {"whose": scenario.name, "looked_at": looked.at, "allowed": None, "late_seconds": late}
    connection.execute(_LOOKED_AT, state)
    if scenario.kind == "event":
        move_cursor(connection, reader_of(scenario.name), span.upto)
    row = {"scenario": scenario.name, "fire_at": looked.at, "candidates": looked.candidates}
    connection.execute(insert_ignoring(connection, RUN), row | {"planned": planned})


def why(error: Exception) -> str:
    """What broke and where; only our own sentences are quoted, others may hold a customer's data."""
    if isinstance(error, UserError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [it for it in frames if "site-packages" not in it.filename] or frames
    place = f" at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    return f"{type(error).__name__}{place}"
