"""What an HTTP status or trouble on a connection tells of a message, wherever a provider speaks HTTP."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from channels.outcome import Failed, Outcome, Unknown
from channels.transport import SETTINGS_MALFORMED, ChannelDown
from core import http_dates
from core.clock import Clock

LONGEST_ANSWER = 4_194_304
"""Octets that are read of an answer: a few lines mostly, at most a hundred long texts that are listed."""
_NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# What a request cannot be made of: an address without a scheme, a key with letters that no header carries.
_NOT_MADE = (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeEncodeError)
_NOT_WRITTEN = "Illegal header"
NO_ANSWER = (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError)
"""What a request raises that comes to no answer; `broken` tells what follows."""
_REDIRECTED = Failed("configuration", "redirected")
_PROXY_REFUSED = Failed("configuration", "proxy_refused")
_REFUSED = Failed("permanent", "refused")
_BY_STATUS: Mapping[int, Failed] = {
    401: Failed("configuration", "authentication_failed"),
    403: Failed("configuration", "provider_refused"),
    404: Failed("configuration", "provider_refused"),
    405: Failed("configuration", "provider_refused"),
    407: _PROXY_REFUSED,
    408: Failed("temporary", "provider_busy"),
    410: Failed("configuration", "gone"),
    425: Failed("temporary", "provider_busy"),
    429: Failed("temporary", "rate_limited"),
    503: Failed("temporary", "provider_busy"),
}
BUSY = frozenset(status for status, failed in _BY_STATUS.items() if failed.kind == "temporary")
"""The statuses that ask us to come later, perhaps with Retry-After."""
# How the words of an error begin where a proxy wants a password, or forbids the address.
_NOT_BY_PROXY = ("407", "403")
# They would be said of the next message as well.
_OF_EVERY_MESSAGE = [
    ("configuration", reason) for reason in ("authentication_failed", "proxy_refused", "redirected", "gone")
]


def refusal(
    status: int, detail: str, wait: float | None = None, own: Mapping[int, Failed] | None = None
) -> Failed | Unknown:
    """What a status that is not 2xx says by itself (RFC 9110, 15); `own` is what this provider means by one.

    Redirects are never followed: the address has moved, which is ours to mend. 408 and 425 tell that the
    request was not begun. Any 5xx but 503 may have come after the message was taken over: unknown.
    """
    known = (own or {}).get(status) or _BY_STATUS.get(status)
    if known is None and status >= 500:
        return Unknown("provider_error", detail)
    if status < 300:  # taken over, it seems, but not in the way agreed on
        return Unknown("unreadable_answer", detail)
    known = known or (_REDIRECTED if status < 400 else _REFUSED)
    later = wait if known.kind == "temporary" else None
    return Failed(known.kind, known.reason, detail, known.address, later)


def of_one(outcome: Outcome) -> Outcome:
    """The outcome, if it is of one message alone. Raises ChannelDown for what is said of every message."""
    if isinstance(outcome, Failed) and (outcome.kind, outcome.reason) in _OF_EVERY_MESSAGE:
        raise ChannelDown(outcome)
    return outcome


def broken(error: BaseException | None) -> Unknown:
    """A request without an answer: unknown. Raises ChannelDown if it never left, for want of a connection or
    since none could be made of the settings.
    """
    if isinstance(error, _NOT_CONNECTED):
        raise ChannelDown(
            Failed("configuration", "tls_failed") if _is_tls(error) else Failed("temporary", "cannot_connect")
        )
    if isinstance(error, _NOT_MADE) or (
        isinstance(error, httpx.LocalProtocolError) and str(error).startswith(_NOT_WRITTEN)
    ):
        raise ChannelDown(SETTINGS_MALFORMED)
    if isinstance(error, httpx.ProxyError):
        # It made no tunnel to the provider, so that nothing of the request went through.
        forbids = str(error).startswith(_NOT_BY_PROXY)
        raise ChannelDown(_PROXY_REFUSED if forbids else Failed("temporary", "cannot_connect"))
    return Unknown("timeout" if isinstance(error, httpx.TimeoutException) else "connection_lost")


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[None]:
    """One request as a whole: so long for a connection, and so long for an answer.

    httpx waits `seconds` for each piece of it: one that drips in would hold the channel for ever. Raises
    httpx.ReadTimeout.
    """
    try:
        async with asyncio.timeout(2 * seconds):
            yield
    except TimeoutError:
        raise httpx.ReadTimeout("the answer drips in") from None


class _Beginning(httpx.AsyncByteStream):
    """As much of an answer as anybody reads."""

    def __init__(self, whole: httpx.AsyncByteStream) -> None:
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for piece in self._whole:
            yield piece
            read += len(piece)
            if read >= LONGEST_ANSWER:
                return

    async def aclose(self) -> None:
        await self._whole.aclose()


async def _cut(answer: httpx.Response) -> None:
    if isinstance(answer.stream, httpx.AsyncByteStream):
        answer.stream = _Beginning(answer.stream)


HOOKS = {"response": [_cut]}
"""For a client: an answer without end is read no further than that, and is what its status says."""


def retry_after(headers: httpx.Headers, clock: Clock | None = None) -> float | None:
    """Retry-After in seconds, at most a day; None for none that can be read. `core.http_dates` says how."""
    return http_dates.retry_after(headers.get("Retry-After", ""), headers.get("Date", ""), clock)


def _is_tls(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
