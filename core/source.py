"""YAML as people write it, with the place of every key, so that every complaint can point at its line.

YAML 1.2: `no` is the text "no" and `10:00` is the text "10:00". Dates stay text until a field asks for a
date; numbers are `int` or exact `Decimal`, never floats.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from core.errors import Problem
from core.explain import explain, instead_at, keys_at, nearest, suggest, wrapped_at
from core.letters import without_unkept

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


class Model(BaseModel):
    """The base of what is read from a file: unknown keys are errors, no value becomes another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    # Keys as others call them → the key that is meant, or what to write instead.
    instead: ClassVar[Mapping[str, str]] = {}


ModelT = TypeVar("ModelT", bound=BaseModel)


def dotted(path: KeyPath) -> str:
    """A path as people read it: `steps[0].send[1]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


@dataclass(frozen=True)
class Document:
    """One file: its data and where each piece of it stands.

    The data is plain `dict`, `list`, `str`, `int`, `Decimal`, `bool` and `None`.
    """

    file: str
    data: dict[str, Any]
    places: dict[KeyPath, tuple[Place, Place]] = field(repr=False)

    def position(self, path: KeyPath, key: bool = True) -> Place:
        """Line and column, from 1, of the key (or the value) at `path`, or of its nearest ancestor."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path][0 if key else 1]

    def get(self, path: KeyPath) -> Any:
        """The value at `path`; None when there is none."""
        value: Any = self.data
        for part in path:
            value = _step(value, part)
        return value

    def problem(
        self, path: KeyPath, what: str, fix: str = "", severity: str = "error", kind: str = ""
    ) -> Problem:
        """A problem with what stands at `path`."""
        line, col = self.position(path)
        return Problem(self.file, line, col, dotted(path), what, fix, severity, kind)

    def validate(
        self, model: type[ModelT], problems: list[Problem], at: KeyPath = (), noun: str = "key"
    ) -> ModelT | None:
        """Read what stands at `at` as `model`; None, and every problem in `problems`, if it does not fit.

        `noun` is what a key is called here: a trigger has parameters.
        """
        data = self.get(at)
        try:
            return model.model_validate({} if data is None else data)
        except ValidationError as error:
            problems.extend(self._problems(error, model, at, noun))
            return None

    def _problems(
        self, error: ValidationError, model: type[BaseModel], at: KeyPath, noun: str
    ) -> Iterator[Problem]:
        everything = error.errors(include_url=False)
        meant = {path for details in everything if (path := _meant(details, model))}
        for details in everything:
            inner = (*details["loc"], *details.get("ctx", {}).get("at", ()))
            path = self._existing(at + inner)
            if details["type"] == "extra_forbidden":
                yield self._unknown_key(path, model, inner, noun)
            elif details["type"] != "missing":
                what, fix = explain(details, noun)
                example = _example(model, inner)
                if details["type"] in _LISTS:
                    fix = example or fix
                fix = fix or example or _keys(details, model, inner, path)
                yield self.problem(path, what, fix, kind="wrong-value")
            elif inner not in meant:
                fix = _example(model, inner) or f"add '{inner[-1]}:'"
                yield self.problem((*path, inner[-1]), "is missing", fix, kind="missing-key")

    def _unknown_key(self, path: KeyPath, model: type[BaseModel], inner: KeyPath, noun: str) -> Problem:
        known, _ = keys_at(model, inner[:-1])
        instead = instead_at(model, inner[:-1], str(path[-1]))
        fix = f"write '{instead}'" if instead in known else instead or suggest(str(path[-1]), known)
        return self.problem(path, f"no such {noun}", fix, kind="unknown-key")

    def _existing(self, loc: KeyPath) -> KeyPath:
        # Pydantic's location also names union members and items of a one-item list written as a bare value.
        path: KeyPath = ()
        for part in loc:
            if (*path, part) in self.places:
                path = (*path, part)
        return path


# A list may be one of mappings: its example says more than the value in brackets.
_LISTS = ("list_type", "tuple_type")


def _meant(details: ErrorDetails, model: type[BaseModel]) -> KeyPath | None:
    """Where a misspelt key should stand: told what to write, nobody needs to hear that it is missing."""
    *parent, key = details["loc"] or ("",)
    if details["type"] != "extra_forbidden":
        return None
    known, _ = keys_at(model, parent)
    instead = instead_at(model, parent, str(key))
    alike = instead if instead in known else nearest(str(key), known)
    return (*parent, alike) if alike else None


def _example(model: type[BaseModel], inner: KeyPath) -> str:
    _, examples = keys_at(model, inner)
    # What is an example of a list is none of one of its items.
    item = not inner or isinstance(inner[-1], int)
    return f"write for example '{inner[-1]}: {examples[0]}'" if examples and not item else ""


def _keys(details: ErrorDetails, model: type[BaseModel], inner: KeyPath, path: KeyPath) -> str:
    """Where something else stands in the place of keys and values: how it is written, or its keys."""
    known, _ = keys_at(model, inner)
    if details["type"] != "model_type" or not known:
        return ""
    if wrapped := wrapped_at(model, inner, details["input"]):
        name = f"{path[-1]}: " if path and isinstance(path[-1], str) else ""
        return f"write for example '{name}{wrapped}'"
    return f"its keys are {', '.join(known)}"


def _step(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def load(text: str, file: str, problems: list[Problem]) -> Document | None:
    """Read one file; syntax errors and duplicate keys go to `problems`.

    None when there is nothing to go on with.
    """
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
        problems.append(
            Problem(
                file, 1, 1, "", "expected keys and values", "write for example 'about: …'", kind=UNREADABLE
            )
        )
        return None
    return Document(file, data, reader.places)


def _compose(text: str, file: str, problems: list[Problem]) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        root: Node | None = yaml.compose(text.removeprefix("\ufeff"))
    except MarkedYAMLError as error:
        problems.append(_syntax_problem(error, file))
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


def _syntax_problem(error: MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, col = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = error.problem or error.context or "cannot be read"
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
