"""Texts that come out empty for some customers: all of one stands in a condition, and there is no other way.

Only that shape is told: of two conditions one by another nobody can say here that both may fail. Where the
condition always holds it need not stand in the text at all.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from jinja2 import TemplateSyntaxError, nodes

from core.errors import Problem, Problems
from templates.folding import folded
from templates.library import Library
from templates.pages import Part
from templates.sources import Slot

# Without one of these a message is not sent; an email goes without its subject.
_NEEDED = ("text", "body", "subject")
# What says nothing itself.
_SILENT = (nodes.Assign, nodes.AssignBlock, nodes.Macro, nodes.Import, nodes.FromImport)
_IF = re.compile(r"\{%[-+]?\s*if\b\s*(.*?)\s*[-+]?%\}", re.DOTALL)


def check_blank(library: Library) -> list[Problem]:
    """Warnings of every text that a condition without another way leaves empty, in any channel."""
    return sorted({problem for slot in library.sent() for problem in _of(library, slot)})


def _of(library: Library, slot: Slot) -> Iterator[Problem]:
    if slot.channel == "webhook":
        return  # a call may carry data alone
    try:
        parts = library.parts(slot)
    except Problems:
        return  # what is wrong with the file is a finding of its own
    paged = any(part.name == "html" for part in parts)
    for part in (it for it in parts if it.name in _NEEDED and not it.rewritten):
        if paged and part.name == "text":
            continue  # whoever reads it has the page beside it
        try:
            said = _only_condition(library, slot, part)
        except TemplateSyntaxError:
            continue
        if said:
            yield _problem(part, said)


def _only_condition(library: Library, slot: Slot, part: Part) -> nodes.If | None:
    """The condition in which all of the text stands, if there is no `else`; what is known is worked out."""
    environment = library.environment(slot.locale, part.kind)
    said = [it for it in folded(environment.parse(part.template), environment).body if not _says_nothing(it)]
    only = said[0] if len(said) == 1 else None
    return only if isinstance(only, nodes.If) and not only.elif_ and not only.else_ else None


def _says_nothing(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Output):
        return all(isinstance(it, nodes.TemplateData) and not it.data.strip() for it in node.nodes)
    return isinstance(node, _SILENT)


def _problem(part: Part, said: nodes.If) -> Problem:
    start = part.located.line_start(said.lineno)
    found = _IF.search(part.located.text, start)
    condition = f"'{found[1]}'" if found else "its condition"
    if part.name == "subject":
        what = f"there is no subject where {condition} is not so"
        fix = "write {% else %} and another one"
    else:
        what = f"there is no text where {condition} is not so, and the message fails"
        fix = "write {% else %} and another text, or leave the condition to the scenario's audience"
    problem = part.located.problem(found.start() if found else start, what, fix, "empty-text")
    return replace(problem, severity="warning")
