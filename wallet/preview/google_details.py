"""What Google Wallet shows below the card: messages, the member, text modules, links."""

from collections.abc import Sequence

from wallet.design import Shown
from wallet.measure import wrap
from wallet.preview.apple_details import LINES
from wallet.preview.canvas import Canvas
from wallet.preview.google_pass import GooglePass, google_pass
from wallet.preview.phone import CARD, MARGIN, TOP, screen
from wallet.preview.subject import Subject
from wallet.preview.themes import GOOGLE, Surroundings, Theme

EDGE = 20.0
RADIUS, LOGO = 16.0, 44.0
LABEL, TEXT, LEADING, GAP = 12.0, 15.0, 21.0, 18.0
ROOM = CARD - 2 * EDGE
Block = tuple[Shown, list[str]]


def back(subject: Subject, theme: Theme, least: float) -> Canvas:
    """The details; as long as they need to be."""
    around, shown = GOOGLE[theme], google_pass(subject)
    news = [_block(subject.news)] if subject.news else []
    told = [_block(field) for field in (*shown.details, *_dates(subject))]
    links = [link.label for link in shown.links]
    head = TOP + 72
    message = _high(news) + 2 * EDGE + GAP if news else 0
    whole = head + message + (_high(told) + GAP if told else 0) + 44 * len(links) + 60
    canvas = screen(around, max(least, whole), dots_upright=True)
    _title(canvas, subject, shown, around)
    if news:
        canvas.box(MARGIN, head, CARD, message - GAP, around.group, RADIUS)
        _blocks(canvas, news, head + EDGE, around)
    y = _blocks(canvas, told, head + message, around)
    for link in shown.links:
        canvas.box(MARGIN, y, CARD, 1, around.line)
        _chain(canvas, MARGIN + EDGE + 8, y + 22, around.link)
        canvas.text(
            MARGIN + EDGE + 28, y + 27, link.label, TEXT, around.link, field=link.key, weight=500,
            room=ROOM - 28, shrink=False,
        )  # fmt: skip
        y += 44
    canvas.box(MARGIN, y, CARD, 1, around.line)
    canvas.text(MARGIN + EDGE, y + 30, subject.words.remove, TEXT, around.danger, weight=500, room=ROOM)
    return canvas


def _block(field: Shown) -> Block:
    return field, wrap(field.value, TEXT, ROOM, LINES)


def _dates(subject: Subject) -> list[Shown]:
    ends = subject.face.expires
    return [Shown("expires", subject.words.valid_until, subject.day(ends))] if ends is not None else []


def _title(canvas: Canvas, subject: Subject, shown: GooglePass, around: Surroundings) -> None:
    circle = (MARGIN + EDGE, TOP, LOGO, LOGO, LOGO / 2)
    canvas.box(*circle[:4], subject.face.colours.background, LOGO / 2)
    canvas.image(subject.artwork.google["logo.png"], *circle[:4], within=circle)
    left, room = MARGIN + EDGE + LOGO + 14, ROOM - LOGO - 14
    canvas.text(
        left, TOP + 18, shown.program, 18, around.ink, field="program_name", weight=500, room=room,
        shrink=False,
    )  # fmt: skip
    second, whose = (subject.warning, None) if subject.warning else (shown.issuer, "organisation")
    canvas.text(left, TOP + 39, second, 13, around.soft, field=whose, room=room, shrink=False)


def _high(blocks: Sequence[Block]) -> float:
    return sum(_block_high(block) for block in blocks) + GAP * (len(blocks) - 1)


def _block_high(block: Block) -> float:
    field, lines = block
    return (20 if field.label else 0) + LEADING * len(lines)


def _blocks(canvas: Canvas, blocks: Sequence[Block], y: float, around: Surroundings) -> float:
    """One under the other; returns where the next thing may stand."""
    left = MARGIN + EDGE
    for field, lines in blocks:
        whose = None if field.key in ("accountName", "accountId", "expires") else field.key
        if field.label:
            canvas.text(
                left, y + 11, field.label, LABEL, around.soft, field=whose, weight=500, room=ROOM,
                shrink=False,
            )  # fmt: skip
            y += 20
        for number, line in enumerate(lines):
            colour = around.link if "://" in field.value else around.ink
            canvas.text(left, y + 15 + LEADING * number, line, TEXT, colour, field=field.key)
        y += LEADING * len(lines) + GAP
    return y


def _chain(canvas: Canvas, x: float, y: float, colour: str) -> None:
    """The sign of a link."""
    for side in (-1, 1):
        canvas.line(
            f"M{x + side * 1.5} {y - 3.5}h{side * 2.5}a3.5 3.5 0 0 {int(side > 0)} 0 7h{-side * 2.5}",
            colour,
            1.6,
        )
    canvas.line(f"M{x - 2.5} {y}h5", colour, 1.6)
