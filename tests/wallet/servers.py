"""Servers on this machine, and among them Apple's push service; Google's is tests.wallet.google."""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
# Status and content; perhaps headers.
Answer = tuple[int, object] | tuple[int, object, Mapping[str, str]]


@dataclass
class Seen:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    http_version: str


@dataclass
class Fake:
    """An ASGI application that records requests; what it answers is `answer`'s to say."""

    seen: list[Seen] = field(default_factory=list)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = Seen(scope["method"], scope["path"], headers, await _whole(receive), scope["http_version"])
        self.seen.append(request)
        status, content, *more = self.answer(request)
        own = [(name.encode(), value.encode()) for some in more for name, value in some.items()]
        body = (
            content
            if isinstance(content, bytes)
            else b""
            if content is None
            else json.dumps(content).encode()
        )
        await send({"type": "http.response.start", "status": status, "headers": own})
        await send({"type": "http.response.body", "body": body})

    def answer(self, request: Seen) -> Answer:
        raise AssertionError(f"nobody expected {request.path}")


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def _whole(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


@contextmanager
def running(app: Fake, **settings: object) -> Iterator[str]:
    """The server's host and port while it runs, in a thread of its own."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=100)
    host, port = listening.getsockname()
    config = Config()
    config.bind = [f"fd://{listening.detach()}"]  # who connects before the server runs waits in line
    config.errorlog = None
    for name, value in settings.items():
        setattr(config, name, value)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    work = serve(app, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
    thread = threading.Thread(target=lambda: loop.run_until_complete(work))
    thread.start()
    try:
        yield f"{host}:{port}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=15)
        loop.close()


@dataclass
class Apns(Fake):
    """Apple's push service: answers for each push token, one after another; 200 when there are none."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)

    def answer(self, request: Seen) -> Answer:
        queue = self.answers.get(request.path.removeprefix("/3/device/"), [])
        return queue.pop(0) if queue else (200, None)

    @contextmanager
    def behind_tls(self, folder: Path, clients: Path | None = None) -> Iterator[str]:
        """The https address; with `clients` (a file of authorities) only certificates of theirs may enter."""
        make_certificate(folder)
        settings: dict[str, object] = {
            "certfile": str(folder / "server.pem"),
            "keyfile": str(folder / "server-key.pem"),
            "alpn_protocols": ["h2"],
        }
        if clients:
            settings |= {"ca_certs": str(clients), "verify_mode": ssl.CERT_REQUIRED}
        with running(self, **settings) as address:
            yield f"https://{address}"


def make_certificate(folder: Path) -> None:
    """`server.pem` and its key, for 127.0.0.1, issued by itself."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    (folder / "server.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "server-key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
