"""Promo codes over the API: made, listed, looked at, used, taken out of use."""

from typing import Any

import pytest

from campaigns.running import Running
from tests.api.granting import with_more_rules
from tests.api.shop import Shop

CODES = "/api/v1/promo-codes"


@pytest.fixture(scope="session")
def compiled() -> Running:
    """The example with rules for codes."""
    return with_more_rules()


def make(shop: Shop, **more: Any) -> Any:
    return shop.till.post(CODES, json={"id": "b1", "rule": "flyer", **more})


def activate(shop: Shop, code: str, customer: str = "10042", **more: Any) -> Any:
    return shop.till.post(f"/api/v1/customers/{customer}/promo-codes", json={"code": code, **more})


def test_a_coupon_is_made_used_and_looked_at(shop: Shop) -> None:
    shop.register()
    first, again = make(shop, last_day="2026-04-30"), make(shop, last_day="2026-04-30")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    code = first.json()["code"]
    bought = shop.buy(codes=[f"{code[:5]}-{code[5:]}".lower()])
    assert bought.status_code == 201, bought.json()
    shown = shop.till.get(f"{CODES}/{code.lower()}").json()
    assert (shown["state"], shown["uses"], shown["uses_at_most"], shown["last_day"]) == (
        "used", 1, 1, "2026-04-30",
    )  # fmt: skip
    [use] = shown["used"]["items"]
    assert (use["customer"], use["receipt"], use["rule"], use["freed_at"]) == ("10042", "R1", "flyer", None)


def test_many_coupons_are_made_and_paged_through(shop: Shop) -> None:
    request = {"id": "flyer-spring", "rule": "flyer", "count": 5, "length": 12}
    made = shop.till.post(f"{CODES}/generate", json=request)
    assert (made.status_code, shop.till.post(f"{CODES}/generate", json=request).status_code) == (201, 200)
    first = shop.till.get(CODES, params={"batch": "flyer-spring", "limit": 3}).json()
    rest = shop.till.get(CODES, params={"batch": "flyer-spring", "after": first["next"]}).json()
    assert [it["code"] for it in first["items"] + rest["items"]] == made.json()["codes"]
    assert rest["next"] is None
    assert {it["state"] for it in first["items"]} == {"open"}


@pytest.mark.parametrize("field", ["count", "length", "uses_at_most"])
@pytest.mark.parametrize("odd", [True, "+9", "9_0", " 9", "٩", "9.5", 9.5, [9]])
def test_what_is_no_whole_number_makes_no_codes(shop: Shop, field: str, odd: Any) -> None:
    request = {"id": "b2", "rule": "flyer", "count": 9, field: odd}
    answer = shop.till.post(f"{CODES}/generate", json=request)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": field, "message": "must be a whole number"}]


def test_a_whole_number_may_be_written_as_text(shop: Shop) -> None:
    made = shop.till.post(f"{CODES}/generate", json={"id": "b3", "rule": "flyer", "count": "2"})
    assert len(made.json()["codes"]) == 2


def test_a_code_that_is_taken_out_of_use_is_a_problem_at_the_till(shop: Shop) -> None:
    shop.register()
    code = make(shop).json()["code"]
    for _ in range(2):
        assert shop.till.post(f"{CODES}/{code}/disable").json()["state"] == "disabled"
    answer = shop.buy(codes=[code])
    assert answer.json()["code"] == "code_over"
    assert "taken out of use" in answer.json()["detail"]


def test_a_code_of_the_program_is_looked_at_too(shop: Shop) -> None:
    shown = shop.till.get(f"{CODES}/hello26").json()
    assert (shown["source"], shown["rule"], shown["state"], shown["uses"]) == ("program", "hello", "open", 0)
    assert shop.till.get(f"{CODES}/nothing").json()["code"] == "unknown_code"


def test_a_code_brings_its_bonuses_without_a_purchase(shop: Shop) -> None:
    shop.register()
    first, again = activate(shop, "HELLO-26"), activate(shop, "hello26")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (first.json()["balance"], first.json()["given"][0]["points"]) == ("55", "5")
    more = activate(shop, "HELLO-26", id="once more").json()
    assert (more["code"], more["errors"][0]["field"]) == ("code_limit", "code")


def test_each_refusal_is_a_problem_with_its_own_code(shop: Shop) -> None:
    shop.register()
    shop.register("20")

    def present(id_: str, **more: Any) -> str:
        return str(make(shop, id=id_, rule="present", **more).json()["code"])

    used = present("used")
    assert activate(shop, used).status_code == 201
    refusals = {
        "unknown_code": activate(shop, "NOSUCHCODE"),
        "code_used": activate(shop, used, "20"),
        "code_not_yet": activate(shop, present("later", first_day="2026-03-02")),
        "code_not_yours": activate(shop, present("theirs", customer="20")),
        "code_not_here": activate(shop, make(shop).json()["code"]),
        "unknown_customer": activate(shop, used, "nobody"),
        "unknown_rule": make(shop, id="x", rule="base"),
        "bad_dates": make(shop, id="x", last_day="2026-02-01"),
        "code_taken": make(shop, id="x", code="hello-26"),
        "conflict": make(shop, id="used"),
    }
    for code, answer in refusals.items():
        assert answer.json()["code"] == code
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.status_code in (404, 409, 422)
