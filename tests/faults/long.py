"""The long form: every scene on every database it is for, each ended by the audit.

    python -m tests.faults.long [--minutes 10] [--seed N] [--scene NAME …] [--json FILE]

A seed draws what is broken when; what happens in between is the machine's. Exit code 1 if a promise is
broken, 0 if all were kept.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console

from tests.faults.audit import Finding
from tests.faults.scenes import SCENES, perform
from tests.faults.shown import as_json, show
from tests.faults.stage import Stage, close
from tests.support.postgres_binaries import find
from tests.support.postgres_server import Server

# What a scene needs beside the time in which something is broken: to begin, and to come to its end.
AROUND_SECONDS = 20.0
SHORTEST_SECONDS = 5.0
EACH = 300


def main() -> int:
    """Run it; 0 if every promise was kept."""
    given = _arguments()
    # Clients that die in the middle of a request are what this is about.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    console = Console(width=120 if not sys.stdout.isatty() else None, highlight=False)
    chosen = [(name, kind) for name in given.scene or SCENES for kind in SCENES[name].databases]
    seconds = max(SHORTEST_SECONDS, given.minutes * 60 / len(chosen) - AROUND_SECONDS)
    console.print(f"{len(chosen)} scenes, {given.minutes:g} minutes, SEED={given.seed}")
    broken: list[str] = []
    began = time.monotonic()
    with ExitStack() as stack:
        server = Server(find())
        stack.callback(server.remove)
        server.start()
        for number, (name, kind) in enumerate(chosen):
            console.print(f"\n[bold]{name}[/] on {kind} ({time.monotonic() - began:.0f} s)")
            findings = _play(name, kind, given.seed + number, seconds, server, console)
            broken += sorted({f"{name} on {kind}: {it.promise}" for it in findings if not it.kept})
            if given.json:
                with given.json.open("a", encoding="utf-8") as file:
                    file.write(as_json(name, kind, given.seed, findings) + "\n")
    console.print(f"\n{len(chosen)} scenes in {time.monotonic() - began:.0f} s, SEED={given.seed}")
    for promise in broken:
        console.print(f"[bold red]BROKEN[/] {promise}")
    return 1 if broken else 0


def _play(name: str, kind: str, seed: int, seconds: float, server: Server, console: Console) -> list[Finding]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidings-faults-")))
        stage = Stage(
            folder, stack, seed, kind, seconds, each=EACH, say=lambda said: console.print(f"  {said}"),
            url=_database(server, f"{name}_{seed}".replace("-", "_")) if kind == "postgresql" else "",
        )  # fmt: skip
        town = perform(stage, name)
        if town is None:
            console.print("  left out: this machine permits no mounts")
            return []
        findings = close(stage, town)
        show(f"{name} on {kind}", findings, console)
        return findings


def _database(server: Server, name: str) -> str:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return server.url(name)


def _arguments() -> Any:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.long", description="Break everything; prove the promises."
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="about how long all scenes take")
    parser.add_argument(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(1_000_000),
        help="draws the moments; another one each time",
    )
    parser.add_argument(
        "--scene", action="append", choices=sorted(SCENES), help="this one, and not all; may be given again"
    )
    parser.add_argument("--json", type=Path, help="also write a line of JSON a scene to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
