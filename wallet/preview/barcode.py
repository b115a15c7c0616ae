"""The barcode on the picture. A QR code can be scanned; of the other kinds only the place is shown."""

from wallet.design import Code
from wallet.preview.canvas import Canvas

_NAMES = {"pdf417": "PDF417", "aztec": "Aztec", "code128": "Code 128"}


def draw(canvas: Canvas, code: Code, x: float, y: float, width: float, height: float) -> None:
    """The code within a rectangle that is white already."""
    side = min(width, height)
    if code.kind == "qr" and _qr(canvas, code.message, x + (width - side) / 2, y + (height - side) / 2, side):
        return
    name = _NAMES.get(code.kind, "QR")
    canvas.text(
        x + width / 2, y + height / 2 + 5, name, 14, "#9ca3af", weight=500, anchor="middle", room=width
    )


def is_wide(code: Code) -> bool:
    """Whether the kind is a band rather than a square."""
    return code.kind in ("pdf417", "code128")


def _qr(canvas: Canvas, message: str, x: float, y: float, side: float) -> bool:
    """Whether the message fits into a QR code; a pass would show none either."""
    import segno

    try:
        matrix = segno.make(message, error="m", micro=False).matrix
    except ValueError:  # empty, or above 2,331 bytes
        return False
    unit = side / len(matrix)
    canvas.path("".join(_line(line, x, y + row * unit, unit) for row, line in enumerate(matrix)), "#000000")
    return True


def _line(line: bytes | bytearray, x: float, y: float, unit: float) -> str:
    """The dark runs of one line, a hair larger than they are so that no light shines between them."""
    high = unit + 0.02
    runs = ((x + start * unit, length * unit + 0.02) for start, length in _runs(line))
    return "".join(f"M{left:.3f} {y:.3f}h{wide:.3f}v{high:.3f}h-{wide:.3f}z" for left, wide in runs)


def _runs(line: bytes | bytearray) -> list[tuple[int, int]]:
    """Where dark modules follow each other: start and length."""
    runs: list[tuple[int, int]] = []
    for place, dark in enumerate(line):
        if not dark:
            continue
        if runs and sum(runs[-1]) == place:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((place, 1))
    return runs
