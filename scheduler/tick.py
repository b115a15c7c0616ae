"""One tick: what is over, who is due, what leaves, which cards change. Everything `serve` does, once."""

from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from campaigns.versions import Live
from channels.base import Channel
from core import tiers
from core.clock import Clock
from core.db import Database
from core.grants import granting
from core.ledger import expiry
from core.links import Links
from scheduler.asking import Asked, Asking
from scheduler.delivery import Delivered, Delivery
from scheduler.letters import Letters
from scheduler.looks import Looked, Looks


@dataclass(slots=True)
class Ticked:
    """What one tick did; `letters`: how many of those that somebody waits for came to which state."""

    at: datetime
    expired_lots: int = 0
    moved_down: int = 0
    grants: int = 0
    looks: list[Looked] = field(default_factory=list)
    letters: Counter[str] = field(default_factory=Counter)
    asked: Asked = field(default_factory=Asked)
    delivered: Delivered = field(default_factory=Delivered)


def decide(
    database: Database, live: Live, clock: Clock, *, holdout_on: bool = True, says_again: bool = False
) -> Ticked:
    """The part before anything leaves: expiry, tiers, grants, looks (`campaigns.look.Looker`)."""
    at = clock.now()
    ticked = Ticked(at)
    program = live.running().program
    ticked.expired_lots = expiry.expire(database, program, at)
    ticked.moved_down = tiers.review_of_the_day(database, program, at) or 0
    ticked.grants = granting.give_what_is_due(database, program, at)
    ticked.looks = Looks(database, live, holdout_on=holdout_on, says_again=says_again).run(at)
    return ticked


async def tick(
    database: Database,
    live: Live,
    channels: Mapping[str, Channel[Any, Any, Any]],
    links: Links,
    clock: Clock,
    *,
    holdout_on: bool = True,
) -> Ticked:
    """One look at everything and one delivery."""
    ticked = decide(database, live, clock, holdout_on=holdout_on)
    ticked.letters = await Letters(
        database, live, links, clock, lambda name: nullcontext(channels[name])
    ).run()
    ticked.asked = await Asking(database, live, links, clock, lambda name: nullcontext(channels[name])).run()
    ticked.delivered = await Delivery(database, live, channels, links, clock).run()
    return ticked
