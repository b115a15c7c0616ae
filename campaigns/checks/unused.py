"""Messages and segments that nothing uses."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from core.errors import Problem
from core.explain import nearest
from core.source import Document


def unused_messages(
    messages: Iterable[str], scenarios: Iterable[Document], known: Collection[str]
) -> Iterator[Problem]:
    """Warnings of folders that no scenario names; `known` are the messages that the program itself sends."""
    named = {name for document in scenarios for name in _under("message", document.data)}
    for name in messages:
        if name not in named and name not in known:
            fix = "use it in a step, or remove the folder"
            if meant := nearest(name, named - set(messages)):
                fix = f"a step names '{meant}': did you mean this?"
            what = "no scenario sends this message"
            yield Problem(f"messages/{name}/", 0, 0, "", what, fix, "warning", "unused-message")


def unused_segments(segments: Mapping[str, Document], scenarios: Iterable[Document]) -> Iterator[Problem]:
    """Warnings of segments that no scenario and no other segment names."""
    named = {name for document in scenarios for name in _under("segment", document.data)}
    for name, document in segments.items():
        others = {
            each for other, it in segments.items() if other != name for each in _under("segment", it.data)
        }
        if name not in named | others:
            what, fix = "nothing uses this segment", "use it in an audience, or remove the file"
            yield document.problem((), what, fix, "warning", "unused-segment")


def _under(key: str, data: Any) -> Iterator[str]:
    """Every name that stands under a key, however deep; a list is each of its names."""
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for name, value in parts:
        if name == key:
            yield from (
                each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)
            )
        yield from _under(key, value)
