"""Conditions that nobody can fulfil: of the audience, and between a step's `only_if` and `unless`."""

from collections.abc import Iterator

from campaigns.audience import And, Node, Not, Or
from campaigns.contradictions import Segments, contradictions
from campaigns.kinds import of_kind
from campaigns.scenario import Scenario, Step
from core.errors import Problem
from core.source import Document, KeyPath


def check_conditions(scenario: Scenario, document: Document, segments: Segments) -> Iterator[Problem]:
    """Contradictions in the audience and in what each step asks."""
    yield from contradictory(document, ("audience",), scenario.audience, segments)
    for index, step in enumerate(scenario.steps):
        yield from _step(step, index, document, segments)


def contradictory(document: Document, path: KeyPath, node: Node, segments: Segments) -> Iterator[Problem]:
    """What cannot be true together in an audience."""
    for problem in contradictions(document, path, node, segments):
        yield of_kind(problem, "contradictory-audience")


def _step(step: Step, index: int, document: Document, segments: Segments) -> Iterator[Problem]:
    wanted, unwanted = step.asks("only_if"), step.asks("unless")
    path: KeyPath = ("steps", index, "only_if")
    if wanted and all(each in unwanted for each in wanted):
        what, fix = "what it waits for is what 'unless' forbids, so it never goes out", "remove one of them"
        yield document.problem(path, what, fix, kind="unreachable-step")
        return
    for key, nodes in (("only_if", wanted), ("unless", unwanted)):
        for node in (each for each in nodes if each != "purchase"):
            yield from contradictory(document, ("steps", index, key), node, segments)
    asked = [each for each in wanted if each != "purchase"]
    refused = tuple(Not(each) for each in unwanted if each != "purchase")
    if asked and refused and len(asked) == len(wanted):
        for problem in contradictions(document, path, And((_any(asked), *refused)), segments):
            yield of_kind(problem, "unreachable-step")


def _any(nodes: list[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))
