"""A picture of the card, as each wallet lays it out: SVG, and PNG made of it with our own fonts.

It is a proof for the marketer, not a promise of the last pixel: phones differ. Texts are measured, so
that what is too long for its place is seen to be too long.
"""

from typing import Literal

from wallet.artwork import Artwork
from wallet.design import Face
from wallet.preview import apple, google
from wallet.preview.canvas import FONTS, Canvas

WalletName = Literal["apple", "google"]
Side = Literal["front", "back"]
GAP = 24


def svg(face: Face, artwork: Artwork, wallet: WalletName = "apple", side: Side = "front") -> str:
    """One side of the card."""
    return _drawn(face, artwork, wallet, side).svg()


def sheet(face: Face, artwork: Artwork, wallet: WalletName = "apple") -> str:
    """Front and back side by side."""
    front, back = (_drawn(face, artwork, wallet, side) for side in ("front", "back"))
    whole = Canvas(front.width + GAP + back.width, max(front.height, back.height))
    whole.place(front, 0, 0)
    whole.place(back, front.width + GAP, 0)
    return whole.svg()


def png(picture: str, zoom: float = 2.0) -> bytes:
    """An SVG of ours as PNG, `zoom` pixels to the point; the same on a machine without fonts."""
    import resvg_py

    files = [str(path) for path in sorted(FONTS.glob("*.otf"))]
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=picture, zoom=zoom, skip_system_fonts=True, font_files=files, font_family="Inter"
        )
    )


def _drawn(face: Face, artwork: Artwork, wallet: WalletName, side: Side) -> Canvas:
    if wallet == "apple":
        return apple.front(face, artwork) if side == "front" else apple.back(face)
    return google.front(face, artwork) if side == "front" else google.back(face)
