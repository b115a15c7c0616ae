"""When a scenario's steps are planned, as far as the file tells."""

from datetime import timedelta

from campaigns.scenario import Scenario
from core.schedule import Schedule
from core.units import Duration


def length(duration: Duration | None) -> timedelta:
    """Its usual length, a day being 24 hours."""
    return timedelta(seconds=duration.total_seconds if duration else 0)


def offsets(scenario: Scenario) -> list[timedelta]:
    """How long after the entry each step goes out at the earliest."""
    found, since = [], timedelta()
    for step in scenario.steps:
        since += length(step.wait)
        found.append(since)
    return found


def series(scenario: Scenario) -> list[Duration]:
    """The steps of an `ahead` series, the earliest first; empty for a trigger without one."""
    ahead = getattr(scenario.parameters, "ahead", ())
    spans = {span for span in ahead if isinstance(span, Duration)} if isinstance(ahead, tuple) else set()
    return sorted(spans, key=lambda span: -span.total_seconds)


def schedules(scenario: Scenario) -> list[Schedule]:
    """When it is looked up, or strikes."""
    own = [value for _, value in scenario.parameters if isinstance(value, Schedule)]
    return [scenario.schedule, *own] if scenario.schedule else own
