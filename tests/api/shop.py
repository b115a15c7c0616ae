"""A shop for tests: the example workspace in a folder of its own, applied, and its API."""

import atexit
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import select

from campaigns.bundle import Bundle
from campaigns.running import Running, make_ready
from campaigns.versions import Live, apply
from core.clock import Clock, MovableClock
from core.customers.addresses import SUPPRESSION
from core.customers.consent import CONSENT
from core.customers.profiles import CUSTOMER
from core.db import Database
from core.events import EVENT
from tidings.api import Services
from tidings.example import write_workspace
from tidings.keys import Wanted, create
from tidings.workspace import Workspace
from wallet.apple.throwaway import throwaway
from wallet.google.account import account_for
from wallet.google.settings import GoogleSettings

EXAMPLE = Path(__file__).parents[2] / "examples" / "kavarnia"
SECRET, TOKEN, AUTH_TOKEN = "a secret for tests, 32 bytes long", "a token for tills and shops", "12345"
PUBLIC_URL = "https://loyalty.example"


class CompiledLive(Live):
    """Reads the version from the database, and its bundle from the one compiled before."""

    compiled: Running

    def _load(self, version: int) -> Running:
        return self.compiled


@dataclass
class Ticks:
    """A counter of seconds that stands until it is moved."""

    at: float = 0.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Shop:
    """The service with a till's client (it knows the token) and a stranger's."""

    services: Services
    till: TestClient
    stranger: TestClient
    clock: MovableClock
    woken: list[datetime] = field(default_factory=list)
    ticks: Ticks = field(default_factory=Ticks)

    @property
    def database(self) -> Database:
        return self.services.database

    def with_key(self, role: str | None = "till", name: str = "till-1", **wanted: Any) -> TestClient:
        """A client that says a key of its own."""
        with self.database.write() as connection:
            _, secret = create(connection, Wanted(name, role, **wanted), self.clock.now())
        return self.saying(secret)

    def saying(self, secret: str) -> TestClient:
        """A client that says this key."""
        headers = {"Authorization": f"Bearer {secret}"}
        return TestClient(self.stranger.app, headers=headers, raise_server_exceptions=False)

    def register(self, external_id: str = "10042", **profile: Any) -> Response:
        answer: Response = self.till.post("/api/v1/customers", json={"external_id": external_id, **profile})
        return answer

    def consent(self, channel: str, granted: bool = True, external_id: str = "10042") -> Response:
        path = f"/api/v1/customers/{external_id}/consents/{channel}"
        answer: Response = self.till.put(path, json={"granted": granted, "source": "test"})
        return answer

    def buy(self, receipt: str = "R1", total: str = "200", customer: str = "10042", **more: Any) -> Response:
        lines = [{"sku": "flat-white", "quantity": "1", "total": total}]
        body = {
            "id": receipt,
            "customer": customer,
            "at": self.clock.now().isoformat(),
            "lines": lines,
            **more,
        }
        answer: Response = self.till.post("/api/v1/receipts", json=body)
        return answer

    def id_of(self, external_id: str = "10042") -> int:
        with self.database.read() as connection:
            found = connection.scalar(select(CUSTOMER.c.id).where(CUSTOMER.c.external_id == external_id))
        assert found is not None
        return int(found)

    def agrees(self, channel: str, external_id: str = "10042") -> bool | None:
        """Whether the customer's consent is in force; None if they never said."""
        own = (CONSENT.c.customer_id == self.id_of(external_id)) & (CONSENT.c.channel == channel)
        with self.database.read() as connection:
            return connection.scalar(select(CONSENT.c.granted).where(own))

    def suppressed(self, channel: str, kind: str, address: str) -> bool:
        digest = self.services.workspace.addresses.digest(kind, address)
        own = (SUPPRESSION.c.channel == channel) & (SUPPRESSION.c.digest == digest)
        with self.database.read() as connection:
            return connection.execute(select(SUPPRESSION).where(own)).first() is not None

    def events(self, external_id: str = "10042") -> list[str]:
        with self.database.read() as connection:
            own = select(EVENT.c.kind).where(EVENT.c.customer_id == self.id_of(external_id))
            return list(connection.scalars(own.order_by(EVENT.c.id)))


@cache
def private() -> Path:
    """A `.tidings` with throw-away certificates: drawing RSA keys takes a while, so once is enough."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-tests-"))
    throwaway(
        folder / "certificates", "pass.example.kavarnia", "ABCDE12345", datetime(2026, 3, 1, tzinfo=UTC)
    )
    account_for(GoogleSettings(), folder / "certificates")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def example() -> Path:
    """A copy of the example that nobody changes: copying it for each test took most of the test's time."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-tests-"))
    write_workspace(folder / "shop")
    (folder / "shop" / ".env").unlink()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "shop"


def make_workspace(folder: Path, database: Database, compiled: Running, clock: Clock) -> Workspace:
    """The example, live in `database`; `compiled` is its bundle, checked once for all tests."""
    folder.mkdir(parents=True)
    for shared in example().iterdir():
        (folder / shared.name).symlink_to(shared)
    shutil.copytree(private(), folder / ".tidings")
    environment = f"TIDINGS_SECRET={SECRET}\nTIDINGS_API_TOKEN={TOKEN}\nTIDINGS_PUBLIC_URL={PUBLIC_URL}\n"
    (folder / ".env").write_text(f"{environment}TIDINGS_SMS_AUTH_TOKEN={AUTH_TOKEN}\n")
    made = Workspace(folder)
    live = CompiledLive(database)
    live.compiled = compiled
    made.__dict__.update(database=database, live=live)
    with database.write() as connection:
        apply(connection, compiled, "tests", clock.now())
    return made


def make_live(shop: Shop, old: str, new: str) -> int:
    """The example with one change in program.yaml, as a new version."""
    files = dict(Bundle.read(EXAMPLE).files)
    program = files["program.yaml"].decode()
    assert old in program
    running = make_ready(Bundle({**files, "program.yaml": program.replace(old, new).encode()}))
    shop.clock.move_by(timedelta(hours=1))
    with shop.database.write() as connection:
        applied = apply(connection, running, "tests", shop.clock.now())
    live = shop.services.workspace.live
    assert isinstance(live, CompiledLive)
    live.compiled = running
    shop.clock.move_by(timedelta(hours=1))
    return applied.version
