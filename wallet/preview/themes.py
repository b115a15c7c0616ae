"""The colours of the phone around the card, by its theme: iOS's and Material's own."""

from dataclasses import dataclass
from typing import Literal

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the phone draws in: `sheet` is behind everything, `group` behind a row of the details."""

    sheet: str
    group: str
    ink: str
    soft: str
    link: str
    line: str
    button: str
    danger: str
    good: str
    wall: tuple[str, str]
    notice: str


# System colours of iOS: grouped backgrounds, labels, links (Human Interface Guidelines, Color). Secondary
# labels are a little stronger than iOS draws them, so that a small picture can be read.
APPLE: dict[Theme, Surroundings] = {
    "light": Surroundings(
        "#f2f2f7", "#ffffff", "#000000", "#65656b", "#0062cc", "#d8d8dc", "#e3e3e8", "#d70015", "#34c759",
        ("#8fb3d9", "#d9c3b5"), "#f4f4f6",
    ),
    "dark": Surroundings(
        "#000000", "#1c1c1e", "#ffffff", "#a1a1a8", "#409cff", "#38383a", "#2c2c2e", "#ff6961", "#30d158",
        ("#10233c", "#3a2a33"), "#2b2b2f",
    ),
}  # fmt: skip

# Material 3's baseline surfaces, as Google Wallet wears them.
GOOGLE: dict[Theme, Surroundings] = {
    "light": Surroundings(
        "#ffffff", "#f0f4f9", "#1f1f1f", "#5e5e5e", "#0b57d0", "#c4c7c5", "#e9eef6", "#b3261e", "#146c2e",
        ("#bcd0ee", "#e6d9ee"), "#fdfcff",
    ),
    "dark": Surroundings(
        "#131314", "#1e1f20", "#e3e3e3", "#b4b8bd", "#a8c7fa", "#444746", "#2d2f31", "#f2b8b5", "#6dd58c",
        ("#14243d", "#2d2238"), "#28292c",
    ),
}  # fmt: skip
