"""Servers that speak Apple's and Google's protocols on this machine."""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jsonschema
import jwt
from hypercorn.asyncio import serve
from hypercorn.config import Config

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Answer = tuple[int, object]


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
        status, content = self.answer(request)
        body = b"" if content is None else json.dumps(content).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
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


@cache
def google_schema(name: str, *, whole: bool) -> Any:
    """Google's own schema of a body, made strict: nothing unknown, and all that is required if `whole`."""
    documents = files("googleapiclient") / "discovery_cache" / "documents"
    document = json.loads((documents / "walletobjects.v1.json").read_text())
    definitions = {key: _strict(value, whole=whole) for key, value in document["schemas"].items()}
    return jsonschema.Draft202012Validator({"$defs": definitions, "$ref": f"#/$defs/{name}"})


def _strict(schema: Any, *, whole: bool) -> Any:
    """Google's discovery format as JSON Schema."""
    if isinstance(schema, list):
        return [_strict(item, whole=whole) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    kept = {key: _strict(schema[key], whole=whole) for key in ("type", "items", "enum") if key in schema}
    if schema.get("format") == "int64":
        kept["pattern"] = "^-?[0-9]+$"
    if "properties" in schema:
        properties = schema["properties"]
        kept["properties"] = {key: _strict(value, whole=whole) for key, value in properties.items()}
        kept["additionalProperties"] = False
        if whole:
            kept["required"] = [
                key
                for key, value in properties.items()
                if value.get("description", "").startswith("Required")
            ]
    return kept


@dataclass
class Google(Fake):
    """Google Wallet: keeps what is written, answers as documented, checks bodies by its schema."""

    public_key: Any = None
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[Answer] = field(default_factory=list)

    def answer(self, request: Seen) -> Answer:
        if request.path == "/token":
            return self._token(request)
        if request.headers.get("authorization") != "Bearer the-token":
            return 401, {"error": {"status": "UNAUTHENTICATED"}}
        if self.failures:
            return self.failures.pop(0)
        kind, _, rest = request.path.removeprefix("/walletobjects/v1/").partition("/")
        body = json.loads(request.body)
        if rest.endswith("/addMessage"):
            google_schema("AddMessageRequest", whole=True).validate(body)
            return 200, {"resource": {}}
        return self._insert(kind, body) if request.method == "POST" else self._patch(kind, rest, body)

    def _insert(self, kind: str, body: dict[str, Any]) -> Answer:
        google_schema(f"L{kind[1:]}", whole=True).validate(body)
        if body["id"] in self.kept:
            return 409, {"error": {"code": 409, "status": "ALREADY_EXISTS"}}
        if kind == "loyaltyObject" and body["classId"] not in self.kept:
            return 404, {"error": {"code": 404, "errors": [{"reason": "classNotFound"}]}}
        self.kept[body["id"]] = body
        return 200, body

    def _patch(self, kind: str, name: str, body: dict[str, Any]) -> Answer:
        google_schema(f"L{kind[1:]}", whole=False).validate(body)
        if name not in self.kept:
            return 404, {"error": {"code": 404, "errors": [{"reason": "resourceNotFound"}]}}
        self.kept[name] |= {key: value for key, value in body.items() if key != "notifyPreference"}
        return 200, self.kept[name]

    def _token(self, request: Seen) -> Answer:
        (assertion,) = parse_qs(request.body.decode())["assertion"]
        claims = jwt.decode(assertion, self.public_key, ["RS256"], options={"verify_aud": False})
        assert claims["scope"] == "https://www.googleapis.com/auth/wallet_object.issuer"
        return 200, {"access_token": "the-token", "expires_in": 3600, "token_type": "Bearer"}

    def requests(self) -> list[tuple[str, str]]:
        """Method and path of what was asked, but for tokens."""
        asked = ((it.method, it.path.removeprefix("/walletobjects/v1/")) for it in self.seen)
        return [it for it in asked if it[1] != "/token"]
