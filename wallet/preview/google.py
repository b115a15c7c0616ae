"""A loyalty card as Google Wallet lays it out: logo and issuer, program, rows, barcode, picture below.

The order is that of the card's title and card template on developers.google.com/wallet; the card is as high
as it must be.
"""

from collections.abc import Sequence

from wallet.design import Code, Shown
from wallet.measure import wrap
from wallet.preview import barcode
from wallet.preview.canvas import Anchor, Canvas
from wallet.preview.contrast import ratio
from wallet.preview.google_pass import GooglePass, google_pass
from wallet.preview.phone import CARD, LEAST, MARGIN, TOP, capsule, screen, waves
from wallet.preview.subject import Subject
from wallet.preview.themes import GOOGLE, Theme

RADIUS = 24.0
EDGE = 22.0
GUTTER = 12.0
HERO = CARD * 336 / 1032
TITLE, PROGRAM, ROW = 72.0, 58.0, 60.0
LOGO = 40.0
LABEL, VALUE = 12.0, 16.0
WIDE, SQUARE = (290.0, 80.0), (168.0, 168.0)
PADDING = 18.0
FADED = 0.22
DARK_INK, LIGHT_INK = "#1f1f1f", "#ffffff"


def front(subject: Subject, theme: Theme, least: float) -> Canvas:
    """The card on the phone's screen. Only the surroundings follow the theme."""
    around = GOOGLE[theme]
    card = face(subject)
    canvas = screen(around, max(least, TOP + card.height + 74), dots_upright=True)
    canvas.shadow(MARGIN, TOP, CARD, card.height, RADIUS)
    canvas.place(card, MARGIN, TOP)
    capsule(canvas, TOP + card.height + 22, subject.warning or subject.words.details, around)
    return canvas


def face(subject: Subject) -> Canvas:
    """The card itself, without the phone."""
    shown, colour = google_pass(subject), subject.face.colours.background
    ink, hero = ink_on(colour), subject.hero
    code = subject.face.barcode if shown.barcode else None
    block = (
        _barcode(code, shown.under, ink, faded=bool(subject.warning)) if code else _hold(subject, shown, ink)
    )
    rows = TITLE + PROGRAM + ROW * len(shown.rows)
    lowest = LEAST - TOP - 74 - (HERO if hero else 0)
    above = max(rows + (block.height + 2 * PADDING if block else PADDING), lowest)
    canvas = Canvas(CARD, above + (HERO if hero else 0))
    canvas.box(0, 0, CARD, canvas.height, colour, RADIUS)
    _title(canvas, subject, shown, ink)
    for number, row in enumerate(shown.rows):
        _row(canvas, row, TITLE + PROGRAM + ROW * number, ink)
    if block is not None:
        canvas.place(block, 0, rows + (above - rows - block.height) / 2)
    if hero is not None:
        whole = (0.0, 0.0, CARD, canvas.height, RADIUS)
        canvas.image(hero, 0, above, CARD, HERO, align="xMidYMid slice", within=whole)
    return canvas


def ink_on(background: str) -> str:
    """Google itself sets white or black on the card's colour, whichever is told apart better."""
    return LIGHT_INK if ratio(LIGHT_INK, background) >= ratio(DARK_INK, background) else DARK_INK


def _title(canvas: Canvas, subject: Subject, shown: GooglePass, ink: str) -> None:
    top = (TITLE - LOGO) / 2
    circle = (EDGE, top, LOGO, LOGO, LOGO / 2)
    canvas.image(subject.artwork.google["logo.png"], EDGE, top, LOGO, LOGO, within=circle)
    canvas.text(
        EDGE + LOGO + 12, TITLE / 2 + 5.5, shown.issuer, 16, ink, field="organisation", weight=500,
        room=CARD - 2 * EDGE - LOGO - 12, shrink=False,
    )  # fmt: skip
    canvas.box(0, TITLE, CARD, 1, ink, opacity=0.2)
    canvas.text(
        EDGE, TITLE + 38, shown.program, 22, ink, field="program_name", room=CARD - 2 * EDGE, shrink=False
    )


def _row(canvas: Canvas, row: Sequence[Shown | None], y: float, ink: str) -> None:
    """Cells of equal width: the first from the left, the last from the right, one between in the middle."""
    room = (CARD - 2 * EDGE - GUTTER * (len(row) - 1)) / len(row)
    for index, cell in enumerate(row):
        if cell is None:
            continue
        last = index == len(row) - 1 and index > 0
        anchor: Anchor = "end" if last else "middle" if index else "start"
        x = CARD - EDGE if last else CARD / 2 if index else EDGE
        canvas.text(x, y + 14, cell.label, LABEL, ink, field=cell.key, anchor=anchor, room=room, shrink=False)
        canvas.text(
            x, y + 36, cell.value, VALUE, ink, field=cell.key, weight=500, anchor=anchor, room=room,
            shrink=False,
        )  # fmt: skip


def _barcode(code: Code, under: str, ink: str, *, faded: bool) -> Canvas:
    """The white box with the code, and what stands below it, as wide as the card."""
    width, height = WIDE if barcode.is_wide(code) else SQUARE
    canvas = Canvas(CARD, height + 24 + (28 if under else 0))
    box = Canvas(width, height)
    barcode.draw(box, code, 0, 0, width, height)
    left = (CARD - width) / 2
    canvas.box(left - 12, 0, width + 24, height + 24, "#ffffff", 14)
    canvas.place(box, left, 12, opacity=FADED if faded else 1)
    if under:
        canvas.text(
            CARD / 2, canvas.height - 4, under, 13, ink, field="barcode.under", anchor="middle",
            room=CARD - 2 * EDGE, shrink=False,
        )  # fmt: skip
    return canvas


def _hold(subject: Subject, shown: GooglePass, ink: str) -> Canvas | None:
    """A card that is only read without contact says so where its code would be."""
    if not shown.taps:
        return None
    lines = wrap(subject.words.hold, 15, CARD - 2 * EDGE, 2, 500)
    canvas = Canvas(CARD, 84 + 20 * len(lines))
    waves(canvas, CARD / 2, 30, 48, ink)
    for number, line in enumerate(lines):
        canvas.text(CARD / 2, 88 + 20 * number, line, 15, ink, weight=500, anchor="middle")
    return canvas
