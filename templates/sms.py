"""How many segments an SMS takes, and what makes a text cheaper without changing what it says.

3GPP TS 23.038 (GSM 7-bit alphabet) and 23.040 (concatenation): one segment holds 160 septets or 70 UTF-16
units, each of several 153 or 67, and neither an escape pair nor a surrogate pair straddles two segments.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.letters import without_unseen

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENDED

# A no-break space looks like a space and turns 160 characters into 70.
_SPACES = str.maketrans(dict.fromkeys("\t\u00a0\u202f\u2007\u2009\u200a\u2002\u2003\u3000", " "))
_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u02bc\u00b4`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2013\u2014\u2212", "-"),
        "\u2026": "...",
        "\u2022": "*",
        "\u00d7": "x",
    }
)


@dataclass(frozen=True, slots=True)
class Segments:
    """`units` are septets in GSM-7 (an extension character is two), UTF-16 units in UCS-2."""

    encoding: str
    count: int
    units: int


def segments(text: str) -> Segments:
    """What the text costs: its encoding, its segments (at least one) and its units."""
    if _GSM.issuperset(text):
        return _measure("GSM-7", (2 if each in _EXTENDED else 1 for each in text), 160, 153)
    return _measure("UCS-2", (2 if each > "\uffff" else 1 for each in text), 70, 67)


def foreign(text: str) -> str:
    """The first character for which the text needs UCS-2; empty if it needs none."""
    return next((each for each in text if each not in _GSM), "")


def is_gsm(text: str, *, economically: bool = False) -> bool:
    """Whether the 7-bit alphabet holds the text; `economically`, after `economical` has been over it."""
    return _GSM.issuperset(economical(text) if economically else text)


def economical(text: str) -> str:
    """The text as it should leave: ordinary spaces; plain quotes and dashes, and nothing that nobody sees,
    as it is pasted with names, where that makes it GSM-7.

    A text that needs UCS-2 anyway (any Cyrillic letter) keeps its typography: it costs nothing there.
    """
    text = text.strip().translate(_SPACES)
    plain = text.translate(_TYPOGRAPHY)
    if not _GSM.issuperset(plain):
        plain = "\n".join(map(without_unseen, plain.split("\n")))
    return plain if _GSM.issuperset(plain) else text


def _measure(encoding: str, widths: Iterable[int], single: int, each: int) -> Segments:
    sizes = list(widths)
    units = sum(sizes)
    return Segments(encoding, 1 if units <= single else sum(_breaks(sizes, each)), units)


def _breaks(sizes: Iterable[int], room: int) -> Iterator[int]:
    """1 for each segment begun: a character that does not fit whole begins the next."""
    left = 0
    for size in sizes:
        if size > left:
            yield 1
            left = room
        left -= size
