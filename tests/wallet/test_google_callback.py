"""Google tells that a card was saved or deleted: heard once, and only if it is Google who speaks."""

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import ConnectError
from sqlalchemy import select

from core.clock import MovableClock
from core.db import Database
from core.events import EVENT
from tests.wallet.conftest import NOW, NewCustomer
from tests.wallet.servers import Fake, Seen, running
from tests.wallet.shop import Shop
from wallet.apple.package import Packager
from wallet.artwork import Artwork
from wallet.google.callback import Forged, verified
from wallet.google.webservice import RootKeys, callback_router, picture_router
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


def root_keys(key: ec.EllipticCurvePrivateKey = ROOT, until: datetime = NOW + timedelta(days=30)) -> bytes:
    published = {
        "keyValue": public(key),
        "protocolVersion": "ECv2SigningOnly",
        "keyExpiration": millis(until),
    }
    return json.dumps({"keys": [published]}).encode()


def callback(
    kind: str = "save",
    nonce: str = "n1",
    object_id: str = f"{ISSUER}.abc",
    issuer: str = ISSUER,
    until: datetime = NOW + timedelta(hours=1),
    key_until: datetime = NOW + timedelta(days=1),
    middle: ec.EllipticCurvePrivateKey = MIDDLE,
) -> dict[str, Any]:
    signed_key = json.dumps({"keyValue": public(middle), "keyExpiration": millis(key_until)})
    message = json.dumps(
        {
            "classId": f"{ISSUER}.ключ",
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
}


@pytest.mark.parametrize(("content", "keys"), FORGERIES.values(), ids=FORGERIES.keys())
def test_anything_else_is_not(content: dict[str, Any], keys: bytes) -> None:
    with pytest.raises(Forged):
        verified(json.dumps(content).encode(), ISSUER, keys, NOW)


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

    def client(self, shop: Shop, keys: Callable[[], bytes] = root_keys) -> TestClient:
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
        assert shop.row(customer).google_saved is True

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

    def test_a_forgery_is_refused(self, shop: Shop, customer: int) -> None:
        client = self.client(shop)
        assert client.post("/google/callback", json=callback(issuer="1")).status_code == 400
        assert client.post("/google/callback", content="x" * 70_000).status_code == 413
        assert self.told(shop) == []

    def test_without_googles_keys_it_asks_google_to_come_again(self, shop: Shop, customer: int) -> None:
        def keys() -> bytes:
            raise ConnectError("nobody there")

        assert self.client(shop, keys).post("/google/callback", json=callback()).status_code == 503


def test_the_root_keys_are_fetched_twice_a_day(clock: MovableClock) -> None:
    class Publisher(Fake):
        def answer(self, request: Seen) -> tuple[int, object]:
            return 200, {"keys": []}

    publisher = Publisher()
    with running(publisher) as address:
        keys = RootKeys(f"http://{address}/keys", clock)
        for hours in (0, 11, 2):
            clock.move_by(timedelta(hours=hours))
            assert json.loads(keys()) == {"keys": []}
    assert len(publisher.seen) == 2


def test_google_may_fetch_the_pictures_of_the_card(pictures: Artwork) -> None:
    app = FastAPI()
    app.include_router(picture_router(lambda: pictures), prefix="/cards/loyalty")
    client = TestClient(app)
    assert client.get("/cards/loyalty/logo.png").content == pictures.google["logo.png"]
    assert client.get("/cards/loyalty/hero.png").headers["content-type"] == "image/png"
    assert client.get("/cards/loyalty/key.pem").status_code == 404
