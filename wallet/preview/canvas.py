"""Drawing in SVG with texts that fit."""

import base64
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from html import escape
from struct import unpack
from typing import Literal
from unicodedata import category

from wallet.measure import FONTS, Weight, clean, cut, fit

FAMILY = "Inter, 'Helvetica Neue', Arial, sans-serif"
Anchor = Literal["start", "middle", "end"]
# Left, top, width, height, radius of the corners.
Rounded = tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Cut:
    """A text of the card that the phone would cut off: its field's key, whole, and as it is seen."""

    key: str
    whole: str
    seen: str


@lru_cache(maxsize=4096)
def drawable(sign: str) -> bool:
    """Whether our fonts have a sign; spaces and marks are no matter."""
    from PIL import ImageFont

    if category(sign)[0] in "ZCM":
        return True
    font = ImageFont.truetype(str(FONTS / "Inter-Regular.otf"), 24, layout_engine=ImageFont.Layout.BASIC)
    return font.getmask(sign).getbbox() is not None


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels, from its header."""
    width, height = unpack(">II", png[16:24])
    return width, height


class Canvas:
    """A picture in points, origin top left.

    Texts know whose they are: those of the card have `data-field`, what the phone says itself has
    `class="phone"`. Pictures are carried once, however often they are drawn.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.cuts: list[Cut] = []
        # Signs of the card's texts that our fonts have not: emoji above all.
        self.missing: list[str] = []
        # Pictures and shapes that the drawing refers to, by their names.
        self.shared: dict[str, str] = {}
        self._parts: list[str] = []

    @property
    def content(self) -> str:
        """What was drawn, without the frame."""
        return "".join(self._parts)

    def svg(self, *, alone: bool = True) -> str:
        """The whole picture; one that is not `alone` finds what is `shared` elsewhere on its page."""
        size = f'width="{_n(self.width)}" height="{_n(self.height)}"'
        shared = f"<defs>{''.join(self.shared.values())}</defs>" if alone and self.shared else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {size} '
            f'viewBox="0 0 {_n(self.width)} {_n(self.height)}" font-family="{FAMILY}">'
            f"{shared}{self.content}</svg>"
        )

    def place(self, other: "Canvas", x: float, y: float, *, scale: float = 1, opacity: float = 1) -> None:
        """Another picture inside this one."""
        larger = f" scale({scale:.4f})" if scale != 1 else ""
        seen = f' opacity="{_n(opacity)}"' if opacity < 1 else ""
        self._parts.append(f'<g transform="translate({_n(x)} {_n(y)}){larger}"{seen}>{other.content}</g>')
        self.shared |= other.shared
        self.missing += [sign for sign in other.missing if sign not in self.missing]
        self.cuts += [one for one in other.cuts if one not in self.cuts]

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, radius: float = 0,
        opacity: float = 1,
    ) -> None:  # fmt: skip
        """A filled rectangle with round corners."""
        seen = f' opacity="{_n(opacity)}"' if opacity < 1 else ""
        self._parts.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}" '
            f'fill="{escape(fill)}"{seen}/>'
        )

    def disc(self, x: float, y: float, radius: float, fill: str) -> None:
        """A filled circle around a point."""
        self.box(x - radius, y - radius, 2 * radius, 2 * radius, fill, radius)

    def line(self, points: str, stroke: str, width: float) -> None:
        """An open line with round ends, in SVG's own words."""
        self._parts.append(
            f'<path d="{points}" fill="none" stroke="{escape(stroke)}" stroke-width="{_n(width)}" '
            'stroke-linecap="round" stroke-linejoin="round"/>'
        )

    def shadow(self, x: float, y: float, width: float, height: float, radius: float) -> None:
        """What lifts the card off the page: a few soft edges, one over the other."""
        for spread in range(6, 0, -1):
            self.box(
                x - spread, y - spread + 3, width + 2 * spread, height + 2 * spread, "#000000",
                radius + spread, 0.022,
            )  # fmt: skip

    def text(
        self, x: float, y: float, text: str, size: float, fill: str, *, field: str | None = None,
        weight: Weight = 400, anchor: Anchor = "start", room: float | None = None, spacing: float = 0,
        shrink: bool = True,
    ) -> None:  # fmt: skip
        """One line, its baseline at `y`; made to fit into `room`. `spacing` stands after each letter.

        What is too wide is set smaller first if it may `shrink`, then cut. `field` is the key of the card's
        field that says it; without one it is the phone that speaks.
        """
        line = whole = clean(text)
        if room is not None:
            left = room - spacing * len(whole)
            line, size = fit(whole, size, left, weight) if shrink else (cut(whole, size, left, weight), size)
        if line != whole:
            self.note_cut(field, whole, line)
        self.missing += [sign for sign in line if not drawable(sign) and sign not in self.missing]
        apart = f' letter-spacing="{_n(spacing)}"' if spacing else ""
        self._parts.append(
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" font-weight="{weight}" '
            f'text-anchor="{anchor}" fill="{escape(fill)}"{_whose(field)}'
            f'{apart} xml:space="preserve">'
            f"{escape(line, quote=False)}</text>"
        )

    def note_cut(self, field: str | None, whole: str, seen: str) -> None:
        """Remember that a text of the card is cut off."""
        one = Cut(field or "", whole, seen)
        if field is not None and one not in self.cuts:
            self.cuts.append(one)

    def image(
        self, png: bytes, x: float, y: float, width: float, height: float, *,
        align: str = "xMidYMid meet", within: Rounded | None = None,
    ) -> None:  # fmt: skip
        """A PNG in a rectangle, cut to what is `within` another one with round corners."""
        name = self._picture(png, align)
        clip = f' clip-path="url(#{self._clip(*within)})"' if within else ""
        use = f'<use xlink:href="#{name}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"/>'
        self._parts.append(f"<g{clip}>{use}</g>" if clip else use)

    def _picture(self, png: bytes, align: str) -> str:
        name = f"picture-{sha256(png + align.encode()).hexdigest()[:16]}"
        if name not in self.shared:
            wide, high = size_of(png)
            data = base64.b64encode(png).decode()
            self.shared[name] = (
                f'<symbol id="{name}" viewBox="0 0 {wide} {high}" preserveAspectRatio="{align}">'
                f'<image width="{wide}" height="{high}" xlink:href="data:image/png;base64,{data}"/></symbol>'
            )
        return name

    def _clip(self, x: float, y: float, width: float, height: float, radius: float) -> str:
        name = "within-" + "-".join(_n(value) for value in (x, y, width, height, radius))
        self.shared[name] = (
            f'<clipPath id="{name}"><rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
            f'rx="{_n(radius)}"/></clipPath>'
        )
        return name

    def fade(self, top: str, bottom: str) -> str:
        """A fill that goes from one colour above to another below."""
        name = f"fade-{top[1:]}-{bottom[1:]}"
        self.shared[name] = (
            f'<linearGradient id="{name}" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{top}"/>'
            f'<stop offset="1" stop-color="{bottom}"/></linearGradient>'
        )
        return f"url(#{name})"

    def path(self, shape: str, fill: str) -> None:
        """A filled shape in SVG's own words."""
        name = f"shape-{sha256(shape.encode()).hexdigest()[:16]}"
        self.shared[name] = f'<path id="{name}" d="{shape}" shape-rendering="crispEdges"/>'
        self._parts.append(f'<use xlink:href="#{name}" fill="{escape(fill)}"/>')


def _whose(field: str | None) -> str:
    return ' class="phone"' if field is None else f' data-field="{escape(field)}"'


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
