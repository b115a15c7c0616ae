"""How wide texts are, measured in the fonts that the card's pictures are set in; what fits, what is cut."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from unicodedata import category

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

FONTS = Path(__file__).parent / "fonts"
Weight = Literal[400, 500, 600]

_FILES = {400: "Inter-Regular.otf", 500: "Inter-Medium.otf", 600: "Inter-SemiBold.otf"}
_MEASURED_AT = 100
_ELLIPSIS = "…"
# A text may shrink so far before it is cut, as the wallets do it.
SMALLEST = 0.75


@cache
def _font(weight: Weight) -> "FreeTypeFont":
    from PIL import ImageFont

    return ImageFont.truetype(str(FONTS / _FILES[weight]), _MEASURED_AT, layout_engine=ImageFont.Layout.BASIC)


def width_of(text: str, size: float, weight: Weight = 400) -> float:
    """How wide a line of text is, in points."""
    return _font(weight).getlength(text) * size / _MEASURED_AT


def fit(text: str, size: float, room: float, weight: Weight = 400) -> tuple[str, float]:
    """The text and its size: smaller if that helps, then cut with an ellipsis."""
    natural = width_of(text, size, weight)
    if natural <= room:
        return text, size
    if natural * SMALLEST <= room:
        return text, size * room / natural
    return cut(text, size * SMALLEST, room, weight), size * SMALLEST


def cut(text: str, size: float, room: float, weight: Weight = 400) -> str:
    """As much of the text as fits with an ellipsis behind it."""
    if width_of(text, size, weight) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(text[:middle].rstrip() + _ELLIPSIS, size, weight) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + _ELLIPSIS


def wrap(text: str, size: float, room: float, lines_at_most: int, weight: Weight = 400) -> list[str]:
    """The text in lines that fit; the last one is cut if there is more."""
    lines: list[str] = []
    for paragraph in clean(text, keep_lines=True).split("\n"):
        words = [word for word in paragraph.split(" ") if word]  # a no-break space holds its words together
        lines += _wrapped(words, size, room, weight)
    if len(lines) > lines_at_most:
        rest = " ".join(lines[lines_at_most - 1 :])
        lines = [*lines[: lines_at_most - 1], cut(rest, size, room, weight)]
    return lines


def _wrapped(words: Sequence[str], size: float, room: float, weight: Weight) -> list[str]:
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if width_of(longer, size, weight) <= room:
            lines[-1] = longer
            continue
        pieces = _broken(word, size, room, weight)
        lines = (lines if lines[-1] else lines[:-1]) + pieces
    return lines


def _broken(word: str, size: float, room: float, weight: Weight) -> list[str]:
    """A word too long for a line (an address) in pieces."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and width_of(pieces[-1] + letter, size, weight) > room:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def clean(text: str, *, keep_lines: bool = False) -> str:
    """Without what XML cannot carry; on one line unless lines are kept."""
    kept = (sign if category(sign)[0] != "C" or (keep_lines and sign == "\n") else " " for sign in text)
    return "".join(kept).strip(" \n")
