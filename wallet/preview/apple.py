"""A store card as iPhones lay it out: logo and header, strip, one row of fields, barcode.

Measures are points of a phone 375 wide; the layout is that of the Wallet Developer Guide and the Human
Interface Guidelines: the primary field over the strip, up to four fields below in one row.
"""

from collections.abc import Sequence

from wallet.design import Code, Shown
from wallet.measure import Weight, width_of
from wallet.preview import barcode
from wallet.preview.canvas import Anchor, Canvas, size_of
from wallet.preview.phone import CARD, MARGIN, TOP, WIDTH, capsule, screen, waves
from wallet.preview.subject import Subject
from wallet.preview.themes import APPLE, Theme

HEIGHT = 500.0
RADIUS = 13.0
EDGE = 16.0
HEADER = 62.0
STRIP = 144.0
STRIP_SIZE = (375, 144)
LOGO = (160.0, 50.0)
LOGO_EDGE = 12.0
GUTTER = 14.0
LABEL, VALUE, HEADER_VALUE, PRIMARY, BESIDE_LOGO = 11.0, 18.0, 19.0, 46.0, 17.0
WIDE, SQUARE = (290.0, 74.0), (142.0, 142.0)
LABEL_WEIGHT: Weight = 600
SPACING = 0.35
# Beside header fields that leave less room than this, the logo's text is not seen at all.
BESIDE_LOGO_AT_LEAST = 36.0
# How much of a barcode is seen on a card that is no longer good.
FADED = 0.22


def front(subject: Subject, theme: Theme, least: float) -> Canvas:
    """The card on the phone's screen. Only the surroundings follow the theme."""
    around = APPLE[theme]
    canvas = screen(around, max(least, TOP + HEIGHT + 80))
    canvas.shadow(MARGIN, TOP, CARD, HEIGHT, RADIUS)
    canvas.place(face(subject), MARGIN, TOP)
    under = TOP + HEIGHT + 24
    if subject.warning:
        capsule(canvas, under, subject.warning, around)
    elif subject.face.nfc and subject.face.barcode is None:
        waves(canvas, WIDTH / 2, under + 2, 24, around.link)
        canvas.text(
            WIDTH / 2, under + 42, subject.words.hold, 15, around.soft, weight=500, anchor="middle", room=CARD
        )
    return canvas


def face(subject: Subject) -> Canvas:
    """The card itself, without the phone."""
    shown, pictures = subject.face, subject.pictures
    canvas = Canvas(CARD, HEIGHT)
    canvas.box(0, 0, CARD, HEIGHT, shown.colours.background, RADIUS)
    logo = pictures["logo@3x.png"]
    canvas.image(logo, LOGO_EDGE, (HEADER - LOGO[1]) / 2, *LOGO, align="xMinYMid meet")
    wide, high = size_of(logo)
    left = LOGO_EDGE + min(LOGO[0], LOGO[1] * wide / high) + GUTTER
    _logo_text(canvas, subject, left, _header(canvas, subject, CARD - EDGE - left))
    strip = pictures.get("strip@3x.png")
    if strip is not None:
        canvas.image(strip, 0, HEADER, CARD, STRIP)
    _primary(canvas, subject)
    below = HEADER + (STRIP if strip is not None or shown.primary else 0)
    _row(canvas, subject, shown.secondary + shown.auxiliary, below + 27)
    if shown.barcode is not None and shown.barcode.message:
        _barcode(canvas, shown.barcode, faded=bool(subject.warning))
    return canvas


def _logo_text(canvas: Canvas, subject: Subject, left: float, room: float) -> None:
    said = subject.face.logo_text
    if said and room < BESIDE_LOGO_AT_LEAST:
        canvas.note_cut("logo_text", said, "")
    elif said:
        canvas.text(
            left, HEADER / 2 + 6, subject.face.logo_text, BESIDE_LOGO, subject.face.colours.text,
            field="logo_text", weight=600, room=room,
        )  # fmt: skip


def _header(canvas: Canvas, subject: Subject, room: float) -> float:
    """Header fields from the right, each as wide as it must be; returns the room that they leave."""
    fields = subject.face.header
    wanted = [max(label_width(field), width_of(field.value, HEADER_VALUE)) for field in fields]
    spare = room - GUTTER * (len(wanted) - 1)
    rooms = wanted if sum(wanted) <= spare else shares(wanted, spare)
    right = CARD - EDGE
    for field, width in zip(reversed(fields), reversed(rooms), strict=True):
        _pair(canvas, subject, field, right, 24, HEADER_VALUE, width, right_aligned=True)
        right -= width + GUTTER
    return room - (CARD - EDGE - right)


def _primary(canvas: Canvas, subject: Subject) -> None:
    for field in subject.face.primary[:1]:
        room, colour = CARD - 2 * EDGE, subject.face.colours.text
        canvas.text(EDGE, HEADER + 76, field.value, PRIMARY, colour, field=field.key, room=room)
        canvas.text(
            EDGE, HEADER + 102, field.label.upper(), 12, colour, field=field.key, weight=500, room=room
        )


def _row(canvas: Canvas, subject: Subject, fields: Sequence[Shown], y: float) -> None:
    """Secondary and auxiliary fields share one row; who needs more room gets more of it."""
    if not fields:
        return
    wanted = [max(label_width(field), width_of(field.value, VALUE)) for field in fields]
    rooms = shares(wanted, CARD - 2 * EDGE - GUTTER * (len(fields) - 1))
    x = EDGE
    for index, (field, room) in enumerate(zip(fields, rooms, strict=True)):
        last = index == len(fields) - 1 and index > 0
        _pair(canvas, subject, field, CARD - EDGE if last else x, y, VALUE, room, right_aligned=last)
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


def label_width(field: Shown) -> float:
    """How wide a label of the front is, in points."""
    text = field.label.upper()
    return width_of(text, LABEL, LABEL_WEIGHT) + SPACING * len(text)


def _pair(
    canvas: Canvas, subject: Subject, field: Shown, x: float, y: float, size: float, room: float, *,
    right_aligned: bool,
) -> None:  # fmt: skip
    anchor: Anchor = "end" if right_aligned else "start"
    colours = subject.face.colours
    canvas.text(
        x, y, field.label.upper(), LABEL, colours.label, field=field.key, weight=LABEL_WEIGHT, anchor=anchor,
        room=room + 0.5, spacing=SPACING,
    )  # fmt: skip
    canvas.text(
        x, y + size + 4, field.value, size, colours.text, field=field.key, anchor=anchor, room=room + 0.5
    )


def _barcode(canvas: Canvas, code: Code, *, faded: bool) -> None:
    width, height = WIDE if barcode.is_wide(code) else SQUARE
    under = 24.0 if code.under else 0.0
    box = Canvas(width + 24, height + 24 + under)
    barcode.draw(box, code, 12, 12, width, height)
    if code.under:
        box.text(
            box.width / 2, 12 + height + 23, code.under, 13, "#111111", field="barcode.under",
            anchor="middle", room=width,
        )  # fmt: skip
    left, top = (CARD - box.width) / 2, HEIGHT - box.height - 20
    canvas.box(left, top, box.width, box.height, "#ffffff", 6)
    canvas.place(box, left, top, opacity=FADED if faded else 1)
