"""The copy of a customer's data: every table that tells of customers is in it, or left out for a reason."""

import json
from datetime import timedelta

import pytest
from sqlmodel import SQLModel

import tidings.schema  # noqa: F401 - every table is known
from core.customers.addresses import suppress
from tests.api.shop import Shop
from tidings.personal_data import SECTIONS

# Why a table that names customers is not in the copy.
LEFT_OUT = {
    "customer": "the profile is written by itself",
    "idempotent_request": "copies of the API's own answers, for a day",
}


def test_every_table_that_tells_of_customers_is_in_the_copy() -> None:
    telling = {
        table.name
        for table in SQLModel.metadata.sorted_tables
        if "customer_id" in table.c or table.name == "customer"
    }
    assert telling == {section.table.name for section in SECTIONS} | set(LEFT_OUT)


def test_a_copy_names_amounts_as_people_read_them_and_gives_no_keys_away(shop: Shop) -> None:
    shop.register(name="Олена", email="olena@example.com", locale="uk")
    shop.consent("email")
    shop.buy(total="249.90")
    answer = shop.till.get("/api/v1/customers/10042/data")
    found = json.loads(answer.content)
    assert found["receipts"][0]["total"] == "249.9"
    assert found["receipt_lines"][0]["quantity"] == "1"
    assert [it["amount"] for it in found["bonus_lots"]][-1] == found["receipts"][0]["earned_points"]
    assert found["consents"][0] | {"at": None} == {
        "channel": "email", "purpose": "marketing", "granted": True, "at": None, "source": "test",
        "wording": None, "proof": None,
    }  # fmt: skip
    assert not [word for word in ("digest", "token", "fence") if f'"{word}"' in answer.text]


def test_what_is_known_under_the_number_of_a_duplicate_is_in_the_copy(shop: Shop) -> None:
    shop.register(name="Олена")
    shop.register("10077", name="Helena", city="Lviv", attributes={"size": 39})
    body = {"duplicate": "10077", "author": "maria", "reason": "one person"}
    assert shop.till.post("/api/v1/customers/10042/merge", json=body).status_code == 201
    for number in ("10042", "10077"):
        found = shop.till.get(f"/api/v1/customers/{number}/data").json()
        assert found["profile"]["name"] == "Олена"
        [other] = found["merged_profiles"]
        assert (other["external_id"], other["name"], other["attributes"]) == ("10077", "Helena", {"size": 39})


def test_every_attribute_is_in_the_copy_whatever_it_is_called(shop: Shop) -> None:
    own = {"member": True, "head": "7 cm", "author": "of the blog", "size": 39}
    shop.register(attributes=own)
    assert shop.till.get("/api/v1/customers/10042/data").json()["profile"]["attributes"] == own


def test_all_that_the_shop_told_of_an_act_is_in_the_copy_but_whom_they_brought(shop: Shop) -> None:
    shop.register()
    told = {"stars": 5, "author": "Ursula K. Le Guin", "member": True}
    body = {"id": "a1", "customer": "10042", "act": "review", "data": {**told, "friend": "10077"}}
    assert shop.till.post("/api/v1/events", json=body).status_code == 201
    found = shop.till.get("/api/v1/customers/10042/data").json()["events"]
    assert [it["data"] for it in found if it["kind"] == "review"] == [told]


@pytest.mark.parametrize("who", ["till", "marketer"])
def test_only_an_admin_may_take_it(shop: Shop, who: str) -> None:
    shop.register()
    assert shop.with_key(who).get("/api/v1/customers/10042/data").status_code == 403
    assert shop.till.get("/api/v1/customers/nobody/data").status_code == 404


def test_a_card_is_listed_without_what_opens_it(shop: Shop) -> None:
    shop.register(card="KV1")
    shop.clock.move_by(timedelta(minutes=1))
    path = shop.services.links.card(shop.id_of()).removeprefix(shop.services.links.public_url)
    shop.stranger.get(f"{path}/card.pkpass")
    [card] = shop.till.get("/api/v1/customers/10042/data").json()["cards"]
    assert "token" not in card
    assert card["voided"] is False


def test_why_an_address_was_left_alone_and_is_no_more_is_in_the_copy(shop: Shop) -> None:
    shop.register(email="olena@example.com")
    digest = shop.services.workspace.addresses.digest("email", "olena@example.com")
    with shop.database.write() as connection:
        suppress(connection, "email", digest, "complained", shop.clock.now())
    body = {"channel": "email", "who": "10042", "author": "maria", "reason": "she asked us to"}
    assert shop.till.post("/api/v1/suppressions/lift", json=body).is_success
    copy = shop.till.get("/api/v1/customers/10042/data").json()
    [lifted] = copy["no_longer_left_alone"]
    assert copy["left_alone"] == []
    assert (lifted["value"], lifted["reason"], lifted["why"]) == (
        "olena@example.com", "complained", "she asked us to",
    )  # fmt: skip
