"""What iPhones show behind a card: the pass small, its settings, its back fields, one below the other."""

import re
from collections.abc import Sequence

from wallet.design import Shown
from wallet.measure import wrap
from wallet.preview import apple
from wallet.preview.canvas import Canvas
from wallet.preview.phone import CARD, MARGIN, WIDTH, screen
from wallet.preview.subject import Subject
from wallet.preview.themes import APPLE, Surroundings, Theme

GROUP_RADIUS, INSIDE, GAP = 12.0, 16.0, 12.0
ROW, LABEL, TEXT, LEADING = 44.0, 13.0, 15.0, 20.0
SMALL = 0.3
LINES = 10_000
# What iPhones find in a text and make tappable: addresses, phone numbers, mail.
_LINK = re.compile(r"https?://\S|www\.\S|\S+@\S+\.\w|(?<!\w)\+\d[\d ()\u00a0-]{7,}")


def back(subject: Subject, theme: Theme, least: float) -> Canvas:
    """The details; as long as they need to be."""
    around = APPLE[theme]
    fields = [*subject.face.back, *_links(subject)]
    texts = [wrap(field.value, TEXT, CARD - 2 * INSIDE, LINES) for field in fields]
    heights = [_height(field, lines) for field, lines in zip(fields, texts, strict=True)]
    head = 26 + apple.HEIGHT * SMALL + 78
    settings = _settings(subject)
    whole = head + ROW * len(settings) + GAP + sum(heights) + GAP * len(heights) + ROW + GAP
    canvas = screen(around, max(least, whole + 8))
    _title(canvas, subject, around)
    y = head
    _group(canvas, y, settings, around)
    y += ROW * len(settings) + GAP
    linked = {link.key for link in subject.face.links}
    for field, lines, height in zip(fields, texts, heights, strict=True):
        tapped = field.key in linked or _LINK.search(field.value)
        _field(canvas, field, lines, y, height, around, around.link if tapped else around.ink)
        y += height + GAP
    canvas.box(MARGIN, y, CARD, ROW, around.group, GROUP_RADIUS)
    canvas.text(
        WIDTH / 2, y + 28, subject.words.remove, 16, around.danger, anchor="middle", room=CARD - 2 * INSIDE
    )
    return canvas


def _links(subject: Subject) -> list[Shown]:
    """Links stand behind the back fields; a phone shows their words, to be tapped."""
    return [Shown(link.key, "", link.label) for link in subject.face.links]


def _title(canvas: Canvas, subject: Subject, around: Surroundings) -> None:
    wide, high = CARD * SMALL, apple.HEIGHT * SMALL
    left, top = (WIDTH - wide) / 2, 26.0
    canvas.shadow(left, top, wide, high, apple.RADIUS * SMALL)
    small = apple.face(subject)
    small.cuts.clear()  # the front tells them
    canvas.place(small, left, top, scale=SMALL)
    y = top + high + 32
    canvas.text(
        WIDTH / 2, y, subject.face.organisation, 22, around.ink, field="organisation", weight=600,
        anchor="middle", room=CARD,
    )  # fmt: skip
    canvas.text(
        WIDTH / 2, y + 22, subject.warning or subject.face.about, 14, around.soft,
        field=None if subject.warning else "about", anchor="middle", room=CARD,
    )  # fmt: skip


def _settings(subject: Subject) -> list[tuple[str, str | None]]:
    """Rows of the phone's own: a switch, or a text at the right."""
    words = subject.words
    rows: list[tuple[str, str | None]] = [(words.automatic_updates, None), (words.notifications, None)]
    if subject.face.places:
        rows.append((words.suggest, None))
    if subject.face.expires is not None:
        rows.append((words.expires, subject.day(subject.face.expires)))
    return rows


def _group(canvas: Canvas, y: float, rows: Sequence[tuple[str, str | None]], around: Surroundings) -> None:
    canvas.box(MARGIN, y, CARD, ROW * len(rows), around.group, GROUP_RADIUS)
    for index, (label, value) in enumerate(rows):
        top = y + ROW * index
        if index:
            canvas.box(MARGIN + INSIDE, top, CARD - INSIDE, 0.75, around.line)
        canvas.text(MARGIN + INSIDE, top + 28, label, 16, around.ink, room=CARD / 2 if value else CARD - 100)
        if value is None:
            _switch(canvas, MARGIN + CARD - INSIDE - 48, top + 8, around)
        else:
            canvas.text(
                MARGIN + CARD - INSIDE, top + 28, value, 16, around.soft, field="expires", anchor="end",
                room=CARD / 2 - INSIDE,
            )  # fmt: skip


def _switch(canvas: Canvas, x: float, y: float, around: Surroundings) -> None:
    canvas.box(x, y, 48, 28, around.good, 14)
    canvas.disc(x + 34, y + 14, 12, "#ffffff")


def _height(field: Shown, lines: Sequence[str]) -> float:
    return 26 + (20 if field.label else 0) + LEADING * len(lines)


def _field(
    canvas: Canvas, field: Shown, lines: Sequence[str], y: float, height: float, around: Surroundings,
    ink: str,
) -> None:  # fmt: skip
    canvas.box(MARGIN, y, CARD, height, around.group, GROUP_RADIUS)
    left, room = MARGIN + INSIDE, CARD - 2 * INSIDE
    y += 28
    if field.label:
        canvas.text(left, y, field.label, LABEL, around.soft, field=field.key, weight=500, room=room)
        y += 21
    for number, line in enumerate(lines):
        canvas.text(left, y + LEADING * number, line, TEXT, ink, field=field.key)
