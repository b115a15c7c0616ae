"""A picture of the card, as each wallet lays it out: SVG, and PNG made of it with our own fonts.

It is a proof for the marketer, not a promise of the last pixel: phones differ. Texts are measured, so
that what is too long for its place is seen to be cut off.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from wallet.measure import FONTS
from wallet.preview import apple, apple_details, google, google_details, lock_screen
from wallet.preview.canvas import Canvas, Cut
from wallet.preview.phone import LEAST
from wallet.preview.subject import Status, Subject
from wallet.preview.themes import THEMES, Theme

__all__ = [
    "SIDES", "THEMES", "WALLETS", "Canvas", "Cut", "Side", "Status", "Subject", "Theme", "WalletName", "draw",
    "png", "screens", "sheet",
]  # fmt: skip

WalletName = Literal["apple", "google"]
# Details longer than this do not make the front longer.
MUCH = 1000.0
# `lock` is the lock screen with the message that is on the card.
Side = Literal["front", "back", "lock"]
WALLETS: tuple[WalletName, ...] = ("apple", "google")
SIDES: tuple[Side, ...] = ("front", "back", "lock")

_DRAWN: Mapping[tuple[WalletName, Side], Callable[[Subject, Theme, float], Canvas]] = {
    ("apple", "front"): apple.front,
    ("apple", "back"): apple_details.back,
    ("apple", "lock"): lock_screen.apple_lock,
    ("google", "front"): google.front,
    ("google", "back"): google_details.back,
    ("google", "lock"): lock_screen.google_lock,
}


def draw(
    subject: Subject, wallet: WalletName, side: Side = "front", theme: Theme = "light", least: float = LEAST
) -> Canvas:
    """One side of the card on a phone of that theme, at least so many points high."""
    return _DRAWN[wallet, side](subject, theme, least)


def sheet(
    subject: Subject, wallet: WalletName, theme: Theme = "light", sides: Sequence[Side] = ("front", "back")
) -> Canvas:
    """Several sides beside each other."""
    return beside(screens(subject, wallet, theme, sides))


def screens(subject: Subject, wallet: WalletName, theme: Theme, sides: Sequence[Side]) -> list[Canvas]:
    """Several sides, all as high as the highest, unless that is a very long one."""
    drawn = [draw(subject, wallet, side, theme) for side in sides]
    high = min(MUCH, max(it.height for it in drawn))
    return [
        one if one.height >= high else draw(subject, wallet, side, theme, high)
        for one, side in zip(drawn, sides, strict=True)
    ]


def beside(drawn: Sequence[Canvas], gap: float = 24) -> Canvas:
    """Pictures beside each other, their upper edges at one height."""
    whole = Canvas(sum(it.width for it in drawn) + gap * (len(drawn) - 1), max(it.height for it in drawn))
    x = 0.0
    for one in drawn:
        whole.place(one, x, 0)
        x += one.width + gap
    return whole


def png(picture: str, zoom: float = 2.0) -> bytes:
    """An SVG of ours as PNG, `zoom` pixels to the point; the same on a machine without fonts."""
    import resvg_py

    files = [str(path) for path in sorted(FONTS.glob("*.otf"))]
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=picture, zoom=zoom, skip_system_fonts=True, font_files=files, font_family="Inter"
        )
    )
