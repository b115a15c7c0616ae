"""A store card as iPhones lay it out: logo and header, strip, one row of fields, barcode; details behind."""

from collections.abc import Sequence

from wallet.artwork import Artwork
from wallet.design import Code, Face, Shown
from wallet.preview import barcode
from wallet.preview.canvas import Anchor, Canvas, Weight, size_of, width_of, wrap

MARGIN = 12.0
CARD = 375.0
HEIGHT = 496.0
RADIUS = 13.0
EDGE = 16.0
HEADER = 62.0
STRIP = 144.0
LOGO = (150.0, 34.0)
GUTTER = 14.0

LABEL, VALUE, HEADER_VALUE, PRIMARY = 11.0, 18.0, 19.0, 46.0
_LABEL_WEIGHT: Weight = 600
SPACING = 0.35


def front(face: Face, artwork: Artwork) -> Canvas:
    """The front."""
    canvas = _sheet(face.colours.background)
    logo = artwork.apple["logo@3x.png"]
    canvas.image(logo, MARGIN + EDGE, MARGIN + 14, *LOGO, align="xMinYMid meet")
    wide, high = size_of(logo)
    _header(canvas, face, CARD - 2 * EDGE - GUTTER - min(LOGO[0], LOGO[1] * wide / high))
    top = MARGIN + HEADER
    if "strip@3x.png" in artwork.apple:
        canvas.image(artwork.apple["strip@3x.png"], MARGIN, top, CARD, STRIP)
    _primary(canvas, face, top)
    _row(canvas, face, face.secondary + face.auxiliary, top + STRIP + 27)
    if face.barcode is not None:
        _barcode(canvas, face.barcode)
    return canvas


def back(face: Face) -> Canvas:
    """The details behind the card, as far as the sheet reaches."""
    canvas = _sheet("#f2f2f7")
    left, room = MARGIN + EDGE, CARD - 2 * EDGE
    canvas.text(left, MARGIN + 40, face.organisation, 22, "#111111", weight=600, room=room)
    canvas.text(left, MARGIN + 60, face.about, 13, "#6b6b70", room=room)
    y = MARGIN + 78
    for field in face.back:
        lines = wrap(field.value, 14, room - 28, 9)
        height = 36 + 19 * len(lines)
        if y + height > MARGIN + HEIGHT - EDGE:
            break
        _detail(canvas, field, lines, left, y, room, height)
        y += height + 10
    return canvas


def _sheet(colour: str) -> Canvas:
    canvas = Canvas(CARD + 2 * MARGIN, HEIGHT + 2 * MARGIN)
    canvas.shadow(MARGIN, MARGIN, CARD, HEIGHT, RADIUS)
    canvas.box(MARGIN, MARGIN, CARD, HEIGHT, colour, RADIUS)
    return canvas


def _detail(
    canvas: Canvas, field: Shown, lines: Sequence[str], left: float, y: float, room: float, height: float
) -> None:
    canvas.box(left, y, room, height, "#ffffff", 10)
    canvas.text(left + 14, y + 22, field.label, 12, "#6b6b70", weight=500, room=room - 28)
    for number, line in enumerate(lines):
        colour = "#0a66d6" if line.startswith("http") or "://" in field.value else "#111111"
        canvas.text(left + 14, y + 43 + 19 * number, line, 14, colour)


def _header(canvas: Canvas, face: Face, room: float) -> None:
    """Header fields from the right, each as wide as it must be, in the room that the logo leaves."""
    wanted = [max(_label_width(field), width_of(field.value, HEADER_VALUE)) for field in face.header]
    spare = room - GUTTER * (len(wanted) - 1)
    rooms = wanted if sum(wanted) <= spare else shares(wanted, spare)
    right = MARGIN + CARD - EDGE
    for field, width in zip(reversed(face.header), reversed(rooms), strict=True):
        _pair(canvas, face, field, right, MARGIN + 24, HEADER_VALUE, width, right_aligned=True)
        right -= width + GUTTER


def _primary(canvas: Canvas, face: Face, top: float) -> None:
    for field in face.primary[:1]:
        room, left = CARD - 2 * EDGE, MARGIN + EDGE
        canvas.text(left, top + 76, field.value, PRIMARY, face.colours.text, room=room)
        canvas.text(left, top + 100, field.label.upper(), 12, face.colours.text, weight=500, room=room)


def _row(canvas: Canvas, face: Face, fields: Sequence[Shown], y: float) -> None:
    """Secondary and auxiliary fields share one row; who needs more room gets more of it."""
    if not fields:
        return
    wanted = [max(_label_width(field), width_of(field.value, VALUE)) for field in fields]
    rooms = shares(wanted, CARD - 2 * EDGE - GUTTER * (len(fields) - 1))
    x = MARGIN + EDGE
    for index, (field, room) in enumerate(zip(fields, rooms, strict=True)):
        last = index == len(fields) - 1 and index > 0
        place = MARGIN + CARD - EDGE if last else x
        _pair(canvas, face, field, place, y, VALUE, room, right_aligned=last)
        x += room + GUTTER


def shares(wanted: Sequence[float], room: float) -> list[float]:
    """Room for each: what it wants and a part of the rest; if not all fits, the small ones go first."""
    spare = room - sum(wanted)
    if spare >= 0:
        return [width + spare / len(wanted) for width in wanted]
    given: dict[int, float] = {}
    left = room
    for place, index in enumerate(sorted(range(len(wanted)), key=lambda index: wanted[index])):
        given[index] = min(wanted[index], left / (len(wanted) - place))
        left -= given[index]
    return [given[index] for index in range(len(wanted))]


def _label_width(field: Shown) -> float:
    text = field.label.upper()
    return width_of(text, LABEL, _LABEL_WEIGHT) + SPACING * len(text)


def _pair(
    canvas: Canvas,
    face: Face,
    field: Shown,
    x: float,
    y: float,
    size: float,
    room: float,
    *,
    right_aligned: bool,
) -> None:
    anchor: Anchor = "end" if right_aligned else "start"
    canvas.text(
        x,
        y,
        field.label.upper(),
        LABEL,
        face.colours.label,
        weight=_LABEL_WEIGHT,
        anchor=anchor,
        room=room + 0.5,
        spacing=SPACING,
    )
    canvas.text(x, y + size + 3.5, field.value, size, face.colours.text, anchor=anchor, room=room + 0.5)


def _barcode(canvas: Canvas, code: Code) -> None:
    wide = barcode.is_wide(code)
    width, height = (290.0, 74.0) if wide else (142.0, 142.0)
    under = 22.0 if code.under else 0.0
    box_width, box_height = width + 24, height + 24 + under
    left = MARGIN + (CARD - box_width) / 2
    top = MARGIN + HEIGHT - box_height - 18
    canvas.box(left, top, box_width, box_height, "#ffffff", 6)
    barcode.draw(canvas, code, left + 12, top + 12, width, height)
    if code.under:
        canvas.text(
            left + box_width / 2,
            top + 12 + height + 21,
            code.under,
            13,
            "#111111",
            anchor="middle",
            room=width,
        )
