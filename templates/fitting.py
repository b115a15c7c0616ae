"""Values that are used as what they are not: the filter of a day on an amount, a part that a text has not,
a whole level where its name is meant.

A message with one fails for every customer, or says nonsense; what is known of a value's type shows it
before. The types are those of triggers' facts: points, money, number, percent, text, date, local_date, time.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import NoneType
from typing import get_args, get_type_hints

from jinja2 import nodes

from templates.context import VIEWS
from templates.reading import dotted_name

# Dotted name → the type of its value; a name that is not here is not judged.
Types = Mapping[str, str]

_AMOUNTS = ("points", "money", "number", "percent")
_DAYS = ("date", "local_date", "time")
_TAKES = {**dict.fromkeys(_AMOUNTS, _AMOUNTS), "day": _DAYS, "date": _DAYS, "time": ("time",)}
_NEEDS = {**dict.fromkeys(_AMOUNTS, "a number"), "day": "a day", "date": "a day", "time": "a time of the day"}
CALLED = {
    "points": "an amount of bonuses", "money": "money", "number": "a number", "percent": "a percentage",
    "text": "text", "date": "a day", "local_date": "a day", "time": "a time",
}  # fmt: skip
_WRITES = {**{name: name for name in _AMOUNTS}, "date": "day", "local_date": "day", "time": "day"}
_CLASSES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(_AMOUNTS, (Decimal, int)), "text": (str,), "date": (date,), "local_date": (date,),
    "time": (datetime,), "attributes": (dict,),
}  # fmt: skip
# Jinja's own filters that make text of what they are given.
_WRITE_TEXT = ("upper", "lower", "capitalize", "title", "trim", "escape", "e", "default", "d")
_VIEWS = (*VIEWS, "trigger")
_USUAL = {
    "customer": "customer.name", "program": "program.name", "tier": "tier.name",
    "expiring": "expiring.amount", "links": "links.card",
}  # fmt: skip
_PYTHON = {Decimal: "number", int: "number", str: "text", date: "date", datetime: "time"}


def _of_views() -> Iterator[tuple[str, str]]:
    for name, view in VIEWS.items():
        for attribute, hint in get_type_hints(view).items():
            [kind, *others] = [it for it in get_args(hint) or (hint,) if it is not NoneType]
            if not others and kind in _PYTHON:
                yield f"{name}.{attribute}", _PYTHON[kind]


# What every template may speak of; `trigger.…` is added by whoever knows the trigger.
TYPES: Types = {
    **dict(_of_views()),
    "balance": "points",
    "expiring.amount": "points",
    "tier.earn": "percent",
    "tier.discount": "percent",
}


@dataclass(frozen=True, slots=True)
class Misfit:
    """A use of a value that fails, or says nonsense, for every customer: what is wrong, and what to write.

    `dotted` is the name as it stands there, `follows` a pattern of what stands behind it.
    """

    dotted: str
    follows: str
    line: int
    what: str
    fix: str
    kind: str = "wrong-filter"


def misfits(tree: nodes.Template, types: Types, made: Collection[str] = ()) -> Iterator[Misfit]:
    """Every use that does not fit; of the names in `made`, which the text makes itself, nothing is known."""
    known = {name: kind for name, kind in types.items() if name.partition(".")[0] not in made}
    yield from _filters(tree, known)
    yield from _parts_of_values(tree, known)
    for name in _bare(tree):
        if name.name in _VIEWS and name.name not in made:
            facts = (each for each in types if each.startswith("trigger."))
            part = _USUAL.get(name.name) or next(facts, "trigger.…")
            what = f"'{name.name}' is several values at once"
            fix = f"name the one that is meant, for example {part}"
            yield Misfit(name.name, r"(?!\s*[.\[])", name.lineno, what, fix, "not-a-value")


def _filters(tree: nodes.Template, types: Types) -> Iterator[Misfit]:
    for each in tree.find_all(nodes.Filter):
        dotted = dotted_name(each.node) if each.node is not None else None
        if dotted is None or each.name not in _TAKES:
            continue
        given, follows = types.get(dotted), rf"\s*\|\s*{each.name}\b"
        if given and given not in _TAKES[each.name]:
            what = f"'{dotted}' is {CALLED[given]}, and the filter '{each.name}' needs {_NEEDS[each.name]}"
            writes = f" | {_WRITES[given]}" if given in _WRITES else ""
            yield Misfit(dotted, follows, each.lineno, what, f"write {{{{ {dotted}{writes} }}}}")
        elif each.args or each.kwargs:
            what = f"the filter '{each.name}' writes as the language does, and takes nothing in brackets"
            yield Misfit(dotted, follows, each.lineno, what, f"write {{{{ {dotted} | {each.name} }}}}")


def _parts_of_values(tree: nodes.Template, types: Types) -> Iterator[Misfit]:
    """What is read of a value that has no such part: `customer.name.first`."""
    called = {id(it.node) for it in tree.find_all(nodes.Call)}
    for each in tree.find_all(nodes.Getattr):
        owner = dotted_name(each.node)
        given = types.get(owner) if owner and "." in owner else None
        if owner and given and not any(hasattr(kind, each.attr) for kind in _CLASSES[given]):
            what = f"'{owner}' is {CALLED[given]} and has no '{each.attr}'"
            dotted = f"{owner}.{each.attr}"
            yield Misfit(dotted, "", each.lineno, what, f"write {owner}", "unknown-template-name")
        elif owner and given and id(each) not in called and _is_method(given, each.attr):
            what = f"'{owner}.{each.attr}' does nothing by itself"
            fix = f"write {owner} | {each.attr}" if each.attr in _WRITE_TEXT else f"write {owner}"
            yield Misfit(f"{owner}.{each.attr}", "", each.lineno, what, fix, "not-a-value")


def _is_method(given: str, attribute: str) -> bool:
    return all(callable(getattr(kind, attribute)) for kind in _CLASSES[given] if hasattr(kind, attribute))


def _bare(tree: nodes.Template) -> Iterator[nodes.Name]:
    """Names that are printed, compared or asked whether they are so, by themselves."""
    for output in tree.find_all(nodes.Output):
        for node in output.nodes:
            yield from _printed(node)
    for compared in tree.find_all(nodes.Compare):
        for node in (compared.expr, *(operand.expr for operand in compared.ops)):
            yield from _printed(node)
    for condition in tree.find_all(nodes.If):
        yield from _asked(condition.test)
    for choice in tree.find_all(nodes.CondExpr):
        yield from _asked(choice.test)


def _printed(node: nodes.Node | None) -> Iterator[nodes.Name]:
    while isinstance(node, nodes.Filter) and (node.name in _TAKES or node.name in _WRITE_TEXT):
        node = node.node
    if isinstance(node, nodes.Name):
        yield node


def _asked(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    elif isinstance(node, nodes.Not):
        yield from _asked(node.node)
    elif isinstance(node, nodes.And | nodes.Or):
        yield from _asked(node.left)
        yield from _asked(node.right)
