"""The template texts one message consists of: subject, preheader, HTML, text; or title and body; or text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.errors import Problem, Problems
from templates import markup
from templates.located import Located, Source
from templates.plain import plain
from templates.protect import protect, restore
from templates.sources import Kind, Page, Slot, page, read

FindPart = Callable[[str], Source | None]

# HTML that comes from a value or from another file cannot be turned into text before it is rendered.
_ONLY_RENDERED = re.compile(
    r"\{%[-+]?\s*(?:(?:include|import|from|extends)\b(?!\s*['\"][^'\"]*\.txt['\"])|autoescape\b|raw\b)"
    r"|\|\s*safe\b"
)
_KINDS = {"sms": "sms"}


@dataclass(frozen=True, slots=True)
class Part:
    """One template: its name among the message's parts, and the kind of its sandbox.

    `located` is what its author wrote; `template` what is compiled (the same, unless `rewritten`: HTML
    made from MJML, text made from HTML). `one_line` parts go into headers and notification titles.
    """

    name: str
    kind: str
    file: str
    located: Located
    template: str
    rewritten: bool = False
    one_line: bool = False


def parts_of(files: Mapping[str, bytes], slot: Slot, find: FindPart) -> list[Part]:
    """The templates of one message in one channel and locale, in the order they are rendered."""
    if slot.channel == "email":
        return _email(files, slot, find)
    made = page(read(files, slot.main), slot.kind)
    _require(made, slot.kind)
    body = "body" if slot.channel == "push" else "text"
    return [*_front(made), _written(body, _KINDS.get(slot.channel, "text"), made)]


def _email(files: Mapping[str, bytes], slot: Slot, find: FindPart) -> list[Part]:
    made = page(read(files, slot.main), slot.kind)
    _require(made, slot.kind)
    text = (
        [_written("text", "text", page(read(files, slot.files["email.txt"]), slot.kind))]
        if ("email.txt" in slot.files)
        else []
    )
    if slot.main.endswith(".txt"):
        return [*_front(made), *text]
    html, words, tags = _mjml(made, slot.locale, find) if slot.main.endswith(".mjml") else _html(made)
    return [*_front(made), html, *(text or _derived(html, words, tags))]


def _mjml(made: Page, locale: str, find: FindPart) -> tuple[Part, str, list[str]]:
    located = markup.expand(made.body, find)
    located = markup.dressed(located, locale, title=True, preview="preheader" in made.front)
    words, tags = markup.compile_mjml(located)
    part = Part("html", "html", made.source.file, located, restore(words, tags), rewritten=True)
    return part, words, tags


def _html(made: Page) -> tuple[Part, str, list[str]]:
    located = made.body
    if "preheader" in made.front and not re.search(r"\bpreheader\b", located.text):
        located = markup.hidden_preheader(located)
    words, tags = protect(located.text)
    return Part("html", "html", made.source.file, located, located.text), words, tags


def _derived(html: Part, words: str, tags: list[str]) -> list[Part]:
    """The text part as a template of its own, so that a message costs no HTML reading."""
    if any(_ONLY_RENDERED.search(tag) for tag in tags):
        return []
    text = restore(plain(words), tags)
    return [Part("text", "derived", html.file, html.located, text, rewritten=True)]


def _front(made: Page) -> list[Part]:
    file = made.source.file
    return [
        Part(key, "text", file, located, located.text, one_line=True) for key, located in made.front.items()
    ]


def _written(name: str, kind: str, made: Page) -> Part:
    return Part(name, kind, made.source.file, made.body, made.body.text)


def _require(made: Page, kind: Kind) -> None:
    key = kind.required
    said = made.front.get(key) if key else None
    if key and not (said and said.text.strip()):
        what = f"has no {key}"
        raise Problems([Problem(made.source.file, 1, 1, "", what, f"begin the file with ---, {key}: …, ---")])
