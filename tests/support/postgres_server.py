"""A PostgreSQL server of the test run's own: in a temporary folder, on a unix socket, gone at the end."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg

from tests.support.postgres_binaries import Binaries, NoPostgres

SUPERUSER = "tidings"
PORT = 5432  # only names the socket file: the server listens on no network
START_SECONDS = 60
# What is committed outlives a crash of the server, not of the machine: such a test run is run again.
# Autovacuum would take its locks, and change the plans, at times of its own choosing.
SETTINGS = {
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "fsync": "off",
    "full_page_writes": "off",
    "jit": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "port": str(PORT),
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "wal_level": "minimal",
}


class Server:
    """One server process and its folder. `start`, `stop` and `start` again is a restart with its data.

    A `folder` of one's own may have a cluster already, which is taken as it is.
    """

    def __init__(
        self, binaries: Binaries, settings: Mapping[str, str] = SETTINGS, folder: Path | None = None
    ) -> None:
        self.settings = settings
        self.account = _account()
        self.folder = _folder(self.account) if folder is None else _lent(folder, self.account)
        self.binaries = _reachable(binaries, self.folder, self.account)
        self._process: subprocess.Popen[Any] | None = None
        if (self.data / "PG_VERSION").exists():
            return
        self._run("initdb", "--pgdata", self.data, "--username", SUPERUSER, "--auth", "trust", "--no-sync",
                  "--encoding", "UTF8", "--locale", "C", "--no-instructions")  # fmt: skip

    @property
    def data(self) -> Path:
        """The cluster's folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "log"

    def url(self, database: str = "postgres") -> str:
        """The address of one database of it, for SQLAlchemy and libpq alike."""
        return f"postgresql://{SUPERUSER}@/{database}?host={self.folder}&port={PORT}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [
            self.binaries.folder / "postgres",
            "-D",
            self.data,
            "-k",
            self.folder,
            *options,
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - one system call, no lock
                **_as(self.account),
            )  # fmt: skip
        self._wait(self._process)

    def _wait(self, process: subprocess.Popen[Any]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                time.sleep(0.02)
        said = self.log.read_text(errors="replace").strip().splitlines()
        self.stop("immediate")
        raise NoPostgres(f"{self.binaries} did not start: {said[-1] if said else 'it said nothing'}")

    def stop(self, mode: str = "fast") -> None:
        """`fast` ends connections and writes a checkpoint; `immediate` is a crash."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        self._process.wait(timeout=START_SECONDS)

    def remove(self) -> None:
        """Stop it, and leave nothing behind."""
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [self.binaries.folder / program, *arguments]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.folder, check=False,
            **_as(self.account),
        )  # fmt: skip
        if done.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise NoPostgres(f"{program} of {self.binaries} failed: {done.stderr.strip().splitlines()[-1]}")


def _account() -> pwd.struct_passwd | None:
    """Whom the server runs as: it refuses to run as root, so root lends it an account without rights."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres(
        "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it as"
    )


def _as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """`Popen` options that give up root, and the caller's PG* settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    options: dict[str, Any] = {"env": environment | {"LC_ALL": "C"}}
    if account is not None:
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return options


def _folder(account: pwd.struct_passwd | None) -> Path:
    """A new folder that the account can reach, short enough for the path of a socket (107 bytes)."""
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if len(parent) < 60 and (account is None or _open_to_all(Path(parent).resolve())):
            folder = Path(tempfile.mkdtemp(prefix="tidings-postgres-", dir=parent))
            if account is not None:
                os.chown(folder, account.pw_uid, account.pw_gid)
            return folder
    raise NoPostgres(
        "no temporary folder can be used by a PostgreSQL server; set TMPDIR to a short path open to all"
    )


def _lent(folder: Path, account: pwd.struct_passwd | None) -> Path:
    """A folder of somebody's own, made if it is not there."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


def _reachable(binaries: Binaries, folder: Path, account: pwd.struct_passwd | None) -> Binaries:
    """Binaries that the account can run: copied aside when they lie in somebody's private folder."""
    if account is None or _open_to_all(binaries.folder.resolve()):
        return binaries
    installation = binaries.folder.parent
    package = installation.parent
    copy = folder / "binaries" / package.name
    shutil.copytree(installation, copy / installation.name, symlinks=True, dirs_exist_ok=True)
    # A wheel keeps the libraries it brings beside its package, and finds them by a relative path.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy.with_name(libraries.name), dirs_exist_ok=True)
    return Binaries(copy / installation.name / "bin", binaries.found)


def _open_to_all(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents))


def _end_with_parent() -> Callable[[], None] | None:
    """On Linux the kernel stops the server when the test run dies without saying so (kill -9)."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    set_parent_death_signal = 1
    return lambda: prctl(set_parent_death_signal, signal.SIGINT)
