"""An SMTP server that logs in, and that refuses, stalls or hangs up by the recipient's name."""
# ruff: noqa: N802 - aiosmtpd calls its hooks so

import asyncio
import ssl
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.channels.providers.base import SECRET, Provider, Verdict

PATIENCE = 30.0
REPLIES = {
    "temporary": "451 4.7.1 greylisted, come back later",
    "dead": "550 5.1.1 <{to}> no such user here",
    "permanent": "550 5.7.1 <{to}> blocked by policy",
}


class Server(Provider):
    transport = "smtp"
    config = {"from": "Кав'ярня <hello@kavarnia.example>", "rate": "100 per second"}
    parts = {
        "subject": "У вас 500 бонусів",
        "preheader": "Вони згорять 15 березня",
        "html": "<html><body><p>Привіт, Олено!</p></body></html>",
        "text": "Привіт, Олено!",
    }
    credentials = ("TIDINGS_EMAIL_HOST", "TIDINGS_EMAIL_PASSWORD")

    def __init__(
        self, *, login: bool = True, tls: ssl.SSLContext | None = None, starttls: bool = False
    ) -> None:
        self.envelopes: list[Envelope] = []
        self.connections = 0
        self.on_recipient: dict[str, str] = {}
        self.on_data: dict[str, str] = {}
        self.hang_up_once_at: set[str] = set()
        self.token = SECRET
        self.shown: list[str] = []
        self._login = login
        self._tls = tls
        self._starttls = starttls
        self._held = threading.Semaphore(0)
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(PATIENCE)

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    def environment(self) -> Mapping[str, str]:
        encryption = "starttls" if self._starttls else "tls" if self._tls else "none"
        account = (
            {"TIDINGS_EMAIL_USERNAME": "kavarnia", "TIDINGS_EMAIL_PASSWORD": SECRET} if self._login else {}
        )
        return account | {
            "TIDINGS_EMAIL_TRANSPORT": "smtp",
            "TIDINGS_EMAIL_HOST": "127.0.0.1",
            "TIDINGS_EMAIL_PORT": str(self.port),
            "TIDINGS_EMAIL_TLS": encryption,
            "TIDINGS_EMAIL_HELO": "tidings.example",
            "TIDINGS_EMAIL_CONCURRENCY": "4",
        }

    def address(self, verdict: Verdict, number: int = 0) -> str:
        return f"{verdict}{number}@example.com"

    @property
    def accepted(self) -> list[str]:
        return [envelope.rcpt_tos[0] for envelope in self.envelopes]

    def wait_until_hanging(self) -> None:
        assert self._held.acquire(timeout=PATIENCE), "no message came to be held"

    def close(self) -> None:
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if "MAIL" in self.hang_up_once_at:
            self.hang_up_once_at.discard("MAIL")
            hang_up(server)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        name = address.partition("@")[0].rstrip("0123456789")
        reply = self.on_recipient.get(name) or REPLIES.get(name)
        if reply:
            return reply.format(to=address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        name = envelope.rcpt_tos[0].partition("@")[0].rstrip("0123456789")
        if name == "drop":
            hang_up(server)
            return "451 never read"
        if name == "hang":
            self._held.release()
            await self._released.wait()
        if reply := self.on_data.get(name):
            return reply
        self.envelopes.append(envelope)
        return "250 2.0.0 taken over"

    async def _listen(self) -> asyncio.Server:
        starttls = self._tls if self._starttls else None
        return await self._loop.create_server(
            self._session_of(starttls), "127.0.0.1", 0, ssl=None if starttls else self._tls
        )

    def _session_of(self, starttls: ssl.SSLContext | None) -> Callable[[], SMTP]:
        def session() -> SMTP:
            self.connections += 1
            check = self._check if self._login else None
            return SMTP(
                self, authenticator=check, auth_require_tls=False, tls_context=starttls, loop=self._loop
            )

        return session

    async def _stop(self) -> None:
        self._released.set()
        self._server.close()
        sessions = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        """As Gmail and Exchange Online speak it: a refusal is explained, and the client answers nothing."""
        said = b64decode(args[1]).decode()
        self.shown.append(said)
        if said == f"user=kavarnia\1auth=Bearer {self.token}\1\1":
            return AuthResult(success=True, auth_data=said)
        await server.challenge_auth(b'{"status": "400"}')
        return AuthResult(success=False, handled=False)

    def _check(self, server: SMTP, session: Session, envelope: Envelope, kind: str, data: Any) -> AuthResult:
        known = isinstance(data, LoginPassword) and data.password == SECRET.encode()
        return AuthResult(success=known, handled=known)


def hang_up(server: SMTP) -> None:
    assert server.transport is not None
    server.transport.close()
