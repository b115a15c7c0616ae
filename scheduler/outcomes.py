"""What follows from each outcome: sent, tried again, another channel, suppressed, unknown.

What counts as a try: one that reached the provider, or could have. A message that waits because the whole
channel is broken, or that was never begun, keeps its tries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Any

import structlog
from sqlalchemy import Connection, func, select, update

from campaigns.running import Running
from campaigns.scenario import Scenario
from campaigns.states import keep_states
from campaigns.tables import WAITING, Attempt, Feedback, Message
from channels import Accepted, AddressFault, Failed, Outcome, Unknown
from channels.base import Channel
from channels.transport import INTERRUPTED, NOT_BEGUN, PAUSED
from core.db import bucket_of, insert_many
from core.db.sets import among
from core.units import Duration
from scheduler import tally
from scheduler.claim import MOST_TRIES, Claimed
from scheduler.closing import close_address, close_used
from scheduler.mailboxes import give_up_refused
from scheduler.marking import Acceptance, accept
from scheduler.outbox import Turn, anchor, doubtful, ended, keep_attempts, moved, write
from scheduler.reach import MessageRow, Reach, after, left_behind, way_of
from scheduler.throttle import OF_ONE_MAILBOX, OF_ONE_MESSAGE, is_of_provider, judge
from scheduler.warm_up import quota_of

ATTEMPT = Attempt.__table__  # type: ignore[attr-defined]
FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
LOG = structlog.get_logger("tidings.delivery")

FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(hours=1)
# Asked to come back at once, we still do not turn in a circle.
SHORTEST_RETRY = timedelta(seconds=1)
# How long a message waits for a provider that is down (RFC 5321, 4.5.4.1, has mail wait four to five days).
PATIENCE = timedelta(days=3)
# It was set aside before anything was done for it.
UNTRIED = (NOT_BEGUN, INTERRUPTED, PAUSED)


@dataclass(slots=True)
class Settled:
    """One message with its outcome, its cost and the locale that it went out in."""

    claimed: Claimed
    outcome: Outcome
    cost: Decimal | None = None
    locale: str | None = None


@dataclass(slots=True)
class Settlement:
    """What became of a chunk: outcome name → how many. `lost` outcomes came after the lease was over."""

    counts: dict[str, int] = field(default_factory=dict)
    cost: dict[str, Decimal] = field(default_factory=dict)
    breaker: str | None = None
    lost: int = 0

    def count(self, name: str) -> None:
        """One more."""
        self.counts[name] = self.counts.get(name, 0) + 1


def settle(
    connection: Connection, running: Running, channel: Channel[Any, Any, Any], fence: str,
    settled: Sequence[Settled], at: datetime,
) -> Settlement:  # fmt: skip
    """Record outcomes in one transaction, only where the fence still holds: a later owner's word stands."""
    return _Settling(connection, running, channel, fence, at).run(settled)


