"""Filters that do not fit what they are given: that of a day on an amount, that of an amount on a name.

A message with one fails for every customer; what is known of a value's type shows it before. The types are
those of triggers' facts: points, money, number, percent, text, date, local_date, time.
"""

from collections.abc import Iterator, Mapping
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
_CALLED = {
    "points": "an amount of bonuses", "money": "money", "number": "a number", "percent": "a percentage",
    "text": "text", "date": "a day", "local_date": "a day", "time": "a time",
}  # fmt: skip
_WRITES = {**{name: name for name in _AMOUNTS}, "date": "day", "local_date": "day", "time": "day"}
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
    """A filter that fails on the value before it: where, what is wrong, and what to write."""

    dotted: str
    filter: str
    line: int
    what: str
    fix: str


def misfits(tree: nodes.Template, types: Types) -> Iterator[Misfit]:
    """Every filter that cannot write the named value that it is given."""
    for each in tree.find_all(nodes.Filter):
        dotted = dotted_name(each.node) if each.node is not None else None
        given = types.get(dotted) if dotted else None
        if dotted and given and given not in _TAKES.get(each.name, (given,)):
            what = f"'{dotted}' is {_CALLED[given]}, and the filter '{each.name}' needs {_NEEDS[each.name]}"
            writes = f" | {_WRITES[given]}" if given in _WRITES else ""
            yield Misfit(dotted, each.name, each.lineno, what, f"write {{{{ {dotted}{writes} }}}}")
