"""The reference run: what is committed, and what later runs are held against."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.catalogue import BENCHMARKS
from benchmarks.report import LAST, ROOT, Row, rows_of

REFERENCE = ROOT / "benchmarks" / "results" / "reference"
# How much a ratio may become worse before it is said.
FIFTH = 0.2
SAME_MACHINE = ("processor", "cpus", "memory_gb")

Kept = Mapping[str, Any]


def kept(folder: Path, name: str) -> Kept | None:
    """What a benchmark kept there, if it did."""
    file = folder / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else None


def all_kept(folder: Path) -> list[Kept]:
    """Of every benchmark that kept something there, in the order of the catalogue."""
    found = (kept(folder, it.name) for it in BENCHMARKS)
    return [it for it in found if it is not None]


@dataclass(frozen=True, slots=True)
class Worse:
    """A ratio that became worse by more than a fifth."""

    row: Row
    before: float

    def __str__(self) -> str:
        return (
            f"{self.row.what}, against {self.row.against}: {self.row.ratio:.3g}, "
            f"and {self.before:.3g} in the reference run"
        )


def compared(now: Kept, then: Kept | None) -> list[Worse]:
    """What became worse; what the reference does not have is not compared.

    A figure that is held against a wished-for one says something about the machine, too: it is compared on
    the same kind of machine only.
    """
    if then is None:
        return []
    before = {(row.what, row.against): row.ratio for row in rows_of(then)}
    same = all(now["machine"].get(it) == then["machine"].get(it) for it in SAME_MACHINE)
    rows = [row for row in rows_of(now) if same or row.role != "wanted"]
    known = [(row, before[row.what, row.against]) for row in rows if (row.what, row.against) in before]
    return [Worse(row, ratio) for row, ratio in known if _worse(row, ratio)]


def _worse(row: Row, before: float) -> bool:
    if row.goal.larger:
        return row.ratio < before * (1 - FIFTH)
    return row.ratio > before * (1 + FIFTH)


def accept(names: Sequence[str]) -> list[str]:
    """Make the last run the reference; the names that had one."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    taken = [name for name in names if (LAST / f"{name}.json").exists()]
    for name in taken:
        shutil.copyfile(LAST / f"{name}.json", REFERENCE / f"{name}.json")
    return taken
