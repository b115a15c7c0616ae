"""What trouble on an HTTP connection leaves open, for channels whose provider speaks HTTP."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from channels.outcome import Failed, Unknown
from channels.transport import ChannelDown

LONGEST_WAIT = 86400.0
_NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def broken(error: BaseException | None) -> Unknown:
    """A request without an answer: unknown. Raises ChannelDown if it never left, for want of a connection."""
    if isinstance(error, _NOT_CONNECTED):
        raise ChannelDown(
            Failed("configuration", "tls_failed") if _is_tls(error) else Failed("temporary", "cannot_connect")
        )
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


def retry_after(headers: httpx.Headers) -> float | None:
    """Retry-After (RFC 9110, 10.2.3) in seconds, at most a day. A date is left to our own backoff."""
    value = headers.get("Retry-After", "").strip()
    return min(float(value), LONGEST_WAIT) if value.isascii() and value.isdecimal() else None


def _is_tls(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
