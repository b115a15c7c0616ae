"""Letters that nothing can be done with: those that no database keeps, and those that nobody sees."""

import re
from unicodedata import category

# YAML and JSON have escapes for both.
_NOT_KEPT = (
    (re.compile("\0"), "has a NUL character, which cannot be kept", "remove the '\\0'"),
    (
        re.compile("[\ud800-\udfff]"),
        "has half a character, which cannot be kept",
        "write the whole one as it is, or by '\\U0001F600'",
    ),
)
# Letters and a symbol by their category, though they are blanks: fillers of Hangul, and of Braille.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def is_seen(text: str) -> bool:
    """Whether a text has a letter, digit or sign, not only blanks, marks and what turns others around."""
    if text.isascii() and text.isalnum():
        return True
    return any(category(letter)[0] in "LNPS" and letter not in _BLANK for letter in text)


def without_unkept(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The text as every database keeps it; and what was wrong with it, each with what to write instead."""
    found = [(what, fix) for letters, what, fix in _NOT_KEPT if letters.search(text)]
    for letters, _, _ in _NOT_KEPT if found else ():
        text = letters.sub("", text)
    return text, found
