"""One tick of a workspace: wired, opened, run, closed."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from core.clock import Clock, SystemClock
from core.collecting import collecting_seldom
from core.db import Database
from core.errors import UserError
from scheduler.cards import CardsDone
from scheduler.presence import MISSING, present
from scheduler.tick import Ticked, tick
from tidings.cards import cards_of
from tidings.console import local
from tidings.workspace import Workspace

if TYPE_CHECKING:
    from campaigns.running import Running


# Clocks of two machines may differ.
AHEAD = timedelta(hours=1)


def run_tick(here: Workspace, running: "Running", clock: Clock) -> tuple[Ticked, CardsDone]:
    """One look, one delivery, one round of the cards.

    EnvironmentFault if a credential is missing, before anything is decided.
    """
    with collecting_seldom():
        return asyncio.run(_run(here, running, clock))


def one_clock(database: Database, clock: Clock, zone: ZoneInfo) -> None:
    """UserError for a time yet to come on a database on which processes work by the real one.

    Bonuses would be written off and messages sent that are not due, and nothing brings them back.
    """
    now = SystemClock().now()
    if clock.now() <= now + AHEAD:
        return
    with database.read() as connection:
        at_work = [it for it in present(connection) if now - it.seen_at < MISSING]
    if at_work:
        it, day = at_work[0], local(clock.now(), zone)
        raise UserError(
            f"{it.kind} on {it.host} (process {it.pid}) works on this database by the real time; try out "
            f"{day} on a copy of it, or see `tidings dry-run --at`"
        )


async def _run(here: Workspace, running: "Running", clock: Clock) -> tuple[Ticked, CardsDone]:
    channels = here.channels(running.program)
    cards = cards_of(here, clock)
    try:
        for channel in channels.values():
            await channel.open()
        ticked = await tick(here.database, here.live, channels, here.links(running.program), clock)
        return ticked, await cards.beat(timedelta(0))
    finally:
        await cards.close()
        for channel in channels.values():
            await channel.close()
