"""Reading the mapping that stands in a file into the tree."""

from calendar import monthrange
from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any

from campaigns.audience.tree import EVERYBODY, And, Names, Node, Not, Or, Segment, Test
from campaigns.audience.values import Bad, Values
from campaigns.fields import ATTRIBUTE, FIELDS, OPERATORS, Field, field_named
from core.db.members import QUOTE
from core.errors import Problem
from core.explain import describe, one_of, suggest
from core.source import Document, KeyPath
from core.units import Duration

COMBINATIONS = ("any", "all", "not")
_LEAP_YEAR = 2024
# What other languages call them; by likeness alone `and` would be taken for `any`.
_ELSEWHERE = {"and": "all", "or": "any", "none": "not", "except": "not"}


def read_audience(
    document: Document, path: KeyPath, names: Names, problems: list[Problem], skip: Collection[str] = ()
) -> Node:
    """Read the audience that stands at `path`; what is wrong goes to `problems` and is left out of the tree.

    `skip` names keys that belong to the file, not to the audience (a segment's `about`).
    """
    return _Reader(Values(document, names, problems)).mapping(document.get(path), path, skip)


class _Reader:
    def __init__(self, values: Values) -> None:
        self.values = values

    # --- the shape

    def mapping(self, data: Any, path: KeyPath, skip: Collection[str] = ()) -> Node:
        if data is None:
            return EVERYBODY
        if not isinstance(data, dict):
            what = f"expected fields and values, got {describe(data)}"
            fix = "write for example 'tier: gold'"
            if isinstance(data, list):
                fix = "leave out the dashes: what stands together is an and; or write 'any:' above them"
            self.values.wrong(path, what, fix)
            return EVERYBODY
        parts = tuple(
            part for key in data if key not in skip for part in self._key(key, data[key], (*path, key))
        )
        return parts[0] if len(parts) == 1 else And(parts)

    def _key(self, key: str, value: Any, path: KeyPath) -> Iterator[Node]:
        if key == "not":
            if value is None or value == {}:
                fix = "write for example 'not: {segment: staff}', or remove it"
                self.values.wrong(path, "names no condition, so that nobody is left", fix)
                return
            yield Not(
                Or(self._branches(value, path)) if isinstance(value, list) else self.mapping(value, path)
            )
        elif key in COMBINATIONS:
            yield (Or if key == "any" else And)(self._branches(value, path))
        else:
            try:
                yield from self._field(key, value, path)
            except Bad:
                return

    def _branches(self, value: Any, path: KeyPath) -> tuple[Node, ...]:
        if not isinstance(value, list) or not value:
            what = f"expected a list of conditions, got {describe(value) if value else 'nothing'}"
            self.values.wrong(path, what, "write for example '[{tier: gold}, {city: Kyiv}]'")
            return ()
        return tuple(self._branch(part, (*path, index)) for index, part in enumerate(value))

    def _branch(self, part: Any, path: KeyPath) -> Node:
        if part is None or part == {}:
            # By itself it would be everybody: a dash too many opens an `any` to all, and a `not` to nobody.
            self.values.wrong(path, "names no condition", "write for example 'tier: gold', or remove it")
        return self.mapping(part, path)

    # --- one field

    def _field(self, name: str, value: Any, path: KeyPath) -> Iterator[Node]:
        field = _written(name)
        if field is None:
            self.values.fail(path, "no such field", _meant(name))
        elif field is ATTRIBUTE and QUOTE in name:
            self.values.fail(path, f"an attribute's name holds no {QUOTE}", "import it by another name")
        elif isinstance(value, dict):
            yield from self._mapped(field, name, value, path)
        elif not field.equality:
            needs = "parts" if field.parts else "an operator"
            what = f"'{name}' needs {needs}, got {describe(value)}"
            self.values.fail(path, what, f"write for example '{field.example}'")
        elif field.kind == "segment":
            segments = tuple(Segment(str(each), path) for each in self.values.equals(field, value, path))
            yield segments[0] if len(segments) == 1 else Or(segments)
        else:
            yield Test(name, "one_of", self.values.equals(field, value, path), place=path)

    def _mapped(self, field: Field, name: str, given: dict[str, Any], path: KeyPath) -> Iterator[Node]:
        self._known_keys(field, name, given, path)
        if field.parts:
            yield from self._parts(field, given, path)
        elif field.kind == "messages":
            yield self._received(field, given, path)
        else:
            yield from self._operators(field, name, given, path)

    def _operators(self, field: Field, name: str, given: dict[str, Any], path: KeyPath) -> Iterator[Node]:
        self._needed(field, given, path)
        within = self._within(field, given, path)
        where = tuple(
            (key, self.values.texts(given[key], (*path, key), key))
            for key in field.narrowing
            if key != "within" and key in given
        )
        asked = [key for key in given if key in field.operators]
        if not asked:
            yield self._at_least_one(field, name, path, within, where)
        for op in asked:
            place = (*path, op)
            yield Test(name, op, self.values.operand(field, op, given[op], place), within, where, place)

    def _needed(self, field: Field, given: dict[str, Any], path: KeyPath) -> None:
        if field.needs and not any(key in given for key in field.needs):
            lacking = {"category": "goods", "within": "length of time", "scenario": "scenario"}
            what = f"names no {lacking[field.needs[0]]}"
            self.values.fail(path, what, f"write for example '{field.example}'")

    def _at_least_one(
        self, field: Field, name: str, path: KeyPath, within: Duration | None,
        where: tuple[tuple[str, tuple[str, ...]], ...],
    ) -> Test:  # fmt: skip
        if not field.counts:
            self.values.fail(path, "compares with nothing", f"write for example '{field.example}'")
        op, value = ("at_least", Decimal(1)) if field.unit == "count" else ("more_than", Decimal(0))
        return Test(name, op, value, within, where, path)

    def _within(self, field: Field, given: dict[str, Any], path: KeyPath) -> Duration | None:
        if "within" not in field.narrowing or "within" not in given:
            return None
        # Bonuses expire at the end of a day.
        read = self.values.days if field.name == "expiring" else self.values.length
        return read(given["within"], (*path, "within"))

    def _parts(self, field: Field, given: dict[str, Any], path: KeyPath) -> Iterator[Node]:
        if not given:
            self.values.fail(path, "compares with nothing", f"write for example '{field.example}'")
        for key, value in given.items():
            part = field.part(key)
            if isinstance(value, dict):
                yield from self._mapped(part, part.name, value, (*path, key))
            else:
                equal = self.values.equals(part, value, (*path, key))
                yield Test(part.name, "one_of", equal, place=(*path, key))
        if field.name == "birthday" and not _in_calendar(given.get("month"), given.get("day")):
            self.values.fail(path, "no calendar has such a day", f"write for example '{field.example}'")

    def _received(self, field: Field, given: dict[str, Any], path: KeyPath) -> Test:
        self._needed(field, given, path)
        scenarios = self.values.texts(given["scenario"], (*path, "scenario"), "scenario")
        return Test(field.name, "one_of", scenarios, self._within(field, given, path), place=path)

    # --- keys

    def _known_keys(self, field: Field, name: str, given: dict[str, Any], path: KeyPath) -> None:
        wrong = [key for key in given if key not in field.keys]
        for key in wrong:
            self.values.wrong((*path, key), *self._wrong_key(field, name, key))
        if wrong:
            raise Bad

    def _wrong_key(self, field: Field, name: str, key: str) -> tuple[str, str]:
        allowed = one_of(field.keys) if field.keys else f"a value: '{field.example}'"
        if key in field.apart:
            return f"'{key}' is a field of its own", f"write '{FIELDS[key].example}' beside it"
        if key in OPERATORS:
            return f"'{key}' does not work with '{name}'", f"write {allowed}"
        if not field.keys:
            return f"'{name}' has no operators", f"write {allowed}"
        return ("no such part" if field.parts else "no such operator"), suggest(key, field.keys)


def _in_calendar(month: Any, day: Any) -> bool:
    """Whether one of these months has one of these days; True where they are not both named."""
    months, days = (it if isinstance(it, list) else [it] for it in (month, day))
    if not all(isinstance(it, int) for it in [*months, *days]):
        return True
    return any(int(each) <= monthrange(_LEAP_YEAR, int(it))[1] for it in months for each in days)


def _written(name: str) -> Field | None:
    """The field that a key of a file asks for. A part stands inside its field, never alone."""
    prefix, dot, rest = name.partition(".")
    return ATTRIBUTE if prefix == "attributes" and dot and rest else FIELDS.get(name)


def _meant(name: str) -> str:
    prefix, _, rest = name.partition(".")
    if field_named(name):
        return f"write '{prefix}: {{{rest}: …}}'"
    if name in _ELSEWHERE:
        return f"did you mean '{_ELSEWHERE[name]}'?"
    if name in ("attribute", "attributes"):
        return f"write for example '{ATTRIBUTE.example}'"
    if name.startswith("not ") and _written(field := name.removeprefix("not ").strip()):
        return f"write 'not: {{{field}: …}}'"
    return suggest(name, [*FIELDS, *COMBINATIONS, "attributes.<name>"])
