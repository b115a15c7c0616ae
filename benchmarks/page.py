"""What a customer has, and their page, by how long a history they have: it should make no difference.

    python -m benchmarks.page [--receipts 10 1000 20000] [--rounds 30]

On SQLite. Everybody bought ten times in the last year; whoever has more receipts bought the rest in the nine
years before, and it has expired. Read in process, without HTTP: the balance, and all that `GET …/page`
answers. Kept in benchmarks/results/last/page.json.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from sqlalchemy import select

from benchmarks import shop
from benchmarks.report import Row, at_most, keep, machine
from campaigns.bundle import Bundle
from campaigns.running import make_ready
from core.clock import MovableClock
from core.customers.profiles import CUSTOMER, Profile, save
from core.db import Database
from core.ledger.expiry import expire
from core.program import Program
from core.purchases.receipts import Purchase
from tests.api.shop import EXAMPLE, make_workspace
from tests.support.databases import load_tables
from tidings.api import Services
from tidings.api.customer_page import page
from tidings.balances import balances
from tidings.cards import cards_of

LAST_YEAR, BEFORE = timedelta(days=365), timedelta(days=9 * 365)
RECENT = 10


def main() -> None:
    """Every length of history."""
    asked, before = _options(), machine()
    lengths = sorted(asked.receipts)
    smallest = f"{lengths[0]:,} receipts"
    rows = [
        Row(f"{name}, {lengths[-1]:,} receipts", smallest, "ms", at_most(1.5), "smaller") for name in READ
    ]
    with tempfile.TemporaryDirectory(prefix="tidings-page-") as name:
        here = _services(Path(name), lengths)
        found: dict[str, dict[int, float]] = {name: {} for name in READ}
        times: dict[tuple[str, int], list[float]] = {(name, it): [] for name in READ for it in lengths}
        for _ in range(asked.rounds):
            for (kind, length), took in times.items():
                took.append(_timed(lambda k=kind, n=length: READ[k](here, f"c{n}")))  # type: ignore[misc]
        for (kind, length), took in times.items():
            found[kind][length] = round(median(took), 3)
            print(f"{kind:8} {length:>7,} receipts {found[kind][length]:8.3f} ms")
        for row, kind in zip(rows, READ, strict=True):
            row.pairs = list(zip(times[kind, lengths[-1]], times[kind, lengths[0]], strict=True))
    print(*rows, sep="\n")
    keep("page", rows, before, milliseconds=found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--receipts", type=int, nargs="+", default=[10, 1_000, 20_000])
    parser.add_argument("--rounds", type=int, default=30)
    return parser.parse_args()


def _services(folder: Path, lengths: list[int]) -> Services:
    """The example with a customer for each length, as the API has it."""
    database, clock = Database(f"sqlite:///{folder / 'page.db'}"), MovableClock(shop.START)
    load_tables()
    database.create_all()
    running = make_ready(Bundle.read(EXAMPLE), 1)
    workspace = make_workspace(folder / "shop", database, running, clock)
    names = [f"c{length}" for length in lengths]
    with database.write() as connection:
        profiles = [Profile(name, registered_at=shop.START - BEFORE - LAST_YEAR) for name in names]
        save(connection, running.program, workspace.addresses, profiles, shop.START, live=False)
    for length, name in zip(lengths, names, strict=True):
        _buy(database, running.program, name, length)
    expire(database, running.program, shop.START, all_history=True)  # as an import does at its end
    return Services(workspace, clock, cards_of(workspace, clock), None)


def _buy(database: Database, rules: Program, who: str, length: int) -> None:
    random, older = Random(who), length - RECENT
    times = [shop.START - LAST_YEAR - BEFORE * (older - number) / max(1, older) for number in range(older)]
    times += [shop.START - LAST_YEAR * (RECENT - number) / (RECENT + 1) for number in range(RECENT)]
    for start in range(0, length, shop.BATCH):
        some = [_bought(random, who, start + i, at) for i, at in enumerate(times[start : start + shop.BATCH])]
        shop.keep(database, rules, some, shop.START, live=False)


def _bought(random: Random, who: str, number: int, at: datetime) -> Purchase:
    drawn = shop.bought(random, f"{who} {number}", 1, at)
    return Purchase(drawn.external_id, who, at, drawn.lines, drawn.store)


def _balance(here: Services, who: str) -> None:
    with here.database.read() as connection:
        [holder] = connection.scalars(select(CUSTOMER.c.id).where(CUSTOMER.c.external_id == who))
        balances(connection, [holder], here.now())


def _page(here: Services, who: str) -> None:
    page(here, who)


READ: dict[str, Callable[[Services, str], None]] = {"balance": _balance, "page": _page}


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1_000


if __name__ == "__main__":
    main()
