"""An audit as people and programs read it."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.faults.audit import Finding


def show(title: str, findings: Sequence[Finding], console: Console) -> None:
    """As a table: promise, what was compared, how many, verdict; below it what disagrees."""
    table = Table("promise", "compared", "count", "", title=title, title_justify="left", title_style="bold")
    table.columns[2].justify = "right"
    before = ""
    for it in findings:
        name = it.promise if it.promise != before else ""
        before = it.promise
        table.add_row(name, it.compared, f"{it.count:,}", _verdict(it))
    console.print(table)
    for it in findings:
        for wrong in it.wrong[:10]:
            console.print(f"  [red]{it.promise}[/]: {wrong}")


def _verdict(it: Finding) -> str:
    if not it.kept:
        return "[bold red]BROKEN[/]"
    return "[green]kept[/]" if it.count else "[dim]nothing to compare[/]"


def as_json(scene: str, database: str, seed: int, findings: Sequence[Finding]) -> str:
    """One line a scene."""
    return json.dumps(
        {
            "scene": scene, "database": database, "seed": seed, "kept": all(it.kept for it in findings),
            "findings": [
                {"promise": it.promise, "compared": it.compared, "count": it.count, "kept": it.kept,
                 "wrong": list(it.wrong)}
                for it in findings
            ],
        }
    )  # fmt: skip
