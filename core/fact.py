"""Facts: values of which thousands a second are made, and none is changed."""

from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

Class = TypeVar("Class", bound=type)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def fact(cls: Class) -> Class:
    """A frozen dataclass with slots, for whoever reads it and for mypy, which refuses an assignment.

    Python itself, which would refuse it as well, takes four times as long to fill in the fields.
    """
    make: Any = dataclass(slots=True, unsafe_hash=True)
    made: Class = make(cls)
    return made
