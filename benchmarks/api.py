"""Purchases over HTTP: how many a second `tidings serve` takes before the slowest hundredth waits 50 ms.

    python -m benchmarks.api [--rounds 3] [--seconds 4] [--customers 5000] [--databases …] [--quick]

`wrk` keeps so many connections busy, each sends its next purchase (three lines, earning) when it has its
answer; their number rises until a hundredth of the answers takes 50 ms or longer. Beside it, in each round on
the same database under the same client: a bare FastAPI endpoint that does one insert and commits. Both are
real processes, and what is committed is on the disk. `serve` has the example's scenarios live, whose looks
follow the purchases in the same process; its customers have agreed to nothing, so nothing is sent.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import postgres
from benchmarks.report import MORE, ROOT, Row, keep, machine
from benchmarks.tools import needed
from campaigns.bundle import Bundle
from campaigns.running import make_ready
from campaigns.versions import apply
from core.customers.addresses import Addresses
from core.customers.profiles import Profile, save
from core.db import Database
from tests.support.databases import load_tables
from tidings.schema import prepare

EXAMPLE = ROOT / "examples" / "kavarnia"
SCRIPT = Path(__file__).with_name("receipts.lua")
TOKEN = "a-token-of-the-benchmark"
CONNECTIONS = (1, 2, 4, 8, 16, 24, 32, 48, 64)
SLOW = 50.0  # ms
READY_SECONDS = 60
SERVE = "from tidings.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Step:
    """What so many connections got: answers a second, and the milliseconds of half and of all but 1 %."""

    connections: int
    rate: float
    p50: float
    p99: float

    def __str__(self) -> str:
        waits = f"p50 {self.p50:6.1f}  p99 {self.p99:6.1f} ms"
        return f"{self.connections:3} connections {self.rate:7,.0f}/s  {waits}"


def main() -> None:
    """Every database, every way, in turn in each round."""
    asked, before = _options(), machine()
    needed("wrk")
    rows: list[Row] = []
    more: dict[str, Any] = {}
    for kind in asked.databases:
        found, steps = _measured(kind, asked)
        print(*found, sep="\n", flush=True)
        rows += found
        more[kind] = steps
    settings = {"seconds": asked.seconds, "customers": asked.customers, "p99_under_ms": SLOW}
    keep("api", rows, before, settings=settings, steps=more)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each number of connections")
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--quick", action="store_true", help="one short round, only to see that it runs")
    asked = parser.parse_args()
    if asked.quick:
        asked.rounds, asked.seconds, asked.customers = 1, 0.5, 200
    return asked


def _measured(kind: str, asked: argparse.Namespace) -> tuple[list[Row], list[Any]]:
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[kind]
    bare = "FastAPI, one insert"
    plain = Row(f"{name}: purchases a second at p99 < 50 ms", bare, "/s", MORE, "limit")
    keyed = Row(f"{name}: the same with an Idempotency-Key", bare, "/s", MORE, "limit")
    steps = []
    with _served(kind, asked.customers) as (ours, other):
        for number in range(asked.rounds):
            least = _climb(other, f"{kind}-bare-{number}", asked, key=False)
            for row, key in ((plain, False), (keyed, True)):
                climbed = _climb(ours, f"{kind}-{number}-{key:d}", asked, key=key)
                row.pairs.append((_best(climbed), _best(least)))
                steps.append({"round": number, "key": key, "steps": [_shown(it) for it in climbed]})
            steps.append({"round": number, "bare": True, "steps": [_shown(it) for it in least]})
    return [plain, keyed], steps


def _shown(step: Step) -> list[float]:
    return [step.connections, round(step.rate), round(step.p50, 1), round(step.p99, 1)]


def _climb(port: int, run: str, asked: argparse.Namespace, *, key: bool) -> list[Step]:
    """More and more connections, until two numbers of them in a row wait too long."""
    _wrk(port, f"{run}-warm", 4, max(0.5, asked.seconds / 4), asked.customers, key=key)
    steps: list[Step] = []
    for connections in CONNECTIONS:
        steps.append(_wrk(port, run, connections, asked.seconds, asked.customers, key=key))
        print(f"{run:18} {steps[-1]}", flush=True)
        if [it.p99 >= SLOW for it in steps[-2:]] == [True, True]:
            break
    return steps


def _best(steps: Sequence[Step]) -> float:
    """The highest rate at which all but 1 % had their answer in time; the lowest of all if none had."""
    return max((it.rate for it in steps if it.p99 < SLOW), default=min(it.rate for it in steps))


def _wrk(port: int, run: str, connections: int, seconds: float, customers: int, *, key: bool) -> Step:
    """One measurement; every answer must be a 201."""
    command = [
        needed("wrk"), f"-t{min(2, connections)}", f"-c{connections}", f"-d{max(1, round(seconds))}s",
        "--timeout", "10s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}",
        "--", f"{run}-{connections}", str(customers), TOKEN, "key" if key else "none",
    ]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = json.loads(said.rpartition("FOUND ")[2])
    if found["refused"] or found["broken"]:
        raise SystemExit(f"{found['refused']} purchases were refused, {found['broken']} broke off")
    return Step(connections, found["requests"] / found["seconds"], found["p50"], found["p99"])


# --- the two servers


@contextmanager
def _served(kind: str, customers: int) -> Iterator[tuple[int, int]]:
    """The ports of ours and of the bare one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidings-api-")))
        if kind == "sqlite":
            urls = [f"sqlite:///{folder / name}.db" for name in ("ours", "bare")]
        else:
            server = stack.enter_context(postgres.durable_server())
            made = [stack.enter_context(postgres.database_on(server, name)) for name in ("ours", "bare")]
            urls = [it.url for it in made]
        shop = _shop(folder, urls[0], customers)
        own, other = _free_port(), _free_port()
        serve = ["-c", SERVE, "-w", str(shop), "serve", "--port", str(own)]
        stack.enter_context(_process(serve, own, folder / "serve.log"))
        stack.enter_context(
            _process(["-m", "benchmarks.bare", urls[1], str(other)], other, folder / "bare.log")
        )
        yield own, other


def _shop(folder: Path, url: str, customers: int) -> Path:
    """The example workspace, live, with customers who joined a month ago."""
    shop = Path(shutil.copytree(EXAMPLE, folder / "shop"))
    settings = {"SECRET": "the-secret-of-the-benchmark", "API_TOKEN": TOKEN, "DATABASE": url}
    (shop / ".env").write_text("".join(f"TIDINGS_{name}={value}\n" for name, value in settings.items()))
    now = datetime.now(UTC)
    database = Database(url)
    load_tables()
    prepare(database)
    running = make_ready(Bundle.read(shop))
    joined = now - timedelta(days=30)
    people = [
        Profile(f"c{number}", name=f"Olena {number}", locale="uk", registered_at=joined)
        for number in range(customers)
    ]
    with database.write() as connection:
        apply(connection, running, "benchmark", now)
        save(connection, running.program, Addresses(b"benchmark"), people, now, live=False)
        connection.exec_driver_sql("ANALYZE")
    database.close()
    return shop


@contextmanager
def _process(command: Sequence[str], port: int, log: Path) -> Iterator[None]:
    """A Python process that listens at the port, ended afterwards."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
    with log.open("w") as said:
        process = subprocess.Popen([sys.executable, *command], stdout=said, stderr=said, cwd=ROOT, env=kept)
    try:
        _wait_for(port, process, log)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"a server did not start:\n{log.read_text()[-600:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
