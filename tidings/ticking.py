"""One tick of a workspace: wired, opened, run, closed."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from core.clock import Clock
from core.collecting import collecting_seldom
from scheduler.cards import CardsDone
from scheduler.tick import Ticked, tick
from tidings.cards import cards_of
from tidings.workspace import Workspace

if TYPE_CHECKING:
    from campaigns.running import Running


def run_tick(here: Workspace, running: "Running", clock: Clock) -> tuple[Ticked, CardsDone]:
    """One look, one delivery, one round of the cards.

    EnvironmentFault if a credential is missing, before anything is decided.
    """
    with collecting_seldom():
        return asyncio.run(_run(here, running, clock))


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
