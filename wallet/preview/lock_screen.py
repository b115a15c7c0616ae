"""A message on the card as the phone tells of it: the notification on the lock screen."""

from wallet.measure import wrap
from wallet.preview.canvas import Anchor, Canvas
from wallet.preview.phone import CARD, MARGIN, WIDTH, ground
from wallet.preview.subject import Subject
from wallet.preview.themes import APPLE, GOOGLE, Surroundings, Theme

CLOCK = "9:41"
INSIDE, RADIUS, TEXT, LEADING = 14.0, 22.0, 15.0, 20.0
# So many lines are seen before somebody opens the notification.
APPLE_LINES, GOOGLE_LINES = 4, 2


def apple_lock(subject: Subject, theme: Theme, least: float) -> Canvas:
    """The notification of Wallet: the card's icon, whose it is, the message."""
    around = APPLE[theme]
    canvas = _wall(subject, around, least, middle=True)
    left = MARGIN + INSIDE + 38 + 12
    room = MARGIN + CARD - INSIDE - left
    lines = _lines(canvas, subject, room, APPLE_LINES)
    height = max(66.0, 2 * INSIDE + 18 + LEADING * len(lines))
    top = least - 96 - height
    canvas.box(MARGIN, top, CARD, height, around.notice, RADIUS, 0.94)
    icon = (MARGIN + INSIDE, top + (height - 38) / 2, 38.0, 38.0, 9.0)
    canvas.box(*icon[:4], subject.face.colours.background, 9)
    canvas.image(subject.pictures["icon@3x.png"], *icon[:4], within=icon)
    canvas.text(
        left, top + INSIDE + 14, subject.face.organisation, TEXT, around.ink, field="organisation",
        weight=600, room=room - 60, shrink=False,
    )  # fmt: skip
    canvas.text(
        MARGIN + CARD - INSIDE, top + INSIDE + 14, subject.words.now, 13, around.soft, anchor="end", room=56
    )
    _message(canvas, lines, left, top + INSIDE + 34, around)
    return canvas


def google_lock(subject: Subject, theme: Theme, least: float) -> Canvas:
    """The notification of Google Wallet: the message's header and text, the program's logo."""
    around = GOOGLE[theme]
    canvas = _wall(subject, around, least, middle=False)
    left = MARGIN + INSIDE + 4
    room = CARD - 2 * INSIDE - 4 - 54
    lines = _lines(canvas, subject, room, GOOGLE_LINES)
    height = 2 * INSIDE + 46 + LEADING * len(lines)
    top = 250.0
    canvas.box(MARGIN, top, CARD, height, around.notice, RADIUS + 4, 0.96)
    canvas.text(left, top + INSIDE + 11, f"Google Wallet · {subject.words.now}", 12, around.soft, room=room)
    head = subject.news.label if subject.news else ""
    canvas.text(
        left, top + INSIDE + 36, head, TEXT, around.ink, field="news", weight=600, room=room, shrink=False
    )
    _message(canvas, lines, left, top + INSIDE + 58, around)
    logo = (MARGIN + CARD - INSIDE - 44, top + INSIDE + 16, 44.0, 44.0, 22.0)
    canvas.box(*logo[:4], subject.face.colours.background, 22)
    canvas.image(subject.artwork.google["logo.png"], *logo[:4], within=logo)
    return canvas


def _wall(subject: Subject, around: Surroundings, height: float, *, middle: bool) -> Canvas:
    """The lock screen with its day and clock."""
    canvas = Canvas(WIDTH, height)
    ground(canvas, canvas.fade(*around.wall), around)
    x = WIDTH / 2 if middle else MARGIN + 20
    ink = "#ffffff" if around.ink in ("#ffffff", "#e3e3e3") else "#1c1c1e"
    anchor: Anchor = "middle" if middle else "start"
    canvas.text(x, 84, subject.today(), 19, ink, weight=500, anchor=anchor, room=CARD - 40)
    canvas.text(x, 170, CLOCK, 84, ink, weight=600 if middle else 400, anchor=anchor)
    return canvas


def _lines(canvas: Canvas, subject: Subject, room: float, at_most: int) -> list[str]:
    """The message in as many lines as are seen; what more there is, is noted as cut."""
    if subject.news is None:
        return []
    told = subject.news.value.replace("\n", " ")
    lines = wrap(told, TEXT, room, at_most)
    if len(wrap(told, TEXT, room, at_most + 1)) > at_most:
        canvas.note_cut("news", subject.news.value, " ".join(lines))
    return lines


def _message(canvas: Canvas, lines: list[str], left: float, y: float, around: Surroundings) -> None:
    for number, line in enumerate(lines):
        canvas.text(left, y + LEADING * number, line, TEXT, around.ink, field="news")
