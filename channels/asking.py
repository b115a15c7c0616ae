"""Asking a provider whether a message left of which nobody knows.

Asking can only confirm. That the provider shows nothing is no proof: it may not have queued the message yet,
or have hidden or changed its text.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic

from channels.outcome import Accepted
from channels.outgoing import Outgoing
from channels.transport import Malformed, W


@dataclass(frozen=True, slots=True)
class Doubt:
    """A message that may have left. Its `repr` shows no address and no text, so it may be logged.

    `key`, `to` and `parts` are those of its `Outgoing`. `between` are aware times: it cannot have left before
    the first or after the second (leave some minutes for clocks that differ). `known` are the provider's
    names of messages that are ours already: a twin of the same text to the same address is not this one.
    """

    key: str
    to: str = field(repr=False)
    parts: Mapping[str, str] = field(repr=False)
    between: tuple[datetime, datetime]
    known: frozenset[str] = frozenset()

    def outgoing(self) -> Outgoing:
        """The message again, to be composed as it was; what says nothing of its text is left open."""
        return Outgoing(
            key=self.key, to=self.to, parts=self.parts, purpose="service", at=self.between[0], tag=""
        )


class Asked(ABC, Generic[W]):
    """A transport whose provider lists what it took over."""

    @abstractmethod
    async def find(self, wire: W, doubt: Doubt) -> Accepted | None:
        """The provider's name of this very message; None if it shows none, or more than one that fits."""


async def confirmed(transport: object, compose: Callable[[Outgoing], W], doubt: Doubt) -> Accepted | None:
    """What the transport finds of a message, if its provider can be asked at all."""
    if not isinstance(transport, Asked):
        return None
    try:
        wire = compose(doubt.outgoing())
    except Malformed:
        return None
    found: Accepted | None = await transport.find(wire, doubt)
    return found
