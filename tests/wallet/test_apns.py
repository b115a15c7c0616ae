"""The connections to Apple's push service: what they share, and what they do when one of them ends."""

import asyncio
import gc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, create_default_context

import pytest

from core.clock import MovableClock
from tests.wallet.apns_server import Manners, PushServer, with_key
from tests.wallet.conftest import NOW, PASS_TYPE, TEAM
from tests.wallet.servers import Answer, Apns, make_certificate
from wallet.apple import line
from wallet.apple.owing import Owed
from wallet.apple.push import Outcome, Pushed, pusher_for


def phones(count: int) -> list[Owed]:
    return [Owed(f"phone-{number}", f"{number:064x}", 1, NOW, NOW) for number in range(count)]


def counted(results: Sequence[Pushed]) -> Counter[str]:
    return Counter(f"{it.outcome.value} {it.reason}".strip() for it in results)


class Apple:
    """A push service with these manners, and a pusher that is kept from batch to batch."""

    def __init__(self, folder: Path, key: Path, clock: MovableClock) -> None:
        self.folder, self.key, self.clock = folder, key, clock
        self.server = PushServer()

    def push(self, *batches: Sequence[Owed], concurrency: int = 100) -> list[list[Pushed]]:
        async def run(url: str) -> list[list[Pushed]]:
            settings = with_key(url, self.folder, self.key)
            settings = settings.model_copy(update={"apns_concurrency": concurrency})
            pusher = pusher_for(settings, self.folder, PASS_TYPE, TEAM, self.clock)
            try:
                return [await pusher.push(batch) for batch in batches]
            finally:
                await pusher.close()

        with self.server.running(self.folder) as url:
            return asyncio.run(run(url))


@pytest.fixture
def apple_with(tmp_path: Path, p8: Path, clock: MovableClock) -> Apple:
    return Apple(tmp_path, p8, clock)


def test_one_connection_carries_batch_after_batch(apple_with: Apple) -> None:
    for results in apple_with.push(phones(50), phones(50)):
        assert counted(results) == {"accepted": 50}
        assert [it.owed for it in results] == phones(50)
    assert (apple_with.server.connections, len(apple_with.server.pushed)) == (1, 100)


def test_no_more_are_under_way_than_apple_allows(apple_with: Apple) -> None:
    """Apple allows one at first, and a thousand once it knows our token."""
    apple_with.server.manners = Manners(streams=3)
    [results] = apple_with.push(phones(20))
    assert counted(results) == {"accepted": 20}
    assert apple_with.server.most_at_once == 3


def test_a_big_batch_is_shared_among_connections(apple_with: Apple) -> None:
    [results] = apple_with.push(phones(250), concurrency=400)
    assert counted(results) == {"accepted": 250}
    assert apple_with.server.connections == 3
    assert len({token for token, _ in apple_with.server.pushed}) == 250


def test_when_apple_says_goodbye_the_rest_goes_by_another_connection(apple_with: Apple) -> None:
    apple_with.server.manners = Manners(leaves_after=10)
    [results] = apple_with.push(phones(45))
    assert counted(results) == {"accepted": 45}
    # What Apple did not look at is sent once, not twice.
    assert len(apple_with.server.pushed) == 45


def test_a_connection_that_breaks_loses_no_push(apple_with: Apple) -> None:
    apple_with.server.manners = Manners(drops_after=10)
    [results] = apple_with.push(phones(30))
    assert counted(results) == {"accepted": 30}
    assert apple_with.server.connections == 2


def test_after_a_silence_a_dead_connection_is_noticed_before_anything_is_sent(
    apple_with: Apple, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "IDLE_SECONDS", 0.0)
    assert [counted(it) for it in apple_with.push(phones(2), phones(3))] == [{"accepted": 2}, {"accepted": 3}]
    assert apple_with.server.connections == 1


def test_who_never_answers_is_tried_on_another_connection_and_then_later(
    apple_with: Apple, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "TIMEOUT_SECONDS", 0.5)
    apple_with.server.manners = Manners(keeps_silent=1)
    assert counted(apple_with.push(phones(3))[0]) == {"accepted": 3}
    apple_with.server.manners = Manners(keeps_silent=1_000)
    assert counted(apple_with.push(phones(3))[0]) == {"retry no answer": 3}


@pytest.mark.parametrize(
    ("protocol", "seconds", "why"), [("h2", 0.5, "unreachable"), ("http/1.1", 10.0, "no HTTP/2")]
)
def test_a_connection_that_came_to_nothing_does_not_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, seconds: float, why: str
) -> None:
    """What takes the call and then says nothing: a proxy whose other side is down, or no push service."""
    monkeypatch.setattr(line, "TIMEOUT_SECONDS", seconds)
    make_certificate(tmp_path)
    complaints: list[str] = []

    async def run() -> None:
        loop, left = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(lambda _, about: complaints.append(about["message"]))

        class Mute(asyncio.Protocol):
            def connection_lost(self, _: Exception | None) -> None:
                left.set()

        tls = SSLContext(PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(tmp_path / "server.pem", tmp_path / "server-key.pem")
        tls.set_alpn_protocols([protocol])
        trust = create_default_context(cafile=tmp_path / "server.pem")
        trust.set_alpn_protocols(["h2"])
        server = await loop.create_server(Mute, "127.0.0.1", 0, ssl=tls)
        async with server:
            with pytest.raises(line.Down, match=why):
                await line.open_line("127.0.0.1", server.sockets[0].getsockname()[1], trust)
            await asyncio.wait_for(left.wait(), 10)
        gc.collect()

    asyncio.run(run())
    assert complaints == []


def test_a_mistake_of_ours_ends_the_batch_instead_of_being_repeated_for_everybody(
    p8: Path,
    clock: MovableClock,
    tmp_path: Path,
) -> None:
    refusal: Answer = (403, {"reason": "InvalidProviderToken"})
    apns = Apns(answers={it.push_token: [refusal] for it in phones(300)})

    async def run(url: str) -> list[Pushed]:
        settings = with_key(url, tmp_path, p8).model_copy(update={"apns_concurrency": 10})
        pusher = pusher_for(settings, tmp_path, PASS_TYPE, TEAM, clock)
        try:
            return await pusher.push(phones(300))
        finally:
            await pusher.close()

    with apns.behind_tls(tmp_path) as url:
        results = asyncio.run(run(url))
    told = counted(results)
    assert told.total() == 300
    assert told.keys() == {"configuration InvalidProviderToken", "unreachable InvalidProviderToken"}
    assert len(apns.seen) <= line.STREAMS_AT_MOST


def test_a_push_token_that_is_none_reaches_no_wire(apple_with: Apple) -> None:
    odd = Owed("odd", "aa/../bb\r\nx: y", 1, NOW, NOW)
    [results] = apple_with.push([phones(1)[0], odd])
    assert [it.outcome for it in results] == [Outcome.ACCEPTED, Outcome.GONE]
    assert len(apple_with.server.pushed) == 1
