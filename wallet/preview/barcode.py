"""The barcode on the picture, as the phone draws it: a till could scan it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from wallet.design import Code
from wallet.preview.canvas import Canvas

NAMES = {"qr": "QR", "pdf417": "PDF417", "aztec": "Aztec", "code128": "Code 128"}
# Scanners want bars of about a fifth of a millimetre; a point is a little less.
BAR_AT_LEAST = 1.0
_FORMATS = {"qr": "QRCode", "pdf417": "PDF417", "aztec": "Aztec", "code128": "Code128"}
# The white around the code is less than the ten modules that bars want on either side.
_QUIET = (0,) * 6
_MARGIN = 2
_INK, _SOFT = "#000000", "#4b5563"

Matrix = Sequence[Sequence[int]]


@lru_cache(maxsize=64)
def matrix_of(code: Code) -> Matrix | None:
    """Dark (1) and light (0) modules, line by line, one line for bars; None for what the kind cannot hold."""
    import zxingcpp

    try:
        made = zxingcpp.create_barcode(code.message, getattr(zxingcpp.BarcodeFormat, _FORMATS[code.kind]))
    except ValueError:  # empty, too long, or letters that it has not; a pass would show none either
        return None
    rows: Any = memoryview(cast(Any, made.to_image(scale=1, add_quiet_zones=False))).tolist()
    matrix = [[int(not light) for light in row] for row in rows]
    return [[*_QUIET, *matrix[0], *_QUIET]] if code.kind == "code128" else matrix


def is_wide(code: Code) -> bool:
    """Whether the kind is a band rather than a square."""
    return code.kind in ("pdf417", "code128")


def draw(canvas: Canvas, code: Code, x: float, y: float, width: float, height: float) -> None:
    """The code within a rectangle that is white already."""
    matrix = matrix_of(code)
    if matrix is None:
        _without(canvas, code, x, y, width, height)
    elif is_wide(code):
        _lines(canvas, matrix, x, y, width / len(matrix[0]), height / len(matrix))
    else:
        side = min(width, height)
        unit = side / len(matrix)
        _lines(canvas, matrix, x + (width - side) / 2, y + (height - side) / 2, unit, unit)


def fault(code: Code, width: float) -> str | None:
    """Why a till may be unable to read the code at this width in points, and what helps."""
    name = NAMES[code.kind]
    matrix = matrix_of(code)
    if matrix is None:
        return f"barcode: {name} cannot hold {len(code.message)} characters like these; use kind: qr"
    if (unit := width / len(matrix[0])) < BAR_AT_LEAST:
        helps = "shorten barcode.message" + ("" if code.kind == "qr" else ", or use kind: qr")
        return f"barcode: its {name} bars are {unit:.1f} points thin, scanners want {BAR_AT_LEAST:g}; {helps}"
    return None


def svg(code: Code) -> str:
    """The code by itself, with the quiet zone that scanners want, to stand in a page; empty if impossible."""
    matrix = matrix_of(code)
    if matrix is None:
        return ""
    wide, high = len(matrix[0]) + 2 * _MARGIN, len(matrix) + 2 * _MARGIN
    shape = "".join(
        f"M{start + _MARGIN} {row + _MARGIN}h{length}v1h-{length}z"
        for row, line in enumerate(matrix)
        for start, length in _runs(line)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" class="code" role="img" '
        f'aria-label="{NAMES[code.kind]}" shape-rendering="crispEdges"><path d="{shape}"/></svg>'
    )


def _without(canvas: Canvas, code: Code, x: float, y: float, width: float, height: float) -> None:
    """The name of a kind that cannot hold its message: the phone shows nothing."""
    name = NAMES[code.kind]
    canvas.text(x + width / 2, y + height / 2 + 5, name, 14, _SOFT, weight=500, anchor="middle", room=80)


def _lines(canvas: Canvas, matrix: Matrix, x: float, y: float, unit: float, high: float) -> None:
    shape = "".join(_line(line, x, y + row * high, unit, high) for row, line in enumerate(matrix))
    canvas.path(shape, _INK)


def _line(line: Sequence[int], x: float, y: float, unit: float, high: float) -> str:
    """The dark runs of one line, a hair larger than they are so that no light shines between them."""
    tall = high + 0.02
    runs = ((x + start * unit, length * unit + 0.02) for start, length in _runs(line))
    return "".join(f"M{left:.3f} {y:.3f}h{wide:.3f}v{tall:.3f}h-{wide:.3f}z" for left, wide in runs)


def _runs(line: Sequence[int]) -> list[tuple[int, int]]:
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
