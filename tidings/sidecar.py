"""What watches a process without an API: /metrics, /healthz and /readyz on a port of their own.

No key is asked for: it listens on the loopback unless it is told otherwise, and none of it is about a person.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from core.errors import EnvironmentFault

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tidings.api import Services

LOG = structlog.get_logger("tidings.sidecar")

# Where OpenTelemetry's and others' exporters of Prometheus' format listen by custom.
PORT, HOST = 9464, "127.0.0.1"


@asynccontextmanager
async def serve_health(here: "Services", host: str = HOST, port: int | None = None) -> AsyncIterator[int]:
    """Listen while the block lasts; gives the port, 0 if nothing listens.

    `port` 0 is none at all. Without one it is 9464, unless another process of this machine has it: then this
    one is not watched, and says so. EnvironmentFault if a port that was asked for cannot be had.
    """
    listener = _listener(host, port)
    if listener is None:
        yield 0
        return
    import uvicorn

    config = uvicorn.Config(
        application(here), lifespan="off", log_config=None, access_log=False, server_header=False,
        ws="none", http="h11", timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with listener:
        # Without uvicorn's own signal handlers, as in `serve`.
        serving = asyncio.create_task(server._serve(sockets=[listener]))  # noqa: SLF001
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await asyncio.wait({serving}, timeout=2)
            serving.cancel()


def application(here: "Services") -> "FastAPI":
    """The three pages."""
    from fastapi import FastAPI

    from tidings.api import health, metrics

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.services = here
    app.include_router(health.routes)
    app.add_api_route("/metrics", metrics.told)
    return app


def _listener(host: str, port: int | None) -> socket.socket | None:
    if port == 0:
        return None
    try:
        return socket.create_server((host, PORT if port is None else port), family=_family(host))
    except UnicodeError:
        raise EnvironmentFault(
            f"the address {host} cannot be listened at; give another with --metrics-host"
        ) from None
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            LOG.warning("not watched", reason=f"port {PORT} is taken; give another with --metrics-port")
            return None
        # What Python adds in brackets is said by the sentence itself.
        reason = (error.strerror or str(error)).partition(" (")[0].lower()
        raise EnvironmentFault(
            f"the port {port or PORT} of {host} cannot be listened at ({reason}); give another with "
            "--metrics-port, or 0 for none"
        ) from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
