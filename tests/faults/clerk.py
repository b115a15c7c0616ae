"""A clerk who books requests of all kinds, as a process of its own, to be killed at its work."""

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from types import FrameType
from typing import Any

from sqlalchemy import Connection

from core.customers.households import Change, join, leave
from core.customers.merging import Merge, merge
from core.db import Database
from core.ledger.adjustments import Adjustment, adjust
from core.ledger.bonuses import Request, grant, redeem
from core.ledger.expiry import expire
from core.ledger.lots import Refusal
from core.ledger.transfers import Transfer, transfer
from core.purchases.holds import Basket, Held, cancel, commit, hold
from core.purchases.receipts import Outcome, record
from core.purchases.returns import Back, Return, take_back
from core.tiers import review
from tests.core.books import START, purchase, read
from tests.core.terms import Terms
from tests.core.tills import CONFIRMER
from tests.support.databases import load_tables

PEOPLE = ("anna", "bohdan", "oksana")
PROGRAM = read(Terms(starts=1, extend=9).yaml)
HOURS = timedelta(hours=7)
# What a request is answered: None for a look of the night, which asks nothing.
Answer = dict[str, Any] | str | None
Ask = Callable[[Connection, datetime], Outcome | Held]


def requests(count: int) -> list[Callable[[Database], Answer]]:
    """So many requests, always the same ones, each at its own time."""
    dice = random.Random(20260301)
    found: list[Callable[[Database], Answer]] = []
    asks = _asks(dice)
    for number in range(count):
        now = START + number * HOURS
        found.append(_night(now) if number % 10 == 9 else _asked(next(asks), now))
    return found


def _asks(dice: random.Random) -> Iterator[Ask]:
    number = 0
    while True:
        who, other = dice.sample(PEOPLE, 2)
        amount = dice.randint(100, 60_000)
        for make in (_buys, _late, _grant, _held, _goods, _moves, _people):
            number += 1
            yield from make(str(number), who, other, amount)


def _buys(name: str, who: str, other: str, amount: int) -> Iterator[Ask]:
    yield lambda db, now: record(
        db, PROGRAM, [purchase(name, who, now, amount, 300, 5_000)], now, live=True
    )[0]  # fmt: skip


def _late(name: str, who: str, other: str, amount: int) -> Iterator[Ask]:
    def ask(db: Connection, now: datetime) -> Outcome:
        late = purchase(name, who, max(START, now - 5 * HOURS), amount, pay=amount // 20)
        return record(db, PROGRAM, [replace(late, offline=True)], now, live=True)[0]

    yield ask


def _grant(name: str, who: str, other: str, amount: int) -> Iterator[Ask]:
    yield lambda db, now: grant(db, PROGRAM, Request(f"g{name}", who, amount, now), now, live=True)
    yield lambda db, now: redeem(db, PROGRAM, Request(f"r{name}", who, amount // 10, now), now, live=True)


def _held(name: str, who: str, other: str, amount: int) -> Iterator[Ask]:
    for ended in ("paid", "let go"):
        basket = Basket(f"{name} {ended}", who, purchase("", who, START, 2_000).lines, pay_points=50)
        yield lambda db, now, it=basket: hold(db, PROGRAM, it, now, CONFIRMER)  # type: ignore[misc]
    yield lambda db, now: commit(db, PROGRAM, f"{name} paid", None, now, CONFIRMER)
    yield lambda db, now: cancel(db, f"{name} let go", now)


def _goods(name: str, who: str, other: str, amount: int) -> Iterator[Ask]:
    """Of what was bought four requests of this round before: a unit, and then all that is left."""
    bought = str(int(name) - 4)
    some, rest = (Back(line=3, quantity=500),), ()
    yield lambda db, now: take_back(db, PROGRAM, Return(bought, now, some, "some"), now, live=True)
    if int(name) % 2:
        yield lambda db, now: take_back(db, PROGRAM, Return(bought, now, rest, "rest"), now, live=True)


def _moves(name: str, who: str, other: str, amount: int) -> Iterator[Ask]:
    yield lambda db, now: transfer(db, PROGRAM, Transfer(name, who, other, amount // 20), now, live=True)
    taken = Adjustment(name, other, -amount, "maria", "a mistake", owing=True)
    yield lambda db, now: adjust(db, PROGRAM, taken, now, live=True)


def _people(name: str, who: str, other: str, amount: int) -> Iterator[Ask]:
    change = Change("anna", "bohdan")
    yield lambda db, now: (join if int(name) % 4 else leave)(db, PROGRAM, change, now, live=True)
    if int(name) > 25:
        again = Merge("oksana", "anna", "maria", "the same phone")
        yield lambda db, now: merge(db, PROGRAM, again, now, live=True)


def _asked(ask: Ask, now: datetime) -> Callable[[Database], Answer]:
    def request(database: Database) -> Answer:
        with database.write() as connection:
            outcome = ask(connection, now)
        return outcome.reason if isinstance(outcome, Refusal) else dict(outcome.answer)

    return request


def _night(now: datetime) -> Callable[[Database], Answer]:
    def look(database: Database) -> Answer:
        expire(database, PROGRAM, now)
        with database.write() as connection:
            review(connection, PROGRAM, now)
        return None

    return look


def run(url: str, first: int, count: int, calls: int, answers: Pipe) -> None:
    """Book the requests from number `first` on and tell each answer; after so many `calls` of functions, in
    the middle of whatever it is, there is a SIGKILL.
    """
    load_tables()
    database = Database(url, durable=False)
    work = requests(count)
    if calls:
        sys.setprofile(_deadly(calls))
    for number in range(first, count):
        answers.send((number, work[number](database)))
    sys.setprofile(None)
    database.close()


def _deadly(calls: int) -> Callable[[FrameType, str, Any], None]:
    left = calls

    def profile(_frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal left
        left -= event == "call"
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return profile
