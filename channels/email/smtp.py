"""The SMTP transport: connections that are kept between messages and batches."""

import asyncio
import ssl
from typing import TYPE_CHECKING

from channels.email.connection import Connection
from channels.email.mime import Mail
from channels.outcome import Outcome
from channels.transport import ChannelDown, Transport

if TYPE_CHECKING:
    from channels.email import EmailSettings


class SmtpTransport(Transport[Mail]):
    """As many connections as messages are on their way at one time."""

    def __init__(self, settings: "EmailSettings") -> None:
        self._settings = settings
        self._tls = ssl.create_default_context() if settings.tls != "none" else None
        self._connections: list[Connection] = []
        self._idle: list[Connection] = []

    async def close(self) -> None:
        """Say goodbye on every kept connection."""
        connections, self._connections, self._idle = self._connections, [], []
        await asyncio.gather(*(connection.quit() for connection in connections))

    async def transmit(self, wire: Mail) -> Outcome:
        """One message over one connection.

        A server that refuses one more connection while others are at work is not down: only the message that
        asked for it waits.
        """
        connection = self._take()
        try:
            return await connection.deliver(wire)
        except ChannelDown as down:
            if down.outcome.kind == "temporary" and any(other.is_open for other in self._connections):
                return down.outcome
            raise
        except BaseException:  # cancelled in the middle of the dialogue: this connection cannot be used again
            connection.drop()
            raise
        finally:
            self._idle.append(connection)

    def _take(self) -> Connection:
        """The connection used last, since it is the least likely to have been closed meanwhile."""
        if not self._idle:
            self._connections.append(Connection(self._settings, self._tls))
            return self._connections[-1]
        return self._idle.pop()
