"""What customers have together, and what is done for them by hand, over the API."""

from typing import Any

import pytest
from httpx import Response
from sqlalchemy import select

from core.ledger.writing import OPERATION
from tests.api.shop import Shop, make_live
from tidings.api.idempotency import REQUEST

GOODWILL = {"id": "ticket-1", "customer": "10042", "points": "50", "author": "maria", "reason": "goodwill"}


def send(shop: Shop, method: str, path: str, body: Any = None, **more: Any) -> Response:
    answer: Response = shop.till.request(method, f"/api/v1{path}", json=body, **more)
    return answer


@pytest.fixture
def two(shop: Shop) -> Shop:
    """Two customers, of whom the first was given 50 bonuses by hand."""
    shop.register()
    shop.register("10077")
    assert send(shop, "POST", "/adjustments", GOODWILL).status_code == 201
    return shop


def test_an_adjustment_is_made_once(two: Shop) -> None:
    again = send(two, "POST", "/adjustments", GOODWILL)
    assert (again.status_code, again.json()["points"]) == (200, "50")
    other = send(two, "POST", "/adjustments", {**GOODWILL, "points": "60"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    message = "something else was recorded under this id; take a new one"
    assert other.json()["errors"] == [{"field": "id", "message": message}]


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"author": ""}, 422, "author"),
        ({"reason": None}, 422, "reason"),
        ({"points": "0"}, 422, "points"),
        ({"points": "0.001"}, 422, "points"),
        ({"lasts": "a while"}, 422, "lasts"),
        ({"account": "nowhere"}, 422, "account"),
        ({"customer": "nobody"}, 404, "customer"),
        ({"points": "-5000"}, 422, "points"),
    ],
)
def test_a_bad_adjustment_names_the_field(two: Shop, change: dict[str, Any], status: int, field: str) -> None:
    answer = send(two, "POST", "/adjustments", {**GOODWILL, "id": "2", **change})
    assert answer.status_code == status, answer.text
    assert [it["field"] for it in answer.json()["errors"]] == [field]


def test_a_program_without_transfers_refuses_them(two: Shop) -> None:
    body = {"id": "1", "sender": "10042", "receiver": "10077", "points": "10"}
    make_live(two, "\ntransfers:", "\n# transfers:")
    answer = send(two, "POST", "/transfers", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "transfers_not_allowed")


def test_a_household_shares_an_account(two: Shop) -> None:
    joined = send(two, "POST", "/households/10042/members", {"customer": "10077"})
    assert (joined.status_code, joined.json()) == (
        200, {"head": "10042", "members": ["10077"], "places": 4},
    )  # fmt: skip
    assert send(two, "GET", "/households/10077").json()["head"] == "10042"
    shown = two.till.get("/api/v1/customers/10077").json()
    assert shown["available"] == two.till.get("/api/v1/customers/10042").json()["available"]
    assert send(two, "PUT", "/households/10042/head", {"customer": "10077"}).json()["head"] == "10077"
    assert send(two, "DELETE", "/households/10077/members/10042").json()["members"] == []
    assert send(two, "DELETE", "/households/10077").status_code == 200
    assert send(two, "GET", "/households/nobody").status_code == 404


def test_who_has_left_a_household_does_not_join_it_again_because_an_answer_was_lost(two: Shop) -> None:
    path, key = "/api/v1/households/10042/members", {"Idempotency-Key": "desk-7-0031"}
    first = two.till.post(path, json={"customer": "10077"}, headers=key)
    two.till.delete(f"{path}/10077")
    again = two.till.post(path, json={"customer": "10077"}, headers=key)
    assert (again.status_code, again.content) == (200, first.content)
    assert two.till.get("/api/v1/households/10042").json()["members"] == []
    other = two.till.post(path, json={"customer": "10042"}, headers=key)
    assert other.json()["code"] == "idempotency_conflict"


def test_a_duplicate_is_found_and_merged(two: Shop) -> None:
    for external_id in ("10042", "10077"):
        two.register(external_id, phone="+380501234567")
    assert send(two, "GET", "/duplicates").json() == [{"by": "phone", "customers": ["10042", "10077"]}]
    body = {"duplicate": "10077", "author": "maria", "reason": "the same phone"}
    merged = send(two, "POST", "/customers/10042/merge", body)
    assert (merged.status_code, merged.json()["survivor"]) == (201, "10042")
    assert send(two, "POST", "/customers/10042/merge", body).status_code == 200
    assert (
        two.buy("R1", customer="10077").json()["balance"] == two.buy("R1", customer="10077").json()["balance"]
    )


