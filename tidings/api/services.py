"""What the endpoints need, given to them by whoever starts the server."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection

from campaigns.running import Running
from core.clock import Clock
from core.db import Database
from core.links import Links
from core.program import Program
from core.purchases.receipts import Outcome
from core.purchases.sales import Purchase
from core.purchases.tills import Tills
from scheduler.beat import Pulse
from scheduler.cards import Cards
from tidings.api.card_figures import CardFigures
from tidings.api.keys import Keeper
from tidings.api.limits import Limits
from tidings.api.reactions import Reactions
from tidings.api.running import RunningRequests
from tidings.workspace import Workspace


def _nothing() -> None:
    """Nobody is waiting to be woken."""


def _no_pulses() -> Sequence[Pulse]:
    return ()


@dataclass(frozen=True)
class Services:
    """The workspace, its cards, and how to wake the beats once a fact was recorded.

    `token` is a key that may do everything, if there is one; `pulses` tells how the beats are, `pause` waits
    for so many seconds, `ticks` counts them.
    """

    workspace: Workspace
    clock: Clock
    cards: Cards
    token: str | None
    wake: Callable[[], None] = _nothing
    pulses: Callable[[], Sequence[Pulse]] = _no_pulses
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ticks: Callable[[], float] = time.monotonic

    @property
    def database(self) -> Database:
        """The database."""
        return self.workspace.database

    @property
    def running(self) -> Running:
        """What is live now."""
        return self.workspace.live.running()

    @property
    def program(self) -> Program:
        """The live program."""
        return self.running.program

    @property
    def links(self) -> Links:
        """The maker and reader of customers' links."""
        return self.workspace.links(self.program)

    @cached_property
    def reader(self) -> Links:
        """Reads what links carry, without asking what is live."""
        newest, *earlier = self.workspace.link_keys
        return Links("", newest, tuple(earlier))

    @cached_property
    def reactions(self) -> Reactions:
        """Where opens and clicks are kept."""
        return Reactions(lambda: self.database, lambda: self.program.tracking)

    def now(self) -> datetime:
        """Aware UTC."""
        return self.clock.now()

    @contextmanager
    def recording(self) -> Iterator[Connection]:
        """A write transaction; once it is committed, the beats look at what is new."""
        with self.database.write() as connection:
            yield connection
        self.wake()

    def sell(self, program: Program, purchase: Purchase) -> Outcome:
        """Record a purchase, with those of other tills that come at this moment; see core.purchases.tills."""
        outcome = self.tills.record(program, purchase, self.now())
        self.wake()
        return outcome

    @cached_property
    def tills(self) -> Tills:
        """Where purchases of one moment meet."""
        return Tills(self.database)

    @cached_property
    def keys(self) -> Keeper:
        """Who may call."""
        return Keeper(lambda: self.database, self.clock, self.token, self.ticks)

    @cached_property
    def card_figures(self) -> CardFigures:
        """How many cards there are."""
        return CardFigures(lambda: self.database, self.clock, self.ticks)

    @cached_property
    def limits(self) -> Limits:
        """How often each may."""
        return Limits(self.ticks)

    @cached_property
    def running_requests(self) -> RunningRequests:
        """What is being worked on under an Idempotency-Key."""
        return RunningRequests()
