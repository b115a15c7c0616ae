"""Levels given by hand, over the API."""

from datetime import timedelta
from typing import Any

import pytest
from httpx import Response

from tests.api.shop import Shop

GOLD = {"customer": "10042", "level": "gold", "author": "maria", "reason": "opened the shop with us"}


def invite(shop: Shop, *, key: str | None = None, **change: Any) -> Response:
    headers = {"Idempotency-Key": key} if key else {}
    answer: Response = shop.till.post("/api/v1/invitations", json={**GOLD, **change}, headers=headers)
    return answer


def tier(shop: Shop) -> str:
    return str(shop.till.get("/api/v1/customers/10042").json()["tier"]["name"])


def test_a_level_is_given_by_hand_and_taken_back(shop: Shop) -> None:
    shop.register()
    given = invite(shop)
    assert (given.status_code, given.json()) == (
        201, {"customer": "10042", "invited_to": "gold", "tier": "gold"},
    )  # fmt: skip
    shop.clock.move_by(timedelta(minutes=1))
    assert shop.buy(total="100").json()["earned"] == "7"
    shop.clock.move_by(timedelta(minutes=1))
    back = invite(shop, level=None, reason="moved away")
    assert back.json() == {"customer": "10042", "invited_to": None, "tier": "bronze"}
    assert tier(shop) == "bronze"


def test_an_invitation_gives_the_level_and_no_bonuses_for_a_step_up(shop: Shop) -> None:
    shop.register()
    before = shop.till.get("/api/v1/customers/10042/balance").json()
    invite(shop)
    assert shop.till.get("/api/v1/customers/10042/balance").json() == before


def test_an_invitation_tells_who_gave_it_and_why(shop: Shop) -> None:
    shop.register()
    invite(shop)
    events = shop.till.get("/api/v1/events", params={"kind": "invited"}).json()["items"]
    assert [(it["customer"], it["subject"], it["data"]["author"], it["data"]["reason"]) for it in events] == [
        ("10042", "gold", "maria", "opened the shop with us")
    ]


def test_the_same_invitation_again_changes_nothing(shop: Shop) -> None:
    shop.register()
    invite(shop)
    assert invite(shop).status_code == 200
    assert shop.events().count("invited") == 1


def test_a_late_repeat_under_its_key_does_not_undo_what_was_decided_since(shop: Shop) -> None:
    shop.register()
    first = invite(shop, key="desk-7-0031")
    invite(shop, level=None)
    again = invite(shop, key="desk-7-0031")
    assert (again.status_code, again.json()) == (201, first.json())
    assert tier(shop) == "bronze"


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"level": "godl"}, 422, "unknown_level", "level"),
        ({"author": " "}, 422, "invalid", "author"),
        ({"reason": ""}, 422, "invalid", "reason"),
        ({"customer": "nobody"}, 404, "unknown_customer", "customer"),
    ],
)
def test_a_bad_invitation_names_the_field(
    shop: Shop, change: dict[str, Any], status: int, code: str, field: str
) -> None:
    shop.register()
    answer = invite(shop, **change)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [it["field"] for it in answer.json()["errors"]] == [field]


def test_a_level_must_be_said_even_to_take_it_back(shop: Shop) -> None:
    shop.register()
    said = {name: value for name, value in GOLD.items() if name != "level"}
    assert shop.till.post("/api/v1/invitations", json=said).status_code == 422


@pytest.mark.parametrize(("role", "status"), [("marketer", 201), ("admin", 201), ("till", 403)])
def test_marketers_and_admins_give_levels_tills_do_not(shop: Shop, role: str, status: int) -> None:
    shop.register()
    caller = shop.with_key(role, name=f"a-{role}")
    assert caller.post("/api/v1/invitations", json=GOLD).status_code == status
