"""What the tests of channels share."""

import asyncio
import os
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from channels import Channel, Outcome, Outgoing, Purpose, create
from tests.channels.providers.base import Provider

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
AnyChannel = Channel[Any, Any, Any]
T = TypeVar("T")


def outgoing(
    to: str,
    parts: Mapping[str, str],
    *,
    key: str | None = None,
    purpose: Purpose = "marketing",
    tag: str = "bonus-expiring",
    unsubscribe_url: str | None = None,
    country: str | None = None,
) -> Outgoing:
    """A message; its key is made from the address unless given."""
    return Outgoing(
        key=key or f"m-{to[:40]}",
        to=to,
        parts=parts,
        purpose=purpose,
        at=AT,
        tag=tag,
        unsubscribe_url=unsubscribe_url,
        country=country,
    )


def use(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    """Have exactly these TIDINGS_ variables."""
    for name in [name for name in os.environ if name.startswith("TIDINGS_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def connected(name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch, **more: str) -> AnyChannel:
    """The channel, set up for this provider; `more` are further variables."""
    use(monkeypatch, {**provider.environment(), **more})
    return create(name, provider.config, outbox_dir=Path("unused"), board=provider.board)


async def outcomes_of(channel: AnyChannel, batch: Sequence[Outgoing]) -> dict[str, Outcome]:
    """Send a batch through an open channel; every message must get exactly one outcome."""
    outcomes: dict[str, Outcome] = {}

    def record(key: str, outcome: Outcome) -> None:
        assert key not in outcomes, f"{key} has two outcomes"
        outcomes[key] = outcome

    await channel.send(batch, record)
    assert set(outcomes) == {message.key for message in batch}
    return outcomes


def send(channel: AnyChannel, batch: Iterable[Outgoing]) -> dict[str, Outcome]:
    """Open, send, close."""

    async def whole() -> dict[str, Outcome]:
        async with channel:
            return await outcomes_of(channel, list(batch))

    return run(whole())


def send_one(channel: AnyChannel, message: Outgoing) -> Outcome:
    """Open, send one message, close."""
    return send(channel, [message])[message.key]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run in an event loop of its own."""
    return asyncio.run(work)