class _Settling:
    def __init__(
        self, connection: Connection, running: Running, channel: Channel[Any, Any, Any], fence: str,
        at: datetime,
    ) -> None:  # fmt: skip
        self.connection, self.running, self.channel = connection, running, channel
        self.fence, self.at = fence, at
        self.settlement = Settlement()
        # Of these an earlier try may have left.
        self.perhaps: set[int] = set()

    def run(self, settled: Sequence[Settled]) -> Settlement:
        accepted = self._accepted(settled)
        others = self._owned([it for it in settled if not isinstance(it.outcome, Accepted)])
        self.settlement.lost = len(settled) - len(accepted) - len(others)
        self.perhaps = doubtful(self.connection, [it.claimed.row for it in others if it.claimed.row.tries])
        tried = [it for it in others if not _not_begun(it.outcome)]
        begun = [(it.claimed.row, it.claimed.row.tries + 1, it.outcome) for it in tried]
        keep_attempts(self.connection, begun, self.at)
        heard = [it.outcome for it in (*accepted, *tried) if not _told_before(it)]
        self.settlement.breaker = judge(self.connection, self.channel.name, heard, self.at)
        self._give_places_back(others)
        for it in tried:
            self._close_address(it)
        give_up_refused(self.connection, [(it.claimed, it.outcome) for it in tried], self.at)
        turns = self._cascades(
            [self._turn(it, it.outcome) for it in others if not isinstance(it.outcome, Accepted)]
        )
        write(self.connection, turns, self.at)
        for turn in turns:
            self._count(turn)
        return self.settlement

    def _accepted(self, settled: Sequence[Settled]) -> Sequence[Settled]:
        """Record what was taken over; returns what of it was still ours."""
        given = [
            self._acceptance(it, it.outcome.provider_id) for it in settled if isinstance(it.outcome, Accepted)
        ]
        mine = accept(self.connection, self.channel.name, self.fence, given, self.at)
        owned = [it for it in settled if it.claimed.row.id in mine]
        for it in owned:
            self.settlement.count("sent")
            if it.cost is not None:
                scenario = it.claimed.row.scenario
                self.settlement.cost[scenario] = self.settlement.cost.get(scenario, Decimal(0)) + it.cost
        return owned

    def _acceptance(self, it: Settled, provider_id: str) -> Acceptance:
        row = it.claimed.row
        cost = row.cost if it.cost is None else it.cost + Decimal(str(row.cost or 0))
        wait = confirmed_by(self.channel, it.claimed.scenario, row)
        fallback_at = wait.after(self.at, self.running.program.zone) if wait else None
        return Acceptance(row, provider_id, cost, it.locale, fallback_at)

    def _give_places_back(self, owned: Sequence[Settled]) -> None:
        stayed = [it.claimed.row.id for it in owned if isinstance(it.outcome, Failed)]
        if not stayed or self.channel.config.warm_up is None:
            return
        begun = select(func.max(MESSAGE.c.changed_at)).where(among(MESSAGE.c.id, stayed))  # when claimed
        quota = quota_of(self.channel, self.running.program, self.connection.scalar(begun) or self.at)
        if quota is not None:
            quota.give_back(self.connection, len(stayed))

    def _owned(self, some: Sequence[Settled]) -> Sequence[Settled]:
        """Those under our fence, held until the transaction ends."""
        if not some:
            return ()
        own = select(MESSAGE.c.id).where(
            among(MESSAGE.c.id, [it.claimed.row.id for it in some]),
            MESSAGE.c.state == "sending", MESSAGE.c.fence == self.fence,
        )  # fmt: skip
        mine = set(self.connection.scalars(own.with_for_update()))
        return [it for it in some if it.claimed.row.id in mine]

    def _turn(self, it: Settled, outcome: Failed | Unknown) -> Turn:
        """What follows where nobody took it over."""
        if isinstance(outcome, Unknown) and self.channel.policy == "at_most_once":
            return ended(it.claimed.row, "unknown", outcome.reason, outcome.reason)
        if isinstance(outcome, Failed) and outcome.kind == "permanent":
            # What came of an earlier try nobody knows, unless there is no such mailbox.
            perhaps = it.claimed.row.id in self.perhaps and outcome.address != "dead"
            over = ended(it.claimed.row, "unknown", outcome.reason, outcome.reason)
            return over if perhaps else _failed(it.claimed.row, outcome.reason)
        return self._again(it, outcome)

    def _again(self, it: Settled, outcome: Failed | Unknown) -> Turn:
        row, free = it.claimed.row, self._is_free(outcome)
        tries = row.tries if free else row.tries + 1
        # What may have left is never said to have failed, and nobody is told twice.
        uncertain = isinstance(outcome, Unknown) or row.id in self.perhaps
        if tries >= MOST_TRIES or (free and self._waited_too_long(row, outcome)):
            return (
                ended(row, "unknown", outcome.reason, outcome.reason)
                if uncertain
                else _failed(row, outcome.reason)
            )
        due = self.at + _pause(row, outcome)
        if row.expires_at is not None and due >= row.expires_at:
            return ended(row, "unknown" if uncertain else "expired", outcome.reason, outcome.reason)
        return Turn(row, "planned", outcome.reason, {"due_at": due, "tries": tries})

    def _is_free(self, outcome: Failed | Unknown) -> bool:
        """Whether the message is not to blame: it waits, and this was no try of its own."""
        if isinstance(outcome, Unknown):
            return False
        is_broken = self.settlement.breaker is not None and is_of_provider(outcome)
        return outcome.kind == "configuration" or _not_begun(outcome) or is_broken

    def _waited_too_long(self, row: MessageRow, outcome: Failed | Unknown) -> bool:
        # What is ours to mend for all messages waits as long as the message is valid.
        ours = (
            isinstance(outcome, Failed)
            and outcome.kind == "configuration"
            and outcome.reason not in OF_ONE_MESSAGE
        )
        return not ours and not _not_begun(outcome) and row.planned_at + PATIENCE <= self.at

    def _cascades(self, turns: Sequence[Turn]) -> list[Turn]:
        """What failed goes on to its next channel, at once."""
        reach = Reach(
            self.connection, self.running, self.at, [turn.row for turn in turns if turn.state == "failed"]
        )
        return [
            onward_or_over(turn.row, turn.reason or "", reach, self.at) if turn.state == "failed" else turn
            for turn in turns
        ]

    def _count(self, turn: Turn) -> None:
        if turn.state == "unknown":
            LOG.warning("unknown", message=turn.row.id, channel=self.channel.name, reason=turn.reason)
        waits = "fallback" if "channel" in turn.values else "retry"
        self.settlement.count(waits if turn.state == "planned" else turn.state)

    def _close_address(self, it: Settled) -> None:
        if isinstance(it.outcome, Failed) and it.outcome.address is not None:
            row, fault, reason = it.claimed.row, it.outcome.address, it.outcome.reason
            close_address(self.connection, row, row.channel, it.claimed.address, fault, reason, self.at)


