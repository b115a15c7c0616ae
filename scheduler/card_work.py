"""Many phones to be woken at once: other processes help.

Objects at Google are not shared out: Google counts the requests of an issuer, and one process makes as many
as it allows.
"""

from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Connection, func, select

from scheduler import jobs
from wallet.apple.owing import BATCH
from wallet.tables import DEVICE

if TYPE_CHECKING:
    from scheduler.hands import Tools

LOG = structlog.get_logger("tidings.cards")

# So many processes wake phones at a time, beside the one that found them due.
HELPERS_AT_MOST = 8


def ask_for_hands(connection: Connection, now: datetime) -> None:
    """Defer jobs where more phones are due than one claim takes; PostgreSQL only."""
    some = select(DEVICE.c.device).where(DEVICE.c.push_at <= now).limit(HELPERS_AT_MOST * BATCH)
    due = connection.scalar(select(func.count()).select_from(some.subquery())) or 0
    wanted = min(due // BATCH, HELPERS_AT_MOST) - jobs.opened(connection, jobs.CARDS).get(jobs.CARDS, 0)
    jobs.defer(connection, jobs.CARDS, [{}] * max(0, wanted), queue=jobs.CARDS)


async def lend_a_hand(tools: "Tools") -> None:
    """The job: wake phones until none is due."""
    if pushed := await tools.cards.wake():
        LOG.info("cards", pushes=dict(pushed))
