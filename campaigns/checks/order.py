"""Steps that come too late, or can never come at all."""

from collections.abc import Iterator
from datetime import timedelta

from campaigns.checks.times import length, offsets, series
from campaigns.scenario import Scenario
from core.errors import Problem
from core.source import Document, KeyPath
from core.units import Duration

_DAY = timedelta(days=1)


def check_order(scenario: Scenario, document: Document) -> Iterator[Problem]:
    """What the waits, the goal and the trigger leave no room for."""
    yield from _first_step(scenario, document)
    yield from _after_a_purchase(scenario, document)
    yield from _after_the_goal(scenario, document)
    yield from _after_the_reason(scenario, document)
    yield from _late_fallback(scenario, document)


def _first_step(scenario: Scenario, document: Document) -> Iterator[Problem]:
    first = scenario.steps[0]
    if first.wait:
        what, fix = "the first step goes out at once", "remove it, or put the wait on a later step"
        yield document.problem(("steps", 0, "wait"), what, fix, kind="wait-on-first-step")
    if first.asks("only_if") == ("purchase",):
        what = "nobody has bought anything since the entry when the first step goes out"
        fix = "remove it, or begin with another step"
        yield document.problem(("steps", 0, "only_if"), what, fix, kind="unreachable-step")


def _after_a_purchase(scenario: Scenario, document: Document) -> Iterator[Problem]:
    """A step for those who bought, while a purchase is the goal and has ended their enrolment."""
    if scenario.goal is None:
        return
    within = scenario.goal.purchase.within
    for index, (step, since) in enumerate(zip(scenario.steps, offsets(scenario), strict=True)):
        # Quiet hours may hold each step before it for a day: only what is certain is said.
        certain = since + index * _DAY <= length(within)
        if index and step.asks("only_if") == ("purchase",) and certain:
            what = f"a purchase within {within} is the goal, and the goal ends the scenario before this step"
            fix = "remove 'only_if', or shorten the goal"
            yield document.problem(("steps", index, "only_if"), what, fix, kind="unreachable-step")


def _after_the_goal(scenario: Scenario, document: Document) -> Iterator[Problem]:
    if scenario.goal is None:
        return
    within = scenario.goal.purchase.within
    for index, since in enumerate(offsets(scenario)):
        if since > length(within):
            what = f"goes out {_days(since)} after the entry, when the goal no longer counts ({within})"
            path: KeyPath = ("steps", index, "wait")
            fix = f"let the goal last longer, for example 'within: {_days(since + 7 * _DAY)}'"
            yield document.problem(path, what, fix, "warning", "step-after-goal")
            return


def _after_the_reason(scenario: Scenario, document: Document) -> Iterator[Problem]:
    """What expires `ahead` of time is gone when the wait is longer."""
    spans = series(scenario)
    if not spans or scenario.kind != "state":
        return
    for index, since in enumerate(offsets(scenario)):
        if since >= length(spans[0]) + _DAY:
            what = f"goes out {_days(since)} after the entry, when what {scenario.trigger} tells of is over"
            fix = f"wait less: the trigger looks at most {spans[0]} ahead"
            yield document.problem(("steps", index, "wait"), what, fix, kind="unreachable-step")


def _late_fallback(scenario: Scenario, document: Document) -> Iterator[Problem]:
    valid_for = scenario.limits.valid_for
    for index, step in enumerate(scenario.steps):
        path: KeyPath = ("steps", index, "fallback_after")
        if step.fallback_after is None or len(step.send) < 2 or valid_for is None:
            continue
        if length(step.fallback_after) >= length(valid_for):
            what = f"a message is dropped after {valid_for}, before '{step.send[1]}' would be tried"
            fix = "shorten it, or make valid_for longer"
            yield document.problem(path, what, fix, "warning", "late-fallback")


def _days(time: timedelta) -> str:
    """In whole days, but for what is shorter than two."""
    exact = time < 2 * _DAY and time % _DAY
    return str(Duration(seconds=int(time.total_seconds())) if exact else Duration(days=time.days))
