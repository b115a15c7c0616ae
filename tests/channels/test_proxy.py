"""HTTPS_PROXY of the service's environment, by every channel that speaks HTTP."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels import Failed, create
from channels.proxy import proxy_to
from tests.channels.helpers import outgoing, send_one, use
from tests.channels.providers.webhook import KEY

TELEGRAM = {
    "TIDINGS_TELEGRAM_TRANSPORT": "bot",
    "TIDINGS_TELEGRAM_TOKEN": "1:abc",
    "TIDINGS_TELEGRAM_BASE_URL": "https://telegram.example",
}
WEBHOOK = {
    "TIDINGS_WEBHOOK_TRANSPORT": "http",
    "TIDINGS_WEBHOOK_URL": "https://crm.example/hooks/a-key",
    "TIDINGS_WEBHOOK_SECRET": KEY,
}


class Proxy:
    """Lets nobody through, and notes where they wanted to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                visitor, _ = self._listening.accept()
            except OSError:
                return
            with visitor:
                self.asked.append(visitor.recv(65_536).split(b"\r\n")[0].decode())
                visitor.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    proxy = Proxy()
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy.address)
    yield proxy
    proxy.close()


@pytest.mark.parametrize(
    ("name", "environment", "to", "host"),
    [("telegram", TELEGRAM, "7000000001", "telegram.example"), ("webhook", WEBHOOK, "K-100", "crm.example")],
)
def test_a_message_leaves_by_the_proxy_which_learns_the_host_and_no_secret(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str,
    environment: dict[str, str], to: str, host: str,
) -> None:  # fmt: skip
    use(monkeypatch, environment)
    channel = create(name, {}, outbox_dir=tmp_path)
    outcome = send_one(channel, outgoing(to, {"text": "Bonuses"}))
    assert proxy.asked == [f"CONNECT {host}:443 HTTP/1.1"]
    assert outcome == Failed("configuration", "proxy_refused")


@pytest.mark.usefixtures("proxy")
def test_what_the_environment_exempts_and_what_travels_in_clear_go_straight(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.address)
    monkeypatch.setenv("NO_PROXY", "crm.example, localhost")
    straight = ("https://crm.example/x", "https://eu.crm.example/x", "http://10.0.0.7/x", "https://[bad", "")
    assert [proxy_to(url) for url in straight] == [None] * 5
    assert proxy_to("https://other.example/x") == f"http://{proxy.address}"
