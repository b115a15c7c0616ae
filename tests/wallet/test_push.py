"""Pushes over a real HTTP/2 connection, and what is done about each answer."""

import asyncio
import json
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import jwt
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from core.clock import MovableClock
from core.db import Database
from core.errors import EnvironmentFault
from core.events import EVENT
from tests.wallet.apns_server import with_key
from tests.wallet.conftest import NOW, PASS_TYPE, TEAM, NewCustomer
from tests.wallet.phone import Phone
from tests.wallet.servers import Answer, Apns, make_certificate
from tests.wallet.shop import Shop
from wallet.apple.apns import verdict
from wallet.apple.live import ITS_OWN_REST, SHORTEST_REST, Rest, Waking
from wallet.apple.owing import Owed, backoff
from wallet.apple.package import Packager
from wallet.apple.push import Outcome, Pushed, pusher_for
from wallet.apple.settings import AppleSettings
from wallet.tables import DEVICE
from wallet.updates import COALESCE


def owed(token: str, device: str = "device") -> Owed:
    return Owed(device, token, 1, NOW, NOW)


@pytest.fixture(scope="session")
def authorities(chain: Path) -> Path:
    """Whom the server trusts: the issuers of the pass certificate."""
    path = chain / "authorities.pem"
    path.write_bytes((chain / "root.pem").read_bytes() + (chain / "intermediate.pem").read_bytes())
    return path


def send(
    settings: AppleSettings, clock: MovableClock, devices: Sequence[Owed], rounds: int = 1
) -> list[Pushed]:
    async def run() -> list[Pushed]:
        pusher = pusher_for(settings, Path("unused"), PASS_TYPE, TEAM, clock)
        try:
            return [result for _ in range(rounds) for result in await pusher.push(devices)]
        finally:
            await pusher.close()

    return asyncio.run(run())


def test_the_pass_certificate_opens_an_http_2_connection_for_empty_pushes(
    apple: AppleSettings, authorities: Path, clock: MovableClock, tmp_path: Path
) -> None:
    apns = Apns()
    with apns.behind_tls(tmp_path, authorities) as url:
        settings = apple.model_copy(
            update={"transport": "apns", "apns_url": url, "apns_ca": tmp_path / "server.pem"}
        )
        results = send(settings, clock, [owed("aa"), owed("bb")])
    assert [it.outcome for it in results] == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    assert sorted(it.path for it in apns.seen) == ["/3/device/aa", "/3/device/bb"]
    for request in apns.seen:
        assert (request.method, request.body, request.http_version) == ("POST", b"{}", "2")
        assert request.headers["apns-topic"] == PASS_TYPE
        assert request.headers["apns-push-type"] == "background"
        assert request.headers["apns-priority"] == "5"
        assert "authorization" not in request.headers


def test_the_key_of_the_pass_certificate_is_no_p8_key(apple: AppleSettings, clock: MovableClock) -> None:
    mixed_up = apple.model_copy(
        update={"transport": "apns", "apns_key": apple.key, "apns_key_id": "ABC123DEFG"}
    )
    with pytest.raises(EnvironmentFault, match=r"TIDINGS_APPLE_APNS_KEY: .*key\.pem is not a \.p8 key"):
        send(mixed_up, clock, [owed("aa")])


def test_a_p8_key_signs_a_token_that_is_kept_for_forty_minutes(
    p8: Path, clock: MovableClock, tmp_path: Path
) -> None:
    apns = Apns()
    with apns.behind_tls(tmp_path) as url:
        settings = with_key(url, tmp_path, p8)

        async def run() -> None:
            pusher = pusher_for(settings, Path("unused"), PASS_TYPE, TEAM, clock)
            for minutes in (0, 39, 2):
                clock.move_by(timedelta(minutes=minutes))
                await pusher.push([owed("aa")])
            await pusher.close()

        asyncio.run(run())
    first, second, third = (it.headers["authorization"].removeprefix("bearer ") for it in apns.seen)
    assert first == second != third
    assert jwt.get_unverified_header(first) == {"alg": "ES256", "kid": "ABC123DEFG", "typ": "JWT"}
    claims = jwt.decode(first, options={"verify_signature": False})
    assert claims == {"iss": TEAM, "iat": int(NOW.timestamp())}


def test_the_pass_certificate_may_be_der_as_apple_hands_it_out(
    apple: AppleSettings, authorities: Path, clock: MovableClock, tmp_path: Path
) -> None:
    assert isinstance(apple.certificate, Path)
    pem = apple.certificate.read_text()
    (tmp_path / "pass.cer").write_bytes(ssl.PEM_cert_to_DER_cert(pem))
    with Apns().behind_tls(tmp_path, authorities) as url:
        changes = {"transport": "apns", "apns_url": url, "apns_ca": tmp_path / "server.pem"}
        settings = apple.model_copy(update={**changes, "certificate": tmp_path / "pass.cer"})
        (result,) = send(settings, clock, [owed("aa")])
    assert result.outcome is Outcome.ACCEPTED


