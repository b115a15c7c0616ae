"""Opens SMTP sessions: connect, STARTTLS or TLS, EHLO, AUTH (aiosmtplib); then the mail goes by pipelines."""

import asyncio
import ssl
from typing import TYPE_CHECKING

import aiosmtplib

from channels.email.pipeline import CONNECTION_LOST, Session
from channels.email.replies import failure
from channels.email.tokens import NoToken, tokens_of
from channels.outcome import Failed
from channels.transport import SETTINGS_MALFORMED, ChannelDown

if TYPE_CHECKING:
    from channels.email import EmailSettings

# A server that does not take a token says so, or hangs up.
_REFUSED = (aiosmtplib.SMTPAuthenticationError, aiosmtplib.SMTPServerDisconnected)


async def open_session(settings: "EmailSettings", tls: ssl.SSLContext | None, *, pipelining: bool) -> Session:
    """A session ready for mail. Raises ChannelDown if none can be had.

    `pipelining`: send in pipelines if the server offers it.
    """
    try:
        client = await _let_in(settings, tls)
    except NoToken as error:
        raise ChannelDown(Failed("configuration", "no_token", error.code)) from None
    except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
        raise ChannelDown(_why_not_open(error)) from None
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


async def _let_in(settings: "EmailSettings", tls: ssl.SSLContext | None) -> aiosmtplib.SMTP:
    """A client that has logged in; where a token is refused that was good until now, with another one."""
    tokens = tokens_of(settings.token_command, settings.timeout)
    if tokens is None:
        return await _connected(_client(settings, tls))
    token, is_fresh = await asyncio.wrap_future(tokens.coming())
    try:
        return await _connected(_client(settings, tls, token))
    except _REFUSED:
        tokens.refused(token)
        if is_fresh:
            raise
    return await _let_in(settings, tls)


async def _connected(client: aiosmtplib.SMTP) -> aiosmtplib.SMTP:
    try:
        await client.connect()
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
    except BaseException:
        client.close()
        raise
    return client


def _client(
    settings: "EmailSettings", tls: ssl.SSLContext | None, token: str | None = None
) -> aiosmtplib.SMTP:
    password = settings.password.get_secret_value() if settings.password else None

    async def given() -> str:
        return token or ""

    return aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        username=settings.username,
        password=password if settings.username and token is None else None,
        oauth_token_generator=given if token is not None else None,
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
