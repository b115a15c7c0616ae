"""A former member of a segment."""

from typing import ClassVar

from triggers.base import Fact
from triggers.segment_entered import SegmentEntered, SegmentParameters


class SegmentLeftParameters(SegmentParameters):
    """Whose former members are meant."""


class SegmentLeft(SegmentEntered):
    """The customer has ceased to belong to a segment, and still does not.

    Who belongs is kept and compared at each look of a scenario that asks for it. Whoever did not belong when
    the scenario was first applied is not due, and neither is anybody whom a change of the segment's own file
    left out. Whoever goes, comes and goes again between two looks left once.
    """

    name: ClassVar[str] = "segment_left"
    Parameters = SegmentLeftParameters
    facts = {
        "segment": Fact("text", "the name of the segment"),
        "changed_on": Fact("local_date", "the day on which the customer was found not to belong any more"),
    }

    entered: ClassVar[bool] = False


TRIGGER = SegmentLeft()
