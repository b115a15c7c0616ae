"""What a template says to everybody is worked out once, when it is compiled.

Lists that a template writes out, loops over them, conditions and filters on what they hold: all of it is
replaced, on the syntax tree, by the text that it would give. Values go the very way that they go when the
template runs (the sandbox's attributes, the filters, what prints a value, escaping), so the text is the same.
Whatever is not certain to be the same is left as it is: a name that is bound twice, a loop that remembers
something, a template that others include or that includes others, a value that is an error.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeVar, cast

from jinja2 import nodes
from jinja2.environment import Environment
from jinja2.runtime import markup_join, str_join
from markupsafe import Markup, escape

# So many pieces of a tree may come of its loops; the others stay loops.
MOST_PIECES = 5_000
# What sees names that are not written in it, or changes how things are written.
_ELSEWHERE = (
    nodes.Include, nodes.Extends, nodes.Block, nodes.EvalContextModifier, nodes.ScopedEvalContextModifier,
)  # fmt: skip
# What keeps something beyond its own place, of which each round of a loop needs its own.
_REMEMBERS = (
    nodes.Assign, nodes.AssignBlock, nodes.NSRef, nodes.Macro, nodes.CallBlock, nodes.Import,
    nodes.FromImport, nodes.Break, nodes.Continue,
)  # fmt: skip
# Within these a name may be bound anew.
_SCOPES = (nodes.For, nodes.Macro, nodes.CallBlock, nodes.With, nodes.FilterBlock, nodes.AssignBlock)

# A value of another type may be another one each time that it is asked for (what a generator gives).
_PLAIN = (str, Markup, int, float, bool, type(None), list, tuple, dict)

Values = Mapping[str, Any]
_N = TypeVar("_N")


class _Round(dict[str, Any]):
    """What is known of a round of a loop; of what is not here a loop stays one."""


def folded(tree: nodes.Template, environment: Environment) -> nodes.Template:
    """The tree with everything worked out that is the same for everybody; it may be changed in place."""
    imports: Iterable[Any] = tree.find_all((nodes.Import, nodes.FromImport))
    if any(True for _ in tree.find_all(_ELSEWHERE)) or any(it.with_context for it in imports):
        return tree
    return _Folding(environment, tree).whole(tree)


class _Folding:
    def __init__(self, environment: Environment, tree: nodes.Template) -> None:
        self._environment = environment
        self._context = nodes.EvalContext(environment, None)
        self._room = MOST_PIECES
        bound = list(_bound(tree))
        self._once = {name for name in bound if bound.count(name) == 1}

    def _copy(self, node: _N) -> _N:
        """Every node knows the environment, which is no part of it."""
        return deepcopy(node, {id(self._environment): self._environment})

    def whole(self, tree: nodes.Template) -> nodes.Template:
        values: dict[str, Any] = {}
        body: list[nodes.Node] = []
        given: dict[str, nodes.Node] = {}
        for node in tree.body:
            if (found := self._given(node, body)) is not None:
                values[found[0]], given[found[0]] = found[1], node
                body.append(node)
            else:
                body += self._statements([node], values)
        tree.body = body
        for name, node in given.items():
            if not any(it.name == name for it in _read(body)):
                body.remove(node)
        return tree

    def _given(self, node: nodes.Node, before: Sequence[nodes.Node]) -> tuple[str, Any] | None:
        """A name that the template itself gives a value, once and for all, before anybody asks for it."""
        if not isinstance(node, nodes.Assign) or not isinstance(node.target, nodes.Name):
            return None
        name = node.target.name
        if name not in self._once or any(it.name == name for it in _read([*before, node.node])):
            return None
        known, value = self._value(node.node, {})
        return (name, value) if known else None

    def _statements(self, some: Iterable[nodes.Node], values: Values) -> list[nodes.Node]:
        return [new for node in some for new in self._statement(node, values)]

    def _statement(self, node: nodes.Node, values: Values) -> list[nodes.Node]:
        if isinstance(node, _SCOPES):
            hidden = {*_bound(node), "caller", "varargs", "kwargs"}
            if not isinstance(node, nodes.For):
                values = {name: value for name, value in values.items() if name not in hidden}
        if isinstance(node, nodes.Output):
            node.nodes = [self._said(it, values) for it in node.nodes]
        elif isinstance(node, nodes.If):
            return self._chosen(node, values)
        elif isinstance(node, nodes.For):
            return self._repeated(node, values)
        elif hasattr(node, "body"):
            node.body = self._statements(node.body, values)
        return [node]

    def _said(self, node: nodes.Expr, values: Values) -> nodes.Expr:
        if isinstance(node, nodes.TemplateData):
            return node
        known, value = self._value(node, values)
        if not known:
            return node
        printed = self._environment.finalize(value) if self._environment.finalize else value
        text = escape(printed) if self._context.autoescape else str(printed)
        return nodes.TemplateData(str(text), lineno=node.lineno, environment=self._environment)

    def _chosen(self, node: nodes.If, values: Values) -> list[nodes.Node]:
        known, value = self._value(node.test, values)
        if not known:
            node.body = self._statements(node.body, values)
            node.else_ = self._statements(node.else_, values)
            node.elif_ = [self._branch(it, values) for it in node.elif_]
            return [node]
        if value:
            return self._statements(node.body, values)
        if not node.elif_:
            return self._statements(node.else_, values)
        first, *rest = node.elif_
        first.elif_, first.else_ = rest, node.else_
        return self._chosen(first, values)

    def _branch(self, node: nodes.If, values: Values) -> nodes.If:
        node.body = self._statements(node.body, values)
        return node

    def _repeated(self, node: nodes.For, values: Values) -> list[nodes.Node]:
        known, rounds = self._value(node.iter, values)
        if known and isinstance(rounds, list | tuple) and self._is_plain(node, len(rounds)):
            unrolled = self._unrolled(node, rounds, values)
            if unrolled is not None:
                return unrolled
        # Its own names are not ours.
        hidden = {*_bound(node), "loop"}
        inside = {name: value for name, value in values.items() if name not in hidden}
        node.body = self._statements(node.body, inside)
        return [node]

    def _is_plain(self, node: nodes.For, rounds: int) -> bool:
        if node.recursive or node.test is not None or any(True for _ in node.find_all(_REMEMBERS)):
            return False
        pieces = rounds * sum(1 for _ in node.find_all(nodes.Node))
        if pieces > self._room:
            return False
        self._room -= pieces
        return True

    def _unrolled(self, node: nodes.For, rounds: Sequence[Any], values: Values) -> list[nodes.Node] | None:
        """The body once for each round; None if something in it still asks for what is the round's."""
        if not rounds:
            return self._statements(node.else_, values)
        made: list[nodes.Node] = []
        own = {*_bound(node.target), "loop"}
        for place, item in enumerate(rounds):
            names = _unpacked(node.target, item)
            if names is None:
                return None
            here = {**values, **names, "loop": _loop(place, len(rounds))}
            made += self._statements(self._copy(node.body), here)
        return None if any(it.name in own for it in _read(made)) else made

    def _value(self, node: nodes.Node, values: Values) -> tuple[bool, Any]:
        """Whether an expression is the same for everybody, and its value."""
        if any(it.name not in values for it in _read([node])):
            return False, None
        try:
            value = self._filled(self._copy(node), values).as_const(self._context)
        except Exception:  # noqa: BLE001 - whatever it is, it is said when the template runs
            return False, None
        return value.__class__ in _PLAIN, value

    def _filled(self, node: nodes.Node, values: Values) -> nodes.Expr:
        """An expression with values for names; an error for what only a running template can tell."""
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
            of = values[node.node.name]
            if isinstance(of, _Round):
                return self._const(node, of[node.attr])
        if isinstance(node, nodes.Name):
            if isinstance(values[node.name], _Round):
                raise nodes.Impossible
            return self._const(node, values[node.name])
        for field, inside in node.iter_fields():
            if isinstance(inside, nodes.Node):
                setattr(node, field, self._filled(inside, values))
            elif isinstance(inside, list):
                some = [self._filled(it, values) if isinstance(it, nodes.Node) else it for it in inside]
                setattr(node, field, some)
        if isinstance(node, nodes.Concat):
            # By itself it would forget what is escaped already.
            join = markup_join if self._context.autoescape else str_join
            pieces = [it.as_const(self._context) for it in node.nodes]
            return self._const(node, join(it for it in pieces if it is not None))
        return cast(nodes.Expr, node)

    def _const(self, node: nodes.Node, value: Any) -> nodes.Const:
        return nodes.Const(value, lineno=node.lineno, environment=self._environment)


