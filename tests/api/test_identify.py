"""Who stands at the till, and who there is."""

from typing import Any

import pytest
from sqlalchemy import update

from core.customers.profiles import CUSTOMER
from tests.api.shop import Shop

OLENA = {"name": "Олена", "card": "KV1", "phone": "+380501234567", "email": "Olena@example.com"}


def identify(shop: Shop, code: str) -> Any:
    return shop.till.post("/api/v1/identify", json={"code": code})


@pytest.mark.parametrize(
    "code",
    [
        "10042",
        "KV1",
        "+380501234567",
        "+380 50 123-45-67",
        "0501234567",
        "050 123 45 67",
        "Olena@EXAMPLE.com",
    ],
)
def test_a_customer_is_known_by_whatever_is_read_at_the_till(shop: Shop, code: str) -> None:
    shop.register(**OLENA)
    answer = identify(shop, code)
    assert answer.status_code == 200
    assert answer.json() == {
        "external_id": "10042", "card": "KV1", "name": "Олена", "tier": "bronze", "balance": "50",
        "available": "50", "updated_at": answer.json()["updated_at"],
    }  # fmt: skip


@pytest.mark.parametrize("code", ["nobody", "0501234568", "nobody@example.com", "12", "@", "+"])
def test_a_code_of_nobody_is_not_found_and_not_repeated(shop: Shop, code: str) -> None:
    shop.register(**OLENA)
    answer = identify(shop, code)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_customer")


def test_a_phone_of_several_is_not_guessed(shop: Shop) -> None:
    for external_id in ("1", "2"):
        shop.register(external_id, phone="+380501234567")
    answer = identify(shop, "0501234567")
    assert (answer.status_code, answer.json()["code"]) == (409, "ambiguous_customer")


def test_the_number_of_a_merged_duplicate_leads_to_the_survivor(shop: Shop) -> None:
    shop.register("1", card="C1", name="Survivor")
    shop.register("2", card="C2", phone="+380501234567")
    with shop.database.write() as connection:
        merged = update(CUSTOMER).where(CUSTOMER.c.external_id == "2")
        connection.execute(merged.values(merged_into=shop.id_of("1")))
    for code in ("2", "C2", "0501234567"):
        assert identify(shop, code).json()["external_id"] == "1"
    assert shop.till.get("/api/v1/customers/2").json()["external_id"] == "1"
    assert shop.till.get("/api/v1/customers?card=C2").json()["items"][0]["external_id"] == "1"
    assert [it["external_id"] for it in shop.till.get("/api/v1/customers").json()["items"]] == ["1"]


def test_who_was_erased_is_nobody(shop: Shop) -> None:
    shop.register(**OLENA)
    with shop.database.write() as connection:
        connection.execute(update(CUSTOMER).values(erased_at=shop.clock.now()))
    assert identify(shop, "KV1").status_code == 404
    assert shop.till.get("/api/v1/customers").json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    "query",
    [
        {"card": "KV1"}, {"phone": "0501234567"}, {"email": "Olena@example.com"}, {"barcode": "KV1"},
        {"barcode": "10042"}, {"card": "KV1", "phone": "+380501234567"},
    ],
)  # fmt: skip
def test_customers_are_looked_up_by_a_till_and_listed_by_others(shop: Shop, query: dict[str, str]) -> None:
    shop.register(**OLENA)
    shop.register("10043", card="KV2")
    till = shop.with_key("till")
    found = till.get("/api/v1/customers", params=query)
    assert [it["external_id"] for it in found.json()["items"]] == ["10042"]
    assert till.get("/api/v1/customers", params={"tier": "bronze"}).status_code == 403


def test_all_customers_are_read_page_by_page(shop: Shop) -> None:
    for number in range(5):
        shop.register(str(number))
    seen, query = [], {"limit": "2"}
    while True:
        page = shop.till.get("/api/v1/customers", params=query)
        seen += [it["external_id"] for it in page.json()["items"]]
        if page.json()["next"] is None:
            assert "link" not in page.headers
            break
        link, relation = page.headers["link"].split("; ")
        assert relation == 'rel="next"'
        assert shop.till.get(link.strip("<>")).status_code == 200
        query["after"] = page.json()["next"]
        shop.register(f"later-{len(seen)}")
    assert seen[:5] == ["0", "1", "2", "3", "4"]
    assert len(seen) == len(set(seen))


def test_customers_are_chosen_by_level_and_time_of_change(shop: Shop) -> None:
    shop.register("1")
    shop.clock.move_to(shop.clock.now().replace(minute=30))
    shop.register("2")
    since = {"updated_since": shop.clock.now().isoformat()}
    listed = shop.till.get("/api/v1/customers", params=since).json()["items"]
    assert [it["external_id"] for it in listed] == ["2"]
    assert shop.till.get("/api/v1/customers", params={"tier": "gold"}).json()["items"] == []


@pytest.mark.parametrize(
    "after", ["x", "WyJsb3RzIiw1XQ", "WyJjdXN0b21lcnMiLCJhIl0", "WyJjdXN0b21lcnMiLC0xXQ", "bm8", "é"]
)
def test_a_cursor_of_another_list_is_refused(shop: Shop, after: str) -> None:
    answer = shop.till.get("/api/v1/customers", params={"after": after})
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong_cursor")


@pytest.mark.parametrize("limit", ["0", "501", "many"])
def test_a_page_has_one_to_five_hundred(shop: Shop, limit: str) -> None:
    answer = shop.till.get("/api/v1/customers", params={"limit": limit})
    assert answer.json()["errors"][0]["field"] == "limit"
