"""How long providers take: each message from when it was handed over until its outcome."""

import time
from collections.abc import Callable

from channels.outcome import Accepted, Outcome
from channels.outgoing import Outgoing
from channels.transport import Record
from core import tracing
from core.meters import Histogram
from core.tracing import Span

# Of this process. A provider answers in tens of milliseconds, and is given up after tens of seconds.
PROVIDER_SECONDS = Histogram(
    "channel", bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
)


class Watch:
    """One batch on its way: `begin` a message when it is handed over, `record` its outcome."""

    def __init__(self, channel: str, record: Record, ticks: Callable[[], float] = time.perf_counter) -> None:
        """`record` is told of each outcome besides; `ticks` counts seconds, from anywhere. Without a channel,
        as in a rehearsal, nothing is measured.
        """
        self._key, self._record, self._ticks = (channel,), record, ticks
        self._begun: dict[str, float] = {}
        # Whatever callback hands a message over, it is part of what sends the batch.
        self._parent, self._traced = tracing.here(), tracing.active()
        self._spans: dict[str, Span] = {}

    def begin(self, outgoing: Outgoing) -> None:
        """It is handed over now."""
        if not self._key[0]:
            return
        self._begun[outgoing.key] = self._ticks()
        if self._traced:
            # The key is the outbox's: enrolment, customer, message.
            message = outgoing.key.rpartition(".")[2]
            self._spans[outgoing.key] = tracing.begin(
                "provider call", self._parent, channel=self._key[0], message_id=message, scenario=outgoing.tag
            )

    def record(self, key: str, outcome: Outcome) -> None:
        """Its outcome is known. One that was never handed over took no time."""
        begun = self._begun.pop(key, None)
        if begun is not None:
            PROVIDER_SECONDS.observe(self._key, self._ticks() - begun)
        if self._spans and (span := self._spans.pop(key, None)) is not None:
            _end(span, outcome)
        self._record(key, outcome)


def _end(span: Span, outcome: Outcome) -> None:
    if isinstance(outcome, Accepted):
        span.set(provider_id=outcome.provider_id)
    else:
        span.fail(outcome.reason)
    span.end()
