"""Opens SMTP sessions: connect, STARTTLS or TLS, EHLO, AUTH (aiosmtplib); then the mail goes by pipelines."""

import asyncio
import ssl
from typing import TYPE_CHECKING

import aiosmtplib

from channels.email.pipeline import CONNECTION_LOST, Session
from channels.email.replies import failure
from channels.outcome import Failed
from channels.transport import SETTINGS_MALFORMED, ChannelDown

if TYPE_CHECKING:
    from channels.email import EmailSettings


async def open_session(settings: "EmailSettings", tls: ssl.SSLContext | None, *, pipelining: bool) -> Session:
    """A session ready for mail. Raises ChannelDown if none can be had.

    `pipelining`: send in pipelines if the server offers it.
    """
    client = _client(settings, tls)
    try:
        await client.connect()
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
    except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
        client.close()
        raise ChannelDown(_why_not_open(error)) from None
    except BaseException:
        client.close()
        raise
    transport = client.transport
    if not isinstance(transport, asyncio.Transport) or transport.is_closing():
        raise ChannelDown(CONNECTION_LOST)
    return Session(
        transport,
        pipelining=pipelining and client.supports_extension("pipelining"),
        size=client.supports_extension("size"),
        timeout=settings.timeout,
        share=settings.messages_per_connection,
    )


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
        return _said(error)
    if isinstance(error, UnicodeError):  # of our own names: what a server says is decoded, whatever it is
        return SETTINGS_MALFORMED
    if isinstance(error, TimeoutError):
        return Failed("temporary", "timeout")
    if isinstance(error, OSError):
        return Failed("temporary", "cannot_connect")
    return Failed("configuration", "server_lacks_feature")  # no STARTTLS, or no login method in common


def _said(error: aiosmtplib.SMTPResponseException) -> Failed:
    """What is no reply at all has a code of its own in aiosmtplib."""
    if not 400 <= error.code < 600:
        return Failed("temporary", "unreadable_answer")
    return failure("connect", error.code, error.message)