def test_a_certificate_that_apple_does_not_want_is_a_mistake_of_ours(
    apple: AppleSettings, clock: MovableClock, tmp_path: Path
) -> None:
    make_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem", tmp_path / "server-key.pem")
    tls.load_verify_locations(tmp_path / "server.pem")  # of nobody else's certificates
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.set_alpn_protocols(["h2"])

    def refuse(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with pytest.raises(ssl.SSLError):
            tls.wrap_socket(connection, server_side=True)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as pool:
        refusing = pool.submit(refuse, listening)
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        changes = {"transport": "apns", "apns_url": url, "apns_ca": tmp_path / "server.pem"}
        (result,) = send(apple.model_copy(update=changes), clock, [owed("aa")])
        refusing.result(10)
    assert (result.outcome, result.reason) == (Outcome.CONFIGURATION, "certificate refused")


def test_a_server_that_is_not_apple_gets_nothing(p8: Path, clock: MovableClock, tmp_path: Path) -> None:
    apns = Apns()
    with apns.behind_tls(tmp_path) as url:
        trusting_others = with_key(url, tmp_path, p8).model_copy(update={"apns_ca": None})
        (result,) = send(trusting_others, clock, [owed("aa")])
    assert (result.outcome, result.reason) == (Outcome.CONFIGURATION, "server not trusted")
    assert apns.seen == []


def test_a_token_that_apple_finds_too_old_is_made_anew_at_once(
    p8: Path, clock: MovableClock, tmp_path: Path
) -> None:
    apns = Apns(answers={"aa": [(403, {"reason": "ExpiredProviderToken"})]})
    with apns.behind_tls(tmp_path) as url:
        (result,) = send(with_key(url, tmp_path, p8), clock, [owed("aa")])
    assert result.outcome is Outcome.ACCEPTED
    assert len(apns.seen) == 2


ANSWERS: list[tuple[int, object, Outcome]] = [
    (410, {"reason": "Unregistered", "timestamp": 1_772_000_000_000}, Outcome.GONE),
    (410, None, Outcome.GONE),
    (410, {"reason": "ExpiredToken"}, Outcome.GONE),
    (400, {"reason": "BadDeviceToken"}, Outcome.GONE),
    (400, {"reason": "DeviceTokenNotForTopic"}, Outcome.CONFIGURATION),
    (400, {"reason": "TopicDisallowed"}, Outcome.CONFIGURATION),
    (403, {"reason": "BadCertificate"}, Outcome.CONFIGURATION),
    (403, {"reason": "InvalidProviderToken"}, Outcome.CONFIGURATION),
    (403, None, Outcome.CONFIGURATION),
    (404, {"reason": "BadPath"}, Outcome.CONFIGURATION),
    (405, {"reason": "MethodNotAllowed"}, Outcome.CONFIGURATION),
    (413, {"reason": "PayloadTooLarge"}, Outcome.CONFIGURATION),
    (403, {"reason": "ExpiredProviderToken"}, Outcome.RETRY),
    (400, {"reason": "IdleTimeout"}, Outcome.RETRY),
    (429, {"reason": "TooManyRequests"}, Outcome.RETRY),
    (429, {"reason": "TooManyProviderTokenUpdates"}, Outcome.RETRY),
    (500, {"reason": "InternalServerError"}, Outcome.RETRY),
    (503, None, Outcome.RETRY),
]


@pytest.mark.parametrize(("status", "body", "outcome"), ANSWERS, ids=lambda it: str(it)[:60])
def test_each_answer_has_its_meaning(status: int, body: object, outcome: Outcome) -> None:
    content = json.dumps(body).encode() if body is not None else b""
    assert verdict(owed("aa"), status, content).outcome is outcome


def test_an_answer_that_is_no_json_is_judged_by_its_status() -> None:
    assert verdict(owed("aa"), 503, b"<html>").outcome is Outcome.RETRY
    assert verdict(owed("aa"), 503, b"[]").outcome is Outcome.RETRY
    assert verdict(owed("aa"), 410, b'{"timestamp": 1e300}').outcome is Outcome.GONE


def test_a_date_to_come_back_at_is_held_against_the_answers_own_date() -> None:
    date = {b"date": b"Sun, 06 Nov 1994 08:49:37 GMT", b"retry-after": b"Sun, 06 Nov 1994 08:51:37 GMT"}
    assert verdict(owed("aa"), 503, b"", date).after == timedelta(minutes=2)
    for nothing in (b"soon", b"\xb2", b"\xff"):
        assert verdict(owed("aa"), 503, b"", {b"retry-after": nothing}).after is None


def test_nobody_there_is_a_reason_to_try_later(p8: Path, clock: MovableClock, tmp_path: Path) -> None:
    with Apns().behind_tls(tmp_path) as url:
        pass
    (result,) = send(with_key(url, tmp_path, p8), clock, [owed("aa")])
    assert (result.outcome, result.reason) == (Outcome.UNREACHABLE, "unreachable")


def test_without_an_account_pushes_are_written_into_a_folder(clock: MovableClock, tmp_path: Path) -> None:
    async def run() -> list[Pushed]:
        pusher = pusher_for(AppleSettings(), tmp_path / "pushes", PASS_TYPE, TEAM, clock)
        return await pusher.push([owed("aa", "../device")])

    assert [it.outcome for it in asyncio.run(run())] == [Outcome.ACCEPTED]
    (written,) = (tmp_path / "pushes").iterdir()
    request = json.loads(written.read_text())
    assert request["path"] == "/3/device/aa"
    assert request["payload"] == {}
    assert request["headers"]["apns-topic"] == PASS_TYPE


def test_pushing_without_certificate_or_key_says_what_to_set(clock: MovableClock) -> None:
    with pytest.raises(EnvironmentFault, match="TIDINGS_APPLE_CERTIFICATE and TIDINGS_APPLE_KEY"):
        pusher_for(AppleSettings(transport="apns"), Path("unused"), PASS_TYPE, TEAM, clock)


@pytest.mark.parametrize("name", ["sandbox", "development"])
def test_no_pass_is_known_where_apps_are_tried_out(name: str, p8: Path, clock: MovableClock) -> None:
    """There every token is a bad one, and whose token is bad has removed the card."""
    address = f"https://api.{name}.push.apple.com:443"
    settings = AppleSettings(transport="apns", apns_key=p8, apns_key_id="ABC123DEFG", apns_url=address)
    with pytest.raises(EnvironmentFault, match=rf"is api\.{name}\.push\.apple\.com, which knows no"):
        pusher_for(settings, Path("unused"), PASS_TYPE, TEAM, clock)
    other_port = settings.model_copy(update={"apns_url": "https://api.push.apple.com:2197"})
    pusher_for(other_port, Path("unused"), PASS_TYPE, TEAM, clock)


def test_a_key_without_its_id_says_so(p8: Path, clock: MovableClock) -> None:
    settings = AppleSettings(transport="apns", apns_key=p8)
    with pytest.raises(EnvironmentFault, match="TIDINGS_APPLE_APNS_KEY_ID is not set"):
        pusher_for(settings, Path("unused"), PASS_TYPE, TEAM, clock)


def test_a_key_that_is_none_says_so(clock: MovableClock, tmp_path: Path) -> None:
    (tmp_path / "note.p8").write_text("hello")
    settings = AppleSettings(transport="apns", apns_key=tmp_path / "note.p8", apns_key_id="ABC123DEFG")
    with pytest.raises(EnvironmentFault, match=r"is not a \.p8 key"):
        pusher_for(settings, Path("unused"), PASS_TYPE, TEAM, clock)


def test_a_wrong_password_does_not_open_the_connection(
    apple: AppleSettings, chain: Path, clock: MovableClock
) -> None:
    wrong = apple.model_copy(
        update={"transport": "apns", "key": chain / "root.pem", "key_password": SecretStr("hunter2")}
    )
    with pytest.raises(EnvironmentFault, match="is a certificate; give the key") as caught:
        pusher_for(wrong, Path("unused"), PASS_TYPE, TEAM, clock)
    assert "hunter2" not in str(caught.value)


class TestARound:
    """What a round leaves in the database."""

    @pytest.fixture
    def shop(
        self, database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer
    ) -> Shop:
        return Shop(database, clock, packager, new_customer)

    @pytest.fixture(autouse=True)
    def _account(self) -> None:
        self.rest = Rest()

    def trouble(self) -> str | None:
        return self.rest.trouble

    def run(self, shop: Shop, answers: dict[str, list[Answer]], folder: Path, p8: Path) -> Counter[str]:
        apns = Apns(answers=answers)
        with apns.behind_tls(folder) as url:

            async def run() -> Counter[str]:
                pusher = pusher_for(with_key(url, folder, p8), folder, PASS_TYPE, TEAM, shop.clock)
                try:
                    return await Waking(shop.database, shop.clock, self.rest).push_due(pusher)
                finally:
                    await pusher.close()

            return asyncio.run(run())

    def changed(self, shop: Shop, name: str, token: str) -> int:
        customer = shop.issue(name)
        Phone(shop.client, f"phone-of-{name}", token).add(shop.download(customer))
        shop.guests[customer].balance = Decimal(1)
        shop.mark(customer)
        return customer

    def devices(self, shop: Shop) -> set[str]:
        with shop.database.read() as connection:
            return set(connection.scalars(select(DEVICE.c.device)))

    def test_each_outcome_is_recorded(self, shop: Shop, tmp_path: Path, p8: Path) -> None:
        answers: dict[str, list[Answer]] = {
            "a2": [(410, {"reason": "Unregistered", "timestamp": int(NOW.timestamp() * 1000) + 60_000})],
            "a3": [(503, None)],
            "a4": [(400, {"reason": "TopicDisallowed"})],
        }
        for number, name in enumerate(("olena", "ihor", "taras", "oksana"), start=1):
            self.changed(shop, name, f"a{number}")
        shop.clock.move_by(COALESCE)
        assert self.run(shop, answers, tmp_path, p8) == {
            "accepted": 1,
            "gone: Unregistered": 1,
            "retry: HTTP 503": 1,
            "configuration: TopicDisallowed": 1,
        }
        assert self.devices(shop) == {"phone-of-olena", "phone-of-taras", "phone-of-oksana"}
        shop.clock.move_by(backoff(0))
        assert self.run(shop, {}, tmp_path, p8) == {"accepted": 1}
        shop.clock.move_by(ITS_OWN_REST)
        assert self.run(shop, {}, tmp_path, p8) == {"accepted": 1}
        shop.clock.move_by(timedelta(days=1))
        assert self.run(shop, {}, tmp_path, p8) == {}

    def test_a_busy_apple_is_left_alone_for_as_long_as_it_asks(
        self, shop: Shop, tmp_path: Path, p8: Path
    ) -> None:
        self.changed(shop, "olena", "a1")
        shop.clock.move_by(COALESCE)
        busy: Answer = (429, {"reason": "TooManyRequests"}, {"retry-after": "600"})
        assert self.run(shop, {"a1": [busy]}, tmp_path, p8) == {"retry: TooManyRequests": 1}
        shop.clock.move_by(timedelta(seconds=599))
        assert self.run(shop, {}, tmp_path, p8) == {}
        shop.clock.move_by(timedelta(seconds=1))
        assert self.run(shop, {}, tmp_path, p8) == {"accepted": 1}

    def test_a_mistake_of_ours_rests_all_pushing_and_one_push_looks_whether_it_is_mended(
        self, shop: Shop, tmp_path: Path, p8: Path
    ) -> None:
        names = ("olena", "ihor", "taras")
        for number, name in enumerate(names):
            self.changed(shop, name, f"a{number}")
        shop.clock.move_by(COALESCE)
        refused: Answer = (403, {"reason": "InvalidProviderToken"})
        answers = {f"a{number}": [refused] for number in range(3)}
        assert sum(self.run(shop, answers, tmp_path, p8).values()) == 3
        assert self.trouble() == "InvalidProviderToken"
        assert self.run(shop, {}, tmp_path, p8) == {}
        shop.clock.move_by(SHORTEST_REST)
        again = {f"a{number}": [refused] for number in range(3)}
        assert self.run(shop, again, tmp_path, p8) == {"configuration: InvalidProviderToken": 1}
        shop.clock.move_by(2 * SHORTEST_REST)
        assert self.run(shop, {}, tmp_path, p8) == {"accepted": 1}
        assert self.trouble() is None
        assert self.run(shop, {}, tmp_path, p8) == {"accepted": 2}
        assert self.devices(shop) == {f"phone-of-{name}" for name in names}

    def test_a_device_that_is_gone_removes_the_card(self, shop: Shop, tmp_path: Path, p8: Path) -> None:
        customer = self.changed(shop, "olena", "aa")
        shop.clock.move_by(COALESCE)
        self.run(shop, {"aa": [(400, {"reason": "BadDeviceToken"})]}, tmp_path, p8)
        assert self.devices(shop) == set()
        with shop.database.read() as connection:
            told = connection.execute(select(EVENT.c.kind, EVENT.c.customer_id).order_by(EVENT.c.id)).all()
        assert [tuple(row) for row in told] == [("card_added", customer), ("card_removed", customer)]

    def test_a_device_that_registered_again_since_is_kept(self, shop: Shop, tmp_path: Path, p8: Path) -> None:
        self.changed(shop, "olena", "aa")
        long_ago = int((NOW - timedelta(days=1)).timestamp() * 1000)
        shop.clock.move_by(COALESCE)
        self.run(shop, {"aa": [(410, {"reason": "Unregistered", "timestamp": long_ago})]}, tmp_path, p8)
        assert self.devices(shop) == {"phone-of-olena"}
