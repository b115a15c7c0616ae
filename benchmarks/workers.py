"""Delivery by two workers on PostgreSQL, in peace and under faults.

    python -m benchmarks.workers [--messages 300000] [--rounds 3] [--provider double smtp] [--faults]

The server is one of its own with fsync on; it, both workers and the provider share this machine's cores. The
messages are planned by a real look, and each worker is a process with all that `tidings worker` runs: beats,
lead, jobs and pump, by one channel.

- `double`: a provider within the worker that answers each message after 20 ms, any number at one time: the
  limit of the engine, with rendering and composition.
- `smtp`: Postfix's `smtp-sink` beside them; what the client does on the wire is paid for too.

`--faults`: kill -9 of a worker each two seconds (another one begins), a fast and an immediate restart of
PostgreSQL, a worker frozen for longer than its lease. The channel never sends twice by itself
(`at_most_once`), and the provider writes down each message that it takes. Afterwards outbox and record are
compared.
"""

import argparse
import asyncio
import logging
import multiprocessing
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import or_, select

from benchmarks.delivery import AT, LINKS, MESSAGE, email_channel, fill, sink, states
from benchmarks.postgres import DURABLE
from benchmarks.report import Row, at_least, at_most, keep, machine
from campaigns.versions import Live
from channels import Accepted
from channels.base import Channel
from channels.transport import BulkTransport, Record
from core.clock import MovableClock
from core.collecting import collect_seldom
from core.customers.addresses import Addresses
from core.db import Database
from core.errors import EnvironmentFault
from core.links import Links
from core.program import Program
from scheduler import deliveries
from scheduler.beats import Beats
from scheduler.cards import Cards
from scheduler.claim import IS_SENDING, IS_WAITING
from scheduler.crew import Share
from scheduler.delivery import Delivery
from scheduler.leader import called
from scheduler.presence import Presence, new_name
from scheduler.throttle import CHUNK
from scheduler.tick import decide
from tests.support.databases import load_tables
from tests.support.postgres_binaries import find
from tests.support.postgres_server import Server
from tidings.service import CONCURRENCY, PRESENT_EVERY

PROCESSES = multiprocessing.get_context("spawn")
WORKERS = 2
WANTED = 20_000
ANSWER_SECONDS = 0.020
KILL_EVERY = 2.0
# How often it is asked whether anything is still to be sent, seconds.
LOOKED_EVERY = 0.1
# Two restarts and a freeze.
OTHER_FAULTS = 3
# Long enough for a worker to sleep past it.
LEASE = timedelta(seconds=6)


class Ticking:
    """The benchmark's day, and the machine's seconds since it began."""

    def __init__(self, began: float) -> None:
        self._began = began

    def now(self) -> datetime:
        return AT + timedelta(seconds=time.time() - self._began)


class Double(BulkTransport[Any]):
    """Answers each message after 20 ms; `record` is a file with the key of each that it took."""

    def __init__(self, record: Path | None) -> None:
        self._file = record.open("ab", buffering=0) if record else None

    async def transmit_all(self, wires: Iterator[Any], record: Record) -> None:
        loop, answered = asyncio.get_running_loop(), asyncio.Event()
        sent = left = 0

        def answer(key: str) -> None:
            nonlocal left
            left -= 1
            record(key, Accepted(key))
            if not left:
                answered.set()

        for wire in wires:
            if self._file:
                self._file.write(f"{wire.key}\n".encode())
            sent, left = sent + 1, left + 1
            loop.call_later(ANSWER_SECONDS, answer, wire.key)
            if not sent % 50:
                await asyncio.sleep(0)
        if left:
            answered.clear()
            await answered.wait()


