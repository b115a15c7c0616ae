"""How far back the files of a workspace ask for what `retention` lets go.

`tidings check` tells of what is asked for and not kept; until it is mended, nothing goes that is asked for.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from campaigns.audience import Node, Test, walk
from campaigns.scenario import Scenario
from core.program import Program
from core.source import KeyPath
from core.units import DAY_SECONDS, Duration

# The field of an audience → the kind of rows that it counts.
_COUNTED = {"received": "messages", "opened": "feedback", "clicked": "feedback"}


@dataclass(frozen=True, slots=True)
class Window:
    """A time back from now for which rows of a `kind` are asked; `span` None is all time."""

    kind: str
    span: Duration | None
    place: KeyPath


def of_audience(node: Node) -> Iterator[Window]:
    """What an audience or a segment counts."""
    for each in walk(node):
        if isinstance(each, Test) and each.field in _COUNTED:
            yield Window(_COUNTED[each.field], each.within, each.place)


def of_scenario(scenario: Scenario) -> Iterator[Window]:
    """Its audience, what its steps ask, its limit, and the event that its last message still asks about."""
    yield from of_audience(scenario.audience)
    for step in scenario.steps:
        for asked in (*step.asks("unless"), *step.asks("only_if")):
            if asked != "purchase":
                yield from of_audience(asked)
    if scenario.limits.at_most:
        yield Window("messages", scenario.limits.at_most.window, ("limits", "at_most"))
    spans = [step.wait for step in scenario.steps if step.wait]
    spans += [scenario.limits.valid_for] if scenario.limits.valid_for else []
    if scenario.kind == "event" and spans:
        seconds = sum(it.total_seconds for it in spans)
        yield Window("events", Duration(days=-(-seconds // DAY_SECONDS)), ("steps",))


def of_program(program: Program) -> Iterator[Window]:
    """The allowances."""
    for name, allowance in program.allowances.marketing.items():
        yield Window("messages", allowance.window, ("allowances", "marketing", name))


def of_all(
    program: Program, scenarios: Iterable[Scenario], segments: Mapping[str, Node]
) -> Mapping[str, Duration | None]:
    """Kind → the longest time for which anybody asks; None is all time."""
    found = [*of_program(program)]
    for scenario in scenarios:
        found += of_scenario(scenario)
    for node in segments.values():
        found += of_audience(node)
    longest: dict[str, Duration | None] = {}
    for window in found:
        longest[window.kind] = _longer(longest.get(window.kind, Duration()), window.span)
    return longest


def _longer(one: Duration | None, other: Duration | None) -> Duration | None:
    if one is None or other is None:
        return None
    return max(one, other, key=lambda it: it.total_seconds)
