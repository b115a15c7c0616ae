"""The Bot API's client: one POST a call, and the token nowhere but on the wire.

The token is a part of the URL, and HTTP libraries write URLs into their logs, errors and reprs. So requests
are made without it; it is put in below all that, as the request leaves.
"""

from types import TracebackType
from typing import Any, Self

import httpx

from channels.http_faults import HOOKS, patience
from channels.proxy import proxy_to
from channels.telegram import TelegramSettings


class _WithToken(httpx.AsyncHTTPTransport):
    """Puts the token into the path of what leaves: `/sendMessage` becomes `/bot<token>/sendMessage`."""

    def __init__(self, settings: TelegramSettings) -> None:
        limits = httpx.Limits(max_connections=settings.concurrency)
        super().__init__(limits=limits, proxy=proxy_to(settings.base_url))
        self._token = settings.token

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        folder, _, method = request.url.path.rpartition("/")
        token = self._token.get_secret_value() if self._token else ""
        path = f"{folder}/bot{token}/{method}"
        leaving = httpx.Request(
            request.method, request.url.copy_with(path=path), headers=request.headers,
            stream=request.stream, extensions=request.extensions,
        )  # fmt: skip
        return await super().handle_async_request(leaving)


class Bot:
    """Calls methods of the Bot API; belongs to the event loop that opened it."""

    def __init__(self, settings: TelegramSettings) -> None:
        self._settings = settings
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def open(self) -> None:
        """Make the client. Nothing is sent yet."""
        self._client = httpx.AsyncClient(
            base_url=self._settings.base_url, timeout=self._settings.timeout,
            transport=_WithToken(self._settings), follow_redirects=False, event_hooks=HOOKS,
        )  # fmt: skip

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client:
            await client.aclose()

    async def call(self, method: str, **given: Any) -> httpx.Response:
        """The answer, whatever its status. Raises httpx.HTTPError if there is none."""
        if self._client is None:
            raise RuntimeError("the bot is not open")
        async with patience(self._settings.timeout):
            return await self._client.post(f"/{method}", json=given)