def _failed(row: MessageRow, reason: str) -> Turn:
    return Turn(row, "failed", reason)


def onward_or_over(row: MessageRow, reason: str, reach: Reach, at: datetime) -> Turn:
    """A failure on one channel: on to the next one that is open, at once, or failed for good."""
    onward = reach.onward(row)
    return (
        moved(row, onward, reason, at) if onward else ended(row, "failed", reason, f"{row.channel}: {reason}")
    )


def confirmed_by(
    channel: Channel[Any, Any, Any], scenario: Scenario | None, row: MessageRow
) -> Duration | None:
    """How long to wait for word that it arrived, where somebody tells and a channel is left."""
    return fallback_after(scenario, row) if channel.is_reported and after(row) else None


def fallback_after(scenario: Scenario | None, row: MessageRow) -> Duration | None:
    """How long the message's step waits for a confirmation; None if it does not, or is gone."""
    steps = scenario.steps if scenario else ()
    return next((step.fallback_after for step in steps if step.id == row.step), None)


def _told_before(it: Settled) -> bool:
    """A few who are greylisted again and again are no twenty that are."""
    return it.claimed.row.tries > 0 and getattr(it.outcome, "reason", None) in OF_ONE_MAILBOX


def _not_begun(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.reason in UNTRIED


def _pause(row: MessageRow, outcome: Failed | Unknown) -> timedelta:
    if _not_begun(outcome):
        return timedelta(0)
    if isinstance(outcome, Failed) and outcome.retry_after is not None:
        return max(SHORTEST_RETRY, timedelta(seconds=outcome.retry_after))
    if isinstance(outcome, Failed) and outcome.kind == "configuration":
        return LONGEST_RETRY if outcome.reason in OF_ONE_MESSAGE else timedelta(minutes=1)
    pause: timedelta = min(FIRST_RETRY * 2 ** min(row.tries, MOST_TRIES), LONGEST_RETRY)
    # Spread over half as much again, by the message, so that a provider's recovery is not a stampede.
    return pause * (1 + bucket_of(f"{row.id}:{row.tries}") / 2**33)


DELIVERED = ("delivered", "read")
UNDELIVERED = ("undelivered", "failed", "bounced")


class Heard(IntEnum):
    """What a report is to us; false only if its message is not ours."""

    NOT_OURS = 0
    REPEATED = 1
    NEWS = 2


def confirm(
    connection: Connection, provider_id: str, kind: str, detail: str | None, at: datetime,
    *, address: AddressFault | None = None,
) -> Heard:  # fmt: skip
    """What was reported of a message. What is no end (`sent`, `complained`) is kept and changes nothing.

    `address` is what an undelivered message tells of the address. Reports may come twice and out of order:
    the first final one stands. NOT_OURS also if the message is not ours yet: a report may overtake the chunk
    in which its message left, so ask again for some seconds. What follows from a report elsewhere is done
    once, when it is NEWS.
    """
    row = connection.execute(
        select(MESSAGE).where(MESSAGE.c.provider_id == provider_id).with_for_update()
    ).first()
    if row is None or (row.accepted_at is None and row.state in (*WAITING, "sending")):
        late = _heard_too_late(connection, provider_id, kind, detail, at, address)
        if late is not Heard.NOT_OURS or row is None:
            return late
    channel = way_of(connection, row, provider_id)
    heard = note(connection, row, channel, kind, detail, at)
    values = dict(_reported(row, kind, detail, at))
    if not values:
        return heard
    if kind in UNDELIVERED and address is not None:
        close_used(connection, row, channel, row.accepted_at, address, detail or kind, at)
    if values.get("state") == "delivered":
        values["channel"] = channel
    connection.execute(update(MESSAGE).where(MESSAGE.c.id == row.id).values(changed_at=at, **values))
    keep_states(connection, [row.id] if "state" in values else [])
    if values.get("state") == "delivered" and row.state in WAITING:
        # The planned fallback held up the wait for the next step; there is none now.
        anchor(connection, [row.id], row.accepted_at)
    return heard


def _heard_too_late(
    connection: Connection, provider_id: str, kind: str, detail: str | None, at: datetime,
    address: AddressFault | None,
) -> Heard:  # fmt: skip
    """Of a way from which the message has gone on for good: it stays as it is. What is said of the address
    counts.
    """
    tried = left_behind(connection, provider_id)
    own = select(MESSAGE).where(MESSAGE.c.id == tried.message_id).with_for_update() if tried else None
    row = connection.execute(own).first() if own is not None else None
    if tried is None or row is None:
        return Heard.NOT_OURS
    heard = note(connection, row, tried.channel, kind, detail, at)
    if heard is Heard.NEWS and kind in UNDELIVERED and address is not None:
        close_used(connection, row, tried.channel, tried.at, address, detail or kind, at)
    return heard


def note(
    connection: Connection, row: MessageRow, channel: str, kind: str, detail: str | None, at: datetime
) -> Heard:
    """Keep what was reported of a message, once for each time it was taken over; nothing else changes."""
    if not _is_news(connection, row, channel, kind, detail):
        return Heard.REPEATED
    report = {"message_id": row.id, "customer_id": row.customer_id, "kind": kind, "detail": detail, "at": at}
    insert_many(connection, FEEDBACK, [report])
    tally.report(connection, channel, kind)
    return Heard.NEWS


def _is_news(connection: Connection, row: MessageRow, channel: str, kind: str, detail: str | None) -> bool:
    """Not heard yet, or heard of an earlier try: one that was made by hand may come to the same end."""
    same = (FEEDBACK.c.kind == kind) & FEEDBACK.c.detail.is_not_distinct_from(detail)
    heard = connection.scalar(select(func.max(FEEDBACK.c.at)).where(FEEDBACK.c.message_id == row.id, same))
    if heard is None:
        return True
    taken_over = (ATTEMPT.c.channel == channel) & (ATTEMPT.c.outcome == "accepted")
    left = connection.scalar(select(func.max(ATTEMPT.c.at)).where(ATTEMPT.c.message_id == row.id, taken_over))
    return left is not None and left > heard


def _reported(row: MessageRow, kind: str, detail: str | None, at: datetime) -> Mapping[str, Any]:
    """What a report changes in the row of its message; nothing if it is late, or not final."""
    if row.accepted_at is None:
        return {}
    waits = row.state in WAITING
    if kind in DELIVERED and (waits or row.state == "sent"):
        # Confirmed after all, with the fallback planned but not yet claimed: nobody is told twice.
        return {"state": "delivered", "reason": None, "fallback_at": None}
    if kind in UNDELIVERED and waits:
        return {"accepted_at": None}
    if kind in UNDELIVERED and row.state == "sent":
        # The next delivery moves it to its next channel, or to *failed* (`fall_back`).
        return {"reason": detail or kind, "fallback_at": at, "accepted_at": None}
    return {}
