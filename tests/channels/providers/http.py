"""An HTTP server whose answers a test decides."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any

PATIENCE = 30.0


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


@dataclass(frozen=True)
class Answer:
    """Status 0 closes the connection without an answer; status -1 holds it until the server closes, and
    status -2 drips an answer that is never over.
    """

    status: int
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # With the usual queue of 5, the kernel resets some of the connections that come at once.
    request_queue_size = 256


class HttpServer:
    """Answers POSTs and GETs; `answer` is what a subclass decides."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.held = threading.Semaphore(0)
        self._release = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: Request) -> Answer:
        return Answer(404)

    def wait_until_hanging(self) -> None:
        assert self.held.acquire(timeout=PATIENCE), "no request came to be held"

    def speak_tls(self, context: ssl.SSLContext) -> None:
        """From now on, behind a certificate."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def hold(self) -> None:
        self.held.release()
        self._release.wait(PATIENCE)

    def drip(self, into: BufferedIOBase) -> None:
        into.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with contextlib.suppress(OSError):
            while not self._release.wait(0.02):
                into.write(b" ")

    def close(self) -> None:
        self._release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)


def _handler_of(home: HttpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.path, dict(self.headers.items()), body, self.command)
            home.requests.append(request)
            answer = home.answer(request)
            if answer.status == -1:
                home.hold()
            if answer.status == -2:
                home.drip(self.wfile)
            if answer.status <= 0:
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # nobody reads on
                self.wfile.write(answer.body)

        do_GET = do_POST  # noqa: N815 - the name is the standard library's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
            """Tests read `requests` instead."""

    return Handler
