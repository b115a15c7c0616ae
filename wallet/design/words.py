"""Texts by locale, and the small types of a card's file."""

import re
from typing import Annotated

from pydantic import AfterValidator

from core.explain import expected


def _colour(text: str) -> str:
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise expected("a colour", text, "write it in quotes, for example '#1f3b2d'")
    return text.lower()


def _key(text: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9_-]{0,39}", text):
        raise expected("a short name", text, "use small letters, digits, - and _")
    return text


Colour = Annotated[str, AfterValidator(_colour)]
Key = Annotated[str, AfterValidator(_key)]
# A text in one language, or a text for each locale; the first one serves the locales not named.
Words = str | dict[str, str]


def spoken(words: Words | None) -> list[tuple[str | None, str]]:
    """The texts with their locales; one without a locale if there is only one language."""
    if words is None:
        return []
    return [(None, words)] if isinstance(words, str) else list(words.items())


def say(words: Words, locale: str) -> str:
    """The text for a locale: its own, its language's (`uk` for `uk-UA`), else the first one given."""
    if isinstance(words, str):
        return words
    return words.get(locale, words.get(language_of(locale), next(iter(words.values()), "")))


def language_of(locale: str) -> str:
    """`uk` of `uk-UA`."""
    return locale.replace("_", "-").partition("-")[0]
