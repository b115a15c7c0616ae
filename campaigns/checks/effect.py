"""What stands in a scenario and changes nothing."""

from collections.abc import Iterator
from itertools import chain

from campaigns.checks.night import may_wait
from campaigns.scenario import Scenario
from core.errors import Problem
from core.program import Program
from core.source import Document, KeyPath


def check_effect(scenario: Scenario, document: Document, program: Program | None) -> Iterator[Problem]:
    """Warnings of keys without effect, and of a holdout that keeps everybody out."""
    for path, what in chain(_of_purpose(scenario), _of_steps(scenario, program)):
        yield document.problem(path, what, "remove it", "warning", "no-effect")
    if scenario.purpose == "marketing" and scenario.holdout >= 1:
        what = "everybody is held out, and nobody gets a message"
        fix = "write for example '10%'; `tidings pause` stops a scenario"
        yield document.problem(("holdout",), what, fix, "warning", "nobody-left")


def _of_purpose(scenario: Scenario) -> Iterator[tuple[KeyPath, str]]:
    what = f"has no effect on {scenario.purpose} messages"
    if scenario.purpose == "marketing":
        return
    if scenario.holdout:
        yield ("holdout",), what
    if scenario.limits.at_most:
        yield ("limits", "at_most"), what
    if scenario.limits.quiet_hours and scenario.purpose == "transactional":
        yield ("limits", "quiet_hours"), what


def _of_steps(scenario: Scenario, program: Program | None) -> Iterator[tuple[KeyPath, str]]:
    # A message that waits for the morning is asked once more before it leaves.
    if "purchase" in scenario.steps[0].asks("unless") and not may_wait(scenario, program):
        yield ("steps", 0, "unless"), "the first step goes out at once, before anybody can buy"
    for index, step in enumerate(scenario.steps):
        if step.fallback_after and len(step.send) == 1:
            yield ("steps", index, "fallback_after"), f"there is no channel after '{step.send[0]}'"
