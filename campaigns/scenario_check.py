"""What must fit together in a scenario, and between it and the rest of the bundle."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.scenario import Scenario, Step
from core.errors import Problem
from core.explain import suggest
from core.program import Program
from core.schedule import Schedule
from core.source import Document, KeyPath
from core.units import TimeWindow

# A zone without daylight saving: what would always be dropped is a matter of the wall clock alone.
_PLAIN_ZONE = ZoneInfo("UTC")
_SOME_MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Surroundings:
    """What a scenario is checked against.

    `channels`: each channel's text files, best first (`email.mjml`, `email.txt`). `messages`: each message's
    files, as paths below its folder (`uk/sms.txt`). `program` is None when it could not be read.
    """

    channels: Mapping[str, Sequence[str]]
    messages: Mapping[str, Collection[str]]
    program: Program | None


def check_scenario(scenario: Scenario, document: Document, around: Surroundings) -> Iterator[Problem]:
    """What does not fit together, beyond the shape of each value."""
    yield from _schedule(scenario, document)
    yield from _first_wait(scenario, document)
    yield from _ids(scenario, document)
    for index, step in enumerate(scenario.steps):
        yield from _step(step, index, document, around)
    if scenario.purpose != "marketing":
        yield from _without_effect(scenario, document)
    yield from _always_dropped(scenario, document, around)


def check_steps(document: Document, around: Surroundings) -> Iterator[Problem]:
    """What does not fit in those steps that can be read, of a scenario that cannot: all is said at once."""
    steps = document.get(("steps",))
    for index in range(len(steps) if isinstance(steps, list) else 0):
        step = document.validate(Step, [], at=("steps", index))
        if step is not None:
            yield from _step(step, index, document, around)


def _step(step: Step, index: int, document: Document, around: Surroundings) -> Iterator[Problem]:
    yield from _texts(step, index, document)
    yield from _channels(step, index, document, around)
    yield from _messages(step, index, document, around)


def _schedule(scenario: Scenario, document: Document) -> Iterator[Problem]:
    if scenario.kind == "state" and scenario.schedule is None:
        what = f"is missing: {scenario.trigger} is looked up on a schedule"
        yield document.problem(("schedule",), what, "write for example 'schedule: every day at 10:00'")
    if scenario.kind != "state" and scenario.schedule is not None:
        answers = "answers events at once" if scenario.kind == "event" else "has its own times"
        yield document.problem(("schedule",), f"{scenario.trigger} {answers}", "remove it")


def _first_wait(scenario: Scenario, document: Document) -> Iterator[Problem]:
    if scenario.steps[0].wait:
        what = "the first step goes out at once"
        yield document.problem(("steps", 0, "wait"), what, "remove it, or put the wait on a later step")


def _ids(scenario: Scenario, document: Document) -> Iterator[Problem]:
    ids = [step.id for step in scenario.steps]
    for index, step_id in enumerate(ids):
        if step_id in ids[:index]:
            path: KeyPath = ("steps", index, "id")
            yield document.problem(path, f"a second step '{step_id}'", "give it its own id")


def _texts(step: Step, index: int, document: Document) -> Iterator[Problem]:
    path: KeyPath = ("steps", index)
    if step.message and step.variants:
        yield document.problem(
            (*path, "variants"), "a step has a message or variants, not both", "remove one"
        )
    if not step.choices:
        what = "says nothing"
        yield document.problem(path, what, "write for example 'message: hello'")
    if step.variants and not sum(variant.weight for variant in step.variants):
        yield document.problem(
            (*path, "variants"), "the weights add up to nothing", "give one of them a weight"
        )


def _channels(step: Step, index: int, document: Document, around: Surroundings) -> Iterator[Problem]:
    for place, channel in enumerate(step.send):
        path: KeyPath = ("steps", index, "send", place)
        if channel not in around.channels:
            fix = suggest(channel, sorted(around.channels))
            yield document.problem(path, f"no such channel: '{channel}'", fix)
        elif channel in step.send[:place]:
            yield document.problem(path, f"'{channel}' stands here twice", "remove one")
        elif around.program and channel not in around.program.channels:
            what = f"'{channel}' is not set up in program.yaml"
            yield document.problem(path, what, f"add '{channel}: {{}}' to its channels")


def _messages(step: Step, index: int, document: Document, around: Surroundings) -> Iterator[Problem]:
    for place, choice in enumerate(step.choices):
        own: KeyPath = ("variants", place, "message") if step.variants else ("message",)
        path: KeyPath = ("steps", index, *own)
        if choice.message not in around.messages:
            what = f"no such message: '{choice.message}'"
            new = f"add the folder messages/{choice.message}/"
            alike = suggest(choice.message, sorted(around.messages))
            yield document.problem(path, what, alike if alike.startswith("did") else new)
            continue
        there = {file.rpartition("/")[2] for file in around.messages[choice.message]}
        for channel in step.send:
            files = around.channels.get(channel, ())
            if files and not there.intersection(files):
                what = f"'{choice.message}' has no text for {channel}"
                yield document.problem(path, what, f"add messages/{choice.message}/{files[0]}")


def _without_effect(scenario: Scenario, document: Document) -> Iterator[Problem]:
    what = f"has no effect on {scenario.purpose} messages"
    if scenario.holdout:
        yield document.problem(("holdout",), what, "remove it", severity="warning")
    if scenario.limits.at_most:
        yield document.problem(("limits", "at_most"), what, "remove it", severity="warning")
    if scenario.limits.quiet_hours and scenario.purpose == "transactional":
        yield document.problem(("limits", "quiet_hours"), what, "remove it", severity="warning")


def _always_dropped(scenario: Scenario, document: Document, around: Surroundings) -> Iterator[Problem]:
    quiet = scenario.quiet_hours(around.program.quiet_hours if around.program else None)
    valid_for = scenario.limits.valid_for
    if quiet is None or valid_for is None:
        return
    waits = [_deferral(at, quiet) for schedule in _schedules(scenario) for at in _wall_times(schedule)]
    if waits and all(wait and wait > timedelta(seconds=valid_for.total_seconds) for wait in waits):
        what = f"quiet hours {quiet} hold every message longer than this, so it would always be dropped"
        yield document.problem(
            ("limits", "valid_for"), what, "look earlier, or make it longer", severity="warning"
        )


def _schedules(scenario: Scenario) -> list[Schedule]:
    own = [value for _, value in scenario.parameters if isinstance(value, Schedule)]
    return [scenario.schedule, *own] if scenario.schedule else own


def _wall_times(schedule: Schedule) -> list[datetime]:
    # Times of the day are the customer's own: a few weeks of any zone show them all.
    if schedule.at:
        return [datetime.combine(_SOME_MONDAY, schedule.at, tzinfo=_PLAIN_ZONE)]
    if schedule.cron:
        times = [(hour, minute) for hour in schedule.cron.hours for minute in schedule.cron.minutes]
        return [_SOME_MONDAY.replace(hour=hour, minute=minute, tzinfo=_PLAIN_ZONE) for hour, minute in times]
    return []


def _deferral(at: datetime, quiet: TimeWindow) -> timedelta | None:
    return quiet.end_after(at) - at if quiet.contains(at.time()) else None
