"""How fast a channel may go, and when it is left alone: one row a channel, shared by all senders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, literal, select, update

from channels import Accepted, Channel, Failed, Outcome, Unknown
from core.db import UtcDateTime, insert_ignoring, upsert
from core.units import Rate
from scheduler.tables import ChannelState

CHANNEL = ChannelState.__table__  # type: ignore[attr-defined]

# What a kill leaves unknown is at most a chunk.
CHUNK = 100
# A provider that has just failed is tried with so many messages first.
PROBE = 5
# How long a provider is left alone that refuses us for a reason of our own, or does not answer at all.
BREAK = timedelta(minutes=1)
LONGEST_BREAK = timedelta(hours=1)
BREAK_AFTER = 20
# Ours to mend, but for one recipient or text only: no reason to stop the others.
OF_ONE_MESSAGE = ("region_disabled", "no_route", "text_too_long")


@dataclass(frozen=True, slots=True)
class Leave:
    """What may be claimed now: at most `limit` messages, or none before `until`."""

    limit: int
    until: datetime | None = None


def chunk_of(channel: Channel[Any, Any, Any]) -> int:
    """How many messages are claimed at a time: few, where an interrupted one is not sent again."""
    if channel.policy == "at_most_once":
        return min(CHUNK, 2 * int(channel.settings.concurrency))
    return CHUNK


def ask(connection: Connection, channel: str, rate: Rate | None, chunk: int, at: datetime) -> Leave:
    """Whether a chunk of the channel may go. With a rate, other senders wait until the transaction ends."""
    state: Any = _state(connection, channel, locked=rate is not None)
    if state is None:
        return Leave(_most(rate, chunk))
    if state.open_until is not None and state.open_until > at:
        return Leave(0)
    if rate is not None and state.next_at is not None and state.next_at > at:
        return Leave(0, state.next_at)
    return Leave(_most(rate, min(PROBE, chunk) if state.failures else chunk))


def _most(rate: Rate | None, chunk: int) -> int:
    """A chunk, but no more than may leave in a second."""
    return min(chunk, max(1, int(rate.per_second))) if rate else chunk


def take(connection: Connection, channel: str, rate: Rate, count: int, at: datetime) -> None:
    """So many messages leave now: the next ones may when their time has passed."""
    next_at = at + timedelta(seconds=count / rate.per_second)
    connection.execute(update(CHANNEL).where(CHANNEL.c.channel == channel).values(next_at=next_at))


def _state(connection: Connection, channel: str, *, locked: bool) -> Any:
    own = select(CHANNEL).where(CHANNEL.c.channel == channel)
    if not locked:
        return connection.execute(own).first()
    if connection.scalar(select(CHANNEL.c.channel).where(CHANNEL.c.channel == channel)) is None:
        connection.execute(insert_ignoring(connection, CHANNEL).values(channel=channel, failures=0))
    return connection.execute(own.with_for_update()).one()


def broken(connection: Connection, at: datetime) -> set[str]:
    """The channels that are left alone now."""
    return set(
        connection.scalars(select(CHANNEL.c.channel).where(CHANNEL.c.open_until > literal(at, UtcDateTime)))
    )


def judge(connection: Connection, channel: str, outcomes: Sequence[Outcome], at: datetime) -> str | None:
    """Learn from a chunk how the provider is; the reason if it is to be left alone for a while.

    It is if it refuses us altogether (configuration), or if twenty tries in a row brought no answer or
    "later", and none was taken over. A permanent failure tells of its message only.
    """
    state: Any = _state(connection, channel, locked=False)
    before = (state.failures, state.open_until, state.reason) if state else (0, None, None)
    now = _learned(before[0], outcomes, at) if outcomes else None
    if now is None:
        return None
    if now != before:
        names = ("failures", "open_until", "reason")
        row = dict(zip(names, now, strict=True))
        connection.execute(upsert(connection, CHANNEL, ["channel"], names).values(channel=channel, **row))
    return now[2] if now[1] is not None else None


def _learned(
    failures: int, outcomes: Sequence[Outcome], at: datetime
) -> tuple[int, datetime | None, str | None] | None:
    if any(isinstance(it, Accepted) for it in outcomes):
        return 0, None, None
    failed = [it for it in outcomes if isinstance(it, Failed)]
    ours = [it for it in failed if it.kind == "configuration" and it.reason not in OF_ONE_MESSAGE]
    late: list[Failed | Unknown] = [it for it in outcomes if isinstance(it, Unknown)]
    late += [it for it in failed if it.kind == "temporary"]
    if not ours and not late:
        return None
    count = failures + len(ours) + len(late)
    reason = [*ours, *late][0].reason
    return count, at + _pause(failed) if ours or count >= BREAK_AFTER else None, reason


def _pause(failed: Sequence[Failed]) -> timedelta:
    asked = max((it.retry_after or 0.0 for it in failed), default=0.0)
    return min(max(BREAK, timedelta(seconds=asked)), LONGEST_BREAK)
