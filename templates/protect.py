"""Jinja tags carried safely through a program that reads HTML: each becomes a plain word and comes back."""

import re

from templates.located import TAG

_WORD = re.compile(r"qz([ebc])(\d+)zq")
_KINDS = {"{{": "e", "{%": "b", "{#": "c"}


def protect(text: str) -> tuple[str, list[str]]:
    """The text with every tag replaced by a word, and the tags.

    A word is letters and digits only, so that it survives as text, in attributes and in URLs.
    """
    tags: list[str] = []

    def word(tag: re.Match[str]) -> str:
        tags.append(tag[0])
        return f"qz{_KINDS[tag[0][:2]]}{len(tags) - 1}zq"

    return TAG.sub(word, text), tags


def restore(text: str, tags: list[str]) -> str:
    """The tags put back where their words stand."""
    return _WORD.sub(lambda word: tags[int(word[2])], text)


def mask(text: str) -> str:
    """The text with tags blotted out and every character still at its own line and column."""
    return TAG.sub(lambda tag: re.sub(r"[^\n]", "q", tag[0]), text)


def blocks_in(text: str | None) -> str:
    """Only the words of block tags: what must be kept, or a condition would lose its end."""
    return "".join(word[0] for word in _WORD.finditer(text or "") if word[1] == "b")
