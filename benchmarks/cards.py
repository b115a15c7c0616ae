"""Live cards: from an accrual at the till to the push, and a change of every card fanned out.

    python -m benchmarks.cards [live] [fanout] [pushes] [--seconds 60] [--cards 100000] [--rounds 3]

`live`: fifty accruals a second in the process that does everything else (the beats of `serve`, SQLite written
through to the disk), each timed from its commit to the arrival of its push at an HTTP/2 server in another
process, beside the second that is wanted. `fanout`: a new version of the card changes all of them; they
are found, marked and pushed, and the memory is looked at on the way. `pushes`: the pushes alone, from claimed
to recorded, beside the naive way (httpx, one after another, each recorded), beside httpx with as many under
way, and beside `h2load`, which only sends (nghttp2-server and nghttp2-client of Debian).
Everything is kept in benchmarks/results/last/cards.json.
"""

import argparse
import asyncio
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from ssl import create_default_context
from statistics import quantiles
from typing import Any

import structlog
from sqlalchemy import update

from benchmarks.holders import Apple, Holders, fast_server, pushing_to, resident, token_of
from benchmarks.report import MORE, Row, at_least, at_most, keep, machine
from benchmarks.tools import needed
from campaigns.bundle import Bundle
from core.clock import SystemClock
from core.collecting import collect_seldom
from core.purchases.receipts import Line, Purchase
from core.purchases.tills import Tills
from scheduler.beats import Beats
from tidings.cards import cards_of
from wallet.apple.live import Rest, Waking
from wallet.apple.push import pusher_for
from wallet.apple.settings import AppleSettings
from wallet.tables import DEVICE

RATE = 50
# Milliseconds.
SECOND = 1_000
NAIVE = 300
LIMIT = 20_000
KINDS = ("live", "pushes", "fanout")
PASS_TYPE, TEAM = "pass.example.kavarnia", "ABCDE12345"


