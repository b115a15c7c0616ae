"""Comparisons as a table: in the terminal, and in Markdown."""

from collections.abc import Sequence
from math import floor, log10

from rich.console import Console
from rich.table import Table

from benchmarks.harness.reference import Kept
from benchmarks.report import Role, Row, rows_of

HEAD = ("what", "ours", "against", "theirs", "ratio (rounds)", "goal", "reached")
ROLES: dict[Role, str] = {
    "limit": "limit: ", "peer": "peer: ", "naive": "naive way: ", "smaller": "smaller: ", "wanted": "wanted: "
}  # fmt: skip


def amount(value: float) -> str:
    """Three figures that count: 12,300, 45.6, 0.789."""
    if value == 0:
        return "0"
    shown = round(value, 2 - floor(log10(abs(value))))
    places = max(0, 2 - floor(log10(abs(shown))))
    return f"{shown:,.{places}f}"


def cells(row: Row) -> tuple[str, ...]:
    """One line, as HEAD has it."""
    unit = row.unit if row.unit.startswith("/") else f" {row.unit}"
    rounds = f" ({amount(min(row.ratios))}–{amount(max(row.ratios))})" if len(row.pairs) > 1 else ""
    reached = {True: "yes", False: "no", None: "–"}[row.reached]
    theirs = "" if row.role == "wanted" else f"{amount(row.theirs)}{unit}"
    return (
        row.what, f"{amount(row.ours)}{unit}", ROLES[row.role] + row.against, theirs,
        f"{amount(row.ratio)}{rounds}", str(row.goal), reached,
    )  # fmt: skip


def show(console: Console, found: Sequence[Kept]) -> None:
    """Print everything, each benchmark's lines together."""
    table = Table(title="Benchmarks: the ratio is ours by the other", title_justify="left", show_lines=False)
    for name in HEAD:
        table.add_column(name, justify="left" if name in ("what", "against", "reached") else "right")
    for kept in found:
        for row in rows_of(kept):
            style = {True: "green", False: "yellow", None: ""}[row.reached]
            *plain, reached = cells(row)
            table.add_row(*plain, f"[{style}]{reached}[/]" if style else reached)
        table.add_section()
    console.print(table)


def markdown(kept: Kept) -> str:
    """One benchmark's lines."""
    lines = [HEAD, tuple("---" for _ in HEAD), *(cells(row) for row in rows_of(kept))]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
