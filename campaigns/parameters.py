"""What stands under a trigger's name, held against the program and the workspace."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from campaigns.audience.tree import Names
from campaigns.audience.values import Bad, Values
from core.errors import Problem
from core.source import Document, KeyPath
from triggers.marks import Kept, Named


def check_parameters(
    document: Document, path: KeyPath, parameters: BaseModel, names: Names, problems: list[Problem]
) -> None:
    """Amounts finer than they are kept, and names that nothing has; findings go to `problems`."""
    values = Values(document, names, problems)
    for name, field in type(parameters).model_fields.items():
        for mark in _marks(field):
            for value, place in _told(document, (*path, name), getattr(parameters, name)):
                _check(values, mark, value, place)


def _check(values: Values, mark: Kept | Named, value: Any, place: KeyPath) -> None:
    try:
        if isinstance(mark, Kept):
            values.kept(mark.unit, value, place)
        else:
            values.known(mark.noun, value, place)
    except Bad:
        return


def _told(document: Document, path: KeyPath, value: Any) -> Iterator[tuple[Any, KeyPath]]:
    """Each value, and where it stands: a series may be written without a list."""
    if isinstance(value, tuple):
        listed = isinstance(document.get(path), list)
        yield from ((each, (*path, index) if listed else path) for index, each in enumerate(value))
    elif value is not None:
        yield value, path


def _marks(field: FieldInfo) -> Iterator[Kept | Named]:
    yield from (it for it in field.metadata if isinstance(it, (Kept, Named)))
    yield from _inside(field.annotation)


def _inside(annotation: Any) -> Iterator[Kept | Named]:
    """Those of what a series or an option is made of."""
    for part in get_args(annotation):
        yield from (it for it in getattr(part, "__metadata__", ()) if isinstance(it, (Kept, Named)))
        yield from _inside(part)
