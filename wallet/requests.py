"""What phones and Google send us: the bytes of a request, up to a limit."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import Request

BODY_AT_MOST = 64 * 1024


def body() -> "Callable[[Request], Awaitable[bytes]]":
    """Reads it, whatever its Content-Type says: devices are not strict about it. 413 if it is too long."""
    from fastapi import HTTPException, Request

    async def read(request: Request) -> bytes:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > BODY_AT_MOST:
                raise HTTPException(
                    413, f"a request to this address may have {BODY_AT_MOST // 1024} KiB at most"
                )
        return bytes(content)

    return read
