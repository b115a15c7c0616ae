"""The way between a process and its database, which can be cut: a namespace's packets, or a proxy's bytes.

Where this machine permits it a process lives in a network namespace of its own, with one pair of virtual
interfaces to the rest: the packets between it and the database are dropped, as by a broken switch. Elsewhere,
and for what a kernel does not do, there is only the proxy: it refuses, breaks off, or goes silent while the
connection stays open (half-open).
"""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_numbers = itertools.count(1)
PATIENCE = 5.0


class Proxy:
    """Carries bytes from a port of this machine to a server, until it is told otherwise."""

    def __init__(self, target: str | tuple[str, int], host: str = "127.0.0.1") -> None:
        self._target = target
        self._flowing, self._open = threading.Event(), True
        self._flowing.set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._pumps: list[threading.Thread] = []
        self._listener = socket.create_server((host, 0))
        self._refusing = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def go_silent(self) -> None:
        """Half-open: what is sent arrives nowhere, and nobody says so."""
        self._flowing.clear()

    def break_off(self) -> None:
        """Every connection ends, and new ones are refused."""
        self._refusing = True
        for pair in self._pairs:
            _end(*pair)
        self._pairs.clear()

    def go_on(self) -> None:
        """The way is whole again: what was held up arrives."""
        self._refusing = False
        self._flowing.set()

    def close(self) -> None:
        """Carry nothing more."""
        self._open = False
        self._flowing.set()
        self._listener.close()
        self.break_off()
        for pump in self._pumps:
            pump.join(PATIENCE)

    def _accept(self) -> None:
        while self._open:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                here.close()
                continue
            try:
                there = self._reach()
            except OSError:
                here.close()
                continue
            self._carry(here, there)

    def _reach(self) -> socket.socket:
        if isinstance(self._target, tuple):
            return socket.create_connection(self._target)
        there = socket.socket(socket.AF_UNIX)
        try:
            there.connect(self._target)
        except OSError:
            there.close()
            raise
        return there

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        self._pairs.append((here, there))
        for one, other in ((here, there), (there, here)):
            pump = threading.Thread(target=self._pump, args=(one, other), daemon=True)
            self._pumps.append(pump)
            pump.start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                self._flowing.wait()
                other.sendall(data)
        _end(one, other)
        one.close()


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network of its own. `host` is the address by which it reaches this machine."""

    name: str
    host: str
    interface: str

    def cut(self, port: int) -> str:
        """No packet passes to or from a port of this machine, and neither side is told; says how."""
        try:
            self._rules("-I", port)
            return "its packets dropped"
        except (OSError, subprocess.CalledProcessError):
            _ip("link", "set", self.interface, "down")
            return "the cable pulled"

    def mend(self, port: int) -> None:
        """Packets pass again."""
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            self._rules("-D", port)
        _ip("link", "set", self.interface, "up")

    def _rules(self, what: str, port: int) -> None:
        for chain, way, which in (("INPUT", "-i", "--dport"), ("OUTPUT", "-o", "--sport")):
            rule = [chain, way, self.interface, "-p", "tcp", which, str(port), "-j", "DROP"]
            _run("iptables", what, *rule)


@contextmanager
def namespace() -> Iterator[Namespace | None]:
    """One for a process to live in; None where this machine does not permit it."""
    number = next(_numbers)
    # Other runs on this machine have others; the kernel takes names of fifteen letters.
    name = f"t{os.getpid()}n{number}"
    mine, theirs = f"{name}a", f"{name}b"
    net = f"10.{os.getpid() % 250}.{number}"
    host, guest = f"{net}.1", f"{net}.2"
    try:
        _ip("netns", "add", name)
        _ip("link", "add", mine, "type", "veth", "peer", "name", theirs)
        _ip("link", "set", theirs, "netns", name)
        _ip("addr", "add", f"{host}/24", "dev", mine)
        _ip("link", "set", mine, "up")
        _ip("-n", name, "addr", "add", f"{guest}/24", "dev", theirs)
        for interface in ("lo", theirs):
            _ip("-n", name, "link", "set", interface, "up")
    except (OSError, subprocess.CalledProcessError):
        _remove(name, mine)
        yield None
        return
    try:
        yield Namespace(name, host, mine)
    finally:
        _remove(name, mine)


def _remove(name: str, interface: str) -> None:
    for words in (("link", "del", interface), ("netns", "del", name)):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            _ip(*words)


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(program: str, *words: str) -> None:
    command = shutil.which(program) or str(Path("/usr/sbin", program))
    subprocess.run([command, *words], check=True, capture_output=True)
