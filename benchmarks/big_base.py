"""The nightly look of ten scenarios at ten million customers, on a PostgreSQL of its own.

    python -m benchmarks.big_base [--customers 10000000] [--rounds 3] [--processes 2] [--shard 250000]
        [--explain] [--keep FOLDER]

A base of customers with two receipts each (`benchmarks.big_base_data`), ten scenarios of ten triggers. The
night before is looked at first, so that those who have long been silent, or near a tier, have entered
already. Then each night is one round: what has become true since the last one, from the first statement to
the last commit, by so many processes: one looks, the others take shards. `--shard` is how many customers are
in one, `--explain` prints what each scenario's look took, and whom it found. Ten million customers need 40 GB
of disk and half an hour to be made; with `--keep` they stay, and the next run takes them as they were made.
"""

import argparse
import logging
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import structlog

from benchmarks.big_base_data import EVENTS, as_filled, fill
from benchmarks.postgres import DURABLE
from benchmarks.report import Row, at_most, keep, machine
from campaigns.running import make_ready
from campaigns.versions import Live, apply
from core.db import Database
from scheduler.looks import Looked, Looks
from scheduler.shards import LARGE, Shards
from tests.support.databases import load_tables
from tests.support.postgres_binaries import find
from tests.support.postgres_server import SETTINGS, Server
from tests.support.world import bundle_of, scenario

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WANTED_SECONDS = 60.0
ROOM = {"max_wal_size": "8GB", "shared_buffers": "4GB", "work_mem": "64MB"}
BOTH = "[{id: hello, message: hello, send: [email, sms]}]"
SERIES = (
    "[{id: hello, message: hello, send: [sms]}, {id: again, wait: 1 day, message: hello, send: [email, sms]}]"
)
SCENARIOS = {
    "expiring": scenario("{bonus_expiring: {at_least: 50, ahead: [7 days, 1 day]}}", priority="90"),
    "birthday": scenario("{birthday: {}}", priority="80", steps=SERIES),
    "silent": scenario("{inactive: {for: 180 days}}", priority="70", steps=BOTH, holdout="10%"),
    "near": scenario("{tier_near: {missing: 20}}", priority="60", audience="{tier: bronze}"),
    "ending": scenario("{tier_expiring: {ahead: 14 days}}", priority="55"),
    "anniversary": scenario("{anniversary: {of: registration}}", priority="50", steps=BOTH),
    "rich": scenario("{balance_reached: {at_least: 110}}", priority="40"),
    "thanks": scenario("{bonus_accrued: {at_least: 20}}", priority="30", schedule="", steps=BOTH),
    "campaign": scenario(
        "{schedule: {every: day at 08:00}}", priority="20", schedule="", audience="{tier: silver}",
        limits="{at_most: 2 per 30 days, valid_for: 12 hours}",
    ),
    "welcome": scenario("{purchase: {}}", priority="10", schedule="", purpose="service"),
}  # fmt: skip
# The campaign has struck by then where most customers are: the look at night is about one zone in the west.
BY_DAY = "UPDATE scenario_state SET looked_at = %(at)s WHERE name = 'campaign'"
PROGRAM = {
    "allowances": {"marketing": {"all": "2 per 7 days", "sms": "1 per 7 days"}},
    "quiet_hours": "21:00-09:00", "holdout": "5%",
}  # fmt: skip


def _ready() -> None:
    load_tables()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


@contextmanager
def base(customers: int, folder: Path | None) -> Iterator[Database]:
    """The filled database on a server of its own, which is gone at the end if it is in no `folder`."""
    server = Server(find(), SETTINGS | ROOM, folder)
    try:
        _make(server, customers)
        server.settings = DURABLE | ROOM | {"jit": "off"}
        server.start()
        database = Database(server.url())
        yield database
        database.close()
    finally:
        if folder is None:
            server.remove()
        else:
            server.stop()


