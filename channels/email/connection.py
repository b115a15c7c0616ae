"""One SMTP connection: opens itself when needed, renews itself, and knows what a lost line leaves open."""

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

import aiosmtplib

from channels.email.mime import Mail
from channels.email.replies import Stage, failure
from channels.outcome import Accepted, Failed, Outcome, Unknown
from channels.transport import ChannelDown

if TYPE_CHECKING:
    from channels.email import EmailSettings

_GOODBYE_TIMEOUT = 5.0
_LOST = (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, ConnectionError)
_UNREADABLE = -1


class Connection:
    """A place for one SMTP session at a time, one message at a time."""

    def __init__(self, settings: "EmailSettings", tls: ssl.SSLContext | None) -> None:
        self._settings = settings
        self._tls = tls
        self._client: aiosmtplib.SMTP | None = None
        self._taken_over = 0

    @property
    def is_open(self) -> bool:
        """Whether there is a session, as far as this side can tell."""
        return self._client is not None and self._client.is_connected

    async def deliver(self, mail: Mail) -> Outcome:
        """One message, once. Raises ChannelDown if no session can be had.

        A kept session that the server has left meanwhile is replaced, once and only while nothing of the
        message's content has left.
        """
        kept = await self._make_ready()
        outcome = await self._transaction(mail)
        if outcome is None and kept:
            await self._open()
            outcome = await self._transaction(mail)
        return outcome or Failed("temporary", "connection_lost")

    def drop(self) -> None:
        """Close without a word."""
        client, self._client = self._client, None
        if client:
            _abort(client.transport)
            client.close()

    async def quit(self) -> None:
        """Close as the protocol wants it; a server that is gone already is fine."""
        if self._client and self._client.is_connected:
            transport = self._client.transport
            with suppress(aiosmtplib.SMTPException, OSError):
                await self._client.quit(timeout=_GOODBYE_TIMEOUT)
            _abort(transport)
        self.drop()

    async def _make_ready(self) -> bool:
        """Whether the session is one kept from before, rather than a new one."""
        if self.is_open and self._taken_over < self._settings.messages_per_connection:
            return True
        await self.quit()
        await self._open()
        return False

    async def _open(self) -> None:
        self.drop()
        client = _client(self._settings, self._tls)
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise ChannelDown(_why_not_open(error)) from None
        self._client, self._taken_over = client, 0

    async def _transaction(self, mail: Mail) -> Outcome | None:
        """None if the session was lost before any content left: nothing can have been sent."""
        stage: Stage = "sender"
        client = self._client
        if client is None:
            return None
        try:
            size = [f"size={len(mail.data)}"] if client.supports_extension("size") else []
            await client.mail(mail.sender, options=size)
            stage = "recipient"
            await client.rcpt(mail.to)
            stage = "data"
            await client.data(mail.data)
        except aiosmtplib.SMTPResponseException as refusal:
            return await self._refused(stage, refusal)
        except _LOST as error:
            self.drop()
            timed_out = isinstance(error, aiosmtplib.SMTPTimeoutError)
            return Unknown("timeout" if timed_out else "connection_lost") if stage == "data" else None
        self._taken_over += 1
        return Accepted(mail.message_id)

    async def _refused(self, stage: Stage, refusal: aiosmtplib.SMTPResponseException) -> Outcome | None:
        if refusal.code == _UNREADABLE:
            self.drop()
            return Unknown("unreadable_answer") if stage == "data" else None
        if refusal.code == aiosmtplib.SMTPStatus.domain_unavailable:
            self.drop()
        await self._reset()
        return failure(stage, refusal.code, refusal.message)

    async def _reset(self) -> None:
        """Forget the refused envelope, so that the next message starts clean."""
        if self._client is None:
            return
        try:
            await self._client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self.drop()


def _abort(transport: asyncio.BaseTransport | None) -> None:
    """Close now. A polite close of TLS waits for the other side, and outlives the event loop."""
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


def _client(settings: "EmailSettings", tls: ssl.SSLContext | None) -> aiosmtplib.SMTP:
    password = settings.password.get_secret_value() if settings.password else None
    return aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        username=settings.username,
        password=password if settings.username else None,
        local_hostname=settings.helo,
        timeout=settings.timeout,
        use_tls=settings.tls == "tls",
        start_tls=settings.tls == "starttls",
        tls_context=tls,
    )


def _why_not_open(error: Exception) -> Failed:
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return Failed("configuration", "tls_failed")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return failure("connect", error.code, error.message)
    if isinstance(error, TimeoutError):
        return Failed("temporary", "timeout")
    if isinstance(error, OSError):
        return Failed("temporary", "cannot_connect")
    return Failed("configuration", "server_lacks_feature")  # no STARTTLS, or no login method in common