def _read(some: Iterable[nodes.Node]) -> Iterator[nodes.Name]:
    """The names that are asked for in any of these."""
    for node in some:
        each = [node] if isinstance(node, nodes.Name) else node.find_all(nodes.Name)
        yield from (it for it in each if it.ctx == "load")


def _bound(node: nodes.Node) -> Iterator[str]:
    """The names that are given a value in it, each as often as that happens."""
    each = [node] if isinstance(node, nodes.Name) else [*node.find_all(nodes.Name)]
    yield from (it.name for it in each if it.ctx != "load")
    yield from (it.name for it in node.find_all(nodes.Macro))
    yield from (it.name for it in node.find_all(nodes.NSRef))
    yield from (it.target for it in node.find_all(nodes.Import))
    for it in node.find_all(nodes.FromImport):
        yield from (name if isinstance(name, str) else name[1] for name in it.names)


def _unpacked(target: nodes.Node, item: Any) -> dict[str, Any] | None:
    if isinstance(target, nodes.Name):
        return {target.name: item}
    parts = target.items if isinstance(target, nodes.Tuple) else []
    plain = all(isinstance(it, nodes.Name) for it in parts) and isinstance(item, list | tuple)
    if not plain or not parts or len(parts) != len(item):
        return None
    return {cast(nodes.Name, it).name: value for it, value in zip(parts, item, strict=True)}


def _loop(place: int, rounds: int) -> _Round:
    """What `loop` says of a round."""
    return _Round(
        index=place + 1, index0=place, revindex=rounds - place, revindex0=rounds - place - 1,
        first=not place, last=place == rounds - 1, length=rounds,
    )  # fmt: skip
