"""Waking devices: an empty push to each, after which it asks the web service what is new.

Source: Apple's "Sending notification requests to APNs" and "Handling notification responses". Passes
use the production server only; the payload is `{}`; a 200 says that Apple took it, not that it was seen.
"""

import asyncio
import json
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

from core.clock import Clock
from core.errors import EnvironmentFault
from wallet.apple.settings import AppleSettings
from wallet.updates import Owed

if TYPE_CHECKING:
    from httpx import AsyncClient, Response

TOKEN_LASTS = timedelta(minutes=40)  # Apple wants it kept 20 to 60 minutes
TIMEOUT_SECONDS = 10.0

_GONE = {"Unregistered", "ExpiredToken", "BadDeviceToken"}
_RETRY_STATUS = {429, 500, 502, 503, 504}


class Outcome(Enum):
    """What became of a push, and so what is to be done."""

    ACCEPTED = "accepted"
    GONE = "gone"  # the device does not carry the pass any more: forget it
    RETRY = "retry"  # busy or unreachable: later
    CONFIGURATION = "configuration"  # our certificate, key or topic: tell the engineer, keep the device


@dataclass(frozen=True, slots=True)
class Pushed:
    """The outcome for one device. `gone_since` is when Apple says that the token ceased to be valid."""

    owed: Owed
    outcome: Outcome
    reason: str = ""
    gone_since: datetime | None = None


class Pusher(Protocol):
    """Wakes devices, in whatever way."""

    async def push(self, devices: Sequence[Owed]) -> list[Pushed]:
        """One push to each device, outcomes in the same order; never raises for a single device."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class FolderPusher:
    """Writes each push as a file instead of sending it: the demo needs no account."""

    def __init__(self, folder: Path, pass_type: str) -> None:
        self._folder = folder
        self._pass_type = pass_type

    async def push(self, devices: Sequence[Owed]) -> list[Pushed]:
        """`<device>-<tag>.json` with the request that would have gone out."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return [self._write(owed) for owed in devices]

    def _write(self, owed: Owed) -> Pushed:
        request = {
            "path": f"/3/device/{owed.push_token}",
            "headers": headers(self._pass_type),
            "payload": {},
            "tag": owed.tag,
        }
        name = "".join(sign if sign.isalnum() else "_" for sign in owed.device)
        (self._folder / f"{name}-{owed.tag}.json").write_text(
            json.dumps(request, indent=2) + "\n", encoding="utf-8"
        )
        return Pushed(owed, Outcome.ACCEPTED)

    async def close(self) -> None:
        """Nothing is held."""


def headers(pass_type: str) -> dict[str, str]:
    """What a push says of itself."""
    return {"apns-topic": pass_type, "apns-push-type": "background", "apns-priority": "5"}


class ProviderToken:
    """An ES256 token of a `.p8` key, made anew every 40 minutes."""

    def __init__(self, key: str, key_id: str, team: str, clock: Clock) -> None:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        self._key = load_pem_private_key(key.encode(), None)
        self._key_id, self._team, self._clock = key_id, team, clock
        self._token = ""
        self._made_at: datetime | None = None

    def value(self) -> str:
        """The token in force."""
        import jwt

        now = self._clock.now()
        if self._made_at is None or now - self._made_at >= TOKEN_LASTS:
            claims = {"iss": self._team, "iat": int(now.timestamp())}
            self._token = jwt.encode(claims, self._key, "ES256", headers={"kid": self._key_id})  # type: ignore[arg-type]
            self._made_at = now
        return self._token

    def expire(self) -> None:
        """Apple finds it too old: make another next time."""
        self._made_at = None


class ApnsPusher:
    """Apple's push service over HTTP/2: one connection, many pushes at once."""

    def __init__(
        self, client: "AsyncClient", pass_type: str, token: ProviderToken | None, concurrency: int
    ) -> None:
        self._client = client
        self._pass_type = pass_type
        self._token = token
        self._gate = asyncio.Semaphore(concurrency)

    async def push(self, devices: Sequence[Owed]) -> list[Pushed]:
        """One push to each."""
        return list(await asyncio.gather(*(self._push(owed) for owed in devices)))

    async def _push(self, owed: Owed) -> Pushed:
        from httpx import HTTPError

        async with self._gate:
            try:
                response = await self._send(owed)
                if self._token is not None and _reason(response) == "ExpiredProviderToken":
                    self._token.expire()
                    response = await self._send(owed)
            except HTTPError as error:
                return Pushed(owed, Outcome.RETRY, type(error).__name__)
        return verdict(owed, response.status_code, response.content)

    async def _send(self, owed: Owed) -> "Response":
        told = headers(self._pass_type)
        if self._token is not None:
            told["authorization"] = f"bearer {self._token.value()}"
        return await self._client.post(f"/3/device/{owed.push_token}", content=b"{}", headers=told)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def _reason(response: "Response") -> str:
    return _explained(response.content)[0]


