"""How often one customer can be written to, held against the limits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from campaigns.checks.times import length, offsets, schedules, series
from campaigns.scenario import Scenario
from core.errors import Problem
from core.program import Program
from core.schedule import Schedule, next_after
from core.source import Document, KeyPath
from core.units import Allowance

# Any zone without daylight saving, from a Monday on, at midnight.
_ZONE = ZoneInfo("UTC")
_BEGIN = datetime(2026, 1, 5, tzinfo=UTC) - timedelta(seconds=1)
# So many planned times show the pattern of any schedule.
_MOST_TIMES = 400


@dataclass(frozen=True)
class _Limit:
    """A limit, where it is said, and the steps it is about (their numbers)."""

    allowance: Allowance
    path: KeyPath
    called: str
    steps: tuple[int, ...]


def check_frequency(scenario: Scenario, document: Document, program: Program | None) -> Iterator[Problem]:
    """Warnings of limits that a single reason already exceeds: some of its messages are always dropped."""
    if scenario.purpose != "marketing":
        return
    since, entries = offsets(scenario), _entries(scenario)
    for limit in _limits(scenario, program):
        times = sorted(entry + since[index] for entry in entries for index in limit.steps)
        most = _most(times, limit.allowance)
        if most > limit.allowance.count:
            window = limit.allowance.window
            what = f"{most} messages to one customer fall within {window} ({_source(scenario, limit)}), "
            what += f"and {limit.called} {limit.allowance.count} through"
            fix = f"send less often, or allow '{most} per {window}'"
            yield document.problem(limit.path, what, fix, "warning", "more-than-limits")


def _limits(scenario: Scenario, program: Program | None) -> Iterator[_Limit]:
    every = tuple(range(len(scenario.steps)))
    if own := scenario.limits.at_most:
        yield _Limit(own, ("limits", "at_most"), "this lets", every)
    for name, allowance in (program.allowances.marketing if program else {}).items():
        steps = tuple(index for index in every if name in ("all", *scenario.steps[index].send))
        only = tuple(index for index in steps if name == "all" or scenario.steps[index].send == (name,))
        if only:
            yield _Limit(allowance, ("steps",), f"the program's allowance ({name}) lets", only)


def _entries(scenario: Scenario) -> list[timedelta]:
    """When one customer enters for one reason: for each step of a series, at each planned time."""
    if spans := series(scenario):
        return [length(spans[0]) - length(span) for span in spans]
    if scenario.kind == "calendar" and (times := schedules(scenario)):
        return [at - _BEGIN for at in islice(_planned(times[0]), _MOST_TIMES)]
    return [timedelta()]


def _planned(schedule: Schedule) -> Iterator[datetime]:
    at = _BEGIN
    while True:
        at = next_after(schedule, at, _ZONE)
        yield at


def _most(times: Sequence[timedelta], allowance: Allowance) -> int:
    """The most messages in one window. One of days is so many days of the calendar, as the gates count it."""
    window = allowance.window
    if window.days:
        places = [time.days for time in times]
        return _crowd(places, window.days - 1)
    # The older end of an elapsed window is outside.
    return _crowd([int(time.total_seconds()) for time in times], window.total_seconds - 1)


def _crowd(places: Sequence[int], width: int) -> int:
    first, most = 0, 0
    for last, place in enumerate(places):
        while place - places[first] > width:
            first += 1
        most = max(most, last - first + 1)
    return most


def _source(scenario: Scenario, limit: _Limit) -> str:
    """What makes them so many, as it stands in the file."""
    if spans := series(scenario):
        if len(spans) > 1:
            return f"ahead: {', '.join(str(span) for span in spans)}"
    elif scenario.kind == "calendar" and (times := schedules(scenario)):
        return str(times[0])
    return f"steps {', '.join(scenario.steps[index].id for index in limit.steps)}"