def test_a_person_is_forgotten(two: Shop) -> None:
    would = send(two, "GET", "/customers/10042/erasure").json()["goes"]
    assert would["customers' numbers"] == 1
    gone = send(two, "DELETE", "/customers/10042", params={"author": "dpo"})
    assert gone.status_code == 200, gone.text
    assert gone.json()["balance"] == "0"
    assert send(two, "DELETE", "/customers/10042").json() == gone.json()
    assert two.till.get("/api/v1/customers/10042").status_code == 404
    back = two.register("10042")
    assert (back.status_code, back.json()["code"]) == (409, "erased")


def test_an_answer_kept_for_a_repeat_is_forgotten_with_the_person(two: Shop) -> None:
    key = {"Idempotency-Key": "k1"}
    body = {**GOODWILL, "id": "2"}
    assert send(two, "POST", "/adjustments", body, headers=key).status_code == 201
    send(two, "DELETE", "/customers/10042")
    assert send(two, "POST", "/adjustments", body, headers=key).status_code == 404


def test_no_answer_of_a_till_names_the_person_any_more(two: Shop) -> None:
    lines = [{"sku": "flat-white", "total": "200"}]
    at, mine = two.clock.now().isoformat(), "/customers/10042"
    asked = {
        "/receipts": {"id": "R1", "customer": "10042", "at": at, "lines": lines},
        "/receipts/R1/return": {"id": "back-1"},
        "/events": {"id": "act-1", "customer": "10042", "act": "review"},
        "/till/holds": {"id": "R2", "customer": "10042", "lines": lines},
        "/till/holds/R2/commit": {},
        f"{mine}/consents": {"consents": [{"channel": "sms", "granted": True, "source": "Olena's call"}]},
    }
    for path, body in asked.items():
        answer = send(two, "POST", path, body, headers={"Idempotency-Key": path})
        assert answer.status_code in {200, 201}, answer.text
    assert len(answers(two)) == len(asked)
    assert send(two, "DELETE", mine).status_code == 200
    assert answers(two) == []


@pytest.mark.parametrize("shares", [False, True], ids=["alone", "in a household"])
def test_no_kept_answer_names_who_was_given_bonuses(two: Shop, shares: bool) -> None:
    if shares:
        two.register("10099")
        assert send(two, "POST", "/households/10099/members", {"customer": "10077"}).status_code == 200
    body = {"id": "gift-7", "sender": "10042", "receiver": "10077", "points": "10"}
    assert send(two, "POST", "/transfers", body, headers={"Idempotency-Key": "k1"}).status_code == 201
    kept = {**GOODWILL, "id": "2"}
    assert send(two, "POST", "/adjustments", kept, headers={"Idempotency-Key": "k2"}).status_code == 201
    assert send(two, "DELETE", "/customers/10077").status_code == 200
    [left] = answers(two)
    assert "10077" not in left
    with two.database.read() as connection:
        assert "10077" not in str(connection.scalars(select(OPERATION.c.result)).all())


def answers(shop: Shop) -> list[str]:
    """What is kept for requests that are sent again."""
    with shop.database.read() as connection:
        return list(connection.scalars(select(REQUEST.c.answer)))


def test_a_settlement_is_read(two: Shop) -> None:
    answer = send(two, "GET", "/settlement", params={"from": "2026-03-01", "to": "2026-04-01"})
    assert answer.status_code == 200, answer.text
    [party] = answer.json()["parties"]
    assert party["opening"] == "0"
    assert answer.json()["debts"] == []
    odd = send(two, "GET", "/settlement", params={"from": "2026-04-01", "to": "2026-03-01"})
    assert odd.status_code == 422
    long_ago = send(two, "GET", "/settlement", params={"from": "0001-01-01", "to": "2026-03-01"})
    assert (long_ago.status_code, long_ago.json()["errors"][0]["field"]) == (422, "from")


def test_the_movement_of_bonuses_is_read(two: Shop) -> None:
    answer = send(two, "GET", "/movement", params={"from": "2026-03-01", "to": "2026-04-01"})
    assert answer.status_code == 200, answer.text
    [account] = answer.json()["accounts"]
    assert (account["opening"], account["closing"]) == ("0", answer.json()["outstanding"]["points"])
    odd = send(two, "GET", "/movement", params={"from": "2026-04-01", "to": "2026-04-01"})
    assert (odd.status_code, odd.json()["errors"][0]["field"]) == (422, "to")
