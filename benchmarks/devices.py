"""The PassKit web service by how many devices are registered: a question, a registration, a wrong token.

    python -m benchmarks.devices [SIZE ...] [--rounds N] [--calls N] [--postgres] [--keep FOLDER]

For each size a database with as many customers, each with a pass on a device of their own, filled by SQL.
In every round the sizes take turns call by call; a pair is calls a second, by the median call, at a size and
at the smallest. Registrations are on the disk before they are answered. `--keep` leaves the filled SQLite
files in a folder for the next run.
Kept in benchmarks/results/last/devices.json.
"""

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from sqlalchemy import Connection, Row

from benchmarks import postgres
from benchmarks.report import Row as Pairs
from benchmarks.report import at_least, keep, machine
from core.clock import MovableClock
from core.db import Database
from tests.support.databases import load_tables
from tests.support.postgres_server import Server
from tests.wallet.crowd import AT, gather
from wallet.apple.attempts import Attempts
from wallet.apple.webservice import Request, WebService
from wallet.design import Face

PASS_TYPE = "pass.example.kavarnia"
GOAL = at_least(0.8)


class Nothing:
    """No pass is made here: that is `benchmarks.passes`."""

    def faces(self, connection: Connection, ids: Sequence[int]) -> Mapping[int, Face]:
        """Nobody's."""
        return {}

    def packed(self, face: Face, row: Row[Any]) -> bytes:
        """Nothing."""
        return b""


@dataclass
class Size:
    """The service over so many devices."""

    count: int
    service: WebService
    random: Random

    def question_about_nothing_new(self) -> None:
        """204: the device knows the last mark of its pass."""
        number = self.random.randint(1, self.count)
        assert self.service.changed(f"phone-{number}", PASS_TYPE, f"{number}-0") == (b"", False)

    def question_about_a_change(self) -> None:
        """200 with one serial."""
        number = self.random.randint(1, self.count)
        assert self.service.changed(f"phone-{number}", PASS_TYPE, f"{number - 1}-0")[0]

    def wrong_token(self) -> None:
        """401: half of the serials there are, half there are not."""
        number = self.random.randint(1, 2 * self.count)
        asked = Request(PASS_TYPE, f"pass-{number}", "ApplePass no such token", _address(self.random))
        assert self.service.latest(asked, None).status == 401

    def registration(self) -> None:
        """201 for one more device of a customer, and its end."""
        number = self.random.randint(1, self.count)
        serial = f"pass-{number}"
        asked = Request(PASS_TYPE, serial, f"ApplePass the token of {serial}")
        assert self.service.register("watch", asked, b'{"pushToken": "bb"}').status == 201
        assert self.service.unregister("watch", asked).status == 200


WORK: tuple[tuple[str, Callable[[Size], None], int], ...] = (
    ("what changed? nothing", Size.question_about_nothing_new, 1),
    ("what changed? one pass", Size.question_about_a_change, 1),
    ("a wrong token", Size.wrong_token, 1),
    ("registered and unregistered", Size.registration, 10),
)


def main() -> None:
    """Every size, and every call at each."""
    asked, before = _options(), machine()
    load_tables()
    with ExitStack() as stack:
        server = stack.enter_context(postgres.durable_server()) if asked.postgres else None
        sizes = [stack.enter_context(_filled(server, asked.keep, count)) for count in sorted(asked.sizes)]
        rows = _measured(sizes, asked.rounds, asked.calls)
    print(*rows, sep="\n")
    keep("devices-postgresql" if asked.postgres else "devices", rows, before)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server of its own")
    parser.add_argument("--keep", type=Path, help="a folder for the filled SQLite files")
    return parser.parse_args()


@contextmanager
def _filled(server: Server | None, kept: Path | None, count: int) -> Iterator[Size]:
    began = time.perf_counter()
    with _on(server, count) if server else _in_a_file(kept, count) as database:
        print(f"{count:>9,} devices, filled in {time.perf_counter() - began:.0f} s", flush=True)
        clock = MovableClock(AT + timedelta(seconds=30))
        service = WebService(database, clock, PASS_TYPE, Nothing(), Attempts(_Ticks()))
        yield Size(count, service, Random(count))


class _Ticks:
    """A minute passes at every look, so that nobody is told to wait."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def __call__(self) -> float:
        self._seconds += 60
        return self._seconds


def _address(random: Random) -> str:
    return f"198.51.{random.randrange(256)}.{random.randrange(256)}"


@contextmanager
def _on(server: Server, count: int) -> Iterator[Database]:
    with postgres.database_on(server, f"devices_{count}") as database:
        database.create_all()
        gather(database, count)
        yield database


@contextmanager
def _in_a_file(kept: Path | None, count: int) -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="tidings-devices-") as folder:
        file = (kept or Path(folder)) / f"{count}.db"
        if not file.exists():
            _fill_file(file, count)
        database = Database(f"sqlite:///{file}")
        yield database
        database.close()


def _fill_file(file: Path, count: int) -> None:
    made = file.with_suffix(".making")
    database = Database(f"sqlite:///{made}", durable=False)
    database.create_all()
    gather(database, count)
    database.close()
    made.rename(file)


def _measured(sizes: Sequence[Size], rounds: int, calls: int) -> list[Pairs]:
    found: list[Pairs] = []
    smallest, *larger = sizes
    for what, work, slower in WORK:
        rows = [
            Pairs(f"{what}: {it.count:,}", f"{smallest.count:,} devices", "/s", GOAL, "smaller")
            for it in larger
        ]
        for _ in range(rounds):
            speeds = _speeds(sizes, work, calls // slower)
            for row, speed in zip(rows, speeds[1:], strict=True):
                row.pairs.append((speed, speeds[0]))
        found += rows
    return found


def _speeds(sizes: Sequence[Size], work: Callable[[Size], None], calls: int) -> list[float]:
    """Calls a second at each size, by the median call: they take turns call by call."""
    for _ in range(max(1, calls // 10)):
        for size in sizes:
            work(size)
    gc.collect()
    times = [[_timed(work, size) for size in sizes] for _ in range(calls)]
    return [1 / median(own) for own in zip(*times, strict=True)]


def _timed(work: Callable[[Size], None], size: Size) -> float:
    began = time.perf_counter()
    work(size)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
