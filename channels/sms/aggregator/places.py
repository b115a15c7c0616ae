"""Texts with places for a message's facts: `{to}`, `{text}`; a brace is written twice."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from core.explain import complaint, suggest

FACTS = ("to", "number", "text", "sender", "key", "callback")
SECRETS = ("token", "login", "password", "basic")
# Headers hold ASCII without line ends; whoever writes a text or a name must not decide what stands in them.
IN_HEADERS = ("key", *SECRETS)

_PLACE = re.compile(r"\{\{|\}\}|\{(\w+)\}")


def named(tree: Any) -> Iterator[str]:
    """The names of all places in a text, or in the texts of lists and mappings."""
    for text in _texts(tree):
        yield from (place[1] for place in _PLACE.finditer(text) if place[1])


def check(tree: Any, known: Collection[str]) -> None:
    """Raise a complaint about a place that nothing fills, or a brace that opens or closes nothing."""
    for text in _texts(tree):
        for place in _PLACE.finditer(text):
            if place[1] and place[1] not in known:
                raise complaint(f"nothing is called '{{{place[1]}}}' here", suggest(place[1], sorted(known)))
        if re.search(r"[{}]", _PLACE.sub("", text)):
            raise complaint("a brace that is not closed", "write it twice if it is meant: {{")


def filled(tree: Any, values: Mapping[str, str]) -> Any:
    """The same with its places filled, once: what a value holds is no place."""
    if isinstance(tree, str):
        return _PLACE.sub(lambda place: values[place[1]] if place[1] else place[0][0], tree)
    if isinstance(tree, Mapping):
        return {key: filled(value, values) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [filled(value, values) for value in tree]
    return tree


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _texts(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _texts(value)
