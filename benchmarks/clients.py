"""Tills that record purchases all at once: processes with threads, as an installation has them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from random import Random
from threading import Barrier as Start
from threading import Thread
from typing import Any

from benchmarks import shop
from core.collecting import collect_seldom
from core.db import Database
from core.purchases.tills import Tills

# Before the time counts, so that statements are prepared and pages are in memory.
WARM_UP = 0.5


@dataclass(frozen=True, slots=True)
class Clients:
    """So many processes of so many threads each; every thread is one till that waits for its answer.

    `together`: purchases of one moment of a process share a transaction (core.purchases.tills), else each
    has its own. `opening` is when the shop opened, by this machine's clock.
    """

    processes: int
    threads: int
    customers: int
    opening: float
    together: bool = False

    def run(self, url: str, seconds: float, label: str) -> float:
        """Purchases a second of all of them; `label` makes the receipts' ids new."""
        context = get_context("spawn")
        begin, done = context.Barrier(self.processes), context.SimpleQueue()
        workers = [
            context.Process(target=_work, args=(self, url, seconds, f"{label}-{n}", begin, done))
            for n in range(self.processes)
        ]
        for worker in workers:
            worker.start()
        found = [done.get() for _ in workers]
        for worker in workers:
            worker.join()
        return float(sum(found))


def _work(clients: Clients, url: str, seconds: float, label: str, begin: Barrier, done: Any) -> None:
    """One process; tells how many purchases a second it recorded."""
    collect_seldom()  # as `serve` does
    rules, database = shop.program(), Database(url)
    door = Tills(database)

    def buy(key: str, random: Random) -> None:
        now = shop.START + timedelta(seconds=time.time() - clients.opening)
        purchase = shop.bought(random, key, clients.customers, now)
        if clients.together:
            shop.accept(door.record(rules, purchase, now))
        else:
            shop.keep(database, rules, [purchase], now)

    counts = [0] * clients.threads
    start = Start(clients.threads, action=partial(_meet, begin))
    threads = [
        Thread(target=_till, args=(buy, f"{label}-{n}", seconds, start, counts, n))
        for n in range(clients.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    done.put(sum(counts) / seconds)


def _meet(others: Barrier) -> None:
    others.wait()


def _till(
    buy: Callable[[str, Random], None],
    label: str,
    seconds: float,
    start: Start,
    counts: list[int],
    place: int,
) -> None:
    random, number = Random(label), 0
    start.wait()
    warm = time.monotonic() + WARM_UP
    end = warm + seconds
    while (now := time.monotonic()) < end:
        buy(f"{label}-{number}", random)
        number += 1
        counts[place] += now >= warm