def work(url: str, port: int | None, record: Path | None, began: float, ready: Any) -> None:
    """One worker until it is ended: the beats, the lead, the hands and the pump of `tidings worker`."""
    load_tables()
    collect_seldom()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    name = new_name()
    os.environ |= {"TIDINGS_EMAIL_CONCURRENCY": "50", "PGAPPNAME": called(name)}
    database = Database(url)
    if record:
        deliveries.Delivery = partial(Delivery, lease=LEASE)  # type: ignore[assignment,attr-defined]
    ready.wait()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_worked(database, name, Ticking(began), _channels(port, record), Path(folder)))


def _channels(
    port: int | None, record: Path | None
) -> Callable[[Program], dict[str, Channel[Any, Any, Any]]]:
    """Email alone, to the sink at this port or to a double."""

    def make(program: Program) -> dict[str, Channel[Any, Any, Any]]:
        channel = email_channel(program, port)
        if port is None:
            channel._choose_transport = lambda: Double(record)  # type: ignore[method-assign]
        if record:
            # Of its class: whoever takes up what the dead left behind asks that one.
            type(channel).policy = "at_most_once"
        return {"email": channel}

    return make


async def _worked(
    database: Database, name: str, clock: Ticking, channels: Callable[[Program], Any], folder: Path
) -> None:
    live, by = Live(database), ("email",)

    def links(_: Program) -> Links:
        return LINKS

    cards = Cards(database, live, links, clock, outbox=folder, private=folder, env_file=folder / ".env")
    share = Share(name, by, CONCURRENCY, Addresses(b"benchmark"))
    beats = Beats(database, live, clock, cards, channels=channels, links=links, share=share)
    presence = Presence(
        database, clock, "worker", "0", beats.pulses, name=name, channels=by, concurrency=CONCURRENCY
    )
    presence.say()
    await beats.start()
    while True:
        await asyncio.sleep(PRESENT_EVERY)
        with suppress(EnvironmentFault):
            await asyncio.to_thread(presence.say)


@contextmanager
def planned(count: int) -> Iterator[tuple[Server, Database]]:
    """A server on which a look has planned so many messages."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    server = Server(find(), DURABLE)
    server.start()
    database = Database(server.url())
    try:
        fill(database, count, "short")
        decide(database, Live(database), MovableClock(AT))
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        yield server, database
    finally:
        database.close()
        server.remove()


def in_peace(count: int, provider: str) -> float:
    """Messages a second of both workers, from their first claim to the last outcome."""
    with planned(count) as (server, database), sink() if provider == "smtp" else nullcontext() as port:
        ready, now = PROCESSES.Barrier(WORKERS + 1), time.time()
        workers = [_worker(server, port, None, now, ready) for _ in range(WORKERS)]
        ready.wait()
        began = time.perf_counter()
        while _open(database):
            time.sleep(LOOKED_EVERY)
        took = time.perf_counter() - began
        for worker in workers:
            worker.kill()
            worker.join()
        if states(database) != {"sent": count}:
            raise SystemExit(f"not everything was sent: {states(database)}")
        return count / took


def _worker(server: Server, port: int | None, record: Path | None, began: float, ready: Any) -> BaseProcess:
    worker = PROCESSES.Process(target=work, args=(server.url(), port, record, began, ready), daemon=True)
    worker.start()
    return worker


def under_faults(count: int, *, quick: bool) -> Counter[str]:
    """What the outbox and the provider's record say when all is over."""
    with planned(count) as (server, database), tempfile.TemporaryDirectory() as folder:
        record, began, ready = Path(folder) / "record", time.time(), PROCESSES.Barrier(1)
        workers = [_worker(server, None, record, began, ready) for _ in range(WORKERS)]
        killed = _disturbed(server, database, workers, record, began, ready, quick=quick)
        found = Counter(killed=killed)
        for worker in workers:
            worker.kill()
            worker.join()
        found.update(_audit(database, record))
        return found