def main() -> None:
    """Every kind that was asked for."""
    needed("nghttpd", "h2load")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    collect_seldom()
    asked, before = _options(), machine()
    rows: list[Row] = []
    more: dict[str, Any] = {}
    for kind in asked.kinds or KINDS:
        found, said = {"live": _live, "pushes": _pushes, "fanout": _fanout}[kind](asked)
        print(*found, said, sep="\n", flush=True)
        rows += found
        more[kind] = said
    settings = {"seconds": asked.seconds, "cards": asked.cards, "rounds": asked.rounds}
    keep("cards", rows, before, settings=settings, **more)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", metavar="|".join(KINDS))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--holders", type=int, default=5_000, help="customers of `live`")
    parser.add_argument("--cards", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


# --- from the till to the push


def _live(asked: argparse.Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Milliseconds from a commit to its push."""
    waits: list[float] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        holders = Holders(folder, asked.holders, datetime.now(UTC))
        holders.settle()
        apple = Apple(folder)
        with pushing_to(apple.url, folder):
            bought = asyncio.run(_serve(holders, asked.seconds))
        arrived: dict[str, list[float]] = {}
        for token, at in apple.pushes():
            arrived.setdefault(token, []).append(at)
        for number, at in bought:
            later = [it for it in arrived.get(token_of(number), ()) if it >= at]
            if not later:
                raise SystemExit("an accrual led to no push")
            waits.append((min(later) - at) * 1000)
    cuts = quantiles(waits, n=100)
    row = Row(
        f"{RATE} accruals a second: committed to pushed, p99",
        "the second that is wanted",
        "ms",
        at_most(1),
        "wanted",
    )
    row.pairs.append((cuts[98], SECOND))
    said = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "most": max(waits), "accruals": len(waits)}
    return [row], {name: round(value, 1) for name, value in said.items()}


async def _serve(holders: Holders, seconds: float) -> list[tuple[int, float]]:
    """Everything that `serve` does by itself, while tills record; who bought when it was committed."""
    here, clock = holders.workspace, SystemClock()
    beats = Beats(
        here.database, here.live, clock, cards_of(here, clock), channels=here.channels, links=here.links
    )
    await beats.start()
    try:
        bought = await asyncio.to_thread(_sell, holders, seconds, beats.wake)
        await asyncio.sleep(3)
    finally:
        await beats.stop()
        await beats.close()
    return bought


def _sell(holders: Holders, seconds: float, wake: Callable[[], None]) -> list[tuple[int, float]]:
    """Fifty a second, evenly, from as many tills as it takes."""
    tills, program = Tills(holders.database), holders.workspace.live.running().program
    random, begin = Random(1), time.monotonic() + 2
    bought: list[tuple[int, float]] = []

    def sell(number: int) -> None:
        time.sleep(max(0.0, begin + number / RATE - time.monotonic()))
        who, now = random.randrange(holders.count), datetime.now(UTC)
        purchase = Purchase(f"R{number}", f"c{who}", now, (Line("flat-white", 1000, 50_000 + number),))
        tills.record(program, purchase, now)
        bought.append((who, time.monotonic()))
        wake()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(sell, range(int(seconds * RATE))))
    return bought


# --- the pushes alone


def _pushes(asked: argparse.Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Pushes a second, recorded, to a server that costs next to nothing."""
    name = f"{asked.cards:,} pushes, claimed to recorded"
    rows = [
        Row(name, "httpx, one after another", "/s", at_least(10), "naive"),
        Row(name, "httpx, 100 under way, not recorded", "/s", at_least(5), "peer"),
        Row(name, "h2load, sends only", "/s", MORE, "limit"),
    ]
    grown: list[float] = []
    with tempfile.TemporaryDirectory() as place, fast_server(folder := Path(place), asked.cards) as url:
        holders = Holders(folder, asked.cards, datetime.now(UTC))
        with pushing_to(url, folder) as settings:
            for _ in range(asked.rounds):
                naive = asyncio.run(_naive(holders, settings))
                together = asyncio.run(_together(settings))
                limit = _limit(url)
                rate, more = asyncio.run(_push_all(holders, settings))
                grown.append(more)
                for row, other in zip(rows, (naive, together, limit), strict=True):
                    row.pairs.append((rate, other))
    return rows, {"grown_mb_from_20_to_100_percent": [round(it, 1) for it in grown]}


async def _push_all(holders: Holders, settings: AppleSettings) -> tuple[float, float]:
    """Pushes a second, and MB that the process grew between a fifth and the end."""
    clock = SystemClock()
    _owe_all(holders, clock.now())
    pusher = pusher_for(settings, holders.folder, PASS_TYPE, TEAM, clock)
    seen = _Memory(holders.count)
    looking = _Looking(pusher, seen)
    await pusher.push([])
    began = time.perf_counter()
    counts = await Waking(holders.database, clock, Rest()).push_due(looking)
    seconds = time.perf_counter() - began
    await pusher.close()
    if counts != {"accepted": holders.count}:
        raise SystemExit(f"not everything was pushed: {counts}")
    return holders.count / seconds, seen.grown


class _Memory:
    """What the process holds after a fifth of the work, and how much more at the end."""

    def __init__(self, whole: int) -> None:
        self._whole, self._done, self._early = whole, 0, 0.0
        self.grown = 0.0

    def note(self, count: int) -> None:
        self._done += count
        if not self._early and self._done >= self._whole / 5:
            self._early = resident()
        self.grown = resident() - self._early if self._early else 0.0


class _Looking:
    """Passes pushes on, and looks at the memory."""

    def __init__(self, pusher: Any, memory: _Memory) -> None:
        self._pusher, self._memory = pusher, memory

    async def push(self, devices: Any) -> Any:
        results = await self._pusher.push(devices)
        self._memory.note(len(results))
        return results

    async def close(self) -> None:
        await self._pusher.close()


def _owe_all(holders: Holders, now: datetime) -> None:
    with holders.database.write() as connection:
        connection.execute(update(DEVICE).values(owed_tag=DEVICE.c.owed_tag + 1, push_at=now))


async def _naive(holders: Holders, settings: AppleSettings) -> float:
    """As a first version does it: one request, one update, the next."""
    async with _client(settings) as client:
        began = time.perf_counter()
        for number in range(NAIVE):
            answer = await client.post(f"/3/device/{token_of(number)}", content=b"{}")
            answer.raise_for_status()
            with holders.database.write() as connection:
                mine = update(DEVICE).where(DEVICE.c.device == f"d{number:031}")
                connection.execute(mine.values(pushed_tag=1, pushed_at=datetime.now(UTC), push_at=None))
        return NAIVE / (time.perf_counter() - began)


async def _together(settings: AppleSettings, count: int = 2_000) -> float:
    gate = asyncio.Semaphore(100)
    async with _client(settings) as client:

        async def push(number: int) -> None:
            async with gate:
                (await client.post(f"/3/device/{token_of(number)}", content=b"{}")).raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*(push(number) for number in range(count)))
        return count / (time.perf_counter() - began)


def _client(settings: AppleSettings) -> Any:
    from httpx import AsyncClient, Limits

    headers = {
        "apns-topic": PASS_TYPE, "apns-push-type": "background", "apns-priority": "5",
        "authorization": f"bearer {'x' * 180}",
    }  # fmt: skip
    trust = create_default_context(cafile=str(settings.apns_ca))
    one = Limits(max_connections=1, max_keepalive_connections=1)
    return AsyncClient(
        http1=False, http2=True, verify=trust, base_url=settings.apns_url, limits=one, headers=headers
    )


def _limit(url: str) -> float:
    """What nghttp2's own client sends over as many connections."""
    program = needed("h2load")
    with tempfile.NamedTemporaryFile() as body:
        body.write(b"{}")
        body.flush()
        command = [program, f"-n{LIMIT}", "-c4", "-m100", "-d", body.name, f"{url}/3/device/{token_of(1)}"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"([\d.]+) req/s", said)
    if found is None:
        raise SystemExit(f"h2load says something else than expected: {said[:200]}")
    return float(found[1])


# --- every card changes


def _fanout(asked: argparse.Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Cards a second from a new version to the last push, beside marking alone one after another."""
    row = Row(
        f"{asked.cards:,} cards of a new version: found, marked, pushed",
        "one by one",
        "/s",
        at_least(2),
        "naive",
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with fast_server(folder, asked.cards) as url:
            holders = Holders(folder, asked.cards, datetime.now(UTC))
            with pushing_to(url, folder):
                rate, said = asyncio.run(_change_all(holders))
                row.pairs.append((rate, _one_by_one(holders)))
    return [row], said


async def _change_all(holders: Holders) -> tuple[float, dict[str, Any]]:
    here, clock = holders.workspace, SystemClock()
    cards, memory = cards_of(here, clock), _Memory(holders.count)
    pushes = 0
    began = time.perf_counter()
    while True:
        done = await cards.look(timedelta(0))
        pushes += done.pushes["accepted"]
        memory.note(done.marked)
        if not done.more and (done.next_at is None or done.next_at > clock.now()):
            break
    seconds = time.perf_counter() - began
    await cards.close()
    if pushes != holders.count:
        raise SystemExit(f"{pushes} of {holders.count} cards were pushed")
    said = {"seconds": round(seconds, 1), "grown_mb_from_20_to_100_percent": round(memory.grown, 1)}
    return holders.count / seconds, said


def _one_by_one(holders: Holders, count: int = 200) -> float:
    """Cards filled in and marked as a first version does it: each in a transaction of its own."""
    from wallet import updates

    cards = cards_of(holders.workspace, SystemClock())
    files = {**Bundle.read(holders.workspace.path).files}
    files["cards/loyalty.yaml"] = files["cards/loyalty.yaml"].replace("Бонуси".encode(), "Зернята".encode())
    holders.apply(Bundle(files))
    began = time.perf_counter()
    for customer in range(1, count + 1):
        with holders.database.write() as connection:
            updates.mark(connection, [customer], cards.faces, datetime.now(UTC))
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
