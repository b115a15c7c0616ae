"""A PostgreSQL server of the benchmark's own, as durable as one by default, and `pgbench` beside it."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from core.db import Database
from tests.support.postgres_binaries import find
from tests.support.postgres_server import SETTINGS, SUPERUSER, Server

# What is committed is on the disk; everything else as the server comes, but for the room that it has.
DURABLE = SETTINGS | {
    "autovacuum": "on",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_level": "replica",
    "shared_buffers": "512MB",
}
SCALE = 10


@contextmanager
def durable_server() -> Iterator[Server]:
    """A server with tables of TPC-B in its database `postgres`, gone at the end."""
    server = Server(find(), DURABLE)
    server.start()
    try:
        _pgbench(server, "--initialize", "--quiet", f"--scale={SCALE}")
        yield server
    finally:
        server.remove()


@contextmanager
def database_on(server: Server, name: str) -> Iterator[Database]:
    """A new database on it."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    database = Database(server.url(name))
    try:
        yield database
    finally:
        database.close()


def tpcb(server: Server, clients: int, seconds: float) -> float:
    """Transactions of TPC-B a second, by prepared statements."""
    said = _pgbench(
        server, "--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=2",
        f"--time={max(1, round(seconds))}",
    )  # fmt: skip
    found = re.search(r"tps = ([\d.]+)", said)
    if found is None:
        raise SystemExit(f"pgbench said no tps:\n{said}")
    return float(found.group(1))


def _pgbench(server: Server, *options: str) -> str:
    command: list[str | Path] = [server.binaries.folder / "pgbench", *options]
    command += ["-h", server.folder, "-U", SUPERUSER, "postgres"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"pgbench failed: {done.stderr.strip()}")
    return done.stdout
