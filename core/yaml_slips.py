"""Slips that the parser of YAML stumbles over only later, or elsewhere: where they are, and what they are."""

import re
from collections.abc import Iterator

# Line, column, path (none), what is wrong, and what to write instead.
Slip = tuple[int, int, str, str, str]

# Where YAML wants an ordinary space: before what stands in a line, and behind a colon or a dash.
_BLANKS = "\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff"
_ODD_SPACE = re.compile(rf"^(?:[ \-]*|[ \-]*[\w.-]+:)(?P<odd>[{_BLANKS}])")
_ODD_COLON = re.compile(r"^[ \-]*(?P<key>[\w.-]+)(?P<odd>[\uff1a\ufe55\ua789])")
_TIGHT_COLON = re.compile(r"^[ \-]*(?P<key>[^\W\d][\w.-]*)(?P<odd>:)(?=[^\s:/])")


def slip_before(text: str, line: int, column: int, said: str) -> Slip | None:
    """The slip that made the parser give up at a place (from 1), by what it said there; None for another."""
    lines = text.splitlines()
    for number in _lines_up_to(lines, line):
        if slip := odd_space(lines[number - 1], number, 1):
            return slip
    if "mapping values are not allowed" in said:
        return _colon(lines, line)
    if "<block end>" in said or "expected ',' or" in said:
        return _quote(lines, line, column)
    return None


def odd_space(text: str, line: int, column: int) -> Slip | None:
    """The space before or behind the key of a line, or of a key that took it in, that is none to YAML."""
    if odd := _ODD_SPACE.match(text):
        what = f"a space that YAML does not take for one (U+{ord(odd['odd']):04X})"
        return line, column + odd.start("odd"), "", what, "write an ordinary space"
    return None


def _lines_up_to(lines: list[str], line: int) -> Iterator[int]:
    """The line itself, and the one with something in it before: a slip there shows here."""
    before = next((it for it in range(line - 1, 0, -1) if lines[it - 1].strip()), None)
    yield from (it for it in (before, line) if it and it <= len(lines))


def _colon(lines: list[str], line: int) -> Slip | None:
    """A colon that is none to YAML: its key and the line below it are one text."""
    for number in _lines_up_to(lines, line):
        if odd := _ODD_COLON.match(lines[number - 1]):
            what = f"a ':' that YAML does not take for one (U+{ord(odd['odd']):04X})"
            return number, odd.start("odd") + 1, "", what, f"write '{odd['key']}: …'"
        if odd := _TIGHT_COLON.match(lines[number - 1]):
            return number, odd.start("odd") + 1, "", "no space after ':'", f"write '{odd['key']}: …'"
    return None


def _quote(lines: list[str], line: int, column: int) -> Slip | None:
    """Text behind a quote that ends it: an apostrophe, or a quote within quotes."""
    before = lines[line - 1][: column - 1].rstrip(" ") if line <= len(lines) else ""
    if len(before) < 2 or before[-1] not in "'\"" or before.endswith(("''", '""')):
        return None
    doubled = "''" if before[-1] == "'" else '\\"'
    what = f"the text goes on after the {before[-1]} that ends it"
    return line, len(before), "", what, f"write {doubled} for one that belongs to the text"
