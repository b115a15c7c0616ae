"""Every benchmark, or those that are named, one after the other.

    python -m benchmarks [NAME ...] [--quick] [--list] [--tools] [--accept] [--page]

Prints one table, keeps every figure in benchmarks/results/last/ and draws a picture there. What is committed
in benchmarks/results/reference/ is the last reference run; a ratio that is worse than there by more than a
fifth, twice in a row, ends it with 1. A benchmark whose tools are missing is left out, and what to install is
said.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from rich.console import Console

from benchmarks import tools
from benchmarks.harness import page, picture, reference
from benchmarks.harness.catalogue import BENCHMARKS, Benchmark, named
from benchmarks.harness.running import TRIAL, Run, run
from benchmarks.harness.table import show
from benchmarks.report import LAST


def main() -> int:
    """0: done, 1: something became worse or failed, 2: misuse, 3: a tool cannot be installed."""
    parser = _parser()
    asked = parser.parse_args()
    try:
        chosen = [named(name) for name in asked.names] or list(BENCHMARKS)
    except LookupError as error:
        parser.error(str(error.args[0]))
    if asked.list:
        return _list()
    if asked.tools:
        return _install()
    if asked.accept or asked.page:
        return _accept(chosen) if asked.accept else _write()
    return _measure(chosen, trial=asked.quick)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all of them by default")
    parser.add_argument("--quick", action="store_true", help="small sizes, only to see that they run")
    parser.add_argument("--list", action="store_true", help="what there is, and how long each takes")
    parser.add_argument("--tools", action="store_true", help="install the programs of others")
    parser.add_argument("--accept", action="store_true", help="make the last run the reference")
    parser.add_argument("--page", action="store_true", help="write the page and picture from the reference")
    return parser


def _list() -> int:
    for it in BENCHMARKS:
        print(f"{it.name:12} {it.minutes:3g} min  {it.says}")
    print(f"{'all':12} {sum(it.minutes for it in BENCHMARKS):3g} min")
    return 0


def _install() -> int:
    for command in tools.commands():
        print(" ".join(command), flush=True)
        if command[0] == "apt-get" and os.geteuid() != 0:
            print("  (as root: run this yourself, on Debian)")
            continue
        if subprocess.run(command, check=False).returncode:
            return 3
    return 0


def _accept(chosen: Sequence[Benchmark]) -> int:
    taken = reference.accept([it.name for it in chosen])
    print(f"the reference run has {', '.join(taken)} of {LAST}" if taken else "there is no run to accept")
    return _write() if taken else 2


def _write() -> int:
    page.update()
    files = picture.save(reference.all_kept(reference.REFERENCE))
    print(f"written: {page.PAGE}, {', '.join(map(str, files))}")
    return 0


def _measure(chosen: Sequence[Benchmark], *, trial: bool) -> int:
    # So that whatever a benchmark started is ended with it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    runs = []
    for place, benchmark in enumerate(chosen, 1):
        about = "a trial run" if trial else f"about {benchmark.minutes:g} min"
        print(f"== {place}/{len(chosen)} {benchmark.name}: {benchmark.says} ({about})", flush=True)
        runs.append(run(benchmark, trial=trial))
        print(f"   {runs[-1].seconds:.0f} s", flush=True)
    return _report(runs, trial=trial)


def _report(runs: Sequence[Run], *, trial: bool) -> int:
    console = Console(width=None if sys.stdout.isatty() else 170)
    found = [it.kept for it in runs if it.kept]
    if found:
        show(console, found)
        folder = TRIAL if trial else LAST
        console.print(f"Kept in {folder}; drawn: {', '.join(map(str, picture.save(found, folder)))}")
    for it in runs:
        for sentence in it.left_out:
            console.print(f"[yellow]left out[/] {it.benchmark.name}: {sentence}", highlight=False)
        if it.failed:
            console.print(f"[red]failed[/] {it.benchmark.name}: {it.failed}", highlight=False)
        for worse in it.worse:
            console.print(f"[red]worse by more than a fifth[/] {worse}", highlight=False)
    return int(any(it.failed or it.worse for it in runs))


if __name__ == "__main__":
    sys.exit(main())
