"""Suppressed addresses over the API: who may see them, who may lift them."""

import pytest
from sqlalchemy import select

from core.customers.addresses import LIFTED, suppress
from tests.api.shop import Shop

LIFT = {"channel": "email", "who": "10042", "author": "maria", "reason": "the mailbox is back"}


@pytest.fixture
def closed(shop: Shop) -> Shop:
    """Two customers; the email of the first takes nothing, and neither does the phone of both."""
    shop.register(email="olena@example.com", phone="+380501234567")
    shop.register("10077", phone="+380501234567")
    digests = shop.services.workspace.addresses
    with shop.database.write() as connection:
        suppress(
            connection, "email", digests.digest("email", "olena@example.com"), "complained", shop.clock.now()
        )
        suppress(connection, "sms", digests.digest("phone", "+380501234567"), "stop", shop.clock.now())
    return shop


def test_suppressions_are_listed_page_by_page(closed: Shop) -> None:
    found, after = [], None
    while True:
        asked = {"limit": 1, **({"after": after} if after else {})}
        page = closed.till.get("/api/v1/suppressions", params=asked).json()
        found += [(it["customer"], it["channel"], it["reason"]) for it in page["items"]]
        if (after := page["next"]) is None:
            break
    assert sorted(found) == [
        ("10042", "email", "complained"),
        ("10042", "sms", "stop"),
        ("10077", "sms", "stop"),
    ]
    [only] = closed.till.get("/api/v1/suppressions", params={"reason": "complained"}).json()["items"]
    assert (only["address"], only["since"]) == (
        "olena@example.com",
        closed.clock.now().isoformat().replace("+00:00", "Z"),
    )
    assert closed.till.get("/api/v1/suppressions", params={"channel": "push"}).status_code == 422


def test_an_address_is_lifted_once_and_who_did_it_is_kept(closed: Shop) -> None:
    lifted = closed.till.post("/api/v1/suppressions/lift", json=LIFT)
    assert (lifted.status_code, lifted.json()) == (200, {"channel": "email", "lifted": 1})
    assert not closed.suppressed("email", "email", "olena@example.com")
    again = closed.till.post("/api/v1/suppressions/lift", json=LIFT)
    assert (again.status_code, again.json()["code"]) == (404, "not_suppressed")
    with closed.database.read() as connection:
        kept = connection.execute(select(LIFTED)).one()
    assert (kept.reason, kept.author, kept.why) == ("complained", "maria", "the mailbox is back")


def test_an_error_does_not_repeat_the_address(closed: Shop) -> None:
    for who in ("stranger@example.com", "olena at example"):
        answer = closed.till.post("/api/v1/suppressions/lift", json={**LIFT, "who": who})
        assert (answer.status_code, who in answer.text) == (404, False)


def test_a_lift_that_is_not_understood_names_its_field(closed: Shop) -> None:
    for change, field in (
        ({"who": "nobody"}, "who"),
        ({"channel": "push"}, "channel"),
        ({"reason": " "}, "reason"),
    ):
        answer = closed.till.post("/api/v1/suppressions/lift", json={**LIFT, **change})
        assert [it["field"] for it in answer.json()["errors"]] == [field], answer.text


@pytest.mark.parametrize("who", ["till", "marketer"])
def test_only_an_admin_sees_and_lifts_them(closed: Shop, who: str) -> None:
    key = closed.with_key(who)
    assert key.get("/api/v1/suppressions").status_code == 403
    assert key.post("/api/v1/suppressions/lift", json=LIFT).status_code == 403
    assert closed.with_key("admin", "boss").get("/api/v1/suppressions").status_code == 200
