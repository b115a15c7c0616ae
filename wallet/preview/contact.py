"""Many pictures on one sheet: a row for each card, a column for each phone."""

from collections.abc import Sequence

from wallet.preview.canvas import Canvas

EDGE, GAP, HEAD, SCALE = 28.0, 22.0, 34.0, 0.45
_SHEET, _INK, _SOFT = "#e9e7e2", "#22211f", "#5f5c56"

Row = tuple[str, Sequence[Canvas]]


def contact_sheet(title: str, columns: Sequence[str], rows: Sequence[Row]) -> Canvas:
    """`rows` are named, each with a picture for every column."""
    wide = [max(cells[at].width for _, cells in rows) * SCALE for at in range(len(columns))]
    high = [max(cell.height for cell in cells) * SCALE for _, cells in rows]
    canvas = Canvas(
        2 * EDGE + sum(wide) + GAP * (len(wide) - 1),
        2 * EDGE + 2 * HEAD + sum(high) + (HEAD + GAP) * len(high),
    )
    canvas.box(0, 0, canvas.width, canvas.height, _SHEET)
    canvas.text(EDGE, EDGE + 20, title, 24, _INK, weight=600, room=canvas.width - 2 * EDGE)
    x = EDGE
    for name, width in zip(columns, wide, strict=True):
        canvas.text(x, EDGE + HEAD + 22, name, 14, _SOFT, weight=500, room=width)
        x += width + GAP
    y = EDGE + 2 * HEAD
    for (name, cells), height in zip(rows, high, strict=True):
        canvas.text(EDGE, y + 18, name, 15, _INK, weight=600, room=canvas.width - 2 * EDGE)
        x = EDGE
        for cell, width in zip(cells, wide, strict=True):
            canvas.place(cell, x, y + HEAD, scale=SCALE)
            x += width + GAP
        y += HEAD + height + GAP
    return canvas
