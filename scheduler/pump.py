"""The pump: jobs for what is due, so many that every hand of a channel is busy, and no more; PostgreSQL only.

A job is a token. One too many finds nothing to do; one too few is made up for by the next stroke.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from channels import discover
from channels.base import Channel
from scheduler import jobs
from scheduler.claim import count_due
from scheduler.presence import MISSING, PROCESS
from scheduler.throttle import CHUNK, chunk_of, resting

AnyChannel = Channel[Any, Any, Any]

# Jobs of one channel that are open at a time: a longer line would slow down how jobs are fetched.
MOST_OPEN = 1_000
# Jobs that a look defers for one channel, each for so many messages: the pump follows within a second.
AT_FIRST = 8
A_JOB = 500


def pump(connection: Connection, channels: Mapping[str, AnyChannel], at: datetime) -> Counter[str]:
    """Defer jobs for what is due; channel → how many.

    One for each chunk that is due, as long as there are hands for it. `channels` are those that can be made
    here: of another one the chunks are guessed, for it may well be whole where the hands are.
    """
    hands, down = _hands(connection, at), resting(connection, at)
    opened = jobs.opened(connection, jobs.DELIVER)
    found: Counter[str] = Counter()
    for name in discover():
        room = min(hands[name], MOST_OPEN) - opened.get(jobs.queue_of(name), 0)
        if name not in down and room > 0:
            chunk = chunk_of(channels[name]) if name in channels else CHUNK
            found[name] = -(-count_due(connection, name, at, room * chunk) // chunk)
            _defer(connection, name, found[name])
    return +found


def planned(connection: Connection, by_channel: Mapping[str, int]) -> None:
    """Defer the first jobs for what a look has planned (channel → messages), in its own transaction.

    None beyond those that wait already: of a channel by which nobody delivers they would become ever more.
    """
    opened = jobs.opened(connection, jobs.DELIVER) if by_channel else {}
    for name, count in sorted(by_channel.items()):
        room = AT_FIRST - opened.get(jobs.queue_of(name), 0)
        _defer(connection, name, max(0, min(room, -(-count // A_JOB))))


def _hands(connection: Connection, at: datetime) -> Counter[str]:
    """Channel → how many jobs may be done for it at a time, by all processes that live."""
    alive = PROCESS.c.concurrency.is_not(None) & (PROCESS.c.seen_at > at - MISSING)
    found: Counter[str] = Counter()
    for row in connection.execute(select(PROCESS.c.channels, PROCESS.c.concurrency).where(alive)):
        found.update(dict.fromkeys(discover() if row.channels is None else row.channels, row.concurrency))
    return found


def _defer(connection: Connection, channel: str, count: int) -> None:
    jobs.defer(connection, jobs.DELIVER, [{"channel": channel}] * count, queue=jobs.queue_of(channel))
