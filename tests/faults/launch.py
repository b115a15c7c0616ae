"""A command of Tidings as a process of its own, to be killed or frozen; a scene may move its clock."""

import contextlib
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import uvicorn  # noqa: F401

# Loaded beforehand, so that a new process starts at once.
import channels.email.smtp
import channels.push.firebase
import channels.sms.twilio  # noqa: F401
import scheduler.beats  # noqa: F401
import tidings.api
import tidings.serving
import tidings.ticking  # noqa: F401
from core import clock
from scheduler import leader
from tests.faults.clock import MovedClock
from tests.support.databases import load_tables
from tidings import cli

load_tables()

# A frozen leader is followed after so long, seconds: longer than one is sure that it leads, and no longer.
SILENT = 5.0
# linux/sched.h and linux/prctl.h
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Orders:
    """A command line and its surroundings. `clock` is the scene's, if it has one of its own; `namespace` is
    the network that the command lives in; `leads` makes it believe that it is the leader, whoever else is.
    """

    words: tuple[str, ...]
    workspace: Path
    environment: Mapping[str, str]
    clock: Path | None
    log: Path
    namespace: str | None = None
    leads: bool = False


def run(orders: Orders) -> None:
    """The whole life of the process."""
    gc.freeze()
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _surround(orders)
    if orders.clock is not None:
        _show(MovedClock(orders.clock))
        leader.SILENT = SILENT
    if orders.leads:
        _believe()
    sys.argv = ["tidings", "-w", str(orders.workspace), *orders.words]
    try:
        cli.main()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError):
                stream.flush()


def _surround(orders: Orders) -> None:
    if orders.namespace is not None:
        _enter(orders.namespace)
    into = os.open(orders.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(into, 1)
    os.dup2(into, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
    for name in [name for name in os.environ if name.startswith("TIDINGS_")]:
        del os.environ[name]
    os.environ.update(orders.environment)
    os.chdir(orders.workspace)


def _enter(namespace: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/run/netns", namespace).open("rb") as opened:
        if libc.setns(opened.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"the network namespace {namespace} cannot be entered")


def _show(moved: MovedClock) -> None:
    """The machine's clock has been moved, as far as the product can see."""

    clock.SystemClock.now = lambda _self: moved.now()  # type: ignore[assignment,method-assign]


def _believe() -> None:
    """As after a network cut that it has not noticed: it goes on leading, whoever else does."""

    async def run(self: leader.Leader) -> None:
        self._begins()
        await self._stopped.wait()

    leader.Leader.run = run  # type: ignore[method-assign]
    leader.Leader.leads = property(lambda _self: True)  # type: ignore[assignment,method-assign]
