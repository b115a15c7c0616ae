"""Customers over the API."""

from typing import Any

import pytest
from sqlalchemy import select

from core.customers.addresses import ADDRESS
from core.customers.profiles import CUSTOMER
from tests.api.shop import Shop

PERSON: dict[str, Any] = {
    "name": "Олена Коваль", "phone": "+380 50 123-45-67", "email": "olena@Example.COM",
    "birthday": "1990-03-14", "locale": "uk", "city": "Kyiv", "card": "KV20261234",
    "attributes": {"pet": "cat"},
}  # fmt: skip


def test_a_new_customer_is_registered_with_the_welcome_bonus(shop: Shop) -> None:
    answer = shop.register(**PERSON)
    assert answer.status_code == 201
    customer = answer.json()
    assert customer["phone"] == "+380501234567"
    assert customer["email"] == "olena@example.com"
    assert (customer["balance"], customer["available"]) == ("50", "50")
    tier = {"name": "bronze", "earn_percent": "3", "since": "2026-03-01", "next": "silver", "missing": "5000"}
    assert tier.items() <= customer["tier"].items()
    assert customer["expiring"] == {"amount": "50", "on": "2026-03-31"}
    [lot] = customer["lots"]
    assert (lot["reason"], lot["remaining"], lot["expires_on"]) == ("welcome", "50", "2026-03-31")
    assert shop.events() == ["registered", "bonus_accrued"]
    assert len(shop.woken) == 1


def test_the_same_customer_again_is_changed_and_not_greeted_twice(shop: Shop) -> None:
    shop.register(**PERSON)
    answer = shop.register(city="Lviv", attributes={"size": "L"})
    assert answer.status_code == 200
    customer = answer.json()
    assert (customer["city"], customer["name"], customer["balance"]) == ("Lviv", "Олена Коваль", "50")
    assert customer["attributes"] == {"pet": "cat", "size": "L"}


def test_null_empties_a_value_and_what_is_left_out_stays(shop: Shop) -> None:
    shop.register(**PERSON)
    customer = shop.register(email=None).json()
    assert (customer["email"], customer["phone"]) == (None, "+380501234567")


def test_a_birthday_that_is_no_longer_known_is_emptied(shop: Shop) -> None:
    shop.register(**PERSON)
    assert shop.register(city="Lviv").json()["birthday"] == "1990-03-14"
    assert shop.register(birthday=None).json()["birthday"] is None


def test_a_customer_is_shown_as_registered(shop: Shop) -> None:
    registered = shop.register(**PERSON).json()
    answer = shop.till.get("/api/v1/customers/10042")
    assert answer.status_code == 200
    assert answer.json() == registered


def test_a_name_and_a_city_are_one_line(shop: Shop) -> None:
    shop.register(name="Olena\tKoval\x1b[31m", city="Old\r\nTown\x92")
    shown = shop.till.get("/api/v1/customers/10042").json()
    assert (shown["name"], shown["city"]) == ("Olena Koval[31m", "Old Town")
    shop.register(name="\x07")
    assert shop.till.get("/api/v1/customers/10042").json()["name"] is None


def test_an_unknown_customer_is_not_found(shop: Shop) -> None:
    answer = shop.till.get("/api/v1/customers/nobody")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unknown_customer"


@pytest.mark.parametrize(
    ("locale", "warned"),
    [
        ("xx", 1),
        ("uk", 0),
        ("uk-UA", 0),
        ("zh-Hans-CN", 0),
        ("es-419", 0),
        ("en_US_POSIX", 0),
        ("", 0),
    ],
)
def test_a_locale_that_nobody_speaks_is_kept_and_reported(shop: Shop, locale: str, warned: int) -> None:
    answer = shop.register(locale=locale)
    assert answer.status_code == 201
    assert len(answer.json()["warnings"]) == warned


def test_an_unknown_time_zone_is_kept_and_reported(shop: Shop) -> None:
    answer = shop.register(time_zone="Kyiv/Podil")
    assert answer.status_code == 201
    assert answer.json()["warnings"] == ["time_zone is not of the IANA database; the program's own is used"]


