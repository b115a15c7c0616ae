"""How fast a channel may go, and when it is left alone: one row a channel, shared by all senders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection, literal, select, update

from channels import Accepted, Channel, Failed, Outcome, Unknown
from core.db import UtcDateTime, insert_ignoring, upsert
from core.db.hot import Hot
from core.units import Rate
from scheduler.tables import ChannelState

CHANNEL = ChannelState.__table__  # type: ignore[attr-defined]
LOG = structlog.get_logger("tidings.delivery")
_LEARNED = ("failures", "open_until", "reason", "broken_since")

# What a kill leaves unknown is at most a chunk for each delivery under way.
CHUNK = 100
# Where it is sent again under the same name, and as many leave in a second.
LARGE_CHUNK = 1_000
# A provider that has just failed is tried with so many messages first.
PROBE = 5
# How long a provider is left alone that refuses us for a reason of our own, or does not answer at all.
BREAK = timedelta(minutes=1)
LONGEST_BREAK = timedelta(hours=1)
BREAK_AFTER = 20
# Ours to mend, but for one recipient or text only: no reason to stop the others.
OF_ONE_MESSAGE = (
    "region_disabled", "no_route", "text_too_long", "price_too_high", "outside_window",
    "template_not_approved",
)  # fmt: skip
# Said of one mailbox: nothing follows for the provider, and the try was the message's own.
OF_ONE_MAILBOX = ("mailbox_full", "deferred", "deferred_by_policy")
# Of one recipient it tells of its message; of all of them, that nobody wants mail from us now.
AGAINST_US = ("blocked_by_policy", "deferred_by_policy")


@dataclass(frozen=True, slots=True)
class Leave:
    """What may be claimed now: at most `limit` messages, or none before `until`."""

    limit: int
    until: datetime | None = None


class _State(NamedTuple):
    """A channel's row: asked twice for each chunk."""

    paused_at: datetime | None
    open_until: datetime | None
    next_at: datetime | None
    failures: int
    reason: str | None
    broken_since: datetime | None


_STATE = Hot(*(CHANNEL.c[name] for name in _State._fields), tail="FROM channel_state WHERE channel = {}")


def chunk_of(channel: Channel[Any, Any, Any], in_a_second: int = 0) -> int:
    """How many messages are claimed at a time: few, where an interrupted one is not sent again; else as many
    as left `in_a_second`, within bounds.
    """
    if channel.policy == "at_most_once":
        return min(CHUNK, 2 * int(channel.settings.concurrency))
    return max(CHUNK, min(LARGE_CHUNK, in_a_second))


def ask(connection: Connection, channel: str, rate: Rate | None, chunk: int, at: datetime) -> Leave:
    """Whether a chunk of the channel may go. With a rate, other senders wait until the transaction ends."""
    state: Any = known(connection, channel) if rate is not None else _state(connection, channel)
    if state is None:
        return Leave(_most(rate, chunk))
    if state.paused_at is not None or (state.open_until is not None and state.open_until > at):
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


def _state(connection: Connection, channel: str) -> _State | None:
    return next((_State._make(row) for row in _STATE(connection, channel)), None)


def known(connection: Connection, channel: str) -> Any:
    """The channel's row, which others wait for until the transaction ends."""
    if connection.scalar(select(CHANNEL.c.channel).where(CHANNEL.c.channel == channel)) is None:
        connection.execute(insert_ignoring(connection, CHANNEL).values(channel=channel, failures=0))
    return connection.execute(select(CHANNEL).where(CHANNEL.c.channel == channel).with_for_update()).one()


def resting(connection: Connection, at: datetime) -> set[str]:
    """The channels by which nothing leaves now: paused, or left alone."""
    alone = CHANNEL.c.open_until > literal(at, UtcDateTime)
    return set(connection.scalars(select(CHANNEL.c.channel).where(alone | CHANNEL.c.paused_at.is_not(None))))


def paused(connection: Connection) -> set[str]:
    """The channels that somebody has paused."""
    return set(connection.scalars(select(CHANNEL.c.channel).where(CHANNEL.c.paused_at.is_not(None))))


def pause(connection: Connection, channel: str, at: datetime, reason: str | None = None) -> None:
    """Nothing leaves by the channel until it is resumed: its messages wait. The first of two stands."""
    if known(connection, channel).paused_at is None:
        own = update(CHANNEL).where(CHANNEL.c.channel == channel)
        connection.execute(own.values(paused_at=at, paused_reason=reason))


def resume(connection: Connection, channel: str) -> bool:
    """Let the channel go on; false if it was not paused."""
    mine = (CHANNEL.c.channel == channel) & CHANNEL.c.paused_at.is_not(None)
    done = connection.execute(update(CHANNEL).where(mine).values(paused_at=None, paused_reason=None))
    return bool(done.rowcount)


def judge(connection: Connection, channel: str, outcomes: Sequence[Outcome], at: datetime) -> str | None:
    """Learn from a chunk how the provider is; the reason if it is to be left alone for a while.

    It is if it refuses us altogether (configuration), or if twenty tries in a row brought no answer, "later"
    or a refusal by policy, and none was taken over. Any other permanent failure tells of its message only,
    and a "later" that was said of one mailbox, of that mailbox.
    """
    state: Any = _state(connection, channel)
    before = (state.failures, state.open_until, state.reason) if state else (0, None, None)
    now = _learned(before[0], outcomes, at) if outcomes else None
    if now is None:
        return None
    if now != before:
        since = state.broken_since if state else None
        row = dict(zip(_LEARNED, (*now, _broken_since(since, channel, now, at)), strict=True))
        connection.execute(upsert(connection, CHANNEL, ["channel"], _LEARNED).values(channel=channel, **row))
    return now[2] if now[1] is not None else None


def _broken_since(
    since: datetime | None, channel: str, now: tuple[int, datetime | None, str | None], at: datetime
) -> datetime | None:
    """When the provider was first left alone; said in the log once, and once that it is well again."""
    failures, until, reason = now
    if until is not None and since is None:
        LOG.warning("channel left alone for a while", channel=channel, reason=reason)
        return at
    if not failures and since is not None:
        LOG.info("channel works again", channel=channel)
    return since if failures else None


def _learned(
    failures: int, outcomes: Sequence[Outcome], at: datetime
) -> tuple[int, datetime | None, str | None] | None:
    if any(isinstance(it, Accepted) for it in outcomes):
        return 0, None, None
    failed = [it for it in outcomes if isinstance(it, Failed)]
    ours = [it for it in failed if it.kind == "configuration" and it.reason not in OF_ONE_MESSAGE]
    late: list[Failed | Unknown] = [it for it in outcomes if isinstance(it, Unknown)]
    late += [it for it in failed if is_of_provider(it) or it.reason in AGAINST_US]
    if not ours and not late:
        return None
    count = failures + len(ours) + len(late)
    reason = [*ours, *late][0].reason
    return count, at + _pause(failed) if ours or count >= BREAK_AFTER else None, reason


def is_of_provider(outcome: Failed) -> bool:
    """Whether a "later" concerns whatever goes to the provider now, not one mailbox."""
    return outcome.kind == "temporary" and outcome.reason not in OF_ONE_MAILBOX


def _pause(failed: Sequence[Failed]) -> timedelta:
    asked = max((it.retry_after or 0.0 for it in failed), default=0.0)
    return min(max(BREAK, timedelta(seconds=asked)), LONGEST_BREAK)