def _make(server: Server, customers: int) -> None:
    """Fill it, faster than it is durable; what was filled before is as it was then."""
    made, start = server.folder / "customers", time.perf_counter()
    has = int(made.read_text()) if made.exists() else customers
    if has != customers:
        raise SystemExit(f"{server.folder} has {has:,} customers: ask for so many, or keep them elsewhere")
    server.start()
    database = Database(server.url())
    if made.exists():
        as_filled(database.url)
    else:
        database.create_all()
        fill(database.url, customers, AT.isoformat())
        print(f"{customers:,} customers made in {time.perf_counter() - start:,.0f} s", flush=True)
    database.close()
    server.stop()
    made.write_text(str(customers))


def take_shards(url: str, ended: Any) -> None:
    """Another process: its hands take a shard whenever there is one."""
    _ready()
    database = Database(url)
    shards = Shards(database, Live(database))
    while not ended.is_set():
        if not shards.take():
            time.sleep(0.02)
    database.close()


@contextmanager
def hands(url: str, processes: int) -> Iterator[None]:
    """So many processes beside this one."""
    context = multiprocessing.get_context("spawn")
    ended = context.Event()
    others = [context.Process(target=take_shards, args=(url, ended)) for _ in range(processes)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        ended.set()
        for other in others:
            other.join()


class Nights:
    """One look a night; each scenario's part of it can be told."""

    def __init__(self, database: Database, customers: int, shard: int, explain: bool) -> None:
        self._database, self._explain = database, explain
        self._rule = replace(LARGE, customers=shard)
        self._live = Live(database)
        program = PROGRAM | {"max_per_look": max(50_000, customers // 5)}
        running = make_ready(bundle_of(SCENARIOS, program))
        with database.write() as connection:
            apply(connection, running, "benchmark", AT - 2 * DAY)

    def look(self, at: datetime) -> float:
        """Seconds that the look took."""
        with psycopg.connect(self._database.url, autocommit=True) as connection:
            connection.execute(EVENTS.encode(), {"at": at})
            connection.execute(BY_DAY.encode(), {"at": at - timedelta(hours=1)})
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        begun = time.perf_counter()
        looks = Looks(self._database, self._live, rule=self._rule)
        found = [(time.perf_counter(), it) for it in self._one_by_one(looks, at)]
        seconds = time.perf_counter() - begun
        candidates = sum(it.candidates for _, it in found)
        messages = sum(it.channels.total() for _, it in found)
        said = f"{seconds:.1f} s, {candidates:,} candidates, {messages:,} messages"
        print(f"night of {at:%Y-%m-%d}: {said}", flush=True)
        if self._explain:
            _show(begun, found)
        return seconds

    def _one_by_one(self, looks: Looks, at: datetime) -> Iterator[Looked]:
        running = self._live.running()
        for each in running.by_priority:
            yield from looks._apart(running, each, at, news_only=False)


def _show(begun: float, found: Sequence[tuple[float, Looked]]) -> None:
    for ended, it in found:
        said = ", ".join(f"{name} {count:,}" for name, count in it.verdicts.most_common())
        print(f"  {it.scenario:12} {ended - begun:6.2f} s  {it.error or it.guarded or said}", flush=True)
        begun = ended


def main() -> None:
    """One base, so many nights."""
    _ready()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--shard", type=int, default=LARGE.customers)
    parser.add_argument("--explain", action="store_true", help="what each scenario's look took")
    parser.add_argument("--keep", type=Path, help="where the base stays, for the next run")
    asked, before = parser.parse_args(), machine()
    row = Row(
        f"nightly look of ten scenarios, {asked.customers:,} customers", f"{WANTED_SECONDS:.0f} s", "s",
        at_most(1), "wanted",
    )  # fmt: skip
    with base(asked.customers, asked.keep) as database, hands(database.url, asked.processes - 1):
        nights = Nights(database, asked.customers, asked.shard, asked.explain)
        nights.look(AT - DAY)
        row.pairs += [(nights.look(AT + DAY * number), WANTED_SECONDS) for number in range(asked.rounds)]
    print(row)
    keep("big_base", [row], before, customers=asked.customers, processes=asked.processes)


if __name__ == "__main__":
    main()
