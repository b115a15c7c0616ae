"""`tidings serve` as a process: from the till to the message and the card, through stops and kills.

Most are forked from a process that has loaded everything; one is begun as a shell begins it.
"""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.launch import Orders, run
from tests.faults.processes import PROCESSES
from tests.support.ports import free_port
from tests.support.shop import Said
from tests.support.shop import run as run_here

ROOT = Path(__file__).parents[2]
TOKEN, AUTHORIZATION = "a token for tills and shops", {"Authorization": "Bearer a token for tills and shops"}
IN_TIME = 2.0
# Whatever else this machine does may hold up a receipt; of so many one is as quick as the service is.
RECEIPTS = 5
# Longer than anything takes on a busy machine, seconds.
PATIENCE = 60.0
COMMAND = "from tidings.cli import main; main()"


def tidings(workspace: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", COMMAND, "-w", str(workspace), *words]


def surroundings() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


def run_forked(workspace: Path, *words: str) -> Any:
    """A process that has begun; what it says is in serve.log."""
    orders = Orders(words, workspace, surroundings(), None, workspace / "serve.log")
    process = PROCESSES.Process(target=run, args=(orders,))
    process.start()
    return process


def apply_elsewhere(workspace: Path) -> None:
    """`tidings apply` in a process beside the server's."""
    process = run_forked(workspace, "apply", "--yes")
    process.join(PATIENCE)
    assert process.exitcode == 0, (workspace / "serve.log").read_text("utf-8")


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"it did not come true: {what}"
        time.sleep(0.01)


@dataclass
class Server:
    """A served workspace."""

    workspace: Path
    port: int
    process: Any = None
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers=AUTHORIZATION, timeout=30
        )

    def start(self) -> "Server":
        self.process = run_forked(self.workspace, "serve", "--port", str(self.port))
        until(self._ready, "ready")
        return self

    def _ready(self) -> bool:
        assert self.process.is_alive(), self.log
        return self.answers()

    def answers(self) -> bool:
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def log(self) -> str:
        return (self.workspace / "serve.log").read_text("utf-8")

    def send_signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def ended(self) -> int:
        self.process.join(PATIENCE)
        code = self.process.exitcode
        assert code is not None, f"it goes on after {PATIENCE} s"
        return int(code)

    def post(self, path: str, body: Any) -> httpx.Response:
        answer = self.client.post(f"/api/v1{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer

    def register(self, name: str) -> None:
        self.post(
            "/customers",
            {"external_id": name, "name": f"Гість {name}", "email": f"{name}@example.com", "locale": "uk"},
        )
        self.post(f"/customers/{name}/consents", {"consents": [{"channel": "email", "granted": True}]})

    def buy(self, name: str, receipt: str, total: str = "1000") -> httpx.Response:
        lines = [{"sku": "flat-white", "total": total}]
        body = {"id": receipt, "customer": name, "at": datetime.now(UTC).isoformat(), "lines": lines}
        return self.post("/receipts", body)

    def letters(self, scenario: str = "bonus-accrued") -> list[Path]:
        mark = f"Feedback-ID: {scenario}:".encode()
        letters = sorted((self.workspace / "outbox" / "email").glob("*.eml"))
        return [letter for letter in letters if mark in letter.read_bytes()]

    def rows(self, query: str) -> list[Any]:
        """What stands in the database, while the server uses it."""
        with closing(sqlite3.connect(self.workspace / "tidings.db", timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def write(self, query: str) -> None:
        with closing(sqlite3.connect(self.workspace / "tidings.db", timeout=30)) as connection, connection:
            connection.execute(query)

    def close(self) -> None:
        self.client.close()
        if self.process is not None:
            self.process.kill()
            self.process.join()


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, applied once, with its certificates made: without quiet hours and what holds at some hours
    only, since these processes go by the real clock.
    """
    workspace = tmp_path_factory.mktemp("served") / "shop"
    shutil.copytree(ROOT / "examples" / "kavarnia", workspace)
    program = (workspace / "program.yaml").read_text("utf-8")
    program = re.sub(r"^quiet_hours:.*$|^holdout:.*$|^.*rule: morning,.*$", "", program, flags=re.MULTILINE)
    (workspace / "program.yaml").write_text(program, "utf-8")
    (workspace / "tests" / "rule-morning.yaml").unlink()
    secrets = "TIDINGS_SECRET=a secret for tests, 32 bytes long\nTIDINGS_LOG_LEVEL=info\n"
    (workspace / ".env").write_text(f"{secrets}TIDINGS_API_TOKEN={TOKEN}\n", "utf-8")
    apply_elsewhere(workspace)
    (workspace / "serve.log").unlink()
    return workspace


@pytest.fixture
def server(applied: Path, tmp_path: Path) -> Iterator[Server]:
    workspace = tmp_path / "shop"
    shutil.copytree(applied, workspace)
    made = Server(workspace, free_port())
    yield made
    made.close()


def test_a_receipt_becomes_a_message_and_a_live_card_within_two_seconds(server: Server) -> None:
    server.start()
    server.register("olena")
    page = server.client.get(link_of(server, "c"))
    assert ">50<" in page.text
    content = server.client.get(f"{link_of(server, 'c')}/card.pkpass").content
    add_to_phone(server, content)
    google = server.client.get(f"{link_of(server, 'c')}/google", follow_redirects=False)
    assert google.status_code == 302
    took = (followed(server, number) for number in range(1, RECEIPTS + 1))
    assert any(seconds < IN_TIME for seconds in took)
    server.send_signal(signal.SIGTERM)
    assert server.ended() == 0
    assert said_last(server) == ("stopped", True)
    assert "olena@example.com" not in server.log


def followed(server: Server, number: int) -> float:
    """Seconds from olena's next receipt of 30 bonuses to its message, the push to her phone and the object at
    Google; her page shows the new balance, too.
    """
    outbox, balance = server.workspace / "outbox", 50 + 30 * number
    pushes, objects = outbox / "apple-wallet", outbox / "google-wallet" / "loyaltyObject"
    for earlier in pushes.glob("*.json"):
        earlier.unlink()
    begun = time.monotonic()
    server.buy("olena", f"R{number}")
    until(lambda: len(server.letters()) == number, "message")
    until(lambda: list(pushes.glob("*.json")), "push")
    until(
        lambda: any(f'"{balance}"' in it.read_text("utf-8") for it in objects.glob("*.json")),
        "Google object",
    )  # fmt: skip
    took = time.monotonic() - begun
    assert f">{balance}<" in server.client.get(link_of(server, "c")).text
    return took


def link_of(server: Server, use: str) -> str:
    from tidings.workspace import Workspace

    workspace = Workspace(server.workspace)
    with workspace.closing():
        links = workspace.links(workspace.files().program)
        [[customer]] = server.rows("SELECT id FROM customer WHERE external_id = 'olena'")
        return (
            links.card(customer).removeprefix(links.public_url) if use == "c" else links.preferences(customer)
        )


def add_to_phone(server: Server, content: bytes) -> None:
    from tests.wallet.phone import contents

    found = contents(content)
    kind, serial = found["passTypeIdentifier"], found["serialNumber"]
    path = f"/wallet/apple/v1/devices/phone-1/registrations/{kind}/{serial}"
    headers = {"Authorization": f"ApplePass {found['authenticationToken']}"}
    assert server.client.post(path, json={"pushToken": "aa11"}, headers=headers).status_code == 201


# A terminal that is closed says so by SIGHUP.
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["stopped", "hung up"])
def test_a_stop_during_deliveries_ends_in_order_and_nothing_is_lost_or_sent_twice(
    server: Server, number: signal.Signals
) -> None:
    slow_down(server)
    server.start()
    names = [f"guest{number}" for number in range(12)]
    for name in names:
        server.register(name)
    for name in names:
        server.buy(name, f"R-{name}")
    until(lambda: len(server.letters()) >= 3, "the first messages")
    assert server.rows("SELECT kind, trouble FROM process") == [("serve", None)]
    server.send_signal(number)
    begun = time.monotonic()
    assert server.ended() == 0, server.log
    assert time.monotonic() - begun < 15
    assert server.rows("SELECT count(*) FROM message WHERE state = 'sending'") == [(0,)]
    assert server.rows("SELECT kind FROM process") == []
    server.start()
    until(lambda: server.rows("SELECT count(*) FROM message WHERE state = 'sent'") == [(12,)], "all sent")
    assert len(server.letters()) == 12
    assert server.rows("SELECT message_id FROM attempt GROUP BY message_id HAVING count(*) > 1") == []


def slow_down(server: Server) -> None:
    """So few messages a second that a signal meets them under way."""
    path = server.workspace / "program.yaml"
    path.write_text(path.read_text("utf-8").replace("100 per second", "8 per second"), "utf-8")
    apply_elsewhere(server.workspace)


def test_a_kill_loses_nothing(server: Server) -> None:
    slow_down(server)
    server.start()
    names = [f"guest{number}" for number in range(12)]
    for name in names:
        server.register(name)
        server.buy(name, f"R-{name}")
    until(lambda: server.letters(), "the first message")
    server.send_signal(signal.SIGKILL)
    assert server.ended() == -signal.SIGKILL
    # What was under way is free again once its lease is over: as if five minutes had passed.
    server.write("UPDATE message SET lease_until = '2020-01-01 00:00:00.000000' WHERE state = 'sending'")
    server.start()
    until(lambda: server.rows("SELECT count(*) FROM message WHERE state = 'sent'") == [(12,)], "all sent")
    assert {letter.name.split(".")[1] for letter in server.letters()} == set(names)
    assert len(server.letters()) == 12
    balances = server.rows("SELECT DISTINCT total FROM account")
    assert balances == [(8000,)]


def test_a_till_that_did_not_hear_the_answer_sends_it_again_after_the_crash(server: Server) -> None:
    server.start()
    server.register("olena")
    at = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    body = {"id": "R1", "customer": "olena", "at": at, "lines": [{"sku": "a", "total": "1000"}]}
    first = server.client.post("/api/v1/receipts", json=body)
    server.send_signal(signal.SIGKILL)
    server.ended()
    server.start()
    again = server.client.post("/api/v1/receipts", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.content == first.content


def test_a_new_version_is_live_without_a_restart(server: Server) -> None:
    server.start()
    server.register("olena")
    message = server.workspace / "messages" / "bonus-accrued" / "uk" / "email.mjml"
    text = message.read_text("utf-8")
    message.write_text(
        re.sub(r"^subject: .*$", "subject: Зовсім новий лист", text, flags=re.MULTILINE), "utf-8"
    )
    apply_elsewhere(server.workspace)
    server.buy("olena", "R1")
    until(server.letters, "the message")
    from email import message_from_bytes, policy

    letter = message_from_bytes(server.letters()[0].read_bytes(), policy=policy.default)
    assert letter["Subject"] == "Зовсім новий лист"


def test_a_second_signal_ends_it_at_once(server: Server) -> None:
    server.start()
    server.send_signal(signal.SIGINT)
    server.send_signal(signal.SIGINT)
    # Whichever comes first: in order, or at once.
    assert server.ended() in (0, 128 + signal.SIGINT)


def test_an_idle_service_stops_at_an_interrupt_and_says_so(server: Server) -> None:
    command = tidings(server.workspace, "serve", "--port", str(server.port))
    with (server.workspace / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=surroundings())
    try:
        until(lambda: process.poll() is not None or server.answers(), "ready")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
    assert said_last(server) == ("stopped", True)


def said_last(server: Server) -> tuple[str, bool]:
    last = json.loads(server.log.splitlines()[-1])
    return last["event"], last["in_order"]


@pytest.fixture
def refused(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], str]:
    """What a serve that does not start says."""
    for name in [name for name in os.environ if name.startswith("TIDINGS_")]:
        monkeypatch.delenv(name)
    words = ["-w", str(server.workspace), "serve", "--port", str(server.port)]

    def say() -> str:
        said: Said = run_here(monkeypatch, capsys, words)
        assert said.code == 3, said.err
        [sentence] = said.err.strip().splitlines()
        return sentence

    return say


def test_a_taken_port_is_one_sentence(server: Server, refused: Callable[[], str]) -> None:
    with socket.create_server(("127.0.0.1", server.port)):
        assert refused() == (
            f"tidings: the port {server.port} of 127.0.0.1 is taken by another program; "
            "stop it, or give another with --port"
        )


def test_a_missing_token_is_one_sentence(server: Server, refused: Callable[[], str]) -> None:
    environment = server.workspace / ".env"
    environment.write_text(environment.read_text("utf-8").replace("TIDINGS_API_TOKEN", "#"), "utf-8")
    assert "TIDINGS_API_TOKEN is missing" in refused()


def test_a_missing_credential_is_one_sentence(server: Server, refused: Callable[[], str]) -> None:
    with (server.workspace / ".env").open("a", encoding="utf-8") as environment:
        environment.write("TIDINGS_SMS_TRANSPORT=twilio\n")
    assert "TIDINGS_SMS_ACCOUNT_SID and TIDINGS_SMS_AUTH_TOKEN are not set" in refused()


def test_nothing_applied_is_one_sentence(server: Server, refused: Callable[[], str]) -> None:
    for left in server.workspace.glob("tidings.db*"):
        left.unlink()
    assert "nothing is live yet; run `tidings apply`" in refused()
