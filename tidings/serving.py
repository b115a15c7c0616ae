"""`tidings serve`: API, pages, looks, delivery and cards in one process on one event loop."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog

from core.clock import SystemClock
from core.collecting import collect_seldom
from core.errors import EnvironmentFault, UserError

if TYPE_CHECKING:
    import uvicorn

    from scheduler.beats import Beats
    from scheduler.presence import Presence
    from tidings.api import Services
    from tidings.workspace import Workspace

LOG = structlog.get_logger("tidings.serve")

# In-flight requests are short; what is still open after this is an idle or a hanging client.
REQUESTS_SECONDS = 5
LEAVE_SECONDS = 3.0
# How often the process says in the database that it is there, seconds.
PRESENT_EVERY = 10.0


def serve(workspace: "Workspace", host: str, port: int) -> int:
    """Serve until SIGINT or SIGTERM, then finish what is in flight; returns the exit code 0.

    EnvironmentFault, before anything is listened to, if the port is taken, a credential is missing or
    nothing was applied. A second signal ends the process at once.
    """
    token = _token(workspace)
    _ = workspace.secret
    try:
        workspace.live.running()
    except UserError as error:
        raise EnvironmentFault(str(error)) from None
    _log_through_structlog()
    collect_seldom()
    with _listening(host, port) as listener:
        asyncio.run(_serve(workspace, token, listener))
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
    except OSError:
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


async def _serve(workspace: "Workspace", token: str | None, listener: socket.socket) -> None:
    from scheduler.beats import Beats
    from scheduler.presence import Presence
    from tidings import supervised
    from tidings.api import Services, create_app
    from tidings.cards import cards_of

    clock = SystemClock()
    cards = cards_of(workspace, clock)
    beats = Beats(
        workspace.database, workspace.live, clock, cards, channels=workspace.channels, links=workspace.links
    )
    services = Services(workspace, clock, cards, token, wake=beats.wake, pulses=beats.pulses)
    server = _server(create_app(services))
    _obey_signals(server, beats)
    try:
        await beats.start()
    except BaseException:
        await beats.close()
        raise
    presence = Presence(workspace.database, clock, "serve", version("tidings"), beats.pulses)
    signs = [
        asyncio.create_task(supervised.live(beats.pulses, clock)), asyncio.create_task(_say(presence)),
    ]  # fmt: skip
    try:
        _announce(listener, services)
        supervised.tell(supervised.READY)
        # `_serve` is `serve` without uvicorn's own signal handlers, which would end the process by a signal.
        await server._serve(sockets=[listener])  # noqa: SLF001
    finally:
        supervised.tell(supervised.STOPPING)
        for sign in signs:
            sign.cancel()
        ended = await beats.stop()
        if not ended:
            await _cut_short()
        await beats.close()
        with contextlib.suppress(EnvironmentFault):
            await asyncio.to_thread(presence.leave)
        LOG.info("stopped", in_order=ended)
    if not ended:
        # asyncio would wait for every thread: one is still busy with a look, whose transaction is undone.
        _leave(0)


async def _say(presence: "Presence") -> None:
    """Say that this process is here, again and again; a database that takes it not is told of once."""
    told = ""
    while True:
        try:
            await asyncio.to_thread(presence.say)
            told = ""
        except EnvironmentFault as fault:
            if told != (told := str(fault)):
                LOG.warning("the database takes nothing", reason=told)
        await asyncio.sleep(PRESENT_EVERY)


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


def _obey_signals(server: "uvicorn.Server", beats: "Beats") -> None:
    """The first signal ends everything in order, the second at once."""
    loop = asyncio.get_running_loop()

    def end(number: int) -> None:
        if server.should_exit:
            _leave(128 + number)
        LOG.info("stopping", signal=signal.Signals(number).name)
        server.should_exit = True
        beats.begin_stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)


async def _cut_short() -> None:
    """End what did not end in time; what was being sent is written down as unknown, or to be sent again."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=LEAVE_SECONDS)


def _leave(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _ToStructlog(logging.Handler):
    """What libraries log, as JSON lines; without tracebacks, whose values may be personal."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        LOG.log(record.levelno, record.getMessage(), logger=record.name, **({"error": kind} if kind else {}))


def _log_through_structlog() -> None:
    # Libraries name addresses in their INFO lines (httpx the device that it pushes to): warnings only.
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING, force=True)
