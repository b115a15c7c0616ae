"""A server of HTTP/2 that can be told to misbehave as the push service of Apple may: frame by frame."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded
from h2.settings import SettingCodes

from tests.wallet.servers import make_certificate
from wallet.apple.settings import AppleSettings


def with_key(url: str, folder: Path, p8: Path) -> AppleSettings:
    """What pushes to a server at `url`, whose certificate lies in `folder`, by a team's key."""
    return AppleSettings(
        transport="apns", apns_url=url, apns_ca=folder / "server.pem", apns_key=p8, apns_key_id="ABC123DEFG"
    )


@dataclass
class Manners:
    """How it behaves. `streams` are what it allows at once on a connection.

    It `leaves_after` so many requests of each connection, with a GOAWAY; `drops_after` so many of the first
    one, without a word; answers nothing on the first `keeps_silent` connections.
    """

    streams: int = 1000
    leaves_after: int | None = None
    drops_after: int | None = None
    keeps_silent: int = 0


@dataclass
class PushServer:
    """Answers 200 to every push and notes its device token with the time (`time.monotonic`)."""

    manners: Manners = field(default_factory=Manners)
    pushed: list[tuple[str, float]] = field(default_factory=list)
    connections: int = 0
    most_at_once: int = 0
    url: str = ""

    @contextmanager
    def running(self, folder: Path) -> Iterator[str]:
        """The https address while it runs, in a thread of its own; its certificate is `server.pem`."""
        loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
        thread = threading.Thread(
            target=lambda: loop.run_until_complete(self.serve(folder, ready.set, stop.wait()))
        )
        thread.start()
        assert ready.wait(10)
        try:
            yield self.url
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            loop.close()

    async def serve(self, folder: Path, ready: Any, until: Any) -> None:
        make_certificate(folder)
        tls = SSLContext(PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
        tls.set_alpn_protocols(["h2"])
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, ssl=tls)
        self.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready()
        await until
        server.close()


class _Connection(asyncio.Protocol):
    def __init__(self, server: PushServer) -> None:
        self.server, self.manners = server, server.manners
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.paths: dict[int, str] = {}
        self.waiting: list[int] = []
        self.heard = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.server.connections += 1
        self.silent = self.server.connections <= self.manners.keeps_silent
        self.h2.initiate_connection()
        self.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self.manners.streams})
        self.transport.write(self.h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            if isinstance(event, RequestReceived):
                told = {str(name): str(value) for name, value in event.headers or ()}
                self.paths[event.stream_id] = told[":path"]
            elif isinstance(event, StreamEnded):
                self.waiting.append(event.stream_id)
        self.server.most_at_once = max(self.server.most_at_once, len(self.waiting))
        if self._is_over(self.manners.drops_after) and self.server.connections == 1:
            self.transport.abort()
            return
        if not self.silent:
            self._answer(
                self.waiting[: (self.manners.leaves_after or self.heard + len(self.waiting)) - self.heard]
            )
        if self._is_over(self.manners.leaves_after):
            self.h2.close_connection(last_stream_id=2 * self.heard - 1)
        self.transport.write(self.h2.data_to_send())
        if self._is_over(self.manners.leaves_after):
            self.transport.close()

    def _is_over(self, limit: int | None) -> bool:
        return limit is not None and self.heard + len(self.waiting) >= limit

    def _answer(self, streams: list[int]) -> None:
        for stream in streams:
            token = self.paths.pop(stream).removeprefix("/3/device/")
            self.server.pushed.append((token, time.monotonic()))
            self.h2.send_headers(stream, [(":status", "200"), ("apns-id", token[:8])], end_stream=True)
        self.heard += len(streams)
        self.waiting = self.waiting[len(streams) :]
