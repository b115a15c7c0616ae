"""A file as people wrote it, read as what it is to be, so that every complaint can point at its line."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from core.errors import NotRead, Problem
from core.explain import explain, instead_at, keys_at, nearest, suggest, wrapped_at
from core.yaml_text import KeyPath, Place, dotted, read_yaml

__all__ = ["Document", "KeyPath", "Model", "as_far_as_read", "dotted", "load"]


class Model(BaseModel):
    """The base of what is read from a file: unknown keys are errors, no value becomes another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    # Keys as others call them → the key that is meant, or what to write instead.
    instead: ClassVar[Mapping[str, str]] = {}

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """NotRead for a value that was wrong (`Document.in_part`)."""
            if name in type(self).model_fields:
                raise NotRead(name)
            return super().__getattr__(name)


ModelT = TypeVar("ModelT", bound=BaseModel)


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
        """Read what stands at `at` as `model`; every problem goes to `problems`.

        What has unknown keys alone is read as it was meant, so that all else that is wrong is told with them;
        None for what cannot be read. `noun` is what a key is called here: a trigger has parameters.
        """
        data = self.get(at)
        try:
            return model.model_validate({} if data is None else data)
        except ValidationError as error:
            problems.extend(self._problems(error, model, at, noun))
            meant = self._as_meant(error, model, at)
        with suppress(ValidationError):
            return model.model_validate(meant)
        return None

    def in_part(self, model: type[ModelT]) -> ModelT | None:
        """What can be read though some of it is wrong: whoever asks for that gets NotRead.

        For checks of the rest, whose findings then follow from nothing wrong (`as_far_as_read`). None where
        too little is left. `validate` tells what is wrong.
        """
        data = self.get(())
        try:
            return model.model_validate({} if data is None else data)
        except ValidationError as error:
            return _in_part(model, self._as_meant(error, model, ()))

    def _as_meant(self, error: ValidationError, model: type[BaseModel], at: KeyPath) -> Any:
        """What stands at `at`, each unknown key by the name that was meant, or left out."""
        data = deepcopy(self.get(at))
        for details in error.errors(include_url=False):
            if details["type"] == "extra_forbidden":
                *parent, key = self._existing(at + details["loc"])
                holder, meant = reduce(_step, parent[len(at) :], data), _meant(details, model)
                # A union of models complains once for each of them.
                if key in holder and meant:
                    holder.setdefault(meant[-1], holder[key])
                holder.pop(key, None)
        return data

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


# --- what is wrong, left out


def as_far_as_read(findings: Iterable[Problem]) -> Iterator[Problem]:
    """What a check finds, until it asks for a value that could not be read."""
    with suppress(NotRead):
        yield from findings


def _in_part(model: type[ModelT], data: Any) -> ModelT | None:
    aside: set[KeyPath] = set()
    while isinstance(data, dict):
        try:
            found = model.model_validate(data)
        except ValidationError as error:
            wrong = {_wrong(details, data) for details in error.errors(include_url=False)}
            if not _set_aside(wrong, model, data, aside):
                return None
        else:
            outermost = [path for path in aside if not _within(path, aside)]
            return found if all(_left_out(found, path) for path in outermost) else None
    return None


def _wrong(details: ErrorDetails, data: Any) -> KeyPath:
    """The key whose value is wrong, or missing. An item is never left out alone: the others would move up."""
    path: KeyPath = ()
    for part in (*details["loc"], *details.get("ctx", {}).get("at", ())):
        if _has(reduce(_step, path, data), part):
            path = (*path, part)
    if details["type"] == "missing":
        path = (*path, details["loc"][-1])
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path


def _set_aside(wrong: Iterable[KeyPath], model: type[BaseModel], data: Any, aside: set[KeyPath]) -> bool:
    """Take out what is wrong: what may be left out; else an example is put there; else all that it is in."""
    now: set[KeyPath] = set()
    for each in sorted(wrong, key=len):
        path = each
        while path and not _within(path, now):
            holder = reduce(_step, path[:-1], data)
            if isinstance(holder, dict) and isinstance(path[-1], str):
                if path not in aside:
                    holder.pop(path[-1], None)
                    break
                if path[-1] not in holder and (example := _sample(model, path)) is not None:
                    holder[path[-1]] = example
                    break
            path = path[:-1]
        if not path:
            return False
        now.add(path)
    aside |= now
    return True


def _within(path: KeyPath, others: Iterable[KeyPath]) -> bool:
    """Whether it is a part of one of the others."""
    return any(len(other) < len(path) and path[: len(other)] == other for other in others)


def _sample(model: type[BaseModel], path: KeyPath) -> Any:
    """Any value that fits: nobody gets to see it."""
    _, examples = keys_at(model, path)
    read = read_yaml(f"it: {examples[0]}", "", []) if examples else None
    return read[0]["it"] if read else None


def _left_out(found: BaseModel, path: KeyPath) -> bool:
    """Whether the value at a path, or all of the list or mapping that it is in, could be taken out."""
    value: Any = found
    last: tuple[BaseModel, str] | None = None
    for part in path:
        if isinstance(value, Model):
            named = {field.alias or name: name for name, field in type(value).model_fields.items()}
            if part not in named:
                break
            _forget_worked_out(value)
            last = value, named[part]
            value = value.__dict__.get(last[1])
        else:
            value = _step(list(value) if isinstance(value, tuple) else value, part)
    if last is None:
        return False
    holder, name = last
    holder.__dict__.pop(name, None)
    return True


def _forget_worked_out(model: BaseModel) -> None:
    """What it keeps of its values beside them (`cached_property`)."""
    for key in model.__dict__.keys() - type(model).model_fields.keys():
        del model.__dict__[key]


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def load(text: str, file: str, problems: list[Problem]) -> Document | None:
    """Read one file; syntax errors and duplicate keys go to `problems`.

    None when there is nothing to go on with.
    """
    read = read_yaml(text, file, problems)
    return None if read is None else Document(file, *read)
