"""Who tries tokens is slowed down; who has the right one is not."""

from typing import Any, cast

import pytest
from fastapi.testclient import TestClient
from httpx import Client, Response
from sqlalchemy import func, select
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from core.clock import MovableClock
from core.db import Database
from tests.support.statements import heard
from tests.wallet.conftest import PASS_TYPE, NewCustomer
from tests.wallet.shop import Shop
from wallet.apple.attempts import COMPLAINTS, OF_ADDRESS, OF_BOTH, OF_PASS, Attempts, network_of
from wallet.apple.package import Packager
from wallet.tables import LOG

V1 = "/wallet/apple/v1"
WRONG = "0123456789abcdef" * 2


@pytest.fixture
def shop(database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer) -> Shop:
    return Shop(database, clock, packager, new_customer)


def at(shop: Shop, address: str) -> Client:
    """Somebody at an address."""
    return TestClient(shop.app, client=(address, 50_000))


def fetch(client: Client, serial: str, token: str = WRONG) -> Response:
    path = f"{V1}/passes/{PASS_TYPE}/{serial}"
    return client.get(path, headers={"Authorization": f"ApplePass {token}"})


def test_who_tries_tokens_of_one_pass_is_told_to_wait_and_not_listened_to(shop: Shop) -> None:
    row = shop.row(shop.issue())
    thief = at(shop, "198.51.100.7")
    answers = [fetch(thief, row.serial).status_code for _ in range(OF_BOTH.count + 5)]
    assert answers == [401] * OF_BOTH.count + [429] * 5
    with heard(shop.database) as statements:
        refused = fetch(thief, row.serial, row.token)
    assert (refused.status_code, refused.content, statements) == (429, b"", [])
    shop.seconds += int(refused.headers["Retry-After"])
    assert fetch(thief, row.serial, row.token).status_code == 200


def test_a_phone_behind_the_same_address_is_let_in_all_the_while(shop: Shop) -> None:
    row = shop.row(shop.issue())
    home = at(shop, "198.51.100.7")
    for number in range(OF_ADDRESS.count):
        assert shop.attempts.wrong("198.51.100.7", f"guess{number}") == 0
    assert fetch(home, "guess").status_code == 429
    assert fetch(home, row.serial, row.token).status_code == 200
    shop.seconds += 60
    assert fetch(home, "guess").status_code == 401


def test_many_addresses_that_try_one_pass_do_not_lock_its_phone_out(shop: Shop) -> None:
    row = shop.row(shop.issue())
    phone, stranger = at(shop, "203.0.113.9"), at(shop, "198.51.100.200")
    assert fetch(phone, row.serial, row.token).status_code == 200
    for number in range(OF_PASS.count):
        shop.attempts.wrong(f"198.51.100.{number // OF_BOTH.count}", row.serial)
    assert fetch(stranger, row.serial, row.token).status_code == 429
    assert fetch(phone, row.serial, row.token).status_code == 200
    shop.seconds += 1
    assert fetch(stranger, row.serial, row.token).status_code == 200


def test_a_serial_that_there_is_not_is_treated_like_one_that_there_is(shop: Shop) -> None:
    known = shop.row(shop.issue()).serial
    answers: list[object] = []
    for serial in (known, "f" * 32):
        headers, client = {"Authorization": f"ApplePass {WRONG}"}, at(shop, f"198.51.100.{len(answers)}")
        with heard(shop.database) as statements:
            tries = [client.get(f"{V1}/passes/{PASS_TYPE}/{serial}", headers=headers) for _ in range(12)]
        said = [(it.status_code, it.content, dict(it.headers)) for it in tries]
        answers.append((said, len(statements)))
    assert answers[0] == answers[1]


def test_behind_a_proxy_the_address_is_what_the_proxy_says(shop: Shop) -> None:
    path = f"{V1}/passes/{PASS_TYPE}/{shop.row(shop.issue()).serial}"
    behind: Any = ProxyHeadersMiddleware(cast(Any, shop.app), "127.0.0.1")
    proxy = TestClient(behind, client=("127.0.0.1", 50_000))

    def ask(forwarded: str) -> int:
        return int(proxy.get(path, headers={"X-Forwarded-For": forwarded}).status_code)

    # What a client claims of itself stands before what the proxy has seen.
    tries = [ask(f"192.0.2.{number}, 198.51.100.7") for number in range(OF_BOTH.count + 1)]
    assert (tries[-2:], ask("203.0.113.9")) == ([401, 429], 401)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("", ""),
        ("a socket", "a socket"),
        ("x" * 5_000, "x" * 64),
    ],
)
def test_an_address_counts_as_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_what_is_remembered_of_strangers_is_bounded() -> None:
    attempts = Attempts(lambda: 0.0, room=50)
    for number in range(200):
        attempts.wrong(f"198.51.100.{number}", f"guess{number}")
        attempts.right(f"203.0.113.{number}", f"pass{number}")
        attempts.complaints(f"203.0.113.{number}", 1)
    kept = (attempts._both, attempts._pass, attempts._address, attempts._complaints, attempts._friends)
    assert [len(it) for it in kept] == [50] * 5


def test_one_address_cannot_fill_the_log_alone(shop: Shop) -> None:
    for _ in range(10):
        loud = at(shop, "198.51.100.7").post(f"{V1}/log", json={"logs": ["loud"] * 20})
        assert loud.status_code == 200
    at(shop, "203.0.113.9").post(f"{V1}/log", json={"logs": ["quiet"]})
    with shop.database.read() as connection:
        lines = select(LOG.c.text, func.count()).group_by(LOG.c.text)
        assert dict(connection.execute(lines).all()) == {"loud": COMPLAINTS.count, "quiet": 1}
