"""What holds for a batch on any channel, shown on transports made for it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from channels import Accepted, Failed, Outcome, Outgoing, Unknown
from channels.sending import BatchSender, Record
from channels.transport import BulkTransport, ChannelDown, Malformed, Transport
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


@pytest.mark.parametrize("name", ["id\x00", "0123456789abcdef" * 200])
def test_a_name_that_no_database_can_hold_is_no_receipt(name: str) -> None:
    class Garbled(Recorder):
        async def transmit(self, wire: Plain) -> Outcome:
            await super().transmit(wire)
            return Accepted(name if wire.key == "m1" else wire.key)

    outcomes = sent(Garbled(), 2, 1)
    assert outcomes == {"m0": Accepted("m0"), "m1": Unknown("unreadable_answer")}


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


class Bulk(BulkTransport[Plain]):
    """Takes so many messages in one go, then is down."""

    def __init__(self, most: int = 99) -> None:
        self.most = most

    async def transmit_all(self, wires: Iterator[Plain], record: Record) -> None:
        for _ in range(self.most):
            if (wire := next(wires, None)) is None:
                return
            record(wire.key, Accepted(wire.key))
        raise ChannelDown(Failed("temporary", "cannot_connect"))


def sent_in_bulk(transport: Bulk, composed: list[str]) -> dict[str, Outcome]:
    """Of five messages the second cannot be composed."""
    outcomes: dict[str, Outcome] = {}

    def compose(message: Outgoing) -> Plain:
        composed.append(message.key)
        if message.key == "m1":
            raise Malformed("missing_text")
        return Plain(message.key)

    run(BatchSender(compose, transport, 3).send(messages(5), outcomes.__setitem__))
    return outcomes


def test_in_bulk_too_a_poisoned_message_is_set_aside_and_the_others_leave() -> None:
    outcomes = sent_in_bulk(Bulk(), [])
    assert outcomes.pop("m1") == Failed("permanent", "missing_text")
    assert outcomes == {key: Accepted(key) for key in ("m0", "m2", "m3", "m4")}


def test_in_bulk_what_is_not_composed_when_the_channel_goes_down_is_set_aside() -> None:
    composed: list[str] = []
    outcomes = sent_in_bulk(Bulk(most=2), composed)
    assert composed == ["m0", "m1", "m2"]
    assert outcomes["m2"] == Accepted("m2")
    assert outcomes["m3"] == outcomes["m4"] == Failed("temporary", "cannot_connect")


def test_a_transport_for_many_carries_one_too() -> None:
    assert run(Bulk().transmit(Plain("alone"))) == Accepted("alone")
