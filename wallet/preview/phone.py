"""The phone around a card: its sheet, its buttons, and signs that both wallets use."""

from wallet.preview.canvas import Canvas
from wallet.preview.themes import Surroundings

MARGIN = 16.0
CARD = 375.0
WIDTH = CARD + 2 * MARGIN
# What the buttons above a card take.
TOP = 60.0
LEAST = 640.0
CORNERS = 28.0


def screen(around: Surroundings, height: float, *, dots_upright: bool = False) -> Canvas:
    """An empty screen: a button to close at the left, one for more at the right."""
    canvas = Canvas(WIDTH, height)
    ground(canvas, around.sheet, around)
    for x in (MARGIN + 16, WIDTH - MARGIN - 16):
        canvas.disc(x, TOP / 2, 16, around.button)
    x, y = MARGIN + 16, TOP / 2
    canvas.line(f"M{x - 5} {y - 5}l10 10M{x + 5} {y - 5}l-10 10", around.ink, 1.8)
    for step in (-5.5, 0, 5.5):
        right = WIDTH - MARGIN - 16
        canvas.disc(right + (0 if dots_upright else step), y + (step if dots_upright else 0), 1.7, around.ink)
    return canvas


def ground(canvas: Canvas, fill: str, around: Surroundings) -> None:
    """The whole screen in one fill, with round corners and a hair around it."""
    canvas.box(0, 0, canvas.width, canvas.height, around.line, CORNERS)
    canvas.box(0.75, 0.75, canvas.width - 1.5, canvas.height - 1.5, fill, CORNERS - 0.75)


def waves(canvas: Canvas, x: float, y: float, size: float, colour: str) -> None:
    """The sign of contactless reading, its middle at a point."""
    for step in range(4):
        reach = size * (0.2 + 0.16 * step)
        left = x - size * 0.36 + step * size * 0.2
        canvas.line(
            f"M{left:.2f} {y - reach:.2f}q{reach * 0.75:.2f} {reach:.2f} 0 {2 * reach:.2f}", colour, size / 11
        )


def capsule(canvas: Canvas, y: float, text: str, around: Surroundings) -> None:
    """A note of the phone's below the card, in the middle."""
    from wallet.measure import width_of

    wide = min(CARD, width_of(text, 14, 500) + 32)
    canvas.box((WIDTH - wide) / 2, y, wide, 34, around.button, 17)
    canvas.text(WIDTH / 2, y + 22, text, 14, around.ink, weight=500, anchor="middle", room=wide - 24)
