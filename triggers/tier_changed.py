"""A change of tier."""

from typing import Any, ClassVar, Literal

from pydantic import Field
from sqlalchemy import ColumnElement, Select, and_, select, true

from core.db import facts, json_text
from core.units import Series
from triggers.base import CUSTOMER, EVENT, PRESENT, Due, EventTrigger, Fact, Look, Parameters


class TierChangedParameters(Parameters):
    """Which changes are meant."""

    direction: Literal["up", "down", "any"] = Field(default="up", description="up, down or any")
    to: Series[str] = Field(default=(), description="the tiers that were reached; all if left out")


class TierChanged(EventTrigger[TierChangedParameters]):
    """The customer moved to another tier."""

    name: ClassVar[str] = "tier_changed"
    event: ClassVar[str] = "tier_changed"
    Parameters = TierChangedParameters
    facts = {
        "tier": Fact("text", "the tier that was reached"),
        "previous": Fact("text", "the tier before"),
        "direction": Fact("text", "up or down"),
    }

    def condition(self, parameters: TierChangedParameters, look: Look) -> ColumnElement[bool]:
        """The direction and the tier that are meant."""
        direction = json_text(EVENT.c.data, "direction")
        right_way = true() if parameters.direction == "any" else direction == parameters.direction
        return and_(right_way, EVENT.c.subject.in_(parameters.to) if parameters.to else true())

    def stored_facts(self) -> ColumnElement[Any]:
        """From the event itself."""
        return facts(**{name: json_text(EVENT.c.data, name) for name in self.facts})

    def still_true(self, parameters: TierChangedParameters, look: Look, due: Due) -> Select[Any]:
        """The customer still has that tier."""
        same = and_(CUSTOMER.c.id == due.c.customer_id, CUSTOMER.c.tier == due.c.subject, PRESENT)
        return select(due.c.id, due.c.facts).join(CUSTOMER, same)


TRIGGER = TierChanged()
