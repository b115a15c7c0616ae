"""Providers on this machine that write down what they took over, and that can die and come back."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import Any

from tests.channels.providers import email, http, push, sms
from tests.channels.providers.email import PATIENCE
from tests.channels.providers.http import Answer, Request

# As long as a near provider takes to answer: so that a fault meets messages on their way.
ANSWER_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that a provider took over: what it says, when (monotonic seconds), and by which name."""

    channel: str
    address: str
    text: str
    at: float
    name: str = ""


class Mail(email.Server):
    """An SMTP server that can be restarted at its address; what it has taken over stays taken over."""

    def __init__(self) -> None:
        super().__init__()
        self.record: list[Taken] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        letter = message_from_bytes(envelope.content, policy=policy.default)
        text = str(letter["Subject"])
        self.record.append(
            Taken("email", envelope.rcpt_tos[0], text, time.monotonic(), str(letter["Message-ID"]))
        )
        await asyncio.sleep(ANSWER_SECONDS)
        return "250 2.0.0 taken over"

    def go_down(self) -> None:
        """Every connection breaks, and nobody answers."""
        self._at = self.port
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE)

    def come_up(self) -> None:
        """At the same address."""
        self._released = asyncio.Event()
        self._server = asyncio.run_coroutine_threadsafe(self._again(), self._loop).result(PATIENCE)

    async def _again(self) -> asyncio.Server:
        return await self._loop.create_server(self._session_of(None), "127.0.0.1", self._at)


class _Restarted(http._Server):
    """At the address of one that died; it knows its connections, so that it can break them."""

    def __init__(self, *given: Any) -> None:
        self.open: set[socket.socket] = set()
        super().__init__(*given)

    def get_request(self) -> tuple[socket.socket, Any]:
        request, address = super().get_request()
        self.open.add(request)
        return request, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that die in the middle of a request are what this is about."""


class _Mortal(http.HttpServer):
    """An HTTP server that can die and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.record: list[Taken] = []
        self.go_down()
        self.come_up()

    def go_down(self) -> None:
        """Every connection breaks, and nobody answers."""
        self._server.shutdown()
        self._server.server_close()
        for connection in getattr(self._server, "open", ()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def come_up(self) -> None:
        """At the same address."""
        handler = self._server.RequestHandlerClass
        self._server = _Restarted(("127.0.0.1", self._server.server_port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()


class Texts(_Mortal, sms.Server):
    """An SMS provider."""

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        if answer.status == 201:
            form = sms.form_of(request)
            self.record.append(Taken("sms", form["To"], form["Body"], time.monotonic()))
        time.sleep(ANSWER_SECONDS)
        return answer


class Pushes(_Mortal, push.Server):
    """A push provider."""

    def answer(self, request: Request) -> Answer:
        before = len(self.accepted)
        answer = super().answer(request)
        if answer.status == 200 and len(self.accepted) > before:
            message = json.loads(request.body)["message"]
            to = str(message.get("token") or message["fid"])
            self.record.append(Taken("push", to, _body(message), time.monotonic()))
        time.sleep(ANSWER_SECONDS)
        return answer


def _body(message: dict[str, Any]) -> str:
    said = message.get("notification") or message.get("data") or {}
    return str(said.get("body", ""))


def providers() -> dict[str, Any]:
    """One for each channel of the scenes."""
    return {"email": Mail(), "sms": Texts(), "push": Pushes()}