def _disturbed(
    server: Server, database: Database, workers: list[BaseProcess], record: Path, began: float, ready: Any,
    *, quick: bool,
) -> int:  # fmt: skip
    """Kill, freeze and restart until nothing waits; returns how many workers were killed."""
    # By their turn among the strikes; all others kill a worker.
    special = {2: lambda: _restart(server, "fast"), 4: lambda: _freeze(workers[0]),
               6: lambda: _restart(server, "immediate")}  # fmt: skip
    last = 3 if quick else max(special) + 4
    killed = strike = 0
    while _open(database):
        time.sleep(KILL_EVERY)
        strike += 1
        if strike in special and strike <= last:
            special[strike]()
            continue
        if strike <= last:
            workers[strike % WORKERS].kill()
            workers[strike % WORKERS].join()
            killed += 1
        # As systemd does: whoever ended, for whatever reason, begins again.
        for place, worker in enumerate(workers):
            if not worker.is_alive():
                workers[place] = _worker(server, None, record, began, ready)
    return killed


def _restart(server: Server, mode: str) -> None:
    server.stop(mode)
    server.start()


def _freeze(worker: BaseProcess) -> None:
    """Past its lease: what it had begun belongs to others when it wakes up."""
    if worker.pid:
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(LEASE.total_seconds() + 2)
        os.kill(worker.pid, signal.SIGCONT)


def _open(database: Database) -> bool:
    with suppress(EnvironmentFault), database.read() as connection:
        waiting = select(MESSAGE.c.id).where(or_(IS_WAITING, IS_SENDING)).limit(1)
        return connection.scalar(waiting) is not None
    return True


def _audit(database: Database, record: Path) -> dict[str, int]:
    """Keys end with the number of their message."""
    taken = Counter(int(line.rsplit(b".", 1)[1]) for line in record.read_bytes().splitlines())
    with database.read() as connection:
        found = {row.id: row.state for row in connection.execute(select(MESSAGE.c.id, MESSAGE.c.state))}
    return {
        "messages": len(found),
        "sent": sum(state == "sent" for state in found.values()),
        "unknown": sum(state == "unknown" for state in found.values()),
        # Neither taken by the provider nor reported as unknown.
        "lost": sum(state not in ("sent", "unknown") for state in found.values())
        + sum(state == "sent" and number not in taken for number, state in found.items()),
        "duplicates": sum(times - 1 for times in taken.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--provider", choices=("double", "smtp"), nargs="+", default=["double", "smtp"])
    parser.add_argument("--faults", action="store_true", help="only the form under faults")
    parser.add_argument("--quick", action="store_true", help="a trial run")
    asked = parser.parse_args()
    count, rounds = (2_000, 1) if asked.quick else (asked.messages, asked.rounds)
    before, rows = machine(), []
    names = {"double": "the provider a double", "smtp": "smtp-sink"}
    if not asked.faults:
        rows += [
            Row(f"{count:,} messages, two workers, {names[it]}", "20,000/s", "/s", at_least(1), "wanted",
                [(in_peace(count, it), WANTED) for _ in range(rounds)])
            for it in asked.provider
        ]  # fmt: skip
    rows += faults(count, quick=asked.quick)
    for row in rows:
        print(row)
    keep("workers", rows, before, messages=count)


def faults(count: int, *, quick: bool) -> list[Row]:
    """One run, and what it left. A kill leaves no more unknown than a chunk of each of a worker's hands."""
    found = under_faults(count, quick=quick)
    print(", ".join(f"{name} {number:,}" for name, number in found.items()))
    what = f"{count:,} messages under faults"
    a_fault = found["unknown"] / (found["killed"] + OTHER_FAULTS)
    return [
        Row(f"{what}: lost", "none", "", at_most(0), "wanted", [(found["lost"], 1)]),
        Row(f"{what}: duplicates", "none", "", at_most(0), "wanted", [(found["duplicates"], 1)]),
        Row(f"{what}: unknown a fault", "a worker's hands × chunk", "", at_most(1), "wanted",
            [(a_fault, CONCURRENCY * CHUNK)]),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
