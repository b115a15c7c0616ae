"""One POST a message, signed as it leaves."""

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from channels.http_faults import NO_ANSWER, broken, refusal, retry_after
from channels.outcome import Accepted, Failed, Outcome, Unknown
from channels.proxy import proxy_to
from channels.transport import ChannelDown, Transport
from channels.webhook.signing import keys_of, signature
from core.clock import SystemClock

if TYPE_CHECKING:
    from channels.webhook import Letter, WebhookSettings

_IDLE_SECONDS = 15.0
_CONNECT_SECONDS = 10.0
# Of an answer only the status is wanted; what is longer is not waited for.
_LONGEST_ANSWER = 65_536
# These say nothing of the message: the address or the key is wrong, and would be for the next one.
_OWN = {
    403: Failed("configuration", "authentication_failed"),
    404: Failed("configuration", "not_found"),
    405: Failed("configuration", "not_found"),
}


class HttpTransport(Transport["Letter"]):
    """Posts to the retailer's address."""

    def __init__(self, settings: "WebhookSettings") -> None:
        self._settings = settings
        # The time of the signature, which the receiver compares with its own.
        self._clock = SystemClock()
        self._keys = keys_of(settings.secret)
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Make the client. Nothing is sent yet. Raises OSError for a `ca_file` that cannot be read."""
        timeout = self._settings.timeout
        url = self._settings.url.get_secret_value() if self._settings.url else ""
        self._client = httpx.AsyncClient(
            base_url="{0.scheme}://{0.netloc}".format(urlsplit(url)), follow_redirects=False,
            timeout=httpx.Timeout(timeout, connect=min(_CONNECT_SECONDS, timeout / 2)),
            transport=_WithPath(httpx.URL(url), self._settings), headers={"User-Agent": "Tidings"},
        )  # fmt: skip

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client:
            await client.aclose()

    async def transmit(self, wire: "Letter") -> Outcome:
        """One POST; it has one timeout as a whole, however slowly the answer drips in."""
        if self._client is None:
            raise RuntimeError("the webhook's client is not open")
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await self._post(self._client, wire)
        except TimeoutError:
            return Unknown("timeout")
        except NO_ANSWER as error:
            return broken(error)

    async def _post(self, client: httpx.AsyncClient, wire: "Letter") -> Outcome:
        at = int(self._clock.now().timestamp())
        headers = {
            "Content-Type": "application/json", "webhook-id": wire.id, "webhook-timestamp": str(at),
            "webhook-signature": signature(self._keys, wire.id, at, wire.body),
        }  # fmt: skip
        async with client.stream("POST", "/", content=wire.body, headers=headers) as answer:
            # A connection is used again only if its answer was read to the end.
            with contextlib.suppress(httpx.HTTPError, TimeoutError):
                async with asyncio.timeout(1):
                    await _read(answer)
        return _outcome(answer, wire.id)


class _WithPath(httpx.AsyncHTTPTransport):
    """Puts path and query into what leaves: they may hold a key, and HTTP libraries log URLs."""

    def __init__(self, url: httpx.URL, settings: "WebhookSettings") -> None:
        trusted = ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else True
        limits = httpx.Limits(max_connections=settings.concurrency, keepalive_expiry=_IDLE_SECONDS)
        super().__init__(verify=trusted, limits=limits, proxy=proxy_to(str(url)))
        self._url = url

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        leaving = httpx.Request(
            request.method, self._url, headers=request.headers, stream=request.stream,
            extensions=request.extensions,
        )  # fmt: skip
        return await super().handle_async_request(leaving)


async def _read(answer: httpx.Response) -> None:
    read = 0
    async for piece in answer.aiter_raw():
        read += len(piece)
        if read > _LONGEST_ANSWER:
            return


def _outcome(answer: httpx.Response, own: str) -> Outcome:
    """What the status says. Raises ChannelDown for what it would say of every message."""
    status = answer.status_code
    if 200 <= status < 300:
        return Accepted(own)
    outcome = refusal(status, str(status), retry_after(answer.headers), _OWN)
    if isinstance(outcome, Failed) and outcome.kind == "configuration":
        raise ChannelDown(outcome)
    return outcome
