"""The keys of tills, shops and programs: what each may do, how often, until when."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core.units import Rate
from tests.api.shop import Shop
from tidings.keys import KEY, ROLES, SCOPES, Wanted, create, digest_of, revoke


def test_only_the_digest_of_a_key_is_kept(shop: Shop) -> None:
    with shop.database.write() as connection:
        key, secret = create(connection, Wanted("till-1", "till"), shop.clock.now())
        [row] = connection.execute(select(KEY)).mappings()
    assert secret.startswith("tid_")
    assert len(secret) >= len("tid_") + 43  # 256 bits
    assert secret not in str(dict(row))
    assert (row["digest"], key.hint) == (digest_of(secret), secret[:8])
    assert shop.saying(secret).get("/api/v1/customers/1").status_code == 404


def test_two_keys_differ(shop: Shop) -> None:
    with shop.database.write() as connection:
        secrets = {create(connection, Wanted(f"till-{i}", "till"), shop.clock.now())[1] for i in range(5)}
    assert len(secrets) == 5


@pytest.mark.parametrize(
    ("role", "method", "path", "missing"),
    [
        ("till", "GET", "/customers", "customers:list"),
        ("till", "GET", "/events", "events:read"),
        ("marketer", "POST", "/receipts", "receipts:write"),
        ("marketer", "POST", "/customers", "customers:write"),
        ("marketer", "POST", "/receipts/R1/return", "returns:write"),
    ],
)
def test_a_role_may_not_do_what_it_does_not_name(
    shop: Shop, role: str, method: str, path: str, missing: str
) -> None:
    answer = shop.with_key(role).request(method, f"/api/v1{path}", json={} if method == "POST" else None)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert missing in answer.json()["detail"]


def test_a_till_does_a_tills_work(shop: Shop) -> None:
    till = shop.with_key("till")
    assert till.post("/api/v1/customers", json={"external_id": "1", "card": "C1"}).status_code == 201
    assert till.post("/api/v1/identify", json={"code": "C1"}).status_code == 200
    line = {"sku": "a", "total": "10"}
    body = {"id": "R1", "customer": "1", "at": shop.clock.now().isoformat(), "lines": [line]}
    assert till.post("/api/v1/receipts", json=body).status_code == 201
    assert till.post("/api/v1/receipts/R1/return").status_code == 201


def test_a_scope_adds_to_a_role(shop: Shop) -> None:
    both = shop.with_key("till", scopes=["events:read"])
    assert both.get("/api/v1/events").status_code == 200
    one = shop.with_key(None, "feed", scopes=["events:read"])
    assert one.get("/api/v1/events").status_code == 200
    assert one.get("/api/v1/customers/1").status_code == 403


def test_an_admin_may_do_everything_and_roles_name_only_scopes_that_there_are() -> None:
    assert set(ROLES["admin"]) == set(SCOPES)
    assert {scope for own in ROLES.values() for scope in own} <= set(SCOPES)


def test_a_key_of_stores_reads_and_returns_what_was_bought_elsewhere(shop: Shop) -> None:
    shop.register()
    shop.buy(store="lviv-1")
    till = shop.with_key(stores=["kyiv-1"])
    assert till.get("/api/v1/receipts/R1").json()["store"] == "lviv-1"
    assert till.post("/api/v1/receipts/R1/return").status_code == 201


def test_a_key_of_stores_sends_only_their_receipts(shop: Shop) -> None:
    shop.register()
    till = shop.with_key(stores=["kyiv-1", "kyiv-2"])
    line = {"sku": "a", "total": "10"}
    body: dict[str, Any] = {
        "id": "R1", "customer": "10042", "at": shop.clock.now().isoformat(), "lines": [line]
    }  # fmt: skip
    for store in (None, "lviv-1"):
        answer = till.post("/api/v1/receipts", json={**body, "store": store})
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong_store")
        assert "kyiv-1, kyiv-2" in answer.json()["detail"]
    assert till.post("/api/v1/receipts", json={**body, "store": "kyiv-2"}).status_code == 201


def test_a_revoked_key_is_over_within_a_second(shop: Shop) -> None:
    till = shop.with_key()
    assert till.get("/api/v1/customers/1").status_code == 404
    with shop.database.write() as connection:
        revoke(connection, "till-1", shop.clock.now())
    shop.ticks.at += 1
    assert till.get("/api/v1/customers/1").status_code == 401


def test_a_name_is_free_again_once_its_key_is_revoked(shop: Shop) -> None:
    shop.with_key()
    with shop.database.write() as connection:
        revoke(connection, "till-1", shop.clock.now())
    assert shop.with_key().get("/api/v1/customers/1").status_code == 404


def test_an_expired_key_is_over(shop: Shop) -> None:
    till = shop.with_key(expires_at=shop.clock.now() + timedelta(days=1))
    assert till.get("/api/v1/customers/1").status_code == 404
    shop.clock.move_by(timedelta(days=1))
    shop.ticks.at += 1
    answer = till.get("/api/v1/customers/1")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_without_the_token_of_the_settings_keys_are_enough(shop: Shop) -> None:
    object.__setattr__(shop.services, "token", None)
    assert shop.with_key().get("/api/v1/customers/1").status_code == 404
    assert shop.till.get("/api/v1/customers/1").status_code == 401
    assert shop.saying("None").get("/api/v1/customers/1").status_code == 401


def test_the_last_use_is_written_once_in_a_while(shop: Shop) -> None:
    def last_used() -> Any:
        with shop.database.read() as connection:
            return connection.scalar(select(KEY.c.last_used_at))

    till, first = shop.with_key(), shop.clock.now()
    assert last_used() is None
    for minutes, expected in ((0, 0), (5, 0), (5, 10)):
        shop.clock.move_by(timedelta(minutes=minutes))
        till.get("/healthz")
        assert till.get("/api/v1/events").status_code == 403
        till.get("/api/v1/customers")
        shop.register()
        assert till.get("/api/v1/customers/10042").status_code == 200
        assert last_used() == first + timedelta(minutes=expected)


def test_a_key_that_asks_too_often_is_told_when_to_come_again(shop: Shop) -> None:
    till = shop.with_key(rate=Rate(2, 60))
    first = till.get("/api/v1/customers/1")
    assert first.headers["ratelimit-policy"] == '"key";q=2;w=60'
    assert first.headers["ratelimit"] == '"key";r=1;t=30'
    assert till.get("/api/v1/customers/1").status_code == 404
    refused = till.get("/api/v1/customers/1")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert (refused.headers["retry-after"], refused.headers["ratelimit"]) == ("30", '"key";r=0;t=60')
    shop.ticks.at += 30
    assert till.get("/api/v1/customers/1").status_code == 404
    assert till.get("/api/v1/customers/1").status_code == 429


def test_each_key_has_a_rate_of_its_own_and_the_token_has_none(shop: Shop) -> None:
    one, other = (shop.with_key(name=name, rate=Rate(1, 60)) for name in ("one", "other"))
    assert [one.get("/api/v1/customers/1").status_code for _ in range(2)] == [404, 429]
    assert other.get("/api/v1/customers/1").status_code == 404
    assert "ratelimit" not in shop.till.get("/api/v1/customers/1").headers


def test_a_key_stands_in_no_log_and_no_problem(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "tid_" + "x" * 43
    answer = shop.saying(secret).get("/api/v1/customers/1")
    assert answer.status_code == 401
    assert secret not in answer.text + "".join(capsys.readouterr())
