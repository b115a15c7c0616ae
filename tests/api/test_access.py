"""Who may call, and what everybody is told when something is wrong."""

import pytest

from core.errors import EnvironmentFault
from scheduler.beat import Pulse
from tests.api.shop import TOKEN, Shop


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"],
)
def test_without_the_token_nothing_is_said_and_nothing_done(shop: Shop, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for method, path in (("GET", "/customers/1"), ("POST", "/customers"), ("POST", "/receipts")):
        answer = shop.stranger.request(method, f"/api/v1{path}", headers=headers, json={"external_id": "1"})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
    assert shop.till.get("/api/v1/customers/1").status_code == 404


def test_a_body_that_is_too_large_is_not_read(shop: Shop) -> None:
    declared = shop.till.post("/api/v1/receipts", content=b"x" * (1024 * 1024 + 1))
    chunks = (b"x" * 65536 for _ in range(20))
    streamed = shop.till.post(
        "/api/v1/receipts", content=chunks, headers={"content-type": "application/json"}
    )
    for answer in (declared, streamed):
        assert answer.status_code == 413
        assert answer.json()["code"] == "too_large"
        assert answer.json()["detail"] == "a request may have 1 MiB at most"


def test_a_body_that_is_no_json_is_a_problem_too(shop: Shop) -> None:
    answer = shop.till.post(
        "/api/v1/receipts", content=b'{"id": "R1"', headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert "not valid JSON" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/api/v1/nothing", 404), ("PATCH", "/healthz", 405)]
)
def test_other_addresses_and_methods_answer_with_problems(
    shop: Shop, method: str, path: str, status: int
) -> None:
    answer = shop.till.request(method, path)
    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/api/v1/customers/10042", "GET, DELETE"),
        ("DELETE", "/api/v1/till/holds/R1", "GET, PUT"),
        ("PUT", "/api/v1/customers", "GET, POST"),
        ("PATCH", "/p/x", "GET, HEAD, POST"),
        ("PATCH", "/healthz", "GET, HEAD"),
    ],
)
def test_another_method_is_answered_with_all_that_the_address_takes(
    shop: Shop, method: str, path: str, allowed: str
) -> None:
    answer = shop.till.request(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


def test_a_fault_inside_tells_strangers_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("olena@example.com and the password")

    monkeypatch.setattr("core.purchases.tills.record", fail)
    shop.register()
    answer = shop.buy()
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    said = answer.text + "".join(capsys.readouterr())
    assert "olena" not in said
    assert "RuntimeError at test_access.py" in said


def test_a_database_that_is_away_makes_tills_come_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise EnvironmentFault("the database postgresql://tidings@db/tidings cannot be used")

    monkeypatch.setattr("core.purchases.tills.record", away)
    shop.register()
    answer = shop.buy()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "postgresql" not in answer.text


def test_the_process_is_healthy_and_ready(shop: Shop) -> None:
    assert shop.stranger.get("/healthz").json() == {"status": "ok"}
    answer = shop.stranger.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"]["live"] == {"ok": True, "version": 1}


def test_a_beat_that_is_silent_makes_the_service_not_ready(shop: Shop) -> None:
    long_ago = shop.clock.now().replace(hour=1)
    object.__setattr__(shop.services, "pulses", lambda: [Pulse("news", long_ago, failures=7, reason="x")])
    answer = shop.stranger.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["beat:news"]["ok"] is False


def test_beats_that_were_never_started_are_not_ready(shop: Shop) -> None:
    object.__setattr__(shop.services, "pulses", list)
    assert shop.stranger.get("/readyz").status_code == 503