def _explained(body: bytes) -> tuple[str, datetime | None]:
    """Reason and timestamp of an answer's body, which may be missing."""
    try:
        content = json.loads(body) if body else {}
        stamp = content.get("timestamp")
        since = datetime.fromtimestamp(stamp / 1000, UTC) if stamp is not None else None
        return str(content.get("reason", "")), since
    except (ValueError, TypeError, AttributeError, OverflowError):
        return "", None


def verdict(owed: Owed, status: int, body: bytes) -> Pushed:
    """What an answer of APNs means for the device."""
    if status == 200:
        return Pushed(owed, Outcome.ACCEPTED)
    reason, since = _explained(body)
    reason = reason or f"HTTP {status}"
    if status == 410 or reason in _GONE:
        return Pushed(owed, Outcome.GONE, reason, since)
    # An expired token is renewed at once; if Apple still finds it old, a later one will do.
    if status in _RETRY_STATUS or reason == "ExpiredProviderToken":
        return Pushed(owed, Outcome.RETRY, reason)
    return Pushed(owed, Outcome.CONFIGURATION, reason)


def pusher_for(settings: AppleSettings, folder: Path, pass_type: str, team: str, clock: Clock) -> Pusher:
    """The pusher that the settings ask for; `folder` takes the pushes that are only written down."""
    if settings.transport == "folder":
        return FolderPusher(folder, pass_type)
    token = _provider_token(settings, team, clock)
    return ApnsPusher(
        _client(settings, with_certificate=token is None), pass_type, token, settings.apns_concurrency
    )


def _provider_token(settings: AppleSettings, team: str, clock: Clock) -> ProviderToken | None:
    if settings.apns_key is None:
        return None
    if not settings.apns_key_id:
        raise EnvironmentFault(
            "TIDINGS_APPLE_APNS_KEY_ID is not set; it is the ten signs in the name of the .p8 file"
        )
    try:
        return ProviderToken(settings.apns_key.read_text(encoding="ascii"), settings.apns_key_id, team, clock)
    except (OSError, ValueError, TypeError):
        raise EnvironmentFault(
            f"TIDINGS_APPLE_APNS_KEY: {settings.apns_key} is not a .p8 key that can be read; correct the path"
        ) from None


def _client(settings: AppleSettings, *, with_certificate: bool) -> "AsyncClient":
    from httpx import AsyncClient, Limits

    trust = ssl.create_default_context(cafile=str(settings.apns_ca) if settings.apns_ca else None)
    if with_certificate:
        _show_certificate(trust, settings)
    limits = Limits(max_connections=1, max_keepalive_connections=1)
    return AsyncClient(
        http1=False,
        http2=True,
        verify=trust,
        base_url=settings.apns_url,
        limits=limits,
        timeout=TIMEOUT_SECONDS,
    )


def _show_certificate(trust: ssl.SSLContext, settings: AppleSettings) -> None:
    if settings.certificate is None or settings.key is None:
        raise EnvironmentFault(
            "pushes need TIDINGS_APPLE_CERTIFICATE and TIDINGS_APPLE_KEY, or TIDINGS_APPLE_APNS_KEY; "
            "set one of them"
        )
    password = settings.key_password.get_secret_value() if settings.key_password else ""
    try:
        with _as_pem(settings.certificate) as certificate:
            trust.load_cert_chain(certificate, settings.key, password)
    except (OSError, ssl.SSLError):
        raise EnvironmentFault(
            "TIDINGS_APPLE_CERTIFICATE, TIDINGS_APPLE_KEY and its password do not open a connection "
            "to Apple; check that they are one pair"
        ) from None


@contextmanager
def _as_pem(certificate: Path) -> Iterator[Path]:
    """The certificate as the TLS library wants it: Apple hands out DER."""
    data = certificate.read_bytes()
    if b"-----BEGIN" in data:
        yield certificate
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "certificate.pem"
        path.write_text(ssl.DER_cert_to_PEM_cert(data), encoding="ascii")
        yield path
