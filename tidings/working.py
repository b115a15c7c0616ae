"""`tidings worker`: looks, delivery and cards without the API, beside any number of others."""

import asyncio
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from core.errors import UserError

if TYPE_CHECKING:
    from tidings.workspace import Workspace


def work(
    workspace: "Workspace", channels: Sequence[str] | None, concurrency: int, *, metrics_host: str,
    metrics_port: int | None,
) -> int:  # fmt: skip
    """Work until SIGINT or SIGTERM, then finish what is in flight; returns the exit code 0.

    UserError on SQLite or for a channel that there is not; EnvironmentFault as `serve`.
    """
    from tidings.service import prepare
    from tidings.telemetry import traced

    if workspace.database_url.startswith("sqlite"):
        raise UserError(
            "workers share a PostgreSQL database, and this workspace's is SQLite, where `tidings serve` does "
            "everything by itself; move up with `tidings db copy` (docs/moving-up.md)"
        )
    for name in channels or ():
        _known(name)
    name = prepare(workspace)
    with traced(version("tidings")):
        asyncio.run(_work(workspace, name, channels, concurrency, metrics_host, metrics_port))
    return 0


def _known(channel: str) -> None:
    from channels import discover
    from core.explain import suggest

    if channel not in discover():
        raise UserError(
            f"--channels: there is no channel '{channel}'; {suggest(channel, sorted(discover()))}"
        )


async def _work(
    workspace: "Workspace", name: str, channels: Sequence[str] | None, concurrency: int, host: str,
    port: int | None,
) -> None:  # fmt: skip
    from tidings.api import Services
    from tidings.service import Part, Service
    from tidings.sidecar import serve_health

    service, ended = Service(workspace, name, Part("worker", channels, concurrency)), asyncio.Event()
    services = Services(workspace, service.clock, service.cards, None, pulses=service.pulses)

    async def until_ended() -> None:
        await ended.wait()

    def announce() -> None:
        by = ", ".join(channels) if channels else "every channel"
        sys.stdout.write(f"tidings works, by {by}, {concurrency} at a time (Ctrl-C ends it)\n")
        sys.stdout.flush()

    async with serve_health(services, host, port):
        await service.run(announce, until_ended, ended.set)
