"""What systemd is told of `serve`: that it is ready, that it lives, that it stops. Nothing without systemd.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence

from core.clock import Clock
from scheduler.beat import Pulse

READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"


def tell(state: str) -> None:
    """Say it to whoever started this process, if they listen."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    # The variable outlives whoever set it, in a shell that a unit started: then nobody listens.
    with line, contextlib.suppress(OSError):
        # An @ stands for the zero byte of an abstract socket.
        line.sendto(state.encode(), address.replace("@", "\0", 1))


def watched_every() -> float | None:
    """Seconds within which a sign of life is wanted; None if nobody waits for one."""
    microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or process not in ("", str(os.getpid())):
        return None
    return int(microseconds) / 1_000_000


async def live(pulses: Callable[[], Sequence[Pulse]], clock: Clock) -> None:
    """Give a sign of life while no beat is stuck; that it comes at all says that the event loop turns.

    A beat that fails because a provider or the database is away is not stuck: a restart would not help.
    """
    wanted = watched_every()
    while wanted is not None:
        if not any(pulse.stuck(clock.now()) for pulse in pulses()):
            tell(ALIVE)
        await asyncio.sleep(wanted / 2)
