"""YAML as people write it, with the place of every key: plain data, and what is wrong with the text.

YAML 1.2: `no` is the text "no" and `10:00` is the text "10:00". Dates stay text until a field asks for a
date; numbers are `int` or exact `Decimal`, never floats.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from core.errors import Problem
from core.letters import without_unkept
from core.yaml_slips import odd_space, slip_before

KeyPath = tuple[str | int, ...]
Place = tuple[int, int]

# The kind of what is wrong with a file as a whole (campaigns/kinds.py).
UNREADABLE = "unreadable-file"
# Far above any real file; a few nested aliases multiply beyond it ("billion laughs").
MOST_VALUES = 100_000
# Longer digits than these are an account number, not an amount.
MOST_DIGITS = 40
_TAG = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset(
    _TAG + name
    for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge", "value")
)


def dotted(path: KeyPath) -> str:
    """A path as people read it: `steps[0].send[1]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def read_yaml(
    text: str, file: str, problems: list[Problem]
) -> tuple[dict[str, Any], dict[KeyPath, tuple[Place, Place]]] | None:
    """The data of a file and the places of each key and value; None when there is nothing to go on with."""
    root = _compose(text, file, problems)
    if root is None:
        return None
    reader = _Reader(file, problems)
    try:
        data = reader.value(root, (), (1, 1))
    except _Refused as refusal:
        problems.append(refusal.problem)
        return None
    if not isinstance(data, dict):
        what, fix = "expected keys and values", "write for example 'about: …'"
        problems.append(Problem(file, 1, 1, "", what, fix, kind=UNREADABLE))
        return None
    return data, reader.places


def _compose(text: str, file: str, problems: list[Problem]) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        root: Node | None = yaml.compose(text.removeprefix("\ufeff"))
    except MarkedYAMLError as error:
        problems.append(_syntax_problem(error, file, text.removeprefix("\ufeff")))
    except YAMLError as error:
        # The reader's own error: a character that YAML does not allow at all.
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        problems.append(
            Problem(file, line, 1, "", "a character that YAML does not allow", "remove it", kind=UNREADABLE)
        )
    except RecursionError:
        problems.append(Problem(file, 1, 1, "", "nested too deeply", "flatten it", kind=UNREADABLE))
    else:
        if root is None:
            problems.append(
                Problem(file, 1, 1, "", "the file is empty", "write something or remove it", kind=UNREADABLE)
            )
        return root
    return None


def _syntax_problem(error: MarkedYAMLError, file: str, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, col = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = error.problem or error.context or "cannot be read"
    if slip := slip_before(text, line, col, said):
        return Problem(file, *slip, kind=UNREADABLE)
    for part, what, fix in _SYNTAX:
        if part in said:
            return Problem(file, line, col, "", what, fix, kind=UNREADABLE)
    return Problem(
        file,
        line,
        col,
        "",
        f"not valid YAML: {said}",
        "check the indentation, brackets and quotes",
        kind=UNREADABLE,
    )


# What the parser says, what it means, and what to do about it.
_SYNTAX = (
    (r"'\t'", "a tab where YAML wants spaces", "indent with spaces"),
    (
        "mapping values are not allowed",
        "not valid YAML: a second ':' in one value, or a line too far to the right",
        "put the value in quotes, or begin the line where its neighbours begin",
    ),
    (
        "that cannot start any token",
        "not valid YAML: a value cannot begin like this",
        "put the value in quotes",
    ),
    (
        "expected alphabetic or numeric character",
        "not valid YAML: a value cannot begin with '*' or '&'",
        "put the value in quotes",
    ),
    (
        "expected <block end>",
        "not valid YAML: a line does not begin where its neighbours begin",
        "give it their indentation",
    ),
    (
        "found undefined alias",
        "'*' refers to a name that nothing has",
        "put the value in quotes if it is text",
    ),
    ("another document", "a second document in one file", "remove the '---'"),
    ("unexpected end of stream", "a quote that is never closed", "close it"),
    ("'<stream end>'", "a bracket that is never closed", "close it"),
    ("did not find expected ',' or", "a bracket that is never closed", "close it"),
    ("expected ',' or", "not valid YAML: a bracket is not closed before this", "close it, or add a comma"),
)


class _Refused(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class _Reader:
    """Nodes to plain data, remembering the place of each key and value."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        self.places: dict[KeyPath, tuple[Place, Place]] = {}
        self._open: list[int] = []

    def value(self, node: Node, path: KeyPath, key: Place) -> Any:
        """The data of a node; `key` is the place of its key, or of the item itself in a list."""
        self.places[path] = (key, _place(node))
        self._refuse_bombs(node, path)
        if node.tag not in _KNOWN_TAGS:
            self._complain(path, f"no such YAML tag: {node.tag}", "remove it, or put the value in quotes")
            return str(node.value) if isinstance(node, ScalarNode) else None
        if isinstance(node, ScalarNode):
            return self._kept(_scalar(node), path)
        self._open.append(id(node))
        data: Any = self._mapping(node, path) if isinstance(node, MappingNode) else self._sequence(node, path)
        self._open.pop()
        return data

    def _sequence(self, node: Node, path: KeyPath) -> list[Any]:
        return [self.value(item, (*path, index), _place(item)) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if key.tag == _TAG + "merge":
                continue
            if not isinstance(key, ScalarNode):
                self._complain(path, "a key must be text", "write 'key: value'")
            elif slip := odd_space(key.value, *_place(key)):
                raise _Refused(Problem(self.file, *slip, kind=UNREADABLE))
            elif (name := self._kept(key.value, path, _place(key))) in data:
                self._duplicate(key, (*path, name))
            else:
                data[name] = self.value(value, (*path, name), _place(key))
        return self._merged(node, path) | data

    def _merged(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        # `<<: *base`: what is written here wins over what is merged in, places included.
        own = dict(self.places)
        data: dict[str, Any] = {}
        taken = [(key, value) for key, value in node.value if key.tag == _TAG + "merge"]
        for key, value in taken:
            bases = value.value if isinstance(value, SequenceNode) else [value]
            for base in reversed(bases):
                merged = self.value(base, path, _place(key))
                if not isinstance(merged, dict):
                    self._complain(path, "'<<' takes in keys and values, and nothing else", "remove it")
                elif key is not taken[0][0]:
                    self._complain(path, "a second '<<' in one mapping", "write '<<: [*one, *other]'")
                else:
                    data |= merged
        self.places.update(own)
        return data

    def _duplicate(self, key: ScalarNode, path: KeyPath) -> None:
        first = self.places[path][0][0]
        line, col = _place(key)
        self.problems.append(
            Problem(
                self.file,
                line,
                col,
                dotted(path),
                "duplicate key",
                f"it already stands on line {first}; keep one",
                kind="duplicate-key",
            )
        )

    def _kept(self, value: Any, path: KeyPath, place: Place | None = None) -> Any:
        """A value without what no database keeps, of which it is told."""
        if not isinstance(value, str):
            return value
        kept, wrong = without_unkept(value)
        for what, fix in wrong:
            self._complain(path, what, fix, place)
        return kept

    def _complain(self, path: KeyPath, what: str, fix: str, place: Place | None = None) -> None:
        line, col = place or self.places[path][0]
        self.problems.append(Problem(self.file, line, col, dotted(path), what, fix, kind=UNREADABLE))

    def _refuse_bombs(self, node: Node, path: KeyPath) -> None:
        line, col = self.places[path][0]
        if id(node) in self._open:
            raise _Refused(
                Problem(
                    self.file, line, col, dotted(path), "contains itself", "remove the alias", kind=UNREADABLE
                )
            )
        if len(self.places) > MOST_VALUES:
            what = f"more than {MOST_VALUES} values once its aliases are followed"
            raise _Refused(Problem(self.file, line, col, "", what, "use fewer aliases", kind=UNREADABLE))


def _place(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _scalar(node: ScalarNode) -> str | int | Decimal | bool | None:
    kind, text = str(node.tag).removeprefix(_TAG), str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind in ("int", "float") and len(text) <= MOST_DIGITS:
        return _number(kind, text.replace("_", ""))
    return text


def _number(kind: str, text: str) -> int | Decimal | str:
    try:
        if kind == "float":
            number = Decimal(text)
            return number if number.is_finite() else text
        return int(text, 0) if text.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else int(text)
    except (ValueError, InvalidOperation):
        return text
