"""Card holders for the measurements of the wallet: a workspace, passes on phones, a stand-in for Apple."""

import asyncio
import multiprocessing
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.tools import needed
from campaigns.bundle import Bundle
from campaigns.running import make_ready
from campaigns.versions import apply
from core.customers.profiles import Profile, save
from core.db.bulk import insert_rows
from tests.support.databases import load_tables
from tests.wallet.apns_server import PushServer
from tests.wallet.servers import make_certificate
from tidings.cards import cards_of
from tidings.workspace import Workspace
from wallet.apple.settings import AppleSettings
from wallet.tables import DEVICE, PASS, REGISTRATION

EXAMPLE = Path(__file__).parents[1] / "examples" / "kavarnia"
PROCESSES = multiprocessing.get_context("spawn")
SOME = 5_000


class Holders:
    """A workspace in a folder whose customers all carry the card on a phone of their own."""

    def __init__(self, folder: Path, count: int, now: datetime) -> None:
        self.folder, self.count, self.now = folder, count, now
        shutil.copytree(EXAMPLE, folder / "shop")
        (folder / "shop" / ".env").write_text("TIDINGS_SECRET=the-secret-of-the-benchmark\n")
        self.workspace = Workspace(folder / "shop")
        load_tables()
        self.database.create_all()
        self.apply(Bundle.read(self.workspace.path))
        for start in range(0, count, SOME):
            self._come(range(start, min(start + SOME, count)))
        with self.database.write() as connection:
            connection.exec_driver_sql("ANALYZE")

    @cached_property
    def database(self) -> Any:
        """The workspace's own."""
        return self.workspace.database

    def apply(self, bundle: Bundle) -> None:
        """Make some files live."""
        with self.database.write() as connection:
            apply(connection, make_ready(bundle), "benchmark", self.now)

    def _come(self, numbers: Sequence[int]) -> None:
        program = self.workspace.live.running().program
        joined = self.now - timedelta(days=30)
        people = [
            Profile(
                f"c{number}", card=f"KV{number:08}", name=f"Olena {number}", locale="uk", registered_at=joined
            )
            for number in numbers
        ]
        with self.database.write() as connection:
            saved = save(connection, program, self.workspace.addresses, people, self.now, live=False)
            rows = [(it.customer_id, number) for it, number in zip(saved, numbers, strict=True)]
            insert_rows(
                connection, PASS,
                ("serial", "customer_id", "token", "digest", "changed_at", "issued_at", "voided",
                 "google_notices", "google_saved", "google_attempts", "tag"),
                [(f"s{n:031}", i, f"t{n:031}", "", joined, joined, False, "", False, 0, 0) for i, n in rows],
            )  # fmt: skip
            insert_rows(
                connection, DEVICE,
                ("device", "push_token", "registered_at", "owed_tag", "pushed_tag", "unasked", "attempts"),
                [(f"d{n:031}", token_of(n), joined, 0, 0, 0, 0) for _, n in rows],
            )  # fmt: skip
            insert_rows(
                connection, REGISTRATION, ("device", "serial", "customer_id", "at", "tag", "late"),
                [(f"d{n:031}", f"s{n:031}", i, joined, 0, 0) for i, n in rows],
            )  # fmt: skip

    def settle(self) -> None:
        """Let every card be looked at and pushed once, to nobody, so that only what changes counts later."""

        async def beat() -> None:
            cards = cards_of(self.workspace, _Clock(self.now))
            try:
                await cards.beat(timedelta(0))
            finally:
                await cards.close()

        with _environment({"TIDINGS_APPLE_TRANSPORT": "folder"}):
            asyncio.run(beat())
        shutil.rmtree(self.workspace.outbox, ignore_errors=True)


class _Clock:
    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


def token_of(number: int) -> str:
    """A push token as a phone has one."""
    return f"{number:064x}"


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def pushing_to(url: str, folder: Path) -> Iterator[AppleSettings]:
    """Pushes go to a server at `url`, whose certificate lies in `folder`, by a team's key."""
    key = folder / "AuthKey_ABC123DEFG.p8"
    made = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    values = {
        "TRANSPORT": "apns", "APNS_URL": url, "APNS_CA": str(folder / "server.pem"), "APNS_KEY": str(key),
        "APNS_KEY_ID": "ABC123DEFG",
    }  # fmt: skip
    with _environment({f"TIDINGS_APPLE_{name}": value for name, value in values.items()}):
        yield AppleSettings()


class Apple:
    """Apple's push service in a process of its own, which notes when each push came."""

    def __init__(self, folder: Path) -> None:
        self._pipe, theirs = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=_serve, args=(folder, theirs))
        self._process.start()
        self.url: str = self._pipe.recv()

    def pushes(self) -> list[tuple[str, float]]:
        """End it; push tokens with their times (`time.monotonic`, the same in all processes)."""
        self._pipe.send("end")
        found: list[tuple[str, float]] = self._pipe.recv()
        self._process.join()
        return found


def _serve(folder: Path, pipe: Any) -> None:
    server = PushServer()

    async def run() -> None:
        ending = asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        await server.serve(folder, lambda: pipe.send(server.url), ending)

    asyncio.run(run())
    pipe.send(server.pushed)


@contextmanager
def fast_server(folder: Path, phones: int) -> Iterator[str]:
    """nghttpd of nghttp2, which answers 200 to every push to one of so many phones.

    Each has a name of the same empty file: to echo what was sent, nghttpd would write a file for each
    request, and the disk would be measured.
    """
    program = needed("nghttpd")
    make_certificate(folder)
    documents = folder / "answers"
    (documents / "3" / "device").mkdir(parents=True)
    (documents / "empty").touch()
    for number in range(phones + 1):
        (documents / "3" / "device" / token_of(number)).symlink_to(documents / "empty")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    keys = [str(folder / "server-key.pem"), str(folder / "server.pem")]
    process = subprocess.Popen(
        [program, "--max-concurrent-streams=1000", f"--htdocs={documents}", str(port), *keys],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port)
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nobody listens at port {port}")


def resident() -> float:
    """The memory of this process now (Linux), MB."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
