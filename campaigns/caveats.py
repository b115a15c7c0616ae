"""What a look at an earlier time sees as it is today, or no more: nothing keeps how it was then."""

from datetime import datetime

from sqlalchemy import Connection, func, literal, select

from campaigns.gone import missing
from core.db import UtcDateTime
from core.events import EVENT


def caveats(connection: Connection, at: datetime) -> list[str]:
    """What a look at `at` sees as it is today, in sentences; none if nothing was recorded since."""
    since = EVENT.c.recorded_at > literal(at, UtcDateTime)
    if connection.scalar(select(EVENT.c.id).where(since).limit(1)) is None:
        return []
    mine = select(func.count(EVENT.c.customer_id.distinct())).where(since)
    changed = connection.scalar(mine.where(EVENT.c.kind == "profile_changed")) or 0
    erased = connection.scalar(mine.where(EVENT.c.kind == "customer_erased")) or 0
    profiles = "city, language, birthday and the rest of a profile are as they are today"
    said = [f"{profiles} ({changed:,} customers changed theirs since)" if changed else profiles]
    said.append(
        "a suppression that was lifted since, or an address that was taken away, is seen as never there"
    )
    if erased:
        said.append(f"{erased:,} customers who were erased since are left out")
    return said + missing(connection, at)
