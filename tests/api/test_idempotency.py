"""Requests that are sent again under one Idempotency-Key."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import func, select

from core.customers.profiles import save
from tests.api.shop import Shop
from tidings.api.idempotency import REQUEST


def send(shop: Shop, key: str, path: str = "/customers", client: Any = None, **body: Any) -> Response:
    body = body or {"external_id": "10042", "name": "Олена"}
    answer: Response = (client or shop.till).post(
        f"/api/v1{path}", json=body, headers={"Idempotency-Key": key}
    )
    return answer


def kept(shop: Shop) -> int:
    with shop.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(REQUEST)) or 0


def test_the_same_request_gets_the_stored_answer(shop: Shop) -> None:
    first = send(shop, "k1")
    shop.till.post("/api/v1/customers", json={"external_id": "10042", "name": "Оленка"})
    again = send(shop, "k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert shop.till.get("/api/v1/customers/10042").json()["name"] == "Оленка"


def test_the_order_of_keys_and_the_quotes_of_the_header_make_no_difference(shop: Shop) -> None:
    first = send(shop, "k1", external_id="1", name="A")
    again = send(shop, '"k1"', name="A", external_id="1")
    assert (again.status_code, again.content) == (201, first.content)


def test_another_request_under_the_same_key_is_refused_and_changes_nothing(shop: Shop) -> None:
    send(shop, "k1")
    other = send(shop, "k1", external_id="10043")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    assert shop.till.get("/api/v1/customers/10043").status_code == 404
    elsewhere = send(
        shop, "k1", "/customers/10042/consents", consents=[{"channel": "email", "granted": True}]
    )
    assert elsewhere.json()["code"] == "idempotency_conflict"


def test_a_key_belongs_to_the_key_of_the_api(shop: Shop) -> None:
    send(shop, "k1")
    other = send(shop, "k1", client=shop.with_key(), external_id="10043")
    assert other.status_code == 201


def test_a_refused_request_may_be_corrected_under_the_same_key(shop: Shop) -> None:
    send(shop, "k1", external_id="1", card="C1")
    refused = send(shop, "k2", external_id="2", card="C1")
    assert refused.json()["code"] == "card_taken"
    assert kept(shop) == 1
    assert send(shop, "k2", external_id="2", card="C2").status_code == 201


def test_while_the_first_one_runs_the_second_is_told_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = Event(), Event()

    def slowly(*words: Any, **more: Any) -> Any:
        begun.set()
        assert go_on.wait(30)
        return save(*words, **more)

    monkeypatch.setattr("tidings.api.customers.save", slowly)
    with ThreadPoolExecutor(1) as other:
        first = other.submit(send, shop, "k1")
        assert begun.wait(30)
        second = send(shop, "k1")
        go_on.set()
        assert first.result().status_code == 201
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_running")
    assert send(shop, "k1").content == first.result().content


def test_another_process_is_told_so_too(shop: Shop) -> None:
    """What the database says: on SQLite the other one waits for the only writer instead."""
    from tidings.api.idempotency import OnceFor

    if shop.database.dialect == "sqlite":
        return
    one, other = (OnceFor(shop.services, 7, "k", "d") for _ in range(2))
    with shop.database.write() as first, shop.database.write() as second:
        assert one._alone(first)()
        assert not other._alone(second)()


def test_many_at_once_have_one_effect(shop: Shop) -> None:
    shop.register()
    token = {"kind": "push", "value": "abc"}
    with ThreadPoolExecutor(8) as tills:
        work = [tills.submit(send, shop, "k1", "/customers/10042/addresses", **token) for _ in range(8)]
        codes = {it.result().status_code for it in work}
    assert codes <= {204, 409}
    assert kept(shop) == 1


def test_after_a_week_a_key_is_new(shop: Shop) -> None:
    send(shop, "k1")
    shop.clock.move_by(timedelta(days=7))
    assert send(shop, "k1", external_id="10043").status_code == 201


@pytest.mark.parametrize("key", ["", " ", "x" * 256, '"'])
def test_a_key_that_is_none_is_refused(shop: Shop, key: str) -> None:
    answer = send(shop, key)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_an_answer_is_forgotten_with_the_customer(shop: Shop) -> None:
    send(shop, "k1")
    with shop.database.read() as connection:
        assert connection.scalar(select(REQUEST.c.customer_id)) == shop.id_of()
