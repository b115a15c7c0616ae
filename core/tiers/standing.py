"""A customer's level in memory, and how it moved."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from core.fact import fact
from core.program import Program

# `replaced`: the program no longer has the level that was held.
Direction = Literal["up", "down", "replaced"]


@fact
class Move:
    """One change of level. Of what was held before the first one, `previous` is None."""

    previous: str | None
    tier: str
    direction: str
    at: datetime


@dataclass(slots=True)
class Standing:
    """A customer's level, since when they have it, and the level that an invitation holds them at."""

    tier: str | None
    since: datetime | None
    invited_to: str | None = None
    moves: list[Move] = field(default_factory=list)

    def rise(self, program: Program, amount: int, at: datetime) -> None:
        """Move up if `amount` (of the measure, in the period) reaches a higher level; never down."""
        level = program.tier_for(amount)
        if self.tier is None or program.rank(level.name) > program.rank(self.tier):
            self.move(program, level.name, at)

    def move(self, program: Program, tier: str, at: datetime) -> None:
        """Change the level, keeping what it was."""
        if tier == self.tier:
            return
        self.moves.append(Move(self.tier, tier, direction(program, self.tier, tier), at))
        self.tier, self.since = tier, at


def direction(program: Program, previous: str | None, tier: str) -> Direction:
    """Which way a change of level goes."""
    if previous is None:
        return "up"
    if program.rank(previous) < 0:
        return "replaced"
    return "up" if program.rank(tier) > program.rank(previous) else "down"


def floor(program: Program, standing: Standing) -> int:
    """The rank below which an invitation does not let the customer fall."""
    return max(0, program.rank(standing.invited_to))
