"""What holds for a batch on any channel, shown on transports made for it."""

import asyncio
from dataclasses import dataclass

import pytest

from channels import Accepted, Failed, Outcome, Outgoing, Unknown
from channels.sending import BatchSender
from channels.transport import ChannelDown, Transport
from tests.channels.helpers import outgoing, run


@dataclass(frozen=True)
class Plain:
    key: str

    def files(self) -> dict[str, bytes]:
        return {}


class Recorder(Transport[Plain]):
    """Accepts; raises what a key asks for; counts how many are on their way at one time."""

    def __init__(self, troubles: dict[str, Exception] | None = None) -> None:
        self.troubles = troubles or {}
        self.tried: list[str] = []
        self.busy = 0
        self.busiest = 0

    async def transmit(self, wire: Plain) -> Outcome:
        self.tried.append(wire.key)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        if wire.key in self.troubles:
            raise self.troubles[wire.key]
        return Accepted(wire.key)


def plain(message: Outgoing) -> Plain:
    return Plain(message.key)


def messages(count: int) -> list[Outgoing]:
    return [outgoing("x", {}, key=f"m{number}") for number in range(count)]


def sent(transport: Recorder, count: int, concurrency: int) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}

    async def whole() -> None:
        await BatchSender(plain, transport, concurrency).send(messages(count), outcomes.__setitem__)

    run(whole())
    return outcomes


def test_no_more_are_on_their_way_than_allowed_over_all_batches() -> None:
    transport = Recorder()

    async def two_batches() -> None:
        sender = BatchSender(plain, transport, 3)
        await asyncio.gather(*(sender.send(messages(10), lambda *_: None) for _ in range(2)))

    run(two_batches())
    assert (transport.busiest, len(transport.tried)) == (3, 20)


def test_an_unexpected_error_leaves_one_message_unknown_by_its_kind_alone() -> None:
    outcomes = sent(Recorder({"m1": LookupError("olena@example.com")}), 3, 1)
    assert outcomes["m1"] == Unknown("unexpected_error", "LookupError")
    assert outcomes["m0"] == Accepted("m0")
    assert outcomes["m2"] == Accepted("m2")


def test_a_channel_that_is_down_is_not_tried_for_the_rest_of_the_batch() -> None:
    down = Failed("temporary", "cannot_connect")
    transport = Recorder({"m2": ChannelDown(down)})
    outcomes = sent(transport, 50, 1)
    assert transport.tried == ["m0", "m1", "m2"]
    assert [outcomes[f"m{number}"] for number in (1, 2, 49)] == [Accepted("m1"), down, down]


def test_outcomes_are_told_as_they_come_in() -> None:
    transport = Recorder()
    told: list[tuple[str, int]] = []

    async def whole() -> None:
        sender = BatchSender(plain, transport, 1)
        await sender.send(messages(3), lambda key, _: told.append((key, len(transport.tried))))

    run(whole())
    assert told == [("m0", 1), ("m1", 2), ("m2", 3)]


def test_a_recorder_that_fails_stops_the_batch_loudly() -> None:
    def broken(key: str, outcome: Outcome) -> None:
        raise OSError("the database is gone")

    async def whole() -> None:
        await BatchSender(plain, Recorder(), 1).send(messages(3), broken)

    with pytest.raises(ExceptionGroup) as group:
        run(whole())
    assert group.group_contains(OSError, match="the database is gone")
