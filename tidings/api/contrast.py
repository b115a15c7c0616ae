"""Colours that can be read on each other.

Source: WCAG 2.2, 1.4.3 (4.5 : 1 for text) and its definition of relative luminance.
"""

ENOUGH = 4.5
BLACK, WHITE = "#000000", "#ffffff"


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb`, 0 to 1."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4 for it in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """How far two colours are apart, 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def readable(wanted: str, ground: str) -> str:
    """The wanted colour if it can be read on the ground; else black or white, whichever can."""
    if contrast(wanted, ground) >= ENOUGH:
        return wanted
    return max(BLACK, WHITE, key=lambda it: contrast(it, ground))
