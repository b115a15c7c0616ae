"""Who of them: the tree that an `audience` or a segment is read into.

A mapping is an *and*; `any`, `all` and `not` combine. A value is equality, a list is *one of*, a mapping is
operators.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from decimal import Decimal
from typing import Any, NoReturn

from pydantic_core import PydanticCustomError

from campaigns.fields import FIELDS, LATER, MOMENTS, OPERATORS, Field, field_named
from core.errors import Problem
from core.explain import UNSUPPORTED, describe, one_of, suggest
from core.source import Document, KeyPath
from core.units import Duration, amount

COMBINATIONS = ("any", "all", "not")
GOODS = ("category", "brand", "sku")

Scalar = str | int | bool | Decimal
# What a test compares with: see `Test`.
Value = Scalar | tuple[Scalar, ...] | Duration


@dataclass(frozen=True, slots=True)
class Test:
    """One question about one field.

    `op` and its `value`: `one_of` a tuple; `at_least`, `at_most`, `more_than`, `less_than` a number in
    whole units; `between` two numbers, both included; `within` and `before` a `Duration` back from now;
    `contains` a text. `within` narrows what is summed or counted; `where` names goods: (("category",
    ("coffee",)),).
    """

    __test__ = False  # not one of pytest's

    field: str
    op: str
    value: Value
    within: Duration | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """Belongs to a named audience."""

    name: str


@dataclass(frozen=True, slots=True)
class And:
    """Every part is so; without parts, everybody."""

    parts: "tuple[Node, ...]" = ()


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part is so."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The part is not so."""

    part: "Node"


Node = And | Or | Not | Segment | Test
EVERYBODY = And()


