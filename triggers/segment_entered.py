"""A new member of a segment."""

from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import Select, and_, exists, literal, not_, select

from core.db import facts
from triggers.base import CUSTOMER, PRESENT, Due, Fact, Kind, Look, Membership, Parameters, Trigger, utc_text
from triggers.marks import SegmentName


class SegmentParameters(Parameters):
    """Whose members are meant."""

    segment: SegmentName = Field(min_length=1, description="the name of a segment, a file in segments/")


class SegmentEntered(Trigger[SegmentParameters]):
    """The customer has come to belong to a segment, and still does.

    Who belongs is kept and compared at each look of a scenario that asks for it. Whoever belonged when the
    scenario was first applied is known and not due, and neither is anybody whom a change of the segment's own
    file made a member. Whoever comes, goes and comes again between two looks was not seen to go.
    """

    name: ClassVar[str] = "segment_entered"
    kind: ClassVar[Kind] = "state"
    Parameters = SegmentParameters
    facts = {
        "segment": Fact("text", "the name of the segment"),
        "changed_on": Fact("local_date", "the day on which the customer was found to belong"),
    }

    entered: ClassVar[bool] = True

    def segment(self, parameters: SegmentParameters) -> str:
        """The one in the scenario."""
        return parameters.segment

    def candidates(self, parameters: SegmentParameters, look: Look) -> Select[Any]:
        """Whose last change was this one, since the scenario began."""
        changes = _membership(look).changes
        occasion = utc_text(changes.c.at)
        return (
            select(
                changes.c.customer_id, occasion.label("occasion"), occasion.label("subject"),
                look.zones.c.fired_at.label("at"),
                facts(segment=literal(parameters.segment), changed_on=occasion).label("facts"),
            )
            .join(CUSTOMER, and_(CUSTOMER.c.id == changes.c.customer_id, PRESENT))
            .join(look.zones, look.zone_of(CUSTOMER))
            .where(changes.c.entered == literal(self.entered), look.is_new(changes.c.customer_id, occasion))
        )  # fmt: skip

    def still_true(self, parameters: SegmentParameters, look: Look, due: Due) -> Select[Any]:
        """It is so by the facts of this moment, and nobody has seen it change since."""
        membership = _membership(look)
        log = membership.log
        belongs = membership.now
        since = exists().where(log.c.customer_id == due.c.customer_id, utc_text(log.c.at) > due.c.subject)
        return (
            select(due.c.id, due.c.facts)
            .join(CUSTOMER, and_(CUSTOMER.c.id == due.c.customer_id, PRESENT))
            .where(belongs if self.entered else not_(belongs), ~since)
        )


def _membership(look: Look) -> Membership:
    if look.segment is None:
        raise ValueError("the look does not know the members of any segment")
    return look.segment


TRIGGER = SegmentEntered()
