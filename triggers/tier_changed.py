"""A change of tier."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from sqlalchemy import ColumnElement, and_, exists, literal, true

from core.db import UtcDateTime, json_text
from core.units import Series
from triggers.base import CUSTOMER, EVENT, EventTrigger, Fact, Look, Parameters, utc_text
from triggers.marks import TierName

LATER = EVENT.alias("later")


class TierChangedParameters(Parameters):
    """Which changes are meant."""

    direction: Literal["up", "down", "any"] = Field(default="up", description="up, down or any")
    to: Series[TierName] = Field(default=(), description="the tiers that were reached; all if left out")


class TierChanged(EventTrigger[TierChangedParameters]):
    """The customer moved to another tier, and has it still.

    Of several steps at once only the last is news, also where it leads back; a step that a return undid is
    none.
    """

    name: ClassVar[str] = "tier_changed"
    event: ClassVar[str] = "tier_changed"
    Parameters = TierChangedParameters
    facts = {
        "tier": Fact("text", "the tier that was reached"),
        "previous": Fact("text", "the tier before"),
        "direction": Fact("text", "up or down"),
        "since": Fact("local_date", "the day of the change"),
    }

    def condition(self, parameters: TierChangedParameters, look: Look) -> ColumnElement[bool]:
        """The direction and the tier that are meant, which the customer has had since then."""
        direction = json_text(EVENT.c.data, "direction")
        right_way = true() if parameters.direction == "any" else direction == parameters.direction
        meant = EVENT.c.subject.in_(parameters.to) if parameters.to else true()
        overtaken = exists().where(
            LATER.c.customer_id == EVENT.c.customer_id, LATER.c.id > EVENT.c.id, LATER.c.kind == self.event,
            LATER.c.recorded_at <= literal(look.at, UtcDateTime),
        )  # fmt: skip
        return and_(CUSTOMER.c.tier == EVENT.c.subject, right_way, meant, ~overtaken)

    def stored_facts(self, look: Look) -> Mapping[str, ColumnElement[Any]]:
        """From the event itself."""
        named = {name: json_text(EVENT.c.data, name) for name in ("tier", "previous", "direction")}
        return {**named, "since": utc_text(EVENT.c.at)}


TRIGGER = TierChanged()
