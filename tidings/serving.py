"""`tidings serve`: API, pages, looks, delivery and cards in one process on one event loop."""

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog

from core.clock import SystemClock
from core.errors import EnvironmentFault, UserError

if TYPE_CHECKING:
    import uvicorn

    from tidings.api import Services
    from tidings.workspace import Workspace

LOG = structlog.get_logger("tidings.serve")

# In-flight requests are short; what is still open after this is an idle or a hanging client.
REQUESTS_SECONDS = 5


def serve(workspace: "Workspace", host: str, port: int, *, api_only: bool = False) -> int:
    """Serve until SIGINT or SIGTERM, then finish what is in flight; returns the exit code 0.

    With `api_only` workers do everything else. EnvironmentFault, before anything is listened to, if the port
    is taken, a credential is missing or nothing was applied. A second signal ends the process at once.
    """
    from tidings.service import prepare
    from tidings.telemetry import traced

    if api_only and workspace.database_url.startswith("sqlite"):
        raise UserError(
            "on SQLite one process does everything, so --api-only would leave nobody to send; leave it out, "
            "or move to PostgreSQL (docs/moving-up.md)"
        )
    name = prepare(workspace)
    token = _token(workspace)
    with _listening(host, port) as listener, traced(version("tidings")):
        asyncio.run(_serve(workspace, name, token, listener, works=not api_only))
    return 0


def _token(workspace: "Workspace") -> str | None:
    """The token that may do everything; none is needed where there are keys."""
    from tidings.keys import any_valid

    token = workspace.settings.api_token
    if token is None:
        with workspace.database.read() as connection:
            if any_valid(connection, SystemClock().now()):
                return None
    if token is None or len(token.get_secret_value()) < 16:
        raise EnvironmentFault(
            "TIDINGS_API_TOKEN is missing or shorter than 16 characters, and tills and shops say it, or a "
            "key of their own, with every request; make a key: `tidings keys create till-1 --role till`, or "
            f"write a token into {workspace.env_file}"
        )
    return token.get_secret_value()


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket; EnvironmentFault with one sentence if it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError):
        raise EnvironmentFault(
            f"the address {host} cannot be listened at; give another with --host"
        ) from None
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(2048)
        except OSError as error:
            raise EnvironmentFault(_why_not(error, host, port)) from None
        yield listener


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"the port {port} of {host} is taken by another program; stop it, or give another with --port"
    if error.errno == errno.EACCES:
        return f"the port {port} needs more rights than this user has; give one above 1023 with --port"
    return f"the address {host} cannot be listened at; give another with --host"


async def _serve(
    workspace: "Workspace", name: str, token: str | None, listener: socket.socket, *, works: bool
) -> None:
    from tidings.api import Services, create_app
    from tidings.service import Part, Service

    service = Service(workspace, name, Part("serve", works=works))
    services = Services(
        workspace, service.clock, service.cards, token, wake=service.wake, pulses=service.pulses
    )
    server = _server(create_app(services))

    def end() -> None:
        server.should_exit = True

    # `_serve` is `serve` without uvicorn's own signal handlers, which would end the process by a signal.
    await service.run(lambda: _announce(listener, services), lambda: server._serve(sockets=[listener]), end)  # noqa: SLF001


def _server(app: Any) -> "uvicorn.Server":
    import uvicorn

    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, server_header=False, ws="none", http="h11",
        timeout_graceful_shutdown=REQUESTS_SECONDS,
    )  # fmt: skip
    return uvicorn.Server(config)


def _announce(listener: socket.socket, services: "Services") -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"tidings serves http://{shown}:{port} (Ctrl-C ends it)\n")
    sys.stdout.flush()
    kit = services.cards.kit()
    for note in kit.notes if kit else ():
        LOG.warning("not for customers yet", note=note)
