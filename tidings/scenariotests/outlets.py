"""The channels of a test: they compose for real and hand the message to the test instead of a provider."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from channels import Accepted, Failed, Outgoing, create, discover
from channels.base import CARD, Channel
from channels.sending import Record
from core.program import Program
from wallet.news import News

NOWHERE = Path("scenario-tests-write-nothing")
# Not `folder`: somebody tells whether a message arrived, so that a cascade may wait for it.
TRANSPORT = "test"
FAILS = Failed("permanent", "fails_in_the_test")


@dataclass(slots=True)
class Post:
    """What has left, and on which channels nothing gets through to whom (by external id).

    `to_pin` are messages that are still to be put on their cards.
    """

    said: list[tuple[str, Outgoing]] = field(default_factory=list)
    fails: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    unconfirmed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    to_confirm: list[str] = field(default_factory=list)
    to_pin: list[News] = field(default_factory=list)


class Outlet:
    """One channel. A test reads where links lead, not by which way."""

    linked_parts: Mapping[str, str] = {}

    def __init__(self, channel: Channel[Any, Any, Any], post: Post) -> None:
        self._channel, self._post = channel, post
        self.settings = SimpleNamespace(**{**dict(channel.settings), "transport": TRANSPORT})

    @property
    def is_reported(self) -> bool:
        """The test itself tells, in the place of whoever would."""
        return bool(self._channel.may_be_reported)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    async def send(self, batch: Sequence[Outgoing], record: Record) -> None:
        """Compose each message; what `fails` names does not arrive."""
        for outgoing in batch:
            composed = self._channel.compose(outgoing)
            name = self._channel.name
            who = outgoing.key.partition(".")[2].rpartition(".")[0]
            if name in self._post.fails[who]:
                record(outgoing.key, FAILS)
                continue
            self._post.said.append((name, outgoing))
            if self._channel.address_kind == CARD:
                self._post.to_pin.append(composed.news)
            if name not in self._post.unconfirmed[who]:
                self._post.to_confirm.append(outgoing.key)
            record(outgoing.key, Accepted(outgoing.key))


def outlets(program: Program, post: Post) -> dict[str, Outlet]:
    """Every channel as the program says."""
    return {
        name: Outlet(create(name, program.channels.get(name), outbox_dir=NOWHERE), post)
        for name in discover()
    }
