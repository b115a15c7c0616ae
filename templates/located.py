"""Template text that remembers where it was written, so that a mistake is shown where it can be mended."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import Problem

_STRING = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
# One Jinja tag. A `raw` block is a single tag: nothing inside it is a template.
TAG = re.compile(
    r"\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}"
    r"|\{#.*?#\}"
    rf"|\{{\{{(?:{_STRING}|(?!\}}\}})[^'\"])*\}}\}}"
    rf"|\{{%(?:{_STRING}|(?!%\}})[^'\"])*%\}}",
    re.DOTALL,
)
_STRINGS = re.compile(_STRING, re.DOTALL)


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the bundle, as text."""

    file: str
    text: str

    def problem(
        self, offset: int, what: str, fix: str = "", severity: str = "error", kind: str = ""
    ) -> Problem:
        """A finding at a character of this file."""
        line = self.text.count("\n", 0, offset) + 1
        col = offset - (self.text.rfind("\n", 0, offset) + 1) + 1
        return Problem(self.file, line, col, "", what, fix, severity, kind)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` of the assembled text on, the characters are those of `source` from `offset` on."""

    start: int
    source: Source
    offset: int


@dataclass(frozen=True, slots=True)
class Located:
    """Template text put together from spans of files (one span, or more where parts are included)."""

    text: str
    spans: tuple[Span, ...]

    @staticmethod
    def slice(source: Source, start: int, stop: int | None = None) -> "Located":
        """A stretch of one file."""
        return Located(source.text[start:stop], (Span(0, source, start),))

    @staticmethod
    def join(pieces: list["Located"]) -> "Located":
        """Several stretches, one after another."""
        spans: list[Span] = []
        length = 0
        for piece in pieces:
            spans += [Span(length + span.start, span.source, span.offset) for span in piece.spans]
            length += len(piece.text)
        return Located("".join(piece.text for piece in pieces), tuple(spans))

    def cut(self, start: int, stop: int | None = None) -> "Located":
        """A stretch of this text, still knowing where it stands."""
        stop = len(self.text) if stop is None else stop
        kept = [span for span in self.spans if start < span.start < stop]
        source, offset = self.at(start)
        spans = [Span(0, source, offset)]
        spans += [Span(span.start - start, span.source, span.offset) for span in kept]
        return Located(self.text[start:stop], tuple(spans))

    def at(self, offset: int) -> tuple[Source, int]:
        """The file and its character that a character of this text came from."""
        span = self.spans[max(0, bisect_right([each.start for each in self.spans], offset) - 1)]
        return span.source, min(span.offset + offset - span.start, len(span.source.text))

    def line_start(self, line: int) -> int:
        """Where a line of this text begins; lines count from 1."""
        offset = 0
        for _ in range(line - 1):
            found = self.text.find("\n", offset)
            if found < 0:
                break
            offset = found + 1
        return offset

    def problem(self, offset: int, what: str, fix: str = "", kind: str = "") -> Problem:
        """A finding at a character of this text, shown in the file it came from."""
        source, there = self.at(offset)
        return source.problem(there, what, fix, kind=kind)

    def occurrences(self, dotted: str, followed_by: str = "") -> Iterator[int]:
        """Where a dotted name is used inside Jinja tags, strings left out, with a pattern behind it."""
        path = r"\s*\.\s*".join(map(re.escape, dotted.split(".")))
        name = re.compile(rf"(?<![\w.]){path}(?!\w){followed_by}")
        for tag in TAG.finditer(self.text):
            if not tag[0].startswith("{#"):
                bare = _STRINGS.sub(lambda quoted: " " * len(quoted[0]), tag[0])
                yield from (tag.start() + match.start() for match in name.finditer(bare))
