"""The picture: every ratio against its goal, on a scale where the goals stand in one line."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log2
from pathlib import Path

from benchmarks.harness.catalogue import named
from benchmarks.harness.reference import Kept
from benchmarks.harness.table import ROLES, amount
from benchmarks.report import ROOT, Row, rows_of
from wallet.measure import cut, width_of
from wallet.preview import png

IMAGES = ROOT / "docs" / "images"
WIDTH, MARGIN, NAMES, FIGURES = 1180.0, 36.0, 500.0, 176.0
HEAD, LINE, GAP, FOOT = 104.0, 25.0, 38.0, 64.0
# The scale: from an eighth of the goal to eight times as good; what lies beyond stands at the edge.
DOUBLINGS = 3
TICKS = {-3: "1/8", -2: "1/4", -1: "1/2", 0: "goal", 1: "2 ×", 2: "4 ×", 3: "8 ×"}
# Below zero there is no logarithm: none is as good as can be.
LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Colours:
    """Of one theme; all texts have a contrast of 4.5 or more on the paper."""

    paper: str
    band: str
    text: str
    faint: str
    line: str
    reached: str
    missed: str


THEMES = {
    "light": Colours("#ffffff", "#f4f6f5", "#17211c", "#5b6660", "#d5dbd8", "#0f7a4d", "#b4540a"),
    "dark": Colours("#0f1512", "#161e1a", "#e8eeea", "#9aa8a0", "#2c3832", "#4cc38a", "#f0a04b"),
}


def goodness(row: Row, ratio: float) -> float:
    """Doublings above the goal (below it: less than 0), whichever way is better."""
    wanted = row.goal.ratio
    assert wanted is not None
    part = ratio / wanted if row.goal.larger else max(wanted, LEAST) / max(ratio, LEAST)
    if not row.goal.larger and wanted == 0:
        part = 1 if ratio == 0 else LEAST
    return max(-DOUBLINGS, min(DOUBLINGS, log2(max(part, LEAST))))


def draw(found: Sequence[Kept], theme: str) -> str:
    """SVG of one theme; comparisons without a goal are left to the table."""
    groups = [(it, [row for row in rows_of(it) if row.goal.ratio is not None]) for it in found]
    groups = [(it, rows) for it, rows in groups if rows]
    height = HEAD + sum(GAP + LINE * len(rows) for _, rows in groups) + FOOT
    colours = THEMES[theme]
    parts = [
        (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" width="{WIDTH:g}" '
        f'height="{height:g}" font-family="Inter">'),
        f'<rect width="{WIDTH:g}" height="{height:g}" rx="14" fill="{colours.paper}"/>',
        *_head(groups, colours), *_scale(height, colours),
    ]  # fmt: skip
    top = HEAD
    for kept, rows in groups:
        parts += _group(kept, rows, top, colours)
        top += GAP + LINE * len(rows)
    return "".join([*parts, *_foot(found, height, colours), "</svg>"])


def save(found: Sequence[Kept], folder: Path = IMAGES) -> list[Path]:
    """Write both themes as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for theme in THEMES:
        files.append(folder / f"benchmarks-{theme}.png")
        files[-1].write_bytes(png(draw(found, theme), zoom=1.5))
    return files


def _at(doublings: float) -> float:
    left, right = MARGIN + NAMES, WIDTH - MARGIN - FIGURES
    return left + (right - left) * (doublings + DOUBLINGS) / (2 * DOUBLINGS)


def _head(groups: Sequence[tuple[Kept, Sequence[Row]]], colours: Colours) -> list[str]:
    rows = [row for _, some in groups for row in some]
    reached = sum(bool(row.reached) for row in rows)
    said = f"{reached} of {len(rows)} goals reached. To the right is better; a line spans the rounds."
    return [
        _text(MARGIN, 46, "Ratios against their goals", 24, colours.text, weight=600),
        _text(MARGIN, 72, said, 14, colours.faint),
    ]


def _scale(height: float, colours: Colours) -> list[str]:
    bottom = height - FOOT + 4
    parts = []
    for doublings, name in TICKS.items():
        x, own = _at(doublings), colours.text if doublings == 0 else colours.line
        dash = "" if doublings == 0 else ' stroke-dasharray="2 4"'
        parts.append(f'<line x1="{x:g}" x2="{x:g}" y1="{HEAD + 8:g}" y2="{bottom:g}" stroke="{own}"{dash}/>')
        parts.append(_text(x, HEAD, name, 12, colours.text if doublings == 0 else colours.faint, "middle"))
    return parts


def _group(kept: Kept, rows: Sequence[Row], top: float, colours: Colours) -> list[str]:
    parts = [_text(MARGIN, top + GAP - 9, named(kept["benchmark"]).says, 14, colours.text, weight=600)]
    for place, row in enumerate(rows):
        y = top + GAP + LINE * place
        if place % 2 == 0:
            parts.append(
                f'<rect x="{MARGIN - 10:g}" y="{y:g}" width="{WIDTH - 2 * MARGIN + 20:g}" height="{LINE:g}" '
                f'rx="5" fill="{colours.band}" fill-opacity="0.75"/>'
            )
        parts += _line(row, y + LINE / 2, colours)
    return parts


def _line(row: Row, middle: float, colours: Colours) -> list[str]:
    own = colours.reached if row.reached else colours.missed
    low, high = sorted(_at(goodness(row, it)) for it in (min(row.ratios), max(row.ratios)))
    here, goal = _at(goodness(row, row.ratio)), _at(0)
    beside = f"  {ROLES[row.role]}{row.against}"
    what = cut(row.what, 12.5, NAMES - 16 - min(NAMES * 0.4, width_of(beside, 11.5)))
    beside = cut(beside, 11.5, NAMES - 16 - width_of(what, 12.5))
    figure = f"{amount(row.ratio)}  (goal {row.goal})"
    return [
        _text(MARGIN, middle + 4.5, what, 12.5, colours.text),
        _text(MARGIN + width_of(what, 12.5) + 6, middle + 4.5, beside, 11.5, colours.faint),
        (
            f'<line x1="{goal:g}" x2="{here:g}" y1="{middle:g}" y2="{middle:g}" stroke="{own}" '
            'stroke-width="6" stroke-opacity="0.28"/>'
        ),
        f'<line x1="{low:g}" x2="{high:g}" y1="{middle:g}" y2="{middle:g}" stroke="{own}" stroke-width="2"/>',
        (
            f'<circle cx="{here:g}" cy="{middle:g}" r="5.5" fill="{own}" stroke="{colours.paper}" '
            'stroke-width="1.5"/>'
        ),
        _text(WIDTH - MARGIN, middle + 4.5, figure, 12.5, own, "end", 500),
    ]


def _foot(found: Sequence[Kept], height: float, colours: Colours) -> list[str]:
    last = max(found, key=lambda it: str(it["at"]))
    here = last["machine"]
    said = (
        f"{here['processor']}, {here['cpus']} cores, {here['memory_gb']:g} GB, {here['system']}, "
        f"Python {here['python']}. Last measured {last['at'][:10]} at {last['commit']}."
    )
    return [_text(MARGIN, height - 26, said, 12, colours.faint)]


def _text(
    x: float, y: float, words: str, size: float, colour: str, anchor: str = "start", weight: int = 400
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" fill="{colour}" '
        f'text-anchor="{anchor}" xml:space="preserve">{escape(words)}</text>'
    )
