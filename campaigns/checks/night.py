"""Messages that quiet hours always hold until they have expired."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.checks.times import length, schedules
from campaigns.scenario import Scenario
from core.errors import Problem
from core.program import Program
from core.schedule import Schedule
from core.source import Document, KeyPath
from core.units import TimeWindow

# A zone without daylight saving: what would always be dropped is a matter of the wall clock alone.
_PLAIN_ZONE = ZoneInfo("UTC")
_SOME_MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def check_nights(scenario: Scenario, document: Document, program: Program | None) -> Iterator[Problem]:
    """Warnings of steps that would never leave: each is held longer than it is valid."""
    quiet = scenario.quiet_hours(program.quiet_hours if program else None)
    valid_for = scenario.limits.valid_for
    starts = [at for schedule in schedules(scenario) for at in _wall_times(schedule)]
    if quiet is None or valid_for is None or not starts:
        return
    dropped = {_dropped(at, scenario, quiet) for at in starts}
    if len(dropped) == 1 and (index := dropped.pop()) is not None:
        what, path, fix = _said(index, f"{quiet}", f"{valid_for}")
        yield document.problem(path, what, fix, "warning", "always-dropped")


def may_wait(scenario: Scenario, program: Program | None) -> bool:
    """Whether quiet hours may hold its first message, so that something happens before it leaves."""
    quiet = scenario.quiet_hours(program.quiet_hours if program else None)
    starts = [at for schedule in schedules(scenario) for at in _wall_times(schedule)]
    return quiet is not None and (not starts or any(quiet.contains(at.time()) for at in starts))


def _said(index: int, quiet: str, valid_for: str) -> tuple[str, KeyPath, str]:
    if index == 0:
        what = f"quiet hours {quiet} hold every message until it has expired"
        return what, ("limits", "valid_for"), "look at another time, or make it longer"
    what = f"falls into the quiet hours {quiet}, and has expired at their end (valid_for is {valid_for})"
    return what, ("steps", index, "wait"), "wait for another time of the day"


def _dropped(at: datetime, scenario: Scenario, quiet: TimeWindow) -> int | None:
    """Which step is held too long when the first is planned for a time; a wait runs from the sending."""
    for index, step in enumerate(scenario.steps):
        at += length(step.wait)
        held = _deferral(at, quiet)
        if held and held >= length(scenario.limits.valid_for):
            return index
        at += held
    return None


def _wall_times(schedule: Schedule) -> list[datetime]:
    # Times of the day are the customer's own: one day of any zone shows them all.
    if schedule.at:
        return [datetime.combine(_SOME_MONDAY, schedule.at, tzinfo=_PLAIN_ZONE)]
    if schedule.cron:
        times = [(hour, minute) for hour in schedule.cron.hours for minute in schedule.cron.minutes]
        return [_SOME_MONDAY.replace(hour=hour, minute=minute, tzinfo=_PLAIN_ZONE) for hour, minute in times]
    return []


def _deferral(at: datetime, quiet: TimeWindow) -> timedelta:
    return quiet.end_after(at) - at if quiet.contains(at.time()) else timedelta()
