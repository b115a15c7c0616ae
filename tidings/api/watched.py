"""Every request: its id, how long it took, its line in the log and its span.

The id is the caller's `X-Request-ID`, or one of ours; the answer carries it, and so does each line that is
logged meanwhile.
"""

import re
import secrets
import time
from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, unbind_contextvars

from core import tracing
from core.meters import Histogram
from scheduler.following import wanted

LOG = structlog.get_logger("tidings.api")
# Of this process, by the route's template: addresses with their ids would be as many as customers.
REQUEST_SECONDS = Histogram("method", "route", "status")
HEADER = b"x-request-id"
# Whoever made it up: what does not look like an id is not repeated.
_ID = re.compile(r"[A-Za-z0-9._:\-]{1,64}")
_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))
# Where no route was found, so that strangers cannot make up labels.
NO_ROUTE = "unmatched"


class Watched:
    """The application, watched. `ticks` counts seconds, from anywhere."""

    def __init__(self, app: ASGIApp, ticks: Callable[[], float] = time.perf_counter) -> None:
        self._app, self._ticks = app, ticks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = _headers(scope)
        name = given.get(HEADER, "")
        request_id = name if _ID.fullmatch(name) else secrets.token_hex(8)
        bind_contextvars(request_id=request_id)
        began, status = self._ticks(), "500"

        async def watching(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id.encode())]
            await send(message)

        try:
            with tracing.span("request", "server", given.get(b"traceparent"), request_id=request_id) as span:
                await self._app(scope, receive, watching)
                if tracing.active():
                    method, route = _named(scope)
                    span.rename(f"{method} {route}")
                    span.set(method=method, route=route, status=int(status))
        finally:
            self._tell(scope, status, self._ticks() - began)
            unbind_contextvars("request_id")

    @staticmethod
    def _tell(scope: Scope, status: str, seconds: float) -> None:
        method, route = _named(scope)
        REQUEST_SECONDS.observe((method, route, status), seconds)
        if wanted():
            LOG.debug("request", method=method, route=route, status=int(status), ms=round(seconds * 1000, 1))


def _headers(scope: Scope) -> dict[bytes, str]:
    wanted = (HEADER, b"traceparent")
    return {name: value.decode("latin-1") for name, value in scope["headers"] if name in wanted}


def _named(scope: Scope) -> tuple[str, str]:
    method = scope["method"] if scope["method"] in _METHODS else "other"
    # A route of an included router knows its own part only; FastAPI puts the whole beside it.
    whole = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(whole or scope.get("route"), "path", None)
    mounted = scope.get("root_path") or ""
    return method, f"{mounted}{path}" if path else NO_ROUTE
