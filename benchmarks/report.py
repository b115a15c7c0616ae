"""What the benchmarks of ratios print and keep: every run, medians, and the machine they were taken on."""

import json
import os
import platform
import sqlite3
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

FOLDER = Path(__file__).parent / "measured"


@dataclass
class Row:
    """One comparison: amounts of `what` and of what it is held `against`, a pair a round."""

    what: str
    against: str
    unit: str
    goal: str
    pairs: list[tuple[float, float]] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return median(one / other for one, other in self.pairs)

    def __str__(self) -> str:
        one, other = (median(side) for side in zip(*self.pairs, strict=True))
        ratios = sorted(one / other for one, other in self.pairs)
        return (
            f"{self.what:58} {one:9,.1f} {self.unit:4}  {self.against:34} {other:9,.1f}  "
            f"ratio {self.ratio:6.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})  goal {self.goal}"
        )


def machine() -> dict[str, Any]:
    """Where it was measured, and how busy that was."""
    return {
        "cpus": os.cpu_count(),
        "load": [round(it, 1) for it in os.getloadavg()],
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def keep(name: str, rows: list[Row], before: dict[str, Any], **more: Any) -> None:
    """Print the machine's load and write everything beside the benchmarks."""
    after = machine()
    print(f"load before {before['load']}, after {after['load']}; {after['cpus']} cores")
    found = [asdict(row) | {"ratio": round(row.ratio, 3)} for row in rows]
    FOLDER.mkdir(exist_ok=True)
    kept = {"machine": after, "load_before": before["load"], **more, "rows": found}
    (FOLDER / f"{name}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