def test_a_card_of_another_customer_is_refused_by_name(shop: Shop) -> None:
    shop.register(**PERSON)
    answer = shop.register("10043", card="KV20261234")
    assert answer.status_code == 409
    assert answer.json()["code"] == "card_taken"
    assert answer.json()["errors"][0]["field"] == "card"
    assert shop.till.get("/api/v1/customers/10043").status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("phone", "0509876543", "international form"),
        ("email", "olena at example.com", "name@domain.tld"),
        ("birthday", "2026-03-02", "between 1900 and today"),
        ("birthday", "yesterday", "date"),
        ("gender", "unknown", "'female'"),
        ("locale", "Ukrainian!", "uk or uk-UA"),
        ("name", "x" * 201, "200"),
        ("name", "a\0b", "NUL"),
        ("external_id", "\u202e", "nothing in it that can be seen"),
        ("card", "\u200b\u2060", "nothing in it that can be seen"),
        ("attributes", {"a\0": 1}, "NUL"),
        ("attributes", {"tags": ["vip"]}, "must be text, a number, true, false or null"),
        ("attributes", {"size": {"eu": 39}}, "must be text, a number, true, false or null"),
        ("attributes", {"size": 2**63}, "is a whole number beyond 64 bits; write it as text"),
        ("attributes", {"size": -(10**400)}, "is a whole number beyond 64 bits; write it as text"),
        ("registered_at", "2026-03-01T10:00:00", "timezone"),
        ("shoe_size", 38, "not permitted"),
    ],
)
def test_each_wrong_value_is_named_with_its_field_and_never_repeated(
    shop: Shop, field: str, value: Any, says: str
) -> None:
    answer = shop.register(**{field: value})
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"].split(".")[0] == field
    assert says in error["message"] or says in answer.json()["detail"]
    if isinstance(value, str) and len(value) > 8:
        assert value not in answer.text


def test_the_consent_of_an_address_is_named_as_it_was_sent(shop: Shop) -> None:
    shop.register()
    for channel, at, field in (("smoke", None, "channel"), ("sms", "2030-01-01T00:00:00Z", "at")):
        path = f"/api/v1/customers/10042/consents/{channel}"
        [error] = shop.till.put(path, json={"granted": True, "at": at}).json()["errors"]
        assert error["field"] == field


def test_every_wrong_value_is_named_at_once(shop: Shop) -> None:
    answer = shop.register(phone="1", email="2", locale="!")
    assert [error["field"] for error in answer.json()["errors"]] == ["phone", "email", "locale"]


@pytest.mark.parametrize("external_id", ["", " ", "a/b", "x" * 201])
def test_an_external_id_must_fit_into_an_address(shop: Shop, external_id: str) -> None:
    answer = shop.register(external_id)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "external_id"


def test_consents_are_given_one_by_one_and_several_at_once(shop: Shop) -> None:
    shop.register(**PERSON)
    one = shop.till.put(
        "/api/v1/customers/10042/consents/email", json={"granted": True, "source": "checkout"}
    )
    assert [(it["channel"], it["granted"], it["source"]) for it in one.json()] == [
        ("email", True, "checkout")
    ]
    body = {"consents": [{"channel": "sms", "granted": True}, {"channel": "email", "granted": False}]}
    shop.clock.move_to(shop.clock.now().replace(minute=5))
    several = shop.till.post("/api/v1/customers/10042/consents", json=body)
    assert [(it["channel"], it["granted"]) for it in several.json()] == [("email", False), ("sms", True)]
    assert shop.events().count("consent_given") == 2
    assert shop.events().count("consent_withdrawn") == 1


def test_a_choice_that_arrives_late_does_not_undo_a_later_one(shop: Shop) -> None:
    shop.register(**PERSON)
    shop.consent("email", granted=False)
    early = {"granted": True, "at": "2026-02-01T00:00:00Z"}
    answer = shop.till.put("/api/v1/customers/10042/consents/email", json=early)
    assert [it["granted"] for it in answer.json()] == [False]


def test_a_consent_of_the_future_or_on_no_channel_is_refused(shop: Shop) -> None:
    shop.register(**PERSON)
    late = {"granted": True, "at": "2026-03-02T00:00:00Z"}
    assert (
        shop.till.put("/api/v1/customers/10042/consents/email", json=late).json()["code"] == "in_the_future"
    )
    pigeon = shop.till.put("/api/v1/customers/10042/consents/pigeon", json={"granted": True})
    assert pigeon.status_code == 422
    assert "email" in pigeon.json()["detail"]
    nobody = shop.till.put("/api/v1/customers/nobody/consents/email", json={"granted": True})
    assert nobody.status_code == 404


def test_a_phone_with_the_app_is_added_once(shop: Shop) -> None:
    shop.register(**PERSON)
    token = {"kind": "push", "value": "dGhpcyBpcyBh:APA91b_x-y"}
    for _ in range(2):
        assert shop.till.post("/api/v1/customers/10042/addresses", json=token).status_code == 204
    wrong = shop.till.post("/api/v1/customers/10042/addresses", json={"kind": "fax", "value": "1"})
    assert wrong.json()["errors"][0]["field"] == "kind"


def test_a_phone_on_which_somebody_else_logs_in_is_theirs_alone(shop: Shop) -> None:
    shared = {"kind": "push", "value": "dGhpcyBpcyBh:APA91b_x-y"}
    shop.register("10042")
    shop.register("10043")

    def holders() -> list[str]:
        rows = select(CUSTOMER.c.external_id).join(ADDRESS, ADDRESS.c.customer_id == CUSTOMER.c.id)
        with shop.database.read() as connection:
            return list(connection.scalars(rows.where(ADDRESS.c.kind == "push", ADDRESS.c.active)))

    for name in ("10042", "10043", "10042"):
        assert shop.till.post(f"/api/v1/customers/{name}/addresses", json=shared).status_code == 204
        assert holders() == [name]
