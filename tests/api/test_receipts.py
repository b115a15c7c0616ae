"""Receipts over the API."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from httpx import Response

from tests.api.shop import Shop

# Each line is possible; together they are a mistake.
HUGE = [{"sku": "a", "total": "600000000"}, {"sku": "b", "total": "600000000"}]


@pytest.fixture
def shop_with_olena(shop: Shop) -> Shop:
    shop.register(name="Олена Коваль", locale="uk")
    return shop


def test_a_receipt_earns_by_the_level_and_answers_what_it_brought(shop_with_olena: Shop) -> None:
    answer = shop_with_olena.buy(total="170.50")
    assert answer.status_code == 201
    assert answer.json() == {
        "receipt": "R1", "customer": "10042", "earned": "5.11", "spent": "0", "balance": "55.11",
        "available": "55.11", "tier": "bronze", "level_bonus": "0", "corrected": [],
            "codes_left_out": [],
        "rules": [{"rule": "base", "points": "5.11", "why": "bronze: 3% of 170.50"}],
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


REFUSED: list[tuple[dict[str, Any], int, str, str]] = [
    ({"customer": "nobody"}, 404, "unknown_customer", "customer"),
    ({"pay_points": "150"}, 422, "over_the_limit", "pay_points"),
    ({"pay_points": "60"}, 422, "insufficient_balance", "pay_points"),
    ({"pay_points": "0.001"}, 422, "invalid", "pay_points"),
    ({"total": "1.005"}, 422, "invalid", "lines[0].total"),
    ({"total": "-1"}, 422, "invalid", "lines[0].total"),
    ({"total": "many"}, 422, "invalid", "lines[0].total"),
    ({"total": "1_000"}, 422, "invalid", "lines[0].total"),
    ({"total": "１０"}, 422, "invalid", "lines[0].total"),
    ({"total": " 10 "}, 422, "invalid", "lines[0].total"),
    ({"total": "+10"}, 422, "invalid", "lines[0].total"),
    ({"total": "1e1"}, 422, "invalid", "lines[0].total"),
    ({"total": True}, 422, "invalid", "lines[0].total"),
    ({"total": "1000000000.01"}, 422, "invalid", "lines[0].total"),
    ({"lines": HUGE}, 422, "invalid", "lines"),
    ({"at": 1763700000}, 422, "invalid", "at"),
    ({"at": "1763700000"}, 422, "invalid", "at"),
    ({"total": "NaN"}, 422, "invalid", "lines[0].total"),
    ({"lines": []}, 422, "invalid", "lines"),
    ({"at": "2026-03-01T10:00:00"}, 422, "invalid", "at"),
    ({"at": "2026-03-05T10:00:00Z"}, 422, "in_the_future", "at"),
    ({"at": "2027-03-01T10:00:00Z"}, 422, "in_the_future", "at"),
    ({"at": "2025-03-01T10:00:00Z"}, 422, "too_old", "at"),
    ({"at": "9999-03-01T10:00:00Z"}, 422, "invalid", "at"),
    ({"pay_points": "Infinity"}, 422, "invalid", "pay_points"),
    ({"pay_points": "1e400"}, 422, "invalid", "pay_points"),
    ({"total": "99999999999999999"}, 422, "invalid", "lines[0].total"),
    ({"total": "999999999999999"}, 422, "invalid", "lines[0].total"),
    ({"currency": "EUR"}, 422, "wrong_currency", "currency"),
    ({"codes": ["NONESUCH"]}, 404, "unknown_code", "codes"),
]


def test_what_cannot_be_recorded_is_refused_with_its_field_and_changes_nothing(shop_with_olena: Shop) -> None:
    for more, status, code, field in REFUSED:
        answer = shop_with_olena.buy(**more)
        assert answer.status_code == status, (more, answer.text)
        assert (answer.json()["code"], answer.json()["errors"][0]["field"]) == (code, field), more
        assert shop_with_olena.events() == ["registered", "bonus_accrued"], more


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


def test_a_return_of_no_goods_is_refused_instead_of_returning_everything(shop_with_olena: Shop) -> None:
    shop_with_olena.buy()
    answer = shop_with_olena.till.post("/api/v1/receipts/R1/return", json={"id": "A", "lines": []})
    assert (answer.status_code, answer.json()["errors"]) == (422, [{
        "field": "lines",
        "message": "is empty; name the goods that came back, or leave `lines` out to return all that is left",
    }])  # fmt: skip
    assert shop_with_olena.till.get("/api/v1/receipts/R1").json()["returned_at"] is None


# --- lines and units, offline and late


BASKET = [
    {"sku": "flat-white", "quantity": "2", "total": "170"},
    {"sku": "cigarettes", "total": "100", "category": "tobacco"},
    {"sku": "beans", "total": "230", "brand": "Kavarnia", "discounted": True},
]


def give_back(shop: Shop, **body: object) -> Response:
    answer: Response = shop.till.post("/api/v1/receipts/R1/return", json=body)
    return answer


def test_the_till_may_know_goods_better_than_the_catalogue(shop_with_olena: Shop) -> None:
    answer = shop_with_olena.buy(lines=BASKET).json()
    assert (answer["earned"], answer["rules"][0]["why"]) == ("12", "bronze: 3% of 400.00")
    lines = shop_with_olena.till.get("/api/v1/receipts/R1").json()["lines"]
    assert [it["earned"] for it in lines] == ["5.1", "0", "6.9"]


def test_units_and_lines_come_back_one_after_the_other(shop_with_olena: Shop) -> None:
    shop_with_olena.buy(lines=BASKET)
    cup = give_back(shop_with_olena, id="A", lines=[{"sku": "flat-white", "quantity": "1"}])
    beans = give_back(shop_with_olena, id="B", lines=[{"line": 3}])
    rest = give_back(shop_with_olena, id="C")
    assert [it.json()["taken_back"] for it in (cup, beans, rest)] == ["2.55", "6.9", "2.55"]
    assert give_back(shop_with_olena, id="B", lines=[{"line": 3}]).content == beans.content
    assert shop_with_olena.till.get("/api/v1/customers/10042").json()["balance"] == "50"


def test_what_comes_back_must_have_been_bought(shop_with_olena: Shop) -> None:
    shop_with_olena.buy(lines=BASKET)
    refused = [
        give_back(shop_with_olena, id="A", lines=[{"sku": "flat-white", "quantity": "3"}]),
        give_back(shop_with_olena, id="B", lines=[{"sku": "tea"}]),
        give_back(shop_with_olena, id="C", lines=[{"line": 9}]),
        give_back(shop_with_olena, id="D", lines=[{"line": 1, "quantity": "-1"}]),
        give_back(shop_with_olena, id="E", lines=[{"line": 1, "sku": "flat-white"}]),
    ]
    assert [it.json()["code"] for it in refused] == [
        "more_than_bought", "unknown_line", "unknown_line", "invalid", "invalid",
    ]  # fmt: skip
    assert shop_with_olena.till.get("/api/v1/customers/10042").json()["balance"] == "62"
    give_back(shop_with_olena, id="F", lines=[{"line": 1}])
    other = give_back(shop_with_olena, id="F", lines=[{"line": 2}])
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


def test_an_offline_receipt_is_recorded_though_its_bonuses_were_spent_meanwhile(
    shop_with_olena: Shop,
) -> None:
    early = shop_with_olena.clock.now().isoformat()
    shop_with_olena.clock.move_by(timedelta(hours=2))
    shop_with_olena.buy("R2", "400", pay_points="50")
    late = shop_with_olena.buy("R1", "400", at=early, pay_points="40")
    assert (late.status_code, late.json()["code"]) == (422, "insufficient_balance")
    offline = shop_with_olena.buy("R3", "400", at=early, pay_points="50", offline=True)
    assert (offline.status_code, offline.json()["spent"]) == (201, "50")


def test_a_late_receipt_says_what_it_corrected(shop_with_olena: Shop) -> None:
    early = shop_with_olena.clock.now().isoformat()
    shop_with_olena.clock.move_by(timedelta(hours=2))
    shop_with_olena.buy("R2", "4000")
    answer = shop_with_olena.buy("R1", "6000", at=early, offline=True).json()
    assert (answer["earned"], answer["corrected"]) == ("180", [{"operation": "receipt:R2", "points": "80"}])
    assert shop_with_olena.till.get("/api/v1/customers/10042").json()["tier"]["name"] == "silver"


def test_an_offline_receipt_says_which_promo_codes_it_was_taken_without(shop_with_olena: Shop) -> None:
    early = shop_with_olena.clock.now().isoformat()
    shop_with_olena.clock.move_by(timedelta(hours=2))
    online = shop_with_olena.buy("R1", "400", at=early, codes=["NOSUCH"])
    assert (online.status_code, online.json()["code"]) == (404, "unknown_code")
    offline = shop_with_olena.buy("R1", "400", at=early, codes=["NOSUCH"], offline=True)
    assert offline.status_code == 201
    [left_out] = offline.json()["codes_left_out"]
    assert left_out["code"] == "NOSUCH"
    assert "is unknown" in left_out["why"]


def test_a_promo_code_works_once_and_is_kept_with_the_receipt(shop_with_olena: Shop) -> None:
    first = shop_with_olena.buy("R1", "200", codes=["spring26"])
    assert [it["rule"] for it in first.json()["rules"]] == ["base", "spring"]
    assert shop_with_olena.till.get("/api/v1/receipts/R1").json()["rules_by_code"] == ["spring"]


def test_what_cannot_be_read_is_told_in_plain_words(shop_with_olena: Shop) -> None:
    wrong: list[dict[str, Any]] = [{"total": "1_000"}, {"at": 1763700000}, {"lines": HUGE}]
    said = [shop_with_olena.buy(**more).json()["errors"][0]["message"] for more in wrong]
    assert said == [
        "must be a plain number in whole units, such as 170.50",
        "must be a time with its offset from UTC, such as 2026-03-01T10:15:00+02:00",
        "lines: they come to more than 1000000000 UAH; no receipt is that large",
    ]


def test_a_till_can_add_up_what_the_rules_gave(shop_with_olena: Shop) -> None:
    answer = shop_with_olena.buy(total="6000").json()
    given = sum(Decimal(it["points"]) for it in answer["rules"])
    assert Decimal(answer["level_bonus"]) > 0
    assert given == Decimal(answer["earned"]) + Decimal(answer["level_bonus"])


def test_a_till_can_add_up_what_a_return_moved(shop_with_olena: Shop) -> None:
    bought = shop_with_olena.buy(total="6000").json()
    answer = give_back(shop_with_olena).json()
    moved = Decimal(answer["balance"]) - Decimal(bought["balance"])
    assert answer["level_bonus_taken_back"] == bought["level_bonus"] != "0"
    assert moved == -Decimal(answer["taken_back"]) - Decimal(answer["level_bonus_taken_back"])


def test_a_receipt_adds_up_after_a_partial_return(shop_with_olena: Shop) -> None:
    shop_with_olena.buy(lines=BASKET, pay_points="33.33")
    give_back(shop_with_olena, id="A", lines=[{"sku": "flat-white", "quantity": "1"}])
    shown = shop_with_olena.till.get("/api/v1/receipts/R1").json()
    for whole, part in (("total", "kept_total"), ("paid_points", "kept_paid_points"), ("earned", "earned")):
        assert Decimal(shown[whole]) == sum(Decimal(line[part]) for line in shown["lines"])
    assert [(it["total"], it["kept_total"]) for it in shown["lines"]] == [
        ("170", "85"), ("100", "100"), ("230", "230"),
    ]  # fmt: skip
