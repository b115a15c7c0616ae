"""What the contract suite asks of a provider's stand-in."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from channels.board import Board

Verdict = Literal["accept", "permanent", "temporary", "dead", "hang", "drop"]

SECRET = "sentinel-5ecret-do-not-show"


class Provider(ABC):
    """A server on the loopback. What it does with a message stands in the address."""

    transport: ClassVar[str]
    config: ClassVar[Mapping[str, Any]]
    parts: ClassVar[Mapping[str, str]]
    credentials: ClassVar[tuple[str, ...]]
    """Variables without which the channel cannot work; taken away one by one."""
    never: ClassVar[frozenset[Verdict]] = frozenset()
    """What it has no way to say."""

    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """Variables with which the channel reaches this server; secrets hold SECRET."""

    @abstractmethod
    def address(self, verdict: Verdict, number: int = 0) -> str:
        """An address that the server treats in this way."""

    @property
    def board(self) -> Board | None:
        """Itself, where messages stay in the house."""
        return None

    @property
    @abstractmethod
    def accepted(self) -> list[str]:
        """The addresses whose message it took over, in order."""

    @abstractmethod
    def wait_until_hanging(self) -> None:
        """Return once a message to a `hang` address is held, neither taken nor refused."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what hangs, and stop."""
