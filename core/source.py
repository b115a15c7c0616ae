"""A file as people wrote it, read as what it is to be, so that every complaint can point at its line."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from core.errors import Problem
from core.explain import explain, instead_at, keys_at, nearest, suggest, wrapped_at
from core.yaml_text import KeyPath, Place, dotted, read_yaml

__all__ = ["Document", "KeyPath", "Model", "dotted", "load"]


class Model(BaseModel):
    """The base of what is read from a file: unknown keys are errors, no value becomes another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    # Keys as others call them → the key that is meant, or what to write instead.
    instead: ClassVar[Mapping[str, str]] = {}


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


def load(text: str, file: str, problems: list[Problem]) -> Document | None:
    """Read one file; syntax errors and duplicate keys go to `problems`.

    None when there is nothing to go on with.
    """
    read = read_yaml(text, file, problems)
    return None if read is None else Document(file, *read)
