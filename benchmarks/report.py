"""What every benchmark prints and keeps: each round's pair of figures, ratios, goals, and the machine."""

import json
import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Literal, NoReturn

ROOT = Path(__file__).parents[1]
# Of each benchmark the last run on this machine; what is committed lies beside it, in `reference`.
LAST = ROOT / "benchmarks" / "results" / "last"
# `python -m benchmarks --quick` keeps its figures elsewhere: they are not worth comparing.
FOLDER = Path(os.environ.get("BENCH_RESULTS", LAST))
# What the environment lacks, as for every command of Tidings (docs/reference).
LACKING = 3

# limit: no program could do better here. peer: the best of others. naive: as a first version does it.
# smaller: ours with less to do, so the ratio tells the growth. wanted: a figure that is named as the goal.
Role = Literal["limit", "peer", "naive", "smaller", "wanted"]


@dataclass(frozen=True, slots=True)
class Goal:
    """The ratio that is wanted; without one, only whether a larger or a smaller ratio is better."""

    ratio: float | None = None
    larger: bool = True

    def reached(self, ratio: float) -> bool | None:
        """None: nothing is wanted."""
        if self.ratio is None:
            return None
        return ratio >= self.ratio if self.larger else ratio <= self.ratio

    def __str__(self) -> str:
        return "–" if self.ratio is None else f"{'≥' if self.larger else '≤'} {self.ratio:g}"


def at_least(ratio: float) -> Goal:
    """Ours is to be so many times as much."""
    return Goal(ratio)


def at_most(ratio: float) -> Goal:
    """Ours is to be no more than so many times as much."""
    return Goal(ratio, larger=False)


MORE, LESS = Goal(), Goal(larger=False)


@dataclass
class Row:
    """One comparison: amounts of `what` and of what it is held `against`, a pair a round.

    `unit` is that of both amounts: "/s", "ms", "s", "MB", "bytes" … Rows of the same `what` stand together
    in the table.
    """

    what: str
    against: str
    unit: str
    goal: Goal
    role: Role
    pairs: list[tuple[float, float]] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios: ours by the other."""
        return median(self.ratios)

    @property
    def ratios(self) -> list[float]:
        """Each round's."""
        return [one / other for one, other in self.pairs]

    @property
    def ours(self) -> float:
        """The median of our amounts."""
        return median(one for one, _ in self.pairs)

    @property
    def theirs(self) -> float:
        """The median of the others' amounts."""
        return median(other for _, other in self.pairs)

    @property
    def reached(self) -> bool | None:
        """Whether the goal is; None without one."""
        return self.goal.reached(self.ratio)

    def __str__(self) -> str:
        return (
            f"{self.what:58} {self.ours:9,.1f} {self.unit:4}  {self.against:34} {self.theirs:9,.1f}  "
            f"ratio {self.ratio:6.2f} ({min(self.ratios):.2f}–{max(self.ratios):.2f})  goal {self.goal}"
        )


def lacking(sentence: str) -> NoReturn:
    """A tool is not there: say which and how to get it, and end; the others are measured all the same."""
    print(sentence, file=sys.stderr)
    raise SystemExit(LACKING)


def machine() -> dict[str, Any]:
    """Where it was measured, and how busy that was."""
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": [round(it, 1) for it in os.getloadavg()],
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def keep(
    name: str, rows: Sequence[Row], before: dict[str, Any], left_out: Sequence[str] = (), **more: Any
) -> None:
    """Print the machine's load, and write everything where `make bench` reads it.

    `before` is what `machine()` said at the beginning; `left_out` are sentences about comparisons that could
    not be made here; `more` is whatever else is worth keeping.
    """
    after = machine()
    print(f"load before {before['load']}, after {after['load']}; {after['cpus']} cores")
    kept = {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": after | {"load_before": before["load"]},
        "left_out": list(left_out),
        **more,
        **kept_of(rows),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def kept_of(rows: Sequence[Row]) -> dict[str, Any]:
    """The rows as a file has them; `rows_of` reads them."""
    return {"rows": [asdict(row) | {"ratio": round(row.ratio, 4)} for row in rows]}


def rows_of(kept: Mapping[str, Any]) -> list[Row]:
    """The rows of a file that `keep` wrote."""
    names = ("what", "against", "unit", "role")
    return [
        Row(
            **{it: row[it] for it in names}, goal=Goal(**row["goal"]), pairs=[(a, b) for a, b in row["pairs"]]
        )
        for row in kept["rows"]
    ]


def commit() -> str:
    """The commit that was measured, with a + when files had been changed since."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=9", "--exclude=*"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return said.stdout.strip() or "unknown"


def _processor() -> str:
    """As Linux names it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
