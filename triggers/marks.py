"""What a parameter says besides its shape: in what an amount is kept, and what a name is the name of.

`tidings check` holds parameters against the program and the workspace by these marks (campaigns.parameters).
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from core.units import Amount


@dataclass(frozen=True, slots=True)
class Kept:
    """An amount has as many decimals as `points`, as `money`, or as what `tiers` are measured by."""

    unit: Literal["points", "money", "tiers"]


@dataclass(frozen=True, slots=True)
class Named:
    """A text names a `tier` of the program, a `segment` of the workspace, an `event` of anybody's, or the
    `reason` of an accrual.
    """

    noun: Literal["tier", "segment", "event", "reason"]


Points = Annotated[Amount, Kept("points")]
Money = Annotated[Amount, Kept("money")]
OfTiers = Annotated[Amount, Kept("tiers")]
TierName = Annotated[str, Named("tier")]
SegmentName = Annotated[str, Named("segment")]
ReasonName = Annotated[str, Named("reason")]
