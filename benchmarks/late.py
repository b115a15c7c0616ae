"""A return, and a receipt that comes late, by how much came after them: all of that is reckoned again.

    python -m benchmarks.late [--later 10 500 5000] [--rounds 3]

On SQLite (synchronous=FULL). One customer for each size and round, with a purchase a minute that earns and
spends. Kept in benchmarks/results/last/late.json.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from benchmarks import shop
from benchmarks.report import LESS, Row, keep, machine
from core.db import Database
from core.program import Program
from core.purchases.receipts import Line, Purchase
from core.purchases.returns import Return, take_back

MINUTE = timedelta(minutes=1)
KINDS = ("a return", "a late receipt")


def main() -> None:
    """Every size."""
    asked, before, found, took = _options(), machine(), [], []
    with tempfile.TemporaryDirectory(prefix="tidings-late-") as folder:
        database, rules = Database(f"sqlite:///{Path(folder) / 'late.db'}"), shop.program()
        shop.opened(database, rules, len(asked.later) * asked.rounds)
        for place, later in enumerate(asked.later):
            times = [
                _measured(database, rules, f"c{place * asked.rounds + number}", later)
                for number in range(asked.rounds)
            ]
            took.append(list(zip(*times, strict=True)))
            one, other = (median(it) for it in zip(*times, strict=True))
            found.append({"later": later, "return_ms": round(one, 1), "late_receipt_ms": round(other, 1)})
            print(
                f"{later:>6,} later purchases: a return {one:8.1f} ms, a late receipt {other:8.1f} ms",
                flush=True,
            )
        database.close()
    kept = zip(KINDS, zip(*took, strict=True), strict=True)
    rows = [_growth(kind, asked.later, times) for kind, times in kept]
    print(*rows, sep="\n")
    keep("late", rows, before, sizes=found)


def _growth(kind: str, later: Sequence[int], took: Sequence[Sequence[float]]) -> Row:
    """Microseconds for each later purchase, with the most and the fewest but one of them."""
    (few, quick), (many, slow) = (sorted(zip(later, took, strict=True))[at] for at in (-2, -1))
    row = Row(f"{kind} before {many:,} purchases, for each", f"before {few:,}", "µs", LESS, "smaller")
    row.pairs = [(a * 1_000 / many, b * 1_000 / few) for a, b in zip(slow, quick, strict=True)]
    return row


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--later", type=int, nargs="+", default=[10, 500, 5_000])
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _measured(database: Database, rules: Program, who: str, later: int) -> tuple[float, float]:
    """Milliseconds of a return of the first purchase, and of a receipt from just after it."""
    random = Random(who)
    purchases = [_bought(random, who, number) for number in range(later + 1)]
    for start in range(0, len(purchases), shop.BATCH):
        some = purchases[start : start + shop.BATCH]
        shop.keep(database, rules, some, some[-1].at)
    now = purchases[-1].at

    def give_back() -> None:
        with database.write() as connection:
            shop.accept(take_back(connection, rules, Return(purchases[0].external_id, now), now, live=True))

    late = Purchase(f"{who} late", who, purchases[0].at + MINUTE / 2, (Line("sku1", 1000, 5_000),))
    return _timed(give_back), _timed(lambda: shop.keep(database, rules, [late], now))


def _bought(random: Random, who: str, number: int) -> Purchase:
    drawn = shop.bought(random, f"{who} {number}", 1, shop.START + number * MINUTE)
    return Purchase(drawn.external_id, who, drawn.at, drawn.lines, drawn.store, drawn.pay_points)


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1_000


if __name__ == "__main__":
    main()
