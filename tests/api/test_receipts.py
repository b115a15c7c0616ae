"""Receipts over the API."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.api.shop import Shop


@pytest.fixture
def shop_with_olena(shop: Shop) -> Shop:
    shop.register(name="Олена Коваль", locale="uk")
    return shop


def test_a_receipt_earns_by_the_level_and_answers_what_it_brought(shop_with_olena: Shop) -> None:
    answer = shop_with_olena.buy(total="170.50")
    assert answer.status_code == 201
    assert answer.json() == {
        "receipt": "R1", "customer": "10042", "earned": "5.11", "spent": "0", "balance": "55.11",
        "available": "55.11", "tier": "bronze",
    }  # fmt: skip


def test_the_same_receipt_again_gets_the_same_answer_and_changes_nothing(shop_with_olena: Shop) -> None:
    first = shop_with_olena.buy()
    again = shop_with_olena.buy()
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.content == first.content
    assert shop_with_olena.events().count("purchase") == 1


def test_other_content_under_the_same_number_is_a_conflict(shop_with_olena: Shop) -> None:
    shop_with_olena.buy()
    answer = shop_with_olena.buy(total="201")
    assert answer.status_code == 409
    assert (answer.json()["code"], answer.json()["errors"][0]["field"]) == ("conflict", "id")


def test_a_till_that_sends_a_receipt_many_times_at_once_records_it_once(shop_with_olena: Shop) -> None:
    with ThreadPoolExecutor(8) as tills:
        answers = list(tills.map(lambda _: shop_with_olena.buy(), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.content for answer in answers}) == 1
    customer = shop_with_olena.till.get("/api/v1/customers/10042").json()
    assert customer["balance"] == "56"


def test_amounts_may_be_text_or_numbers_and_mean_the_same(shop_with_olena: Shop) -> None:
    at = shop_with_olena.clock.now().isoformat()
    body = {"id": "R1", "customer": "10042", "at": at, "lines": [{"sku": "a", "quantity": 2, "total": 12.1}]}
    assert shop_with_olena.till.post("/api/v1/receipts", json=body).status_code == 201
    body["lines"] = [{"sku": "a", "quantity": "2.000", "total": "12.10"}]
    assert shop_with_olena.till.post("/api/v1/receipts", json=body).status_code == 200


def test_bonuses_pay_for_a_part_of_it(shop_with_olena: Shop) -> None:
    answer = shop_with_olena.buy(pay_points="20")
    assert (answer.json()["spent"], answer.json()["earned"], answer.json()["available"]) == (
        "20",
        "5.4",
        "35.4",
    )


@pytest.mark.parametrize(
    ("more", "status", "code", "field"),
    [
        ({"customer": "nobody"}, 404, "unknown_customer", "customer"),
        ({"pay_points": "150"}, 422, "over_the_limit", "pay_points"),
        ({"pay_points": "60"}, 422, "insufficient_balance", "pay_points"),
        ({"pay_points": "0.001"}, 422, "invalid", "pay_points"),
        ({"total": "1.005"}, 422, "invalid", "lines[0].total"),
        ({"total": "-1"}, 422, "invalid", "lines[0].total"),
        ({"total": "many"}, 422, "invalid", "lines[0].total"),
        ({"total": "NaN"}, 422, "invalid", "lines[0].total"),
        ({"lines": []}, 422, "invalid", "lines"),
        ({"at": "2026-03-01T10:00:00"}, 422, "invalid", "at"),
        ({"at": "2026-03-05T10:00:00Z"}, 422, "in_the_future", "at"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_its_field_and_changes_nothing(
    shop_with_olena: Shop, more: dict[str, str], status: int, code: str, field: str
) -> None:
    answer = shop_with_olena.buy(**more)
    assert answer.status_code == status, answer.text
    assert (answer.json()["code"], answer.json()["errors"][0]["field"]) == (code, field)
    assert shop_with_olena.events() == ["registered", "bonus_accrued"]


def test_a_receipt_wakes_the_beats_once_it_is_recorded(shop_with_olena: Shop) -> None:
    before = len(shop_with_olena.woken)
    shop_with_olena.buy()
    assert len(shop_with_olena.woken) == before + 1


def test_a_return_takes_back_what_the_receipt_brought(shop_with_olena: Shop) -> None:
    shop_with_olena.buy(pay_points="20")
    shop_with_olena.clock.move_by(timedelta(days=1))
    answer = shop_with_olena.till.post("/api/v1/receipts/R1/return")
    assert answer.status_code == 201
    body = answer.json()
    assert (body["taken_back"], body["given_back"], body["debt"], body["available"]) == (
        "5.4",
        "20",
        "0",
        "50",
    )


def test_the_same_return_again_gets_the_same_answer(shop_with_olena: Shop) -> None:
    shop_with_olena.buy()
    shop_with_olena.clock.move_by(timedelta(days=1))
    first, again = (shop_with_olena.till.post("/api/v1/receipts/R1/return") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.content == first.content


def test_only_a_receipt_that_is_there_can_be_returned_and_not_before_its_time(shop_with_olena: Shop) -> None:
    unknown = shop_with_olena.till.post("/api/v1/receipts/R9/return")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_receipt")
    shop_with_olena.buy()
    early = shop_with_olena.till.post("/api/v1/receipts/R1/return", json={"at": "2026-02-01T00:00:00Z"})
    assert (early.status_code, early.json()["errors"][0]["field"]) == (422, "at")
