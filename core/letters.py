"""Letters that nothing can be done with: those that no database keeps, and those that nobody sees."""

import re
from unicodedata import category, name

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
# A NUL is refused everywhere, and taken out nowhere; what ends a line or sets a tab is a blank.
_CONTROLS = re.compile(r"[\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")


def one_line(text: str) -> str:
    """The text in one line: tabs, line ends and blanks become one space, control characters are gone."""
    return " ".join(_CONTROLS.sub("", text).split())


def is_seen(text: str) -> bool:
    """Whether a text has a letter, digit or sign, not only blanks, marks and what turns others around."""
    if text.isascii() and text.isalnum():
        return True
    return any(category(letter)[0] in "LNPS" and letter not in _BLANK for letter in text)


def without_unseen(text: str) -> str:
    """The text without control characters but a NUL, and without those that turn, hide or join others."""
    if text.isprintable():
        return text
    return "".join(letter for letter in text if letter == "\0" or category(letter) not in ("Cc", "Cf"))


def is_kept(text: str) -> bool:
    """Whether every database can hold the text."""
    return not any(letters.search(text) for letters, _, _ in _NOT_KEPT)


def without_unkept(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The text as every database keeps it; and what was wrong with it, each with what to write instead."""
    found = [(what, fix) for letters, what, fix in _NOT_KEPT if letters.search(text)]
    for letters, _, _ in _NOT_KEPT if found else ():
        text = letters.sub("", text)
    return text, found


def look_alike(written: str, meant: str) -> str:
    """Why a word is not another one that looks the same: a letter of another alphabet, or one unseen.

    `the 'с' in it is a Cyrillic letter`; empty where somebody can see how they differ.
    """
    unseen = [letter for letter in written if letter not in meant and category(letter) in ("Cf", "Zs")]
    bare = "".join(letter for letter in written if letter not in unseen)
    odd = [(letter, own) for letter, own in zip(bare, meant, strict=False) if letter != own]
    if len(bare) != len(meant) or any(letter.isascii() or not letter.isalpha() for letter, _ in odd):
        return ""
    if odd:
        letter = odd[0][0]
        return f"the '{letter}' in it is a {name(letter, 'foreign').split()[0].capitalize()} letter"
    return f"a character in it is not seen (U+{ord(unseen[0]):04X}): write it anew" if unseen else ""
