"""One HTTP/2 connection to Apple's push service, with as many requests under way as both sides allow.

httpx over the same h2 library takes ten times as long for a request (`benchmarks/cards.py`): most of it is
spent on headers that never change. Here they are encoded once, and a request is one path between them.
Sources: RFC 9113 (HTTP/2), RFC 7541 (HPACK).
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hpack import Encoder

# h2 counts the open streams at every new one: beyond a hundred, another connection is cheaper.
STREAMS_AT_MOST = 100
TIMEOUT_SECONDS = 10.0
# After so long without a word a connection may have been dropped on the way: a ping tells.
IDLE_SECONDS = 60.0
PING_SECONDS = 2.0
BODY = b"{}"

Header = tuple[bytes, bytes]


class Down(Exception):
    """There is no connection; `reason` says why. `ours`: certificate or trust are wrong, not the network."""

    def __init__(self, reason: str, *, ours: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.ours = reason, ours


class Work(Protocol):
    """What the connections are to send together."""

    def take(self) -> tuple[int, bytes] | None:
        """The next request, a number and its path; None if none waits."""
        ...

    def headers(self) -> Sequence[Header]:
        """What every request says of itself."""
        ...

    def answered(self, number: int, answer: "Answer") -> None:
        """The request has its answer."""
        ...

    def unanswered(self, number: int, reason: str) -> None:
        """Nobody knows whether the request arrived."""
        ...

    def unheard(self, number: int) -> None:
        """The request was certainly not looked at."""
        ...


@dataclass(slots=True)
class Answer:
    """A status, the headers in small letters, and a body, as they come in.

    `asked_with` are the request's own headers, `number` is its number, `since` when it left (loop's time).
    """

    asked_with: Sequence[Header]
    number: int
    since: float
    status: int = 0
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


class Line(asyncio.Protocol):
    """Carries the requests of one `Work` at a time. Made by `open_line`."""

    def __init__(self, authority: str) -> None:
        self._common: list[Header] = [
            (b":method", b"POST"), (b":scheme", b"https"), (b":authority", authority.encode()),
        ]  # fmt: skip
        self._loop = asyncio.get_running_loop()
        self._h2 = H2Connection(_SPEAKING)
        self._h2.encoder = self._encoder = _Headers()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._answers: dict[int, Answer] = {}
        self._work: Work | None = None
        self._rested: asyncio.Future[None] | None = None
        self._pong: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._heard = self._loop.time()
        self._watching: asyncio.TimerHandle | None = None
        self._down: Down | None = None
        self._hear: Mapping[type, Callable[[Any], None]] = {
            RemoteSettingsChanged: self._settled,
            ResponseReceived: self._responded,
            DataReceived: self._said,
            StreamEnded: self._ended,
            StreamReset: self._reset,
            ConnectionTerminated: self._terminated,
            PingAckReceived: self._ponged,
        }

    @property
    def open(self) -> bool:
        """Whether it takes requests, as far as is known here."""
        return self._down is None

    @property
    def refused(self) -> str | None:
        """Why the other side wants nothing of us, if it said so."""
        return self._down.reason if self._down is not None and self._down.ours else None

    async def alive(self) -> bool:
        """Whether it takes requests; after a silence the other side is asked."""
        if not self.open or self._loop.time() - self._heard < IDLE_SECONDS:
            return self.open
        self._pong = self._loop.create_future()
        self._h2.ping(b"tidings.")
        self._flush()
        await asyncio.wait([self._pong], timeout=PING_SECONDS)
        if not self._pong.done():
            self.close("no answer to a ping")
        return self.open

    async def carry(self, work: Work) -> None:
        """Send what waits, until nothing does and everything is answered, or the connection is gone."""
        if not self.open:
            return
        self._work, self._rested = work, self._loop.create_future()
        self._watching = self._loop.call_later(TIMEOUT_SECONDS / 10, self._watch)
        try:
            self._pump()
            await self._rested
        finally:
            self._watching.cancel()
            self._work = None

    async def greeted(self) -> None:
        """Wait for the other side's hello. Down if there will be none; nothing stays open without it."""
        try:
            await self._ready
        except BaseException:
            self.close()
            raise

    def close(self, reason: str = "closed", *, ours: bool = False) -> None:
        """Let go; whatever is under way stays unanswered."""
        self._end(Down(reason, ours=ours))
        if self._transport is not None:
            self._transport.abort()

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._h2.local_settings = Settings(client=True, initial_values={SettingCodes.ENABLE_PUSH: 0})
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Hear answers, and send what waited for room."""
        self._heard = self._loop.time()
        try:
            for event in self._h2.receive_data(data):
                if (heard := self._hear.get(type(event))) is not None:
                    heard(event)
            self._pump()
        except ProtocolError:
            self.close("protocol error")

    def connection_lost(self, error: Exception | None) -> None:
        """Whatever was under way is unanswered."""
        # A server that does not want our certificate says so only after the handshake (TLS 1.3).
        ours = isinstance(error, ssl.SSLError)
        self._end(Down("certificate refused" if ours else "connection lost", ours=ours))

    # --- requests

    def _pump(self) -> None:
        while self._work is not None and self.open and self._room() and (asked := self._work.take()):
            self._ask(self._work, *asked)
        self._flush()
        if not self._answers and self._rested is not None and not self._rested.done():
            # Nothing waits, or there is no room at all for what does.
            if self.open and self._h2.remote_settings.max_concurrent_streams == 0:
                self.close("no room")
            self._rested.set_result(None)

    def _room(self) -> bool:
        most = min(STREAMS_AT_MOST, self._h2.remote_settings.max_concurrent_streams)
        return len(self._answers) < most and self._h2.outbound_flow_control_window >= len(BODY)

    def _ask(self, work: Work, number: int, path: bytes) -> None:
        own = work.headers()
        self._encoder.say([*self._common, *own], own)
        stream = self._h2.get_next_available_stream_id()
        self._answers[stream] = Answer(own, number, self._loop.time())
        self._h2.send_headers(stream, [(b":path", path)])
        self._h2.send_data(stream, BODY, end_stream=True)

    def _flush(self) -> None:
        if self._transport is not None and (data := self._h2.data_to_send()):
            self._transport.write(data)

    def _watch(self) -> None:
        """End requests that nobody answers; if none is answered any more, the connection."""
        late = self._loop.time() - TIMEOUT_SECONDS
        overdue = [stream for stream, answer in self._answers.items() if answer.since < late]
        if overdue and self._heard < late:
            self.close("no answer")
        for stream in overdue if self.open else ():
            self._h2.reset_stream(stream, ErrorCodes.CANCEL)
            self._give_up(stream, "no answer")
        if self.open:
            self._pump()
            self._watching = self._loop.call_later(TIMEOUT_SECONDS / 10, self._watch)

    def _give_up(self, stream: int, reason: str) -> None:
        answer = self._answers.pop(stream, None)
        if answer is not None and self._work is not None:
            self._work.unanswered(answer.number, reason)

    def _end(self, down: Down) -> None:
        self._down = self._down or down
        if not self._ready.done():
            self._ready.set_exception(self._down)
        for stream in list(self._answers):
            self._give_up(stream, self._down.reason)
        for waiting in (self._rested, self._pong):
            if waiting is not None and not waiting.done():
                waiting.set_result(None)

    # --- what HTTP/2 tells

    def _settled(self, _event: RemoteSettingsChanged) -> None:
        if not self._ready.done():
            self._ready.set_result(None)

    def _responded(self, event: ResponseReceived) -> None:
        if answer := self._answers.get(event.stream_id):
            answer.headers = {bytes(name): bytes(value) for name, value in event.headers or ()}
            answer.status = int(answer.headers.get(b":status", b"0"))

    def _said(self, event: DataReceived) -> None:
        if answer := self._answers.get(event.stream_id):
            answer.body += event.data or b""
        self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)

    def _ended(self, event: StreamEnded) -> None:
        answer = self._answers.pop(event.stream_id, None)
        if answer is not None and self._work is not None:
            self._work.answered(answer.number, answer)

    def _reset(self, event: StreamReset) -> None:
        self._give_up(event.stream_id, "stream reset")

    def _terminated(self, event: ConnectionTerminated) -> None:
        for stream in [it for it in self._answers if it > (event.last_stream_id or 0)]:
            number = self._answers.pop(stream).number
            if self._work is not None:
                self._work.unheard(number)
        # h2 hears nothing after a GOAWAY. What was under way is sent again elsewhere: a second push does
        # no harm, the device asks twice.
        self.close("connection closed by Apple")

    def _ponged(self, _event: PingAckReceived) -> None:
        if self._pong is not None and not self._pong.done():
            self._pong.set_result(None)


# What we say is made here and needs no checking; what is said to us is ours to read.
_SPEAKING = H2Configuration(
    client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False,
)  # fmt: skip


class _Headers(Encoder):
    """Says what all requests have in common by reference, once the server knows it; then only the path."""

    def __init__(self) -> None:
        super().__init__()
        self._all: list[Header] = []
        self._for: Sequence[Header] | None = None
        self._block: bytes | None = None

    def say(self, everything: list[Header], own: Sequence[Header]) -> None:
        """What stands beside the path from now on; `own` is the part that may change."""
        if own is not self._for:
            self._all, self._for, self._block = everything, own, None

    def encode(self, headers: Any, huffman: bool = True) -> bytes:
        """The block of a request of which `headers` are only the path."""
        [(name, value)] = headers
        # Never kept by the server: the path is the device's, and another one each time.
        if self._block is not None and not self.header_table.resized:
            return self.add((name, value), sensitive=True) + self._block
        whole = super().encode([(name, value, True), *self._all], huffman=False)
        path = self.add((name, value), sensitive=True)
        # One byte a header: every one of them is a reference, which stays good while nothing is added.
        if len(whole) == len(path) + len(self._all):
            self._block = whole[len(path) :]
        return whole


async def open_line(host: str, port: int, trust: ssl.SSLContext) -> Line:
    """A connection that is ready for requests. Down if there is none within ten seconds."""
    loop, authority = asyncio.get_running_loop(), host if port == 443 else f"{host}:{port}"
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            transport, line = await loop.create_connection(lambda: Line(authority), host, port, ssl=trust)
            spoken = transport.get_extra_info("ssl_object")
            if spoken is not None and spoken.selected_alpn_protocol() != "h2":
                line.close("no HTTP/2", ours=True)
            await line.greeted()
    except ssl.SSLCertVerificationError:
        raise Down("server not trusted", ours=True) from None
    except ssl.SSLError:
        raise Down("certificate refused", ours=True) from None
    except (OSError, TimeoutError):
        raise Down("unreachable") from None
    return line
