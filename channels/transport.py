"""What carries one composed message to a provider, and the two ways in which it may stop the line."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from channels.outcome import Failed, Outcome


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
