"""The day's places of a channel that is being warmed up, shared by all its senders.

A place is taken when a message is claimed, so that senders side by side keep to one plan, and given back if
it certainly did not leave. Whoever dies with a message keeps its place: it may have left.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, update

from channels.base import Channel
from core.program import Program
from scheduler.throttle import CHANNEL, known


@dataclass(frozen=True, slots=True)
class Quota:
    """At most so many messages leave by a channel on this day of the program."""

    channel: str
    day: date
    most: int

    def room(self, connection: Connection) -> int:
        """How many places are left. Until the transaction ends, other senders of the channel wait."""
        return max(0, self.most - self._used(connection))

    def take(self, connection: Connection, count: int) -> None:
        """So many messages leave, whatever their purpose."""
        if count:
            self._set(connection, self._used(connection) + count)

    def give_back(self, connection: Connection, count: int) -> None:
        """So many of those that were claimed on this day did not leave. On another one they count no more."""
        if count and (used := self._used(connection)):
            self._set(connection, max(0, used - count))

    def _used(self, connection: Connection) -> int:
        row = known(connection, self.channel)
        return row.day_count if row.day == self.day else 0

    def _set(self, connection: Connection, used: int) -> None:
        own = update(CHANNEL).where(CHANNEL.c.channel == self.channel)
        connection.execute(own.values(day=self.day, day_count=used))


def quota_of(channel: Channel[Any, Any, Any], program: Program, at: datetime) -> Quota | None:
    """What the channel's plan says of today; None if it has none that speaks of it."""
    day, plan = program.day_of(at), channel.config.warm_up
    most = plan.most_on(day) if plan else None
    return None if most is None else Quota(channel.name, day, most)
