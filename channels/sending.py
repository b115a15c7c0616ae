"""One batch through one transport: bounded concurrency, and exactly one outcome for each message."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic

from channels.outcome import Accepted, Failed, Outcome, Unknown
from channels.outgoing import Outgoing
from channels.transport import (
    INTERRUPTED,
    NOT_BEGUN,
    PAUSED,
    BulkTransport,
    ChannelDown,
    Malformed,
    Record,
    Transport,
    W,
)
from channels.watching import Watch

__all__ = ["BatchSender", "Record"]

LONGEST_NAME = 500
"""Characters of a provider's name for a message; PostgreSQL finds nothing by more than 2,700 octets."""


@dataclass(frozen=True, slots=True)
class _Run:
    """One batch under way: what has not begun, and whom to tell."""

    waiting: deque[Outgoing]
    record: Record
    begin: Callable[[Outgoing], None]

    def set_aside(self, outcome: Failed) -> None:
        """Give what has not begun this outcome: it certainly did not leave."""
        while self.waiting:
            self.record(self.waiting.popleft().key, outcome)


class BatchSender(Generic[W]):
    """Sends batches so that whatever happens to one message happens to it alone."""

    def __init__(
        self, compose: Callable[[Outgoing], W], transport: Transport[W], concurrency: int, channel: str = ""
    ) -> None:
        """`concurrency` bounds the messages on their way, over all batches sent at one time; under `channel`
        they are measured.
        """
        self._compose = compose
        self._transport = transport
        self._concurrency = concurrency
        self._channel = channel
        self._slots = asyncio.Semaphore(concurrency)
        self._runs: list[_Run] = []

    async def send(self, batch: Sequence[Outgoing], record: Record) -> None:
        """Call `record(key, outcome)` once for each message, as soon as its outcome is known.

        Cancelled, it records what was on its way as `Unknown("interrupted")` and what had not begun as a
        temporary failure, `not_begun`, and passes the cancellation on.
        """
        watch = Watch(self._channel, record)
        run = _Run(deque(batch), watch.record, watch.begin)
        self._runs.append(run)
        try:
            if isinstance(self._transport, BulkTransport):
                await self._send_all(self._transport, run)
            else:
                await self._send_each(run)
        except asyncio.CancelledError:
            run.set_aside(Failed("temporary", NOT_BEGUN))
            raise
        finally:
            self._runs = [it for it in self._runs if it is not run]

    def pause(self) -> None:
        """Begin nothing more of the batches under way: that is a temporary failure, `paused`.

        What is on its way comes to its end.
        """
        for run in self._runs:
            run.set_aside(Failed("temporary", PAUSED))

    async def _send_all(self, transport: BulkTransport[W], run: _Run) -> None:
        try:
            await transport.transmit_all(self._composed(run), run.record)
        except ChannelDown as down:
            run.set_aside(down.outcome)

    def _composed(self, run: _Run) -> Iterator[W]:
        """Each message as it is asked for; what cannot be composed is told and left out."""
        while run.waiting:
            outgoing = run.waiting.popleft()
            wire = self._wire(outgoing)
            if isinstance(wire, Failed):
                run.record(outgoing.key, wire)
            else:
                run.begin(outgoing)
                yield wire

    async def _send_each(self, run: _Run) -> None:
        async with asyncio.TaskGroup() as workers:
            for _ in range(min(self._concurrency, len(run.waiting))):
                workers.create_task(self._work(run))

    async def _work(self, run: _Run) -> None:
        while run.waiting:
            async with self._slots:
                if run.waiting:
                    await self._send_one(run.waiting.popleft(), run)

    async def _send_one(self, outgoing: Outgoing, run: _Run) -> None:
        try:
            run.record(outgoing.key, await self._outcome(outgoing, run))
        except ChannelDown as down:
            run.record(outgoing.key, down.outcome)
            run.set_aside(down.outcome)
        except asyncio.CancelledError:
            run.record(outgoing.key, Unknown(INTERRUPTED))
            raise

    async def _outcome(self, outgoing: Outgoing, run: _Run) -> Outcome:
        wire = self._wire(outgoing)
        if isinstance(wire, Failed):
            return wire
        run.begin(outgoing)
        try:
            return _readable(await self._transport.transmit(wire))
        except ChannelDown:
            raise
        except Exception as error:  # noqa: BLE001 - as below; and its first byte may have left
            return Unknown("unexpected_error", detail=type(error).__name__)

    def _wire(self, outgoing: Outgoing) -> W | Failed:
        """The composed message. The words of a foreign error may hold an address: only its type is kept."""
        try:
            return self._compose(outgoing)
        except Malformed as finding:
            return Failed("permanent", finding.reason)
        except Exception as error:  # noqa: BLE001 - one poisoned message must not stop the batch
            return Failed("permanent", "not_composed", detail=type(error).__name__)


def _readable(outcome: Outcome) -> Outcome:
    """A name that no database can hold was misread, or made up by whoever answered."""
    if isinstance(outcome, Accepted):
        name = outcome.provider_id
        if len(name) > LONGEST_NAME or not name.isprintable():
            return Unknown("unreadable_answer")
    return outcome
