"""A campaign whose time has passed: applied now, it would never strike."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from campaigns.scenario import Scenario
from core.errors import Problem
from core.source import Document
from core.units import at_local


def is_over(scenario: Scenario, now: datetime, zone: ZoneInfo) -> bool:
    """Whether the only time of a campaign has passed in the program's zone."""
    once = _once(scenario)
    return once is not None and at_local(once.date(), once.time(), zone) <= now


def check_over(scenario: Scenario, document: Document, now: datetime, zone: ZoneInfo) -> Iterator[Problem]:
    """A warning: a look never goes back behind the moment in which a scenario was applied."""
    if is_over(scenario, now, zone):
        what = f"{_once(scenario):%Y-%m-%d %H:%M} is over in {zone.key}: applied now, it sends nothing"
        fix = "write a later time; once its last step is over, the file may be removed"
        yield document.problem(("when", "schedule", "at"), what, fix, "warning", "campaign-over")


def _once(scenario: Scenario) -> datetime | None:
    at = getattr(scenario.parameters, "at", None)
    return at if scenario.kind == "calendar" and isinstance(at, datetime) else None
