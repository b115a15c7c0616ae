"""A loyalty card as Google Wallet lays it out: round logo and name, rows, code, picture; details behind."""

from collections.abc import Sequence

from wallet.artwork import Artwork
from wallet.design import Code, Face, Shown
from wallet.google.bodies import TIER_KEY, points
from wallet.preview import barcode
from wallet.preview.canvas import Anchor, Canvas, wrap

MARGIN = 12.0
CARD = 375.0
HEIGHT = 604.0
RADIUS = 26.0
EDGE = 22.0
HERO = CARD * 336 / 1032

LABEL, VALUE = 12.0, 18.0


def front(face: Face, artwork: Artwork) -> Canvas:
    """The front."""
    canvas = Canvas(CARD + 2 * MARGIN, HEIGHT + 2 * MARGIN)
    canvas.shadow(MARGIN, MARGIN, CARD, HEIGHT, RADIUS)
    canvas.box(MARGIN, MARGIN, CARD, HEIGHT, face.colours.background, RADIUS)
    hero = artwork.google.get("hero.png")
    if hero is not None:
        _hero(canvas, hero)
    ink = ink_on(face.colours.background)
    _title(canvas, face, artwork, ink)
    y = MARGIN + 98
    for row in _rows(face):
        _row(canvas, row, y, ink)
        y += 56
    if face.barcode is not None:
        bottom = MARGIN + HEIGHT - (HERO if hero is not None else 0)
        _barcode(canvas, face.barcode, y - 14, bottom, ink)
    return canvas


def back(face: Face) -> Canvas:
    """The details: what is not points and level, one under the other."""
    canvas = Canvas(CARD + 2 * MARGIN, HEIGHT + 2 * MARGIN)
    canvas.shadow(MARGIN, MARGIN, CARD, HEIGHT, RADIUS)
    canvas.box(MARGIN, MARGIN, CARD, HEIGHT, "#ffffff", RADIUS)
    left, room = MARGIN + EDGE, CARD - 2 * EDGE
    canvas.text(left, MARGIN + 46, face.organisation, 22, "#1f1f1f", weight=500, room=room)
    y = MARGIN + 66
    holder = (Shown("holder", "", f"{face.holder}  ·  {face.account}".strip(" ·")),) if face.account else ()
    for field in (*holder, *face.back):
        lines = wrap(field.value, 14, room, 9)
        height = (18 if field.label else 0) + 20 * len(lines) + 18
        if y + height > MARGIN + HEIGHT - EDGE:
            break
        _detail(canvas, field, lines, left, y, room)
        y += height
    return canvas


def ink_on(background: str) -> str:
    """Google itself sets white on dark and dark on light (told apart by relative luminance, WCAG 2.2)."""
    channels = [value / 255 for value in bytes.fromhex(background[1:])]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if luminance < 0.4 else "#1f1f1f"


def _detail(canvas: Canvas, field: Shown, lines: Sequence[str], left: float, y: float, room: float) -> None:
    if field.label:
        canvas.text(left, y + 14, field.label, LABEL, "#5f6368", weight=500, room=room)
        y += 18
    for number, line in enumerate(lines):
        colour = "#0b57d0" if "://" in field.value else "#1f1f1f"
        canvas.text(left, y + 17 + 20 * number, line, 14, colour)


def _title(canvas: Canvas, face: Face, artwork: Artwork, ink: str) -> None:
    size, left, top = 44.0, MARGIN + EDGE, MARGIN + 20
    circle = (left, top, size, size, size / 2)
    canvas.image(artwork.apple["icon@3x.png"], left, top, size, size, within=circle)
    room = CARD - 2 * EDGE - size - 14
    canvas.text(left + size + 14, top + 29, face.organisation, 20, ink, weight=500, room=room)
    canvas.box(MARGIN, top + size + 14, CARD, 1, ink, opacity=0.18)


def _rows(face: Face) -> list[tuple[Shown, ...]]:
    """Points and level, then the card's own rows, three cells each."""
    top = points(face)
    taken = {field.key for field in top} | {TIER_KEY}
    level = tuple(field for field in face.front if field.key == TIER_KEY)
    rest = tuple(field for field in face.header + face.primary if field.key not in taken)
    own = (face.secondary, face.auxiliary)
    lower = [tuple(field for field in row if field.key not in taken) for row in own]
    return [row[:3] for row in (top + level, rest, *lower) if row][:3]


def _row(canvas: Canvas, row: Sequence[Shown], y: float, ink: str) -> None:
    room = (CARD - 2 * EDGE - 12 * (len(row) - 1)) / len(row)
    for index, field in enumerate(row):
        last = index == len(row) - 1 and index > 0
        x = MARGIN + CARD - EDGE if last else MARGIN + EDGE + index * (room + 12)
        anchor: Anchor = "end" if last else "start"
        canvas.text(x, y + 10, field.label, LABEL, ink, anchor=anchor, room=room)
        canvas.text(x, y + 32, field.value, VALUE, ink, weight=500, anchor=anchor, room=room)


def _barcode(canvas: Canvas, code: Code, top: float, bottom: float, ink: str) -> None:
    under = 22.0 if code.under else 0.0
    side = min(176.0, bottom - top - under - 44)
    width = 290.0 if barcode.is_wide(code) else side
    height = 80.0 if barcode.is_wide(code) else side
    left = MARGIN + (CARD - width) / 2
    y = top + (bottom - top - height - 24 - under) / 2
    canvas.box(left - 12, y, width + 24, height + 24, "#ffffff", 14)
    barcode.draw(canvas, code, left, y + 12, width, height)
    if code.under:
        canvas.text(
            MARGIN + CARD / 2,
            y + height + 24 + 18,
            code.under,
            13,
            ink,
            anchor="middle",
            room=CARD - 2 * EDGE,
        )


def _hero(canvas: Canvas, hero: bytes) -> None:
    """The picture at the bottom, its lower corners those of the card."""
    whole = (MARGIN, MARGIN, CARD, HEIGHT, RADIUS)
    canvas.image(hero, MARGIN, MARGIN + HEIGHT - HERO, CARD, HERO, within=whole)