@dataclass(frozen=True, slots=True)
class Names:
    """What an audience may refer to; None where it is not known and so not checked.

    `scales`: how many decimal places points and money have.
    """

    tiers: Collection[str] | None = None
    channels: Collection[str] | None = None
    segments: Collection[str] | None = None
    scenarios: Collection[str] | None = None
    scales: Mapping[str, int] = dataclass_field(default_factory=dict)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything inside it."""
    yield node
    if isinstance(node, (And, Or)):
        for part in node.parts:
            yield from walk(part)
    if isinstance(node, Not):
        yield from walk(node.part)


def read_audience(
    document: Document, path: KeyPath, names: Names, problems: list[Problem], skip: Collection[str] = ()
) -> Node:
    """Read the audience that stands at `path`; what is wrong goes to `problems` and is left out of the tree.

    `skip` names keys that belong to the file, not to the audience (a segment's `about`).
    """
    return _Reader(document, names, problems).mapping(document.get(path), path, skip)


class _Bad(Exception):  # a signal inside this module: the finding is already kept
    pass


class _Reader:
    def __init__(self, document: Document, names: Names, problems: list[Problem]) -> None:
        self.document = document
        self.names = names
        self.problems = problems

    # --- the shape

    def mapping(self, data: Any, path: KeyPath, skip: Collection[str] = ()) -> Node:
        if data is None:
            return EVERYBODY
        if not isinstance(data, dict):
            self._wrong(
                path, f"expected fields and values, got {describe(data)}", "write for example 'tier: gold'"
            )
            return EVERYBODY
        parts = tuple(
            part for key in data if key not in skip for part in self._key(key, data[key], (*path, key))
        )
        return parts[0] if len(parts) == 1 else And(parts)

    def _key(self, key: str, value: Any, path: KeyPath) -> Iterator[Node]:
        if key == "not":
            yield Not(
                Or(self._branches(value, path)) if isinstance(value, list) else self.mapping(value, path)
            )
        elif key in COMBINATIONS:
            yield (Or if key == "any" else And)(self._branches(value, path))
        else:
            try:
                yield from self._field(key, value, path)
            except _Bad:
                return

    def _branches(self, value: Any, path: KeyPath) -> tuple[Node, ...]:
        if not isinstance(value, list) or not value:
            what = f"expected a list of conditions, got {describe(value) if value else 'nothing'}"
            self._wrong(path, what, "write for example '[{tier: gold}, {city: Kyiv}]'")
            return ()
        return tuple(self.mapping(part, (*path, index)) for index, part in enumerate(value))

    # --- one field

    def _field(self, name: str, value: Any, path: KeyPath) -> Iterator[Node]:
        field = field_named(name)
        if field is None:
            self._unknown(name, path)
        elif isinstance(value, dict):
            yield from self._operators(field, name, value, path)
        elif not field.equality:
            self._fail(
                path,
                f"'{name}' needs an operator, got {describe(value)}",
                f"write for example '{field.example}'",
            )
        elif field.kind == "segment":
            segments = tuple(Segment(str(each)) for each in self._equals(field, value, path))
            yield segments[0] if len(segments) == 1 else Or(segments)
        else:
            yield Test(name, "one_of", self._equals(field, value, path))

    def _unknown(self, name: str, path: KeyPath) -> None:
        if name in LATER:
            self._fail(path, *UNSUPPORTED)
        known = [*FIELDS, *COMBINATIONS, "attributes.<name>"]
        self._fail(path, "no such field", suggest(name, known))

    def _operators(self, field: Field, name: str, given: dict[str, Any], path: KeyPath) -> Iterator[Node]:
        self._known_keys(field, name, given, path)
        if field.kind == "messages":
            yield self._received(field, given, path)
            return
        within = self._length(given["within"], (*path, "within")) if self._narrows(field, given) else None
        where = tuple(self._goods(key, given[key], (*path, key)) for key in GOODS if key in given)
        asked = [key for key in given if key in field.operators]
        if field.kind == "goods":
            if not where:
                self._fail(path, "names no goods", f"write for example '{field.example}'")
            if not asked:
                yield Test(name, "at_least", Decimal(1), within, where)
        elif not asked:
            self._fail(path, "compares with nothing", f"write for example '{field.example}'")
        for op in asked:
            yield Test(name, op, self._operand(field, op, given[op], (*path, op)), within, where)

    def _narrows(self, field: Field, given: dict[str, Any]) -> bool:
        return "within" in field.narrowing and "within" in given

    def _known_keys(self, field: Field, name: str, given: dict[str, Any], path: KeyPath) -> None:
        wrong = [key for key in given if key not in field.keys]
        for key in wrong:
            allowed = one_of(field.keys) if field.keys else f"a value: '{field.example}'"
            if key in OPERATORS:
                self._wrong((*path, key), f"'{key}' does not work with '{name}'", f"write {allowed}")
            elif field.keys:
                self._wrong((*path, key), "no such operator", suggest(key, field.keys))
            else:
                self._wrong((*path, key), f"'{name}' has no operators", f"write {allowed}")
        if wrong:
            raise _Bad

    # --- values

    def _operand(self, field: Field, op: str, value: Any, path: KeyPath) -> Value:
        if op in MOMENTS:
            return self._length(value, path)
        if op == "contains":
            return self._text(value, path)
        if op == "between":
            return self._pair(field, value, path)
        return self._number(field, value, path)

    def _pair(self, field: Field, value: Any, path: KeyPath) -> tuple[Decimal, Decimal]:
        if not isinstance(value, list) or len(value) != 2:
            self._fail(path, f"expected two numbers, got {describe(value)}", "write for example '[25, 45]'")
        low, high = (self._number(field, each, (*path, index)) for index, each in enumerate(value))
        if low > high:
            self._fail(path, f"{low} is more than {high}", f"write '[{high}, {low}]'")
        return low, high

    def _number(self, field: Field, value: Any, path: KeyPath) -> Decimal:
        try:
            number = amount(value)
        except PydanticCustomError:
            self._fail(path, f"expected a number, got {describe(value)}", "")
        if field.unit == "count" and number != number.to_integral_value():
            self._fail(path, f"expected a whole number, got {number}", "")
        if field.bounds is not None and not field.bounds[0] <= number <= field.bounds[1]:
            self._fail(path, "expected a number from {} to {}, got {}".format(*field.bounds, number), "")
        scale = self.names.scales.get(field.unit)
        if scale is not None and number != round(number, scale):
            self._fail(path, f"more than {scale} decimal places", f"write {round(number, scale)}")
        return number

    def _length(self, value: Any, path: KeyPath) -> Duration:
        try:
            length = Duration.read(value)
        except PydanticCustomError:
            length = Duration()
        if not length:
            self._fail(
                path, f"expected a length of time, got {describe(value)}", "write for example '30 days'"
            )
        return length

    def _text(self, value: Any, path: KeyPath) -> str:
        if not isinstance(value, str) or not value:
            quote = "put it in quotes" if isinstance(value, (int, Decimal)) else ""
            self._fail(path, f"expected text, got {describe(value)}", quote)
        return str(value)

    def _equals(self, field: Field, value: Any, path: KeyPath) -> tuple[Scalar, ...]:
        listed = isinstance(value, list)
        if listed and not value:
            self._fail(path, "an empty list is nobody", f"write for example '{field.example}'")
        values = [
            (each, (*path, index) if listed else path)
            for index, each in enumerate(value if listed else [value])
        ]
        return tuple(self._equal(field, each, place) for each, place in values)

    def _equal(self, field: Field, value: Any, path: KeyPath) -> Scalar:
        if field.kind == "number":
            return self._number(field, value, path)
        if field.kind == "anything":
            if isinstance(value, (dict, list)) or value is None:
                self._fail(
                    path, f"expected a value, got {describe(value)}", f"write for example '{field.example}'"
                )
            scalar: Scalar = value
            return scalar
        return self._known(field.name, self._text(value, path), path)

    def _known(self, noun: str, name: str, path: KeyPath) -> str:
        known = {
            "tier": self.names.tiers,
            "reachable": self.names.channels,
            "segment": self.names.segments,
            "scenario": self.names.scenarios,
        }.get(noun)
        if known is not None and name not in known:
            called = "channel" if noun == "reachable" else noun
            fix = (
                suggest(name, known if noun == "tier" else sorted(known))
                if known
                else f"there is no {called} yet"
            )
            self._fail(path, f"no such {called}: '{name}'", fix)
        return name

    def _goods(self, key: str, value: Any, path: KeyPath) -> tuple[str, tuple[str, ...]]:
        names = value if isinstance(value, list) else [value]
        if not names:
            self._fail(path, "an empty list names no goods", "write for example 'category: coffee'")
        return key, tuple(self._text(name, path) for name in names)

    def _received(self, field: Field, given: dict[str, Any], path: KeyPath) -> Test:
        if "scenario" not in given:
            self._fail(path, "names no scenario", f"write for example '{field.example}'")
        value = given["scenario"]
        names = [
            self._text(name, (*path, "scenario")) for name in (value if isinstance(value, list) else [value])
        ]
        scenarios = tuple(self._known("scenario", name, (*path, "scenario")) for name in names)
        within = self._length(given["within"], (*path, "within")) if "within" in given else None
        return Test(field.name, "one_of", scenarios, within)

    # --- findings

    def _wrong(self, path: KeyPath, what: str, fix: str) -> None:
        self.problems.append(self.document.problem(path, what, fix))

    def _fail(self, path: KeyPath, what: str, fix: str) -> NoReturn:
        self._wrong(path, what, fix)
        raise _Bad
