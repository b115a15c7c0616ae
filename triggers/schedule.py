"""The calendar: a campaign."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator
from sqlalchemy import Select, and_, func, select

from core.db import facts
from core.explain import complaint
from core.schedule import Cron, Every, times_between
from core.units import WallTime, at_local
from triggers.base import CUSTOMER, PRESENT, Due, Fact, Kind, Look, Parameters, Trigger


class ScheduleParameters(Parameters):
    """One of `at` (once), `cron` or `every`; in the customer's own time zone."""

    at: WallTime | None = Field(default=None, description="once, for example 2026-12-01 10:00")
    cron: Cron | None = Field(default=None, description="minute, hour, day, month, day of the week")
    every: Every | None = Field(default=None, description="for example: monday at 10:00")

    @model_validator(mode="after")
    def _exactly_one(self) -> "ScheduleParameters":
        if sum(value is not None for value in (self.at, self.cron, self.every)) != 1:
            what = "needs exactly one of 'at', 'cron' and 'every'"
            raise complaint(what, "write for example 'every: monday at 10:00'")
        return self


class ScheduleTrigger(Trigger[ScheduleParameters]):
    """A planned time has come, by the clock of the customer's own time zone."""

    name: ClassVar[str] = "schedule"
    kind: ClassVar[Kind] = "calendar"
    plain = True
    Parameters = ScheduleParameters
    facts = {"planned_for": Fact("text", "the planned local time, for example 2026-12-01 10:00")}

    def times(
        self, parameters: ScheduleParameters, after: datetime, until: datetime, zone: ZoneInfo
    ) -> list[datetime] | None:
        """When it strikes in a zone."""
        schedule = parameters.cron or parameters.every
        if schedule:
            return times_between(schedule, after, until, zone)
        once = at_local(parameters.at.date(), parameters.at.time(), zone) if parameters.at else until
        return [once] if after < once <= until else []

    def candidates(self, parameters: ScheduleParameters, look: Look) -> Select[Any]:
        """Everybody in a zone where it is time; the audience narrows it down."""
        planned = look.zones.c.local_time
        return (
            select(
                CUSTOMER.c.id.label("customer_id"), planned.label("occasion"), planned.label("subject"),
                look.zones.c.fired_at.label("at"), facts(planned_for=planned).label("facts"),
            )
            .join(look.zones, look.zone_of(CUSTOMER))
            .where(PRESENT)
        )  # fmt: skip

    def perhaps(self, parameters: ScheduleParameters, look: Look) -> Sequence[Select[Any]]:
        """Everybody in such a zone, whatever the audience is."""
        struck = [zone.name for zone in look.zone_rows if zone.fired_at is not None]
        theirs = func.coalesce(CUSTOMER.c.time_zone, "").in_(struck)
        return (select(CUSTOMER.c.id).where(PRESENT, theirs),)

    def still_true(self, parameters: ScheduleParameters, look: Look, due: Due) -> Select[Any]:
        """A planned time stays true, as long as the customer is there."""
        return select(due.c.id, due.c.facts).join(CUSTOMER, and_(CUSTOMER.c.id == due.c.customer_id, PRESENT))


TRIGGER = ScheduleTrigger()
