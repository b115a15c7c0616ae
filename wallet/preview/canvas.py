"""Drawing in SVG with texts that fit: widths are measured in the fonts that the picture is set in."""

import base64
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from struct import unpack
from typing import TYPE_CHECKING, Literal
from unicodedata import category

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

FONTS = Path(__file__).parent.parent / "fonts"
FAMILY = "Inter, 'Helvetica Neue', Arial, sans-serif"
Weight = Literal[400, 500, 600]
Anchor = Literal["start", "middle", "end"]
# Left, top, width, height, radius of the corners.
Rounded = tuple[float, float, float, float, float]

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


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels, from its header."""
    width, height = unpack(">II", png[16:24])
    return width, height


class Canvas:
    """A picture in points, origin top left."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []

    def svg(self) -> str:
        """The whole picture."""
        size = f'width="{_n(self.width)}" height="{_n(self.height)}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {size} '
            f'viewBox="0 0 {_n(self.width)} {_n(self.height)}" font-family="{FAMILY}">{self.content()}</svg>'
        )

    def content(self) -> str:
        """What was drawn, without the frame."""
        return "".join(self._parts)

    def place(self, other: "Canvas", x: float, y: float) -> None:
        """Another picture inside this one."""
        self._parts.append(f'<g transform="translate({_n(x)} {_n(y)})">{other.content()}</g>')

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        radius: float = 0,
        opacity: float = 1,
    ) -> None:
        """A filled rectangle with round corners."""
        seen = f' opacity="{_n(opacity)}"' if opacity < 1 else ""
        self._parts.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}" '
            f'fill="{escape(fill)}"{seen}/>'
        )

    def shadow(self, x: float, y: float, width: float, height: float, radius: float) -> None:
        """What lifts the card off the page: a few soft edges, one over the other."""
        for step in range(6):
            spread = 6 - step
            self.box(
                x - spread,
                y - spread + 3,
                width + 2 * spread,
                height + 2 * spread,
                "#000000",
                radius + spread,
                0.022,
            )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        fill: str,
        *,
        weight: Weight = 400,
        anchor: Anchor = "start",
        room: float | None = None,
        spacing: float = 0,
    ) -> None:
        """One line, its baseline at `y`; made to fit into `room`. `spacing` stands after each letter."""
        line = clean(text)
        if room is not None:
            line, size = fit(line, size, room - spacing * len(line), weight)
        apart = f' letter-spacing="{_n(spacing)}"' if spacing else ""
        self._parts.append(
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" font-weight="{weight}" '
            f'text-anchor="{anchor}" fill="{escape(fill)}"{apart} xml:space="preserve">'
            f"{escape(line, quote=False)}</text>"
        )

    def image(
        self,
        png: bytes,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        align: str = "xMidYMid meet",
        within: Rounded | None = None,
    ) -> None:
        """A PNG in a rectangle, cut to what is `within` another one with round corners."""
        link = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        clip = self._clip(*within) if within else ""
        self._parts.append(
            f'<image x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
            f'preserveAspectRatio="{align}"{clip} xlink:href="{link}"/>'
        )

    def _clip(self, x: float, y: float, width: float, height: float, radius: float) -> str:
        place = " ".join(_n(value) for value in (x, y, width, height, radius))
        # The same place has the same name: defining it twice does no harm.
        name = f"within-{place.replace(' ', '-')}"
        self._parts.append(
            f'<clipPath id="{name}"><rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
            f'rx="{_n(radius)}"/></clipPath>'
        )
        return f' clip-path="url(#{name})"'

    def path(self, shape: str, fill: str) -> None:
        """A filled shape in SVG's own words."""
        self._parts.append(f'<path d="{shape}" fill="{escape(fill)}" shape-rendering="crispEdges"/>')


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
