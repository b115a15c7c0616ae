"""What every kind of evidence is given: the candidates of one batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from campaigns.dryrun.forecast import Evidence
from campaigns.dryrun.words import Words
from campaigns.gates import ENTRY, Step
from campaigns.look import zone_info

Told = Iterator[tuple[int, Evidence]]


@dataclass(frozen=True)
class Batch:
    """Rows of staged candidates with who they are; all of one step."""

    step: Step
    words: Words
    rows: Sequence[Any]

    @property
    def connection(self) -> Connection:
        """Where they are staged."""
        return self.step.connection

    @cached_property
    def customers(self) -> list[int]:
        """Their ids, each once."""
        return sorted({row.customer_id for row in self.rows})

    @cached_property
    def entering(self) -> list[Any]:
        """Those whom no gate of the entry held back."""
        return [row for row in self.rows if row.gate not in ENTRY]

    def held(self, *gates: str) -> list[Any]:
        """Those whom one of these gates held back; any, if none is named."""
        return [row for row in self.rows if row.gate and (not gates or row.gate in gates)]

    def zone_of(self, row: Any) -> ZoneInfo:
        """The customer's time zone, else the program's."""
        return zone_info(self.step.program, row.time_zone)
