"""Values that are compared with, or added to, what they are not: an amount with a text, a day with a number.

`{% if balance > '500' %}` fails for every customer, and `{% if trigger.days_left == '1' %}` is never so. What
the operands are is known by their types and by what is written out; of anything else nothing is said.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from jinja2 import nodes

from templates.fitting import CALLED, Misfit, Types
from templates.reading import dotted_name

_KIND = "unlike-values"
# The types that may be compared and reckoned with each other, by one name.
_FAMILY: Mapping[str, str] = {
    **dict.fromkeys(("points", "money", "number", "percent"), "number"),
    **dict.fromkeys(("date", "local_date", "time"), "day"),
    "text": "text",
}
_A = {"number": "a number", "day": "a day", "text": "text"}
# What filters make of a value; of those of a family, one of another is told of already.
_OF = {
    **dict.fromkeys(("points", "money", "number", "percent"), "number"),
    **dict.fromkeys(("day", "date", "time"), "day"),
}
_MAKES = {
    **dict.fromkeys(("points", "money", "number", "percent", "day", "date", "time"), "text"),
    **dict.fromkeys(("upper", "lower", "capitalize", "title", "trim", "string"), "text"),
    **dict.fromkeys(("int", "float", "length", "count"), "number"),
}
_SIGNS = {"eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<="}
_PLAIN_NUMBER = re.compile(r"\d+(\.\d+)?")


def unlike(tree: nodes.Template, types: Types, made: Collection[str]) -> Iterator[Misfit]:
    """Every such use; of the names in `made`, which the text makes itself, nothing is known."""
    known = {name: kind for name, kind in types.items() if name.partition(".")[0] not in made}
    for compared in tree.find_all(nodes.Compare):
        left = compared.expr
        for operand in compared.ops:
            if operand.op in _SIGNS:
                yield from _unlike(left, _SIGNS[operand.op], operand.expr, known)
            left = operand.expr
    for each in tree.find_all((nodes.Add, nodes.Sub)):
        yield from _unlike(each.left, each.operator, each.right, known)


def _unlike(left: nodes.Expr, sign: str, right: nodes.Expr, types: Types) -> Iterator[Misfit]:
    families = _family(left, types), _family(right, types)
    if None in families or families[0] == families[1]:
        return
    # What is complained of is the value with a name; of two, the first.
    name, other, behind = (left, right, True) if dotted_name(_bare(left)) else (right, left, False)
    dotted = dotted_name(_bare(name))
    if dotted is None:
        return
    where = f"stands {'behind' if behind else 'before'} '{sign}'"
    what = f"{_said(name, dotted, types)}, and {_said(other, None, types)} {where}"
    follows = rf"[^{{}}]*?{re.escape(sign)}" if behind else "(?!)"
    yield Misfit(dotted, follows, left.lineno, what, _fix(name, other, dotted, sign, types), _KIND)


def _bare(node: nodes.Node | None) -> nodes.Node:
    """The value that filters are given."""
    while isinstance(node, nodes.Filter) and node.node is not None:
        node = node.node
    return node if node is not None else nodes.Const(None)


def _family(node: nodes.Node, types: Types) -> str | None:
    """`number`, `day` or `text`; None where it is not known."""
    if isinstance(node, nodes.Const):
        if isinstance(node.value, bool):
            return None
        return {str: "text", int: "number", float: "number", Decimal: "number"}.get(type(node.value))
    if isinstance(node, nodes.Filter):
        within = _family(_bare(node), types)
        return _MAKES.get(node.name) if within in (None, _OF.get(node.name, within)) else None
    return _FAMILY.get(types.get(dotted_name(node) or "", ""))


def _said(node: nodes.Node, dotted: str | None, types: Types) -> str:
    """The value and what it is: `'balance' is an amount of bonuses`, or only what it is."""
    if isinstance(node, nodes.Const):
        return f"the text '{node.value}'" if isinstance(node.value, str) else f"the number {node.value}"
    family = _family(node, types) or ""
    if isinstance(node, nodes.Filter):
        shown = f"'{dotted or dotted_name(_bare(node)) or '…'} | {node.name}'"
        return f"{shown} is {_A[family]}" if dotted else f"{shown}, {_A[family]},"
    name = dotted_name(node) or ""
    is_a = CALLED.get(types.get(name, ""), _A[family])
    return f"'{name}' is {is_a}" if dotted else f"'{name}', {is_a},"


def _fix(name: nodes.Node, other: nodes.Node, dotted: str, sign: str, types: Types) -> str:
    if sign in "+-":
        writes = {"number": " | number", "day": " | day"}.get(_family(name, types) or "", "")
        writes = " | points" if types.get(dotted) == "points" and writes else writes
        shown = "" if isinstance(name, nodes.Filter) else writes
        return f"write {{{{ {dotted}{shown} }}}} by itself, beside what belongs to it"
    if isinstance(name, nodes.Filter):
        return f"compare {dotted} itself"
    text = other.value if isinstance(other, nodes.Const) else None
    if text == "":
        return f"ask {{% if {dotted} %}} whether there is one"
    if _family(name, types) == "number" and isinstance(text, str) and _PLAIN_NUMBER.fullmatch(text.strip()):
        return f"write {text.strip()} without quotes"
    if _family(name, types) == "text" and text is not None:
        return f"write '{text}' in quotes"
    return "compare it with what is of its kind"
