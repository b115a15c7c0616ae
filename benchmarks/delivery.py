"""Delivery end to end: due messages in SQLite (durable) or PostgreSQL, claimed, rendered, sent, recorded.

    python -m benchmarks.delivery [--messages 5000] [--database URL] [--folder] [--profile]

The emails are composed to the last byte and handed to nobody (with --folder: written as files), so that what
is measured is ours. The naive way beside it is the same code with one message a chunk: one claim, one
rendering, one settlement for each.
"""

import argparse
import asyncio
import cProfile
import logging
import pstats
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import func, select

from campaigns.bundle import Bundle
from campaigns.running import make_ready
from campaigns.tables import Message
from campaigns.versions import Live, apply
from channels import Accepted, Outcome, create
from channels.transport import Transport
from core.clock import MovableClock
from core.customers import profiles as customers
from core.customers.addresses import Addresses
from core.customers.profiles import Profile
from core.db import Database
from core.events import append
from core.ledger.book import Book
from core.links import Links
from core.program.lifetime import Life
from scheduler import throttle
from scheduler.delivery import Delivery
from scheduler.tick import decide

MESSAGE = Message.__table__  # type: ignore[attr-defined]
EXAMPLE = Path(__file__).parents[1] / "examples" / "kavarnia"
SECRET = b"the secret of the benchmark"
AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
ROUNDS = 3


def fill(database: Database, live: Live, clock: MovableClock, count: int) -> None:
    """So many customers with an email address and bonuses just given: so many messages are due."""
    running = make_ready(Bundle.read(EXAMPLE))
    with database.write() as connection:
        apply(connection, running, "benchmark", clock.now())
    addresses = Addresses(SECRET)
    people = [
        Profile(
            f"c{number}",
            name=f"Anna {number}",
            email=f"anna{number}@example.com",
            registered_at=AT,
            locale="uk",
        )
        for number in range(count)
    ]
    with database.write() as connection:
        saved = customers.save(connection, running.program, addresses, people, AT, live=False)
        ids = [it.customer_id for it in saved]
        book = Book(connection, running.program, ids, AT)
        for customer_id in ids:
            op = book.operation(customer_id, "adjustment", f"gift:{customer_id}", [], AT)
            book.accrue(op, 5000, reason="purchase", life=Life(AT, None, None))
        book.close()
        append(connection, book.happenings, AT, live=True)
    decide(database, live, clock)


def states(database: Database) -> dict[str, int]:
    with database.read() as connection:
        counted = select(MESSAGE.c.state, func.count().label("messages")).group_by(MESSAGE.c.state)
        return {row.state: row.messages for row in connection.execute(counted)}


class Nobody(Transport[Any]):
    """Takes everything over at once."""

    async def transmit(self, wire: Any) -> Outcome:
        return Accepted(wire.key)


async def deliver(database: Database, live: Live, clock: MovableClock, folder: Path | None) -> None:
    config = {
        name: value
        for name, value in (live.running().program.channels["email"] or {}).items()
        if name != "rate"
    }
    channel = create("email", config, outbox_dir=folder or Path("unused"))
    if folder is None:
        channel._choose_transport = Nobody  # type: ignore[method-assign]
    async with channel:
        await Delivery(database, live, {"email": channel}, Links("https://example.org", SECRET), clock).run()


def measure(
    url: str | None, count: int, chunk: int | None, *, files: bool = False, profile: bool = False
) -> float:
    """Messages a second."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(url or f"sqlite:///{folder}/bench.db")
        database.create_all()
        clock, live = MovableClock(AT), Live(database)
        fill(database, live, clock, count)
        usual = throttle.CHUNK
        if chunk:
            throttle.CHUNK = chunk
        profiler = cProfile.Profile()
        start = time.perf_counter()
        if profile:
            profiler.enable()
        asyncio.run(deliver(database, live, clock, Path(folder) if files else None))
        profiler.disable()
        seconds = time.perf_counter() - start
        throttle.CHUNK = usual
        assert states(database) == {"sent": count}, states(database)
        if profile:
            pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)
        if url:
            from sqlmodel import SQLModel

            SQLModel.metadata.drop_all(database.engine)
        database.close()
        return count / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--database", help="a PostgreSQL database of its own; emptied afterwards")
    parser.add_argument("--folder", action="store_true", help="write every message as files")
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if asked.profile:
        measure(asked.database, asked.messages, None, files=asked.folder, profile=True)
        return
    ratios = []
    print("messages a second, one by one and in chunks")
    for _ in range(ROUNDS):
        naive = measure(asked.database, max(100, asked.messages // 20), 1, files=asked.folder)
        ours = measure(asked.database, asked.messages, None, files=asked.folder)
        ratios.append(ours / naive)
        print(f"one by one {naive:6.0f}   in chunks {ours:6.0f}   ratio {ours / naive:5.1f}")
    print(f"median ratio {sorted(ratios)[ROUNDS // 2]:.1f}")


if __name__ == "__main__":
    main()
