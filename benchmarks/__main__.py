"""Every benchmark, one after the other, with its own defaults: `.venv/bin/python -m benchmarks`."""

import subprocess
import sys
from pathlib import Path

# What the others are made of.
NOT_MEASURED = {
    "__init__", "__main__", "clients", "holders", "postgres", "replayed", "report", "shop", "study",
}  # fmt: skip


def main() -> None:
    """Each in a process of its own, so that memory is each one's own too."""
    names = sorted(file.stem for file in Path(__file__).parent.glob("*.py") if file.stem not in NOT_MEASURED)
    for name in names:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main()
