"""Why a dry run in the night calls everybody too late, and which time to look at instead."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from campaigns.checks.times import schedules
from campaigns.scenario import Scenario
from core.schedule import times_between
from core.units import at_local

if TYPE_CHECKING:
    from campaigns.dryrun import Forecast
    from tidings.dry_runs import Answer

# The next stroke of a schedule is looked for so far ahead.
_AHEAD = timedelta(days=366)


def night_notes(made: "Answer") -> Mapping[str, str]:
    """Scenario → what to know of those who expired, where the look itself falls into quiet hours."""
    found = ((it.scenario, _note(made, it)) for it in made.forecasts if it.gates.get("expired"))
    return {name: note for name, note in found if note}


def _note(made: "Answer", forecast: "Forecast") -> str | None:
    program, scenario = made.running.program, made.running.scenarios.get(forecast.scenario)
    if scenario is None:
        return None
    local = forecast.at.astimezone(program.zone)
    quiet, valid_for = scenario.quiet_hours(program.quiet_hours), scenario.limits.valid_for
    if quiet is None or valid_for is None or not quiet.contains(local.time()):
        return None
    why = f"at {local:%H:%M} quiet hours ({quiet}) hold messages until valid_for ({valid_for}) is over"
    struck = _next(scenario, made, forecast.at)
    if struck is None:
        return f"{why}; make it longer if such customers shall hear of it in the morning"
    return f"{why}; see its own time: --at '{struck.astimezone(program.zone):%Y-%m-%d %H:%M}'"


def _next(scenario: Scenario, made: "Answer", at: datetime) -> datetime | None:
    """When it will look next, or the campaign be sent; None if nothing tells."""
    zone = made.running.program.zone
    once = getattr(scenario.parameters, "at", None)
    if scenario.kind == "calendar" and isinstance(once, datetime):
        struck = at_local(once.date(), once.time(), zone)
        return struck if struck != at else None
    for schedule in schedules(scenario):
        if coming := times_between(schedule, at, at + _AHEAD, zone):
            return coming[0]
    return None
