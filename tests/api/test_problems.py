"""Every problem has a page, every reason of the ledger is a problem; what is wrong is said in plain words."""

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.api.shop import Shop
from tidings.api.problem_kinds import PROBLEMS

ROOT = Path(__file__).parents[2]


def reasons() -> set[str]:
    """The first word of every refusal of the ledger that stands there as a word."""
    found = set()
    for file in [*(ROOT / "core").rglob("*.py"), *(ROOT / "tidings" / "api").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                first = node.args[0] if node.args else None
                named = node.func.id in ("Refusal", "refuse") and isinstance(first, ast.Constant)
                found |= {str(first.value)} if named and isinstance(first, ast.Constant) else set()
    return found


def test_every_reason_of_the_ledger_is_a_problem_with_a_page() -> None:
    assert sorted(reasons() - PROBLEMS.keys()) == []


def test_the_type_of_a_problem_leads_to_its_page(shop: Shop) -> None:
    problem = shop.till.get("/api/v1/customers/nobody").json()
    assert problem["type"] == "/problems/unknown-customer"
    page = shop.stranger.get(problem["type"])
    assert page.status_code == 200
    assert "Register the customer first" in page.text
    assert shop.stranger.get("/problems/never-heard-of").status_code == 404


def test_every_problem_is_explained(shop: Shop) -> None:
    overview = shop.stranger.get("/problems").text
    for code, kind in PROBLEMS.items():
        assert kind.path(code) in overview
        assert shop.stranger.get(kind.path(code)).status_code == 200, code


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"lines": [{"sku": "a", "total": "-1"}]}, "lines[0].total", "must be zero or more"),
        ({"codes": ["SPRING", "A\0"]}, "codes", "a NUL character cannot be kept"),
        (
            {"lines": [{"sku": "a", "total": "NaN"}]},
            "lines[0].total",
            "must be a plain number",
        ),
        (
            {"lines": [{"sku": "a", "total": "Infinity"}]},
            "lines[0].total",
            "must be a plain number",
        ),
        ({"lines": [{"sku": "a", "total": "much"}]}, "lines[0].total", "must be a plain number"),
        ({"lines": [{"sku": "a", "total": "1.005"}]}, "lines[0].total", "must have 2 decimal places at most"),
        ({"lines": [{"sku": "a", "total": "1.0000001"}]}, "lines[0].total", "more than 6 decimal places"),
        ({"lines": [{"sku": "a", "total": "9" * 16}]}, "lines[0].total", "no amount is that large"),
        ({"lines": [{"sku": "a", "total": "9" * 15}]}, "lines[0].total", "no amount is that large"),
        (
            {"lines": [{"sku": "a", "total": "1", "quantity": "0"}]},
            "lines[0].quantity",
            "must be more than zero",
        ),
        (
            {"lines": [{"sku": "a", "total": "1", "quantity": "1.0005"}]},
            "lines[0].quantity",
            "3 decimal places",
        ),
        ({"lines": [{"total": "1"}]}, "lines[0].sku", "is missing"),
        ({"lines": [{"sku": "", "total": "1"}]}, "lines[0].sku", "must not be empty"),
        (
            {"lines": [{"sku": "a", "total": "1", "categori": "b"}]},
            "lines[0].categori",
            "did you mean 'category'?",
        ),
        ({"lines": "a"}, "lines", "must be a list"),
        ({"currency": "UA"}, "currency", "must have 3 characters at least"),
        ({"lines": []}, "lines", "must hold one or more"),
        ({"custommer": "1"}, "custommer", "did you mean 'customer'?"),
        ({"pay_points": "-5"}, "pay_points", "must be zero or more"),
        ({"at": "yesterday"}, "at", "must be a time with its offset from UTC"),
        ({"at": "2026-03-01T10:00:00"}, "at", "must carry its offset from UTC"),
        ({"at": "0001-01-01T00:00:00Z"}, "at", "is not between 1970 and 2200"),
        ({"id": "a/b"}, "id", "must not begin or end with a space, nor hold a slash"),
        ({"id": 5}, "id", "must be text"),
        ({"offline": "perhaps"}, "offline", "must be true or false"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(
    shop: Shop, change: dict[str, Any], field: str, message: str
) -> None:
    shop.register()
    lines = [{"sku": "a", "total": "10"}]
    at = shop.clock.now().isoformat()
    answer = shop.till.post("/api/v1/receipts", json={
        "id": "R1", "customer": "10042", "at": at, "lines": lines, **change,
    })  # fmt: skip
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert message in error["message"]
    assert shop.till.get("/api/v1/receipts/R1").status_code == 404


@pytest.mark.parametrize("field", ["store", "customer", "offline"])
def test_half_a_character_is_told_as_one_whatever_the_field_wants(shop: Shop, field: str) -> None:
    body = b'{"%s": "\\ud83d"}' % field.encode()
    answer = shop.till.post("/api/v1/receipts", content=body, headers={"Content-Type": "application/json"})
    said = {it["field"]: it["message"] for it in answer.json()["errors"]}
    assert said[field] == "has half a character, which cannot be kept"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/json", ""])
@pytest.mark.parametrize("path", ["/till/quote", "/receipts/R1/return"])
def test_a_body_whose_header_does_not_say_json_is_told_the_header(shop: Shop, path: str, kind: str) -> None:
    shop.register()
    shop.buy()
    body = b'{"lines": [{"sku": "flat-white", "total": "10"}]}'
    answer = shop.till.post(f"/api/v1{path}", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["detail"] == (
        "body: was not read as JSON; send the header `Content-Type: application/json`"
    )
    assert shop.till.get("/api/v1/receipts/R1").json()["returned_at"] is None


def test_of_a_request_with_very_many_mistakes_the_first_are_told_and_the_others_counted(shop: Shop) -> None:
    unknown = {f"field {number}": 1 for number in range(20_000)}
    answer = shop.till.post("/api/v1/till/quote", json={"lines": [{"sku": "a"}], **unknown})
    told = answer.json()
    assert (answer.status_code, told["code"]) == (422, "invalid")
    assert (len(told["errors"]), told["errors"][0]["field"]) == (50, "lines[0].total")
    assert "lines[0].total: is missing" in told["detail"]
    assert "19951 more" in told["detail"]


def test_of_a_body_that_is_no_json_the_place_is_told_where_it_ends_to_be_one(shop: Shop) -> None:
    headers = {"Content-Type": "application/json"}
    answer = shop.till.post("/api/v1/receipts", content='{"id": R1}', headers=headers)
    assert answer.status_code == 422
    message = "is not valid JSON from its character 8 on"
    assert answer.json()["errors"] == [{"field": "body", "message": message}]


def test_a_name_without_end_is_cut_off_where_it_is_told(shop: Shop) -> None:
    answer = shop.till.post(
        "/api/v1/till/quote", json={"lines": [{"sku": "a", "total": "1", "x" * 500_000: 1}]}
    )
    [error] = answer.json()["errors"]
    assert error["field"] == f"lines[0].{'x' * 100}"
    assert "not permitted" in error["message"]


def test_another_currency_is_refused(shop: Shop) -> None:
    shop.register()
    refused = shop.buy(currency="EUR")
    assert (refused.status_code, refused.json()["code"]) == (422, "wrong_currency")
    assert "UAH" in refused.json()["detail"]
    assert shop.buy(currency="UAH").status_code == 201


@pytest.mark.parametrize(("days", "code"), [(-365, "too_old"), (365, "in_the_future")])
def test_a_clock_a_year_off_is_refused(shop: Shop, days: int, code: str) -> None:
    from datetime import timedelta

    shop.register()
    answer = shop.buy(at=(shop.clock.now() + timedelta(days=days)).isoformat())
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["field"] == "at"
    assert shop.till.get("/api/v1/customers/10042").json()["balance"] == "50"


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", "customers?card=%00"), ("GET", "customers?email=a%00@b.example"), ("GET", "events?kind=a%00"),
        ("GET", "promo-codes?rule=%00"), ("GET", "promo-codes/%00"), ("GET", "suppressions?reason=%00"),
        ("GET", "customers/10042/%00"), ("DELETE", "customers/10042?author=%00"),
    ],
)  # fmt: skip
def test_a_nul_in_an_address_is_a_mistake_of_whoever_asks(shop: Shop, method: str, address: str) -> None:
    shop.register()
    answer = shop.till.request(method, f"/api/v1/{address}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "NUL" in answer.json()["detail"]
    assert shop.till.get("/api/v1/customers/10042").status_code == 200
