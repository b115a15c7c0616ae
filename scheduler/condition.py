"""How each channel is just now, for whoever operates it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from campaigns.tables import Message
from channels.base import Channel
from channels.discovery import usable
from core.program import Program
from scheduler.claim import IS_WAITING
from scheduler.throttle import CHANNEL
from scheduler.warm_up import quota_of

MESSAGE = Message.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Condition:
    """`places` and `used` are today's of the warm-up plan, None and 0 without one; `waiting` messages are
    planned or deferred. While `open_until` lies ahead the provider is left alone, for `reason`. `wrong` is
    what keeps the channel from being made here, so that nobody knows by what transport it sends.
    """

    channel: str
    transport: str | None
    rate: str | None
    places: int | None
    used: int
    waiting: int
    paused_at: datetime | None = None
    paused_reason: str | None = None
    broken_since: datetime | None = None
    open_until: datetime | None = None
    reason: str | None = None
    wrong: str | None = None

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
    """Every channel of a program, by name; what is set up wrongly in one hides no other."""
    made, wrong = usable(channels)
    states = {row.channel: row for row in connection.execute(select(CHANNEL))}
    counted = select(MESSAGE.c.channel, func.count()).where(IS_WAITING).group_by(MESSAGE.c.channel)
    waiting: dict[str, int] = {name: number for name, number in connection.execute(counted)}  # noqa: C416 - rows are no tuples to mypy
    return [
        _condition(
            Condition(name, None, None, None, 0, waiting.get(name, 0), wrong=wrong.get(name)),
            made.get(name), program, states.get(name), at,
        )
        for name in sorted(channels)
    ]  # fmt: skip


def _condition(
    found: Condition, channel: Channel[Any, Any, Any] | None, program: Program, state: Any, at: datetime
) -> Condition:
    quota = quota_of(channel, program, at) if channel else None
    if channel:
        transport, rate = channel.settings.transport, channel.config.rate
        found = replace(
            found, transport=transport, rate=str(rate) if rate else None, places=quota.most if quota else None
        )
    if state is None:
        return found
    broken = state.broken_since is not None
    return replace(
        found, used=state.day_count if quota and state.day == quota.day else 0, paused_at=state.paused_at,
        paused_reason=state.paused_reason, broken_since=state.broken_since,
        open_until=state.open_until if broken else None, reason=state.reason if broken else None,
    )  # fmt: skip
