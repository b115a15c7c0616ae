"""Purchases with earning and spending, beside the fastest that the same database does.

    python -m benchmarks.purchases [--rounds 3] [--seconds 5] [--customers 3000] [postgresql] [sqlite] [bulk]

`postgresql`: eight tills that wait for their answers, against `pgbench`'s TPC-B with eight clients (scale
10, prepared statements) on the same server, which writes through to the disk. `sqlite`: one till, against the
same statements with the same values, played by Python's `sqlite3` on a copy of the file (synchronous=FULL).
`bulk`: batches of a thousand against one by one, on SQLite. Rounds are interleaved; every ratio is the median
of its rounds. Everything is kept in benchmarks/results/last/purchases.json.
"""

import argparse
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random

from benchmarks import postgres, shop
from benchmarks.clients import Clients
from benchmarks.replayed import Call, plain, play, watched
from benchmarks.report import Row, at_least, keep, machine
from core.collecting import collect_seldom
from core.db import Database
from core.purchases.receipts import Purchase

TILLS = 8
ONE_BY_ONE = 400
BULK = 4_000
KINDS = ("postgresql", "sqlite", "bulk")


def main() -> None:
    """Every kind that was asked for."""
    asked, before = _options(), machine()
    collect_seldom()  # as `serve` does
    rows: list[Row] = []
    for kind in asked.kinds or KINDS:
        found = {"postgresql": _postgresql, "sqlite": _sqlite, "bulk": _bulk}[kind](asked)
        print(*found, sep="\n", flush=True)
        rows += found
    settings = {"rounds": asked.rounds, "seconds": asked.seconds, "customers": asked.customers}
    keep("purchases", rows, before, settings=settings)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", metavar="|".join(KINDS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--customers", type=int, default=3_000)
    return parser.parse_args()


def _postgresql(asked: argparse.Namespace) -> list[Row]:
    opening = time.time()
    with postgres.durable_server() as server, postgres.database_on(server, "shop") as database:
        shop.opened(database, shop.program(), asked.customers)
        clients = {
            "8 processes, a transaction each": Clients(TILLS, 1, asked.customers, opening),
            "1 process of 8 threads, a transaction each": Clients(1, TILLS, asked.customers, opening),
            "1 process of 8 threads, in groups": Clients(1, TILLS, asked.customers, opening, True),
            "2 processes of 4 threads, in groups": Clients(2, 4, asked.customers, opening, True),
        }
        rows = {
            it: Row(f"PostgreSQL: {it}", "TPC-B, 8 clients", "/s", at_least(0.5), "limit") for it in clients
        }
        for number in range(asked.rounds):
            for name, them in clients.items():
                limit = postgres.tpcb(server, TILLS, asked.seconds)
                ours = them.run(database.url, asked.seconds, f"{number} {name}")
                rows[name].pairs.append((ours, limit))
    return list(rows.values())


def _sqlite(asked: argparse.Namespace) -> list[Row]:
    row = Row("SQLite: a transaction each", "its statements in sqlite3", "/s", at_least(0.5), "limit")
    with _copies(asked, "ours", "watched", "played") as (ours, seen, played):
        database, (other, calls), module = Database(f"sqlite:///{ours}"), watched(seen), plain(played)
        for number in range(asked.rounds):
            purchases = _purchases(asked, f"sqlite {number}", ONE_BY_ONE)
            _one_by_one(other, purchases)
            limit = _played(module, calls)
            row.pairs.append((_one_by_one(database, purchases), limit))
            calls.clear()
        _same(ours, played)
        database.close()
        other.close()
    return [row]


def _bulk(asked: argparse.Namespace) -> list[Row]:
    row = Row("SQLite: batches of a thousand", "one by one", "/s", at_least(5), "naive")
    with _copies(asked, "bulk") as (file,):
        database = Database(f"sqlite:///{file}")
        for number in range(asked.rounds):
            one = _one_by_one(database, _purchases(asked, f"single {number}", ONE_BY_ONE))
            purchases = _purchases(asked, f"bulk {number}", BULK)
            began, rules = time.perf_counter(), shop.program()
            for start in range(0, BULK, shop.BATCH):
                some = purchases[start : start + shop.BATCH]
                shop.keep(database, rules, some, some[-1].at, live=False)
            row.pairs.append((BULK / (time.perf_counter() - began), one))
        database.close()
    return [row]


def _purchases(asked: argparse.Namespace, label: str, count: int) -> list[Purchase]:
    """Purchases of the next hours, each later than those before."""
    random = Random(label)
    now = shop.START + timedelta(seconds=time.monotonic() * 10)
    return [
        shop.bought(random, f"{label} {number}", asked.customers, now + timedelta(milliseconds=number))
        for number in range(count)
    ]


def _one_by_one(database: Database, purchases: Sequence[Purchase]) -> float:
    """Purchases a second."""
    rules, began = shop.program(), time.perf_counter()
    for purchase in purchases:
        shop.keep(database, rules, [purchase], purchase.at)
    return len(purchases) / (time.perf_counter() - began)


def _played(module: sqlite3.Connection, calls: Sequence[Call]) -> float:
    """Transactions a second."""
    began = time.perf_counter()
    play(module, calls)
    return ONE_BY_ONE / (time.perf_counter() - began)


def _same(ours: Path, played: Path) -> None:
    """What was played is what was recorded."""
    totals = [
        plain(file).execute("SELECT sum(total), count(*) FROM account").fetchone() for file in (ours, played)
    ]
    if totals[0] != totals[1]:
        raise SystemExit(f"the statements that were played made other books: {totals}")


@contextmanager
def _copies(asked: argparse.Namespace, *names: str) -> Iterator[list[Path]]:
    """Copies of one shop's file."""
    with tempfile.TemporaryDirectory(prefix="tidings-purchases-") as name:
        file = Path(name) / "shop.db"
        database = Database(f"sqlite:///{file}")
        shop.opened(database, shop.program(), asked.customers)
        database.close()
        yield [Path(shutil.copyfile(file, file.with_name(f"{it}.db"))) for it in names]


if __name__ == "__main__":
    main()
