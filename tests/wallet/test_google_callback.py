"""Google tells that a card was saved or deleted: heard once, and only if it is Google who speaks."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import ConnectError, HTTPError
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from core.clock import MovableClock
from core.db import Database
from core.events import EVENT
from tests.wallet.conftest import NOW, NewCustomer
from tests.wallet.servers import Answer, Fake, Seen, running
from tests.wallet.shop import Shop
from wallet.apple.package import Packager
from wallet.artwork import Artwork
from wallet.google.callback import Callback, Forged, UnknownKey, proved, read
from wallet.google.keys import NOT_BEFORE, RootKeys
from wallet.google.webservice import Keys, callback_router, picture_router
from wallet.tables import PASS

ISSUER = "3388000000022000000"
ROOT, MIDDLE, STRANGER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))


def millis(at: datetime) -> str:
    return str(int(at.timestamp() * 1000))


def public(key: ec.EllipticCurvePrivateKey) -> str:
    return b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def sign(key: ec.EllipticCurvePrivateKey, *parts: str) -> str:
    content = b"".join(len(part.encode()).to_bytes(4, "little") + part.encode() for part in parts)
    return b64encode(key.sign(content, ec.ECDSA(SHA256()))).decode()


def published(*, anew: bool = False) -> bytes:
    """What Google publishes, today as yesterday."""
    return root_keys()


def root_keys(key: ec.EllipticCurvePrivateKey = ROOT, until: datetime = NOW + timedelta(days=30)) -> bytes:
    one = {
        "keyValue": public(key),
        "protocolVersion": "ECv2SigningOnly",
        "keyExpiration": millis(until),
    }
    return json.dumps({"keys": [one]}).encode()


def callback(
    kind: str = "save",
    nonce: str = "n1",
    object_id: str = f"{ISSUER}.abc",
    issuer: str = ISSUER,
    class_id: str = f"{ISSUER}.ключ",
    until: datetime = NOW + timedelta(hours=1),
    key_until: datetime = NOW + timedelta(days=1),
    middle: ec.EllipticCurvePrivateKey = MIDDLE,
) -> dict[str, Any]:
    signed_key = json.dumps({"keyValue": public(middle), "keyExpiration": millis(key_until)})
    message = json.dumps(
        {
            "classId": class_id,
            "objectId": object_id,
            "eventType": kind,
            "expTimeMillis": int(millis(until)),
            "count": 1,
            "nonce": nonce,
        },
        ensure_ascii=False,
    )
    return {
        "signature": sign(middle, "GooglePayPasses", issuer, "ECv2SigningOnly", message),
        "intermediateSigningKey": {
            "signedKey": signed_key,
            "signatures": [sign(ROOT, "GooglePayPasses", "ECv2SigningOnly", signed_key)],
        },
        "protocolVersion": "ECv2SigningOnly",
        "signedMessage": message,
    }


def verified(body: bytes, issuer: str, keys: bytes, now: datetime) -> Callback:
    return proved(read(body, now), issuer, keys, now)


def test_a_genuine_callback_is_believed() -> None:
    heard = verified(json.dumps(callback()).encode(), ISSUER, root_keys(), NOW)
    assert (heard.kind, heard.object_id, heard.nonce) == ("save", f"{ISSUER}.abc", "n1")


def touched(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    content = callback()
    change(content)
    return content


FORGERIES: dict[str, tuple[dict[str, Any], bytes]] = {
    "another root key": (callback(), root_keys(STRANGER)),
    "a root key that has expired": (callback(), root_keys(until=NOW - timedelta(days=1))),
    "an intermediate key that has expired": (callback(key_until=NOW - timedelta(hours=1)), root_keys()),
    "a message that has expired": (callback(until=NOW - timedelta(seconds=1)), root_keys()),
    "a message for somebody else": (callback(issuer="1"), root_keys()),
    "a message that was touched": (
        touched(lambda it: it.update(signedMessage=it["signedMessage"].replace("save", "del"))),
        root_keys(),
    ),
    "an intermediate key that was exchanged": (
        touched(
            lambda it: it["intermediateSigningKey"].update(
                signedKey=json.dumps({"keyValue": public(STRANGER)})
            )
        ),
        root_keys(),
    ),
    "another protocol": (touched(lambda it: it.update(protocolVersion="ECv1")), root_keys()),
    "another kind of event": (callback(kind="stolen"), root_keys()),
    "nothing": ({}, root_keys()),
    "signatures that are none": (touched(lambda it: it.update(signature="%%%")), root_keys()),
    "no root keys": (callback(), b"[]"),
    "a list": ([], root_keys()),  # type: ignore[dict-item]
    "no signature": (touched(lambda it: it.pop("signature")), root_keys()),
    "a time that there is not": (callback(until=datetime.max.replace(tzinfo=UTC)), root_keys()),
}


@pytest.mark.parametrize(("content", "keys"), FORGERIES.values(), ids=FORGERIES.keys())
def test_anything_else_is_not(content: dict[str, Any], keys: bytes) -> None:
    with pytest.raises(Forged):
        verified(json.dumps(content).encode(), ISSUER, keys, NOW)


CONTENT = json.dumps(callback()).encode()
SEVERAL = st.lists(st.tuples(st.integers(0, len(CONTENT) - 1), st.integers(0, 255)), min_size=1, max_size=3)


@given(SEVERAL)
def test_a_callback_that_was_touched_anywhere_says_the_same_or_nothing(
    changes: list[tuple[int, int]],
) -> None:
    body = bytearray(CONTENT)
    for place, byte in changes:
        body[place] = byte
    try:
        heard: Callback | None = verified(bytes(body), ISSUER, root_keys(), NOW)
    except Forged:
        heard = None
    assert heard in (None, verified(CONTENT, ISSUER, root_keys(), NOW))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda it: st.lists(it, max_size=3) | st.dictionaries(st.text(max_size=9), it, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(list(callback())), JSON), JSON)
def test_whatever_somebody_sends_it_is_a_forgery_and_no_crash(parts: dict[str, Any], keys: Any) -> None:
    for published_keys in (root_keys(), json.dumps(keys).encode()):
        content = {**callback(), **parts} if parts else {}
        with pytest.raises(Forged):
            verified(json.dumps(content).encode(), ISSUER, published_keys, NOW)
    with pytest.raises(Forged):
        verified(b"[" * 60_000, ISSUER, root_keys(), NOW)


class TestTheEar:
    """`POST /callback`."""

    @pytest.fixture
    def shop(
        self, database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer
    ) -> Shop:
        return Shop(database, clock, packager, new_customer)

    @pytest.fixture
    def customer(self, shop: Shop) -> int:
        customer = shop.issue()
        with shop.database.write() as connection:
            mine = PASS.c.customer_id == customer
            connection.execute(PASS.update().where(mine).values(google_object_id=f"{ISSUER}.abc"))
        return customer

    def client(self, shop: Shop, keys: Keys = published) -> TestClient:
        app = FastAPI()
        app.include_router(callback_router(shop.database, shop.clock, ISSUER, keys), prefix="/google")
        return TestClient(app)

    def told(self, shop: Shop) -> list[str]:
        with shop.database.read() as connection:
            rows = connection.execute(select(EVENT.c.kind, EVENT.c.data).order_by(EVENT.c.id)).all()
        assert all(row.data == {"wallet": "google"} for row in rows)
        return [row.kind for row in rows]

    def test_a_saved_card_is_an_event_once_however_often_google_says_so(
        self, shop: Shop, customer: int
    ) -> None:
        client = self.client(shop)
        for content in (callback(), callback(), callback(nonce="n2")):
            assert client.post("/google/callback", json=content).status_code == 200
        assert self.told(shop) == ["card_added"]
        row = shop.row(customer)
        assert (row.google_saved, row.google_saved_at) == (True, shop.clock.now())

    def test_an_old_callback_played_again_does_not_bring_a_deleted_card_back(
        self, shop: Shop, customer: int
    ) -> None:
        client = self.client(shop)
        for content in (callback(), callback("del", "n2"), callback()):
            client.post("/google/callback", json=content)
        assert self.told(shop) == ["card_added", "card_removed"]
        assert shop.row(customer).google_saved is False

    def test_a_card_that_we_do_not_know_is_no_fault(self, shop: Shop, customer: int) -> None:
        content = callback(object_id=f"{ISSUER}.unknown")
        assert self.client(shop).post("/google/callback", json=content).status_code == 200
        assert self.told(shop) == []

    def test_what_is_not_of_our_issuer_is_ignored(self, shop: Shop, customer: int) -> None:
        for content in (callback(class_id="1.b"), callback(object_id="1.abc", nonce="n2")):
            assert self.client(shop).post("/google/callback", json=content).status_code == 200
        assert self.told(shop) == []
        assert shop.row(customer).google_saved is False

    def test_a_forgery_is_refused(self, shop: Shop, customer: int) -> None:
        client = self.client(shop)
        assert client.post("/google/callback", json=callback(issuer="1")).status_code == 400
        assert client.post("/google/callback", content="x" * 70_000).status_code == 413
        assert self.told(shop) == []

    def test_without_googles_keys_it_asks_google_to_come_again(self, shop: Shop, customer: int) -> None:
        def keys(*, anew: bool = False) -> bytes:
            raise ConnectError("nobody there")

        client = self.client(shop, keys)
        assert client.post("/google/callback", json=callback()).status_code == 503
        for nothing in (b"no JSON", b"{}", json.dumps(callback(until=NOW - timedelta(days=1))).encode()):
            assert client.post("/google/callback", content=nothing).status_code == 400, "nothing to come with"


@dataclass
class Publisher(Fake):
    """Where Google publishes its keys."""

    keys: bytes = field(default_factory=root_keys)
    status: int = 200

    def answer(self, request: Seen) -> Answer:
        return self.status, self.keys


class TestTheKeys:
    """Google's keys are kept, and fetched anew when they must be."""

    def test_they_are_fetched_twice_a_day(self, clock: MovableClock) -> None:
        publisher = Publisher()
        with running(publisher) as address:
            keys = RootKeys(f"http://{address}/keys", clock)
            for hours in (0, 11, 2):
                clock.move_by(timedelta(hours=hours))
                assert keys() == root_keys()
        assert len(publisher.seen) == 2

    def test_a_key_that_is_not_among_them_makes_us_look_again_every_few_minutes(
        self, clock: MovableClock, database: Database
    ) -> None:
        publisher = Publisher(keys=root_keys(STRANGER))
        with running(publisher) as address:
            app = FastAPI()
            keys = RootKeys(f"http://{address}/keys", clock)
            app.include_router(callback_router(database, clock, ISSUER, keys), prefix="/google")
            client = TestClient(app)

            def ask(nonce: str) -> int:
                until = clock.now() + timedelta(hours=1)
                content = callback(nonce=nonce, until=until, key_until=until)
                status: int = client.post("/google/callback", json=content).status_code
                return status

            assert [ask("n1"), ask("n2")] == [400, 400]
            publisher.keys = root_keys(until=clock.now() + timedelta(days=1))
            assert ask("n3") == 400, "we looked a moment ago"
            assert len(publisher.seen) == 1
            clock.move_by(NOT_BEFORE)
            assert [ask("n4"), ask("n5")] == [200, 200]
            assert len(publisher.seen) == 2

    def test_while_google_cannot_be_reached_those_known_go_on(self, clock: MovableClock) -> None:
        publisher = Publisher(status=500)
        with running(publisher) as address:
            keys = RootKeys(f"http://{address}/keys", clock)
            with pytest.raises(HTTPError):
                keys()
            clock.move_by(NOT_BEFORE)
            publisher.status = 200
            assert keys() == root_keys()
        clock.move_by(timedelta(days=1))
        assert keys() == root_keys()

    @pytest.mark.parametrize("page", [b"<html>sign in</html>", b"[]", b'{"error": 1}', b""])
    def test_a_page_of_somebody_between_us_and_google_is_no_keys(
        self, clock: MovableClock, page: bytes
    ) -> None:
        publisher = Publisher(keys=page)
        with running(publisher) as address:
            keys = RootKeys(f"http://{address}/keys", clock)
            with pytest.raises(HTTPError):
                keys()
            publisher.keys = root_keys()
            clock.move_by(NOT_BEFORE)
            assert keys() == root_keys(), "not only half a day later"
            publisher.keys = page
            clock.move_by(timedelta(days=1))
            assert keys() == root_keys()

    def test_one_that_has_expired_is_as_good_as_none(self) -> None:
        old = root_keys(until=NOW - timedelta(days=1))
        with pytest.raises(UnknownKey):
            verified(json.dumps(callback()).encode(), ISSUER, old, NOW)


def test_google_may_fetch_the_pictures_of_the_card(pictures: Artwork) -> None:
    app = FastAPI()
    app.include_router(picture_router(lambda: pictures), prefix="/cards/loyalty")
    client = TestClient(app)
    assert client.get("/cards/loyalty/logo.png").content == pictures.google["logo.png"]
    assert client.get("/cards/loyalty/hero.png").headers["content-type"] == "image/png"
    assert client.get("/cards/loyalty/key.pem").status_code == 404
