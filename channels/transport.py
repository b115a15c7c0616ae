"""What carries one composed message to a provider, and the two ways in which it may stop the line."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from channels.outcome import Accepted, Failed, Outcome


class Wire(Protocol):
    """A message composed to the last byte. `key` is that of its `Outgoing`."""

    @property
    def key(self) -> str:
        """The idempotency key."""
        ...

    def files(self) -> Mapping[str, bytes]:
        """How people may read it: suffix (".eml") -> content. The folder transport writes these."""
        ...


W = TypeVar("W", bound=Wire)
Record = Callable[[str, Outcome], None]
COMPOSED = "composed"
INTERRUPTED = "interrupted"
NOT_BEGUN = "not_begun"
PAUSED = "paused"


SETTINGS_MALFORMED = Failed("configuration", "settings_malformed")
"""A setting that nothing can be sent with, whatever the provider would say of it."""


class Malformed(Exception):
    """This one message can never be sent; it is set aside under `reason`, and the others go on."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ChannelDown(Exception):
    """Before the first byte: no message can leave now (no connection, wrong password).

    What is left of the batch gets the same outcome untried, so that a wrong password is not tried two
    hundred times and a dead host is not waited for two hundred times.
    """

    def __init__(self, outcome: Failed) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


class Transport(ABC, Generic[W]):
    """Carries composed messages. Opened and closed in the event loop that sends."""

    async def open(self) -> None:
        """Make ready; needs not connect yet."""

    async def close(self) -> None:
        """Leave nothing open."""

    @abstractmethod
    async def transmit(self, wire: W) -> Outcome:
        """Send one message once: no retries in here. Raises ChannelDown only before its first byte left."""

    async def validate(self, wire: W) -> Outcome:
        """What the provider says of a message without delivering it, where it can be asked that.

        By default nobody is asked: that the message could be composed is all that is known.
        """
        return Accepted(COMPOSED)


class BulkTransport(Transport[W]):
    """Carries many messages faster together than alone; it bounds by itself how many are on their way."""

    @abstractmethod
    async def transmit_all(self, wires: Iterator[W], record: Record) -> None:
        """Send each message once; call `record(key, outcome)` for each that was taken, as soon as known.

        `wires` composes a message when it is asked for the next one, so none is taken before its time.
        Raises ChannelDown if nothing more can leave: what was not taken is set aside by the caller.
        Cancelled, what may have left is `Unknown("interrupted")`, what has not is a temporary failure:
        `not_begun`, or of that name if its first words were said.
        """

    async def transmit(self, wire: W) -> Outcome:
        """One message alone."""
        outcomes: list[Outcome] = []
        await self.transmit_all(iter((wire,)), lambda _, outcome: outcomes.append(outcome))
        return outcomes[0]


class Rehearsal(Transport[W]):
    """Has messages validated instead of sent."""

    def __init__(self, transport: Transport[W]) -> None:
        self._transport = transport

    async def transmit(self, wire: W) -> Outcome:
        """Nothing leaves."""
        return await self._transport.validate(wire)
