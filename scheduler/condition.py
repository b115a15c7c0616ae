"""How each channel is just now, for whoever operates it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from campaigns.tables import Message
from channels.base import Channel
from core.program import Program
from scheduler.claim import IS_WAITING
from scheduler.throttle import CHANNEL
from scheduler.warm_up import quota_of

MESSAGE = Message.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Condition:
    """`places` and `used` are today's of the warm-up plan, None and 0 without one; `waiting` messages are
    planned or deferred. While `open_until` lies ahead the provider is left alone, for `reason`.
    """

    channel: str
    transport: str
    rate: str | None
    places: int | None
    used: int
    waiting: int
    paused_at: datetime | None = None
    paused_reason: str | None = None
    broken_since: datetime | None = None
    open_until: datetime | None = None
    reason: str | None = None

    def left_alone(self, at: datetime) -> bool:
        """Whether its provider is asked only now and then."""
        return self.open_until is not None and self.open_until > at

    @property
    def full(self) -> bool:
        """Whether today's places of the warm-up plan are used."""
        return self.places is not None and self.used >= self.places

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {name: it.isoformat() if isinstance(it, datetime) else it for name, it in asdict(self).items()}


def conditions(
    connection: Connection, channels: Mapping[str, Channel[Any, Any, Any]], program: Program, at: datetime
) -> Sequence[Condition]:
    """Every channel of a program, by name."""
    states = {row.channel: row for row in connection.execute(select(CHANNEL))}
    counted = select(MESSAGE.c.channel, func.count()).where(IS_WAITING).group_by(MESSAGE.c.channel)
    waiting: dict[str, int] = {name: number for name, number in connection.execute(counted)}  # noqa: C416 - rows are no tuples to mypy
    return [
        _condition(channel, program, states.get(name), waiting.get(name, 0), at)
        for name, channel in sorted(channels.items())
    ]


def _condition(
    channel: Channel[Any, Any, Any], program: Program, state: Any, waiting: int, at: datetime
) -> Condition:
    quota, rate = quota_of(channel, program, at), channel.config.rate
    found = Condition(
        channel.name, channel.settings.transport, str(rate) if rate else None,
        quota.most if quota else None, 0, waiting,
    )  # fmt: skip
    if state is None:
        return found
    used = state.day_count if quota and state.day == quota.day else 0
    return Condition(
        found.channel, found.transport, found.rate, found.places, used, waiting, state.paused_at,
        state.paused_reason, state.broken_since, state.open_until if state.broken_since else None,
        state.reason if state.broken_since else None,
    )  # fmt: skip
