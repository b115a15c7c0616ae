"""One channel's way through a delivery: how much goes at a time, and what was made of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from campaigns.running import Running
from channels import Failed, Outcome
from channels.base import Channel
from channels.transport import NOT_BEGUN, PAUSED
from core.units import Rate
from scheduler.claim import Claim
from scheduler.outcomes import Settled
from scheduler.throttle import chunk_of
from scheduler.wording import Prepared

AnyChannel = Channel[Any, Any, Any]

# Before the lease is over somebody else may take the message: nothing is begun in this last part of it.
MARGIN = 0.4
# The next chunk is as large as what left within so many seconds.
QUICK = 1.0


@dataclass(slots=True)
class Line:
    """One channel's way through a delivery: how much goes at a time, and whether its provider answers."""

    channel: AnyChannel
    ready_at: datetime
    taken: int = 0
    useful: bool = True
    size: int = 0
    speed: float = 0.0
    # The look at which a pause was found last, and scenario -> that of a halt: what was claimed before goes
    # no further.
    paused: int = 0
    halted: dict[str, int] = field(default_factory=dict)
    leaving: "Chunk | None" = None
    cut: bool = False

    def __post_init__(self) -> None:
        self.size = chunk_of(self.channel)

    @property
    def rate(self) -> Rate | None:
        """What the channel's configuration allows."""
        rate: Rate | None = self.channel.config.rate
        return rate

    def is_paused(self, chunk: "Chunk") -> bool:
        """Whether somebody paused the channel since the chunk was claimed; it may go on again by now."""
        return chunk.look < self.paused

    def holds_up(self, chunk: "Chunk") -> str:
        """Why what has not begun of a chunk does not leave now."""
        return PAUSED if self.cut or self.is_paused(chunk) else NOT_BEGUN

    @property
    def may_go_ahead(self) -> bool:
        """Whether the next chunk is made ready meanwhile: one that will not wait until its lease is over, and
        of which a kill leaves nothing unknown for ever.
        """
        return self.rate is None and self.channel.policy == "at_least_once" and self.is_quick

    @property
    def is_quick(self) -> bool:
        """Whether so much left of the last chunk within a second that the next one is larger."""
        return self.size > chunk_of(self.channel)

    def pause(self, look: int) -> None:
        """The channel was found paused: what was claimed before that look and has not begun goes back."""
        self.paused = look
        self.channel.pause()

    def halt(self, scenarios: Collection[str], look: int) -> None:
        """Somebody paused or cancelled scenarios: what has not begun of them goes back.

        All of a chunk under way does that has one of them; what is wanted is claimed again at once.
        """
        self.halted |= dict.fromkeys(scenarios, look)
        if self.leaving is not None and len(self.wanted(self.leaving)) < len(self.leaving.prepared):
            self.cut = True
            self.channel.pause()

    def wanted(self, chunk: "Chunk") -> Sequence[Prepared]:
        """What of a chunk may still go."""
        if not self.halted:
            return chunk.prepared
        return [it for it in chunk.prepared if self.halted.get(it.claimed.row.scenario, 0) <= chunk.look]

    def took(self, count: int, seconds: float) -> None:
        """A chunk of so many took so long: so large may the next one be."""
        self.speed = count / max(seconds, 0.001)
        self.size = chunk_of(self.channel, int(self.speed * QUICK))

    def part(self, lease: timedelta, left: float) -> int:
        """How many go at once: what the lease's last part has time for if none is answered; of a provider
        that was quick, what takes a quarter of the `left` seconds.
        """
        settings = self.channel.settings
        rounds = max(1, int((lease * MARGIN).total_seconds() / settings.timeout))
        safe = int(settings.concurrency) * rounds
        return max(safe, int(self.speed * left / 4)) if self.is_quick else safe


@dataclass(frozen=True, slots=True)
class Done:
    """What became of messages, to be recorded under their fence."""

    running: Running
    fence: str
    settled: Sequence[Settled]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Claimed messages, put into words; `look` is the last look at halts before they were claimed."""

    running: Running
    claim: Claim
    prepared: Sequence[Prepared]
    look: int = 0

    def done(self, some: Sequence[Prepared], outcomes: Mapping[str, Outcome], rest: str = NOT_BEGUN) -> Done:
        """What became of some of them; those without an outcome were not begun, for the reason `rest`."""
        return Done(self.running, self.claim.fence, [_settled(it, outcomes, rest) for it in some])


def told_apart(
    some: Sequence[Prepared], outcomes: Mapping[str, Outcome]
) -> tuple[Sequence[Prepared], Sequence[Prepared]]:
    """Those of which it is known what became of them, and the others."""
    known: list[Prepared] = []
    others: list[Prepared] = []
    for it in some:
        (known if it.outgoing is None or it.outgoing.key in outcomes else others).append(it)
    return known, others


def _settled(it: Prepared, outcomes: Mapping[str, Outcome], rest: str) -> Settled:
    if it.outgoing is None:
        return Settled(it.claimed, Failed("permanent", "not_rendered"))
    # What was not begun, because the lease was nearly over or the provider is down, may go again.
    outcome = outcomes.get(it.outgoing.key, Failed("temporary", rest))
    return Settled(it.claimed, outcome, it.cost, it.locale)
