"""How late a look is: for how long what it finds has been due."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from campaigns.look import Span
from campaigns.scenario import Scenario
from core.events import EVENT, between
from triggers import discover
from triggers.base import EventTrigger, Zone


def lateness(connection: Connection, scenario: Scenario, span: Span, zones: Sequence[Zone]) -> float:
    """Seconds since the schedule struck, or the oldest event of the look was recorded; 0 for neither."""
    since = _first_event(connection, scenario, span)
    if since is None:
        since = min((zone.fired_at for zone in zones if zone.fired_at), default=span.at)
    return max(0.0, (span.at - since).total_seconds())


def _first_event(connection: Connection, scenario: Scenario, span: Span) -> datetime | None:
    trigger = discover()[scenario.trigger]
    if not isinstance(trigger, EventTrigger):
        return None
    kind = trigger.event_of(scenario.parameters)
    news = select(EVENT.c.recorded_at).where(
        EVENT.c.kind == kind, EVENT.c.live, between(span.after, span.upto)
    )
    first: datetime | None = connection.scalar(news.order_by(EVENT.c.transaction, EVENT.c.id).limit(1))
    return first
