"""Audiences that ask for what the program does not track."""

from collections.abc import Iterator

from campaigns.audience import Node, Test, walk
from campaigns.scenario import Scenario
from core.errors import Problem
from core.program import Program
from core.source import Document

REACTIONS = ("opened", "clicked")


def check_tracked(node: Node, document: Document, program: Program | None) -> Iterator[Problem]:
    """Warnings: nobody was ever seen to open or to click."""
    if program is None:
        return
    for each in walk(node):
        if isinstance(each, Test) and each.field in REACTIONS and not program.tracking.follows(each.field):
            key = "clicks" if each.field == "clicked" else "opens"
            what = f"program.yaml does not track {key}, so there are none to count"
            fix = f"write 'tracking: {{{key}: true}}' into program.yaml"
            yield document.problem(each.place, what, fix, "warning", "not-tracked")


def check_scenario_tracked(
    scenario: Scenario, document: Document, program: Program | None
) -> Iterator[Problem]:
    """The same of the audience, and of what each step asks."""
    nodes = [scenario.audience]
    for step in scenario.steps:
        nodes += [it for it in (*step.asks("unless"), *step.asks("only_if")) if it != "purchase"]
    for node in nodes:
        yield from check_tracked(node, document, program)
