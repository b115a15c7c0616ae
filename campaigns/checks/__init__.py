"""What must fit together in a scenario, and between it and the rest of the bundle."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from campaigns.checks.around import Surroundings
from campaigns.checks.conditions import check_conditions
from campaigns.checks.effect import check_effect
from campaigns.checks.frequency import check_frequency
from campaigns.checks.kept import check_kept
from campaigns.checks.night import check_nights
from campaigns.checks.order import check_order
from campaigns.checks.steps import check_names, check_step
from campaigns.checks.tracked import check_scenario_tracked
from campaigns.scenario import Scenario, Step, given_steps
from campaigns.windows import of_scenario
from core.errors import Problem
from core.source import Document, as_far_as_read

__all__ = ["Surroundings", "check_scenario", "check_steps", "check_together"]


def check_scenario(scenario: Scenario, document: Document, around: Surroundings) -> Iterator[Problem]:
    """What does not fit together, beyond the shape of each value."""
    for index, step in enumerate(scenario.steps):
        yield from check_step(step, index, document, around)
    yield from check_together(scenario, document, around)


def check_together(scenario: Scenario, document: Document, around: Surroundings) -> Iterator[Problem]:
    """What does not fit between the parts of a scenario, as far as it could be read."""
    yield from as_far_as_read(_schedule(scenario, document))
    yield from as_far_as_read(_ids(scenario, document))
    yield from as_far_as_read(check_conditions(scenario, document, around.segments))
    yield from as_far_as_read(check_order(scenario, document))
    for check_within in (check_effect, check_nights, check_frequency, check_scenario_tracked):
        yield from as_far_as_read(check_within(scenario, document, around.program))
    yield from as_far_as_read(_kept(scenario, document, around))


def check_steps(document: Document, around: Surroundings) -> Iterator[Problem]:
    """What does not fit in the steps of a scenario that cannot be read, as far as they can: all at once."""
    for index, given in enumerate(given_steps(document)):
        step = document.validate(Step, [], at=("steps", index))
        if step is not None:
            yield from check_step(step, index, document, around)
        elif isinstance(given, dict) and (rest := _readable(given)):
            yield from check_names(rest, index, document, around)


def _readable(given: Mapping[str, Any]) -> Step | None:
    """A step without those of its keys that cannot be read; None if that is none."""
    try:
        return Step.model_validate(given)
    except ValidationError as error:
        wrong = {details["loc"][0] for details in error.errors(include_url=False)}
        rest = {key: value for key, value in given.items() if key not in wrong}
        return _readable(rest) if len(rest) < len(given) else None


def _kept(scenario: Scenario, document: Document, around: Surroundings) -> Iterator[Problem]:
    yield from check_kept(of_scenario(scenario), document, around.program)


def _schedule(scenario: Scenario, document: Document) -> Iterator[Problem]:
    at = partial(document.problem, ("schedule",))
    if scenario.kind == "state" and scenario.schedule is None:
        what = f"is missing: {scenario.trigger} is looked up on a schedule"
        yield at(what, "write for example 'schedule: every day at 10:00'", kind="schedule-missing")
    if scenario.kind != "state" and scenario.schedule is not None:
        answers = "answers events at once" if scenario.kind == "event" else "has its own times"
        yield at(f"{scenario.trigger} {answers}", "remove it", kind="schedule-not-needed")


def _ids(scenario: Scenario, document: Document) -> Iterator[Problem]:
    ids = [step.id for step in scenario.steps]
    for index, step_id in enumerate(ids):
        if step_id in ids[:index]:
            what, fix = f"a second step '{step_id}'", "give it its own id"
            yield document.problem(("steps", index, "id"), what, fix, kind="duplicate-step")
