"""`consent` and `privacy` in program.yaml: what customers agree to, and what they may do by themselves."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from core.errors import Problem
from core.explain import suggest
from core.program.words import Localized, language_of
from core.source import Document, Model
from core.units import Listed

SelfService = Literal["export", "erase"]


def _version(value: object) -> object:
    # `version: 2` is as good a name as `version: 2026-03`.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


PurposeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Version = Annotated[str, BeforeValidator(_version), Field(max_length=40)]


class ConsentRules(Model):
    """The wording that customers are shown, by its `version`, and whether an email is confirmed by a letter.

    `purposes` are what else customers are asked beside marketing, each in plain words.
    """

    version: Version = ""
    text: Localized = ""
    double_opt_in: bool = False
    purposes: dict[PurposeName, Localized] = Field(default_factory=dict)


class Privacy(Model):
    """What customers may do with their data on their own page: take a copy of it, have it erased."""

    self_service: Listed[SelfService] = ("export",)


def words_in(text: str | Mapping[str, str], locale: str, default: str) -> str:
    """A text in a locale, else in its language (`en-GB` for `en-US`, where that is all the English there is),
    else in the default locale.
    """
    if isinstance(text, str):
        return text
    own = language_of(locale)
    alike = [said for each, said in text.items() if language_of(each) == own]
    return text.get(locale) or text.get(own) or next(filter(None, alike), "") or text.get(default, "")


def check_consent(rules: ConsentRules, locale: str, document: Document) -> Iterator[Problem]:
    """A wording needs a version, or nobody can tell later which one a customer agreed to."""
    if rules.text and not rules.version:
        yield document.problem(
            ("consent", "text"), "the wording has no version", "add for example 'version: 2026-03'"
        )
    if rules.version and not rules.text:
        yield document.problem(
            ("consent", "version"), "there is no wording of this version", "add 'text: {…}'"
        )
    texts: dict[str, str | dict[str, str]] = {"text": rules.text}
    for name, text in texts.items():
        yield from _default(text, ("consent", name), locale, document)
    for name, text in rules.purposes.items():
        yield from _default(text, ("consent", "purposes", name), locale, document)


def _default(
    text: str | dict[str, str], path: tuple[str, ...], locale: str, document: Document
) -> Iterator[Problem]:
    if isinstance(text, dict) and locale not in text:
        yield document.problem(path, f"no text in '{locale}'", suggest(locale, sorted(text)))
