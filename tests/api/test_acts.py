"""Acts over the API: told once, answered with what they brought; and friends who are brought."""

from datetime import timedelta
from typing import Any

import pytest

from campaigns.running import Running
from core.grants.granting import give_what_is_due
from tests.api.granting import with_more_rules
from tests.api.shop import Shop


@pytest.fixture(scope="session")
def compiled() -> Running:
    """The example with rules for acts."""
    return with_more_rules()


def tell(shop: Shop, id_: str = "a1", act: str = "review", **more: Any) -> Any:
    return shop.till.post("/api/v1/events", json={"id": id_, "customer": "10042", "act": act, **more})


def balance(shop: Shop, external_id: str = "10042") -> str:
    return str(shop.till.get(f"/api/v1/customers/{external_id}").json()["balance"])


def test_an_act_is_told_once_whatever_is_sent_again(shop: Shop) -> None:
    shop.register()
    first = tell(shop, data={"stars": 5})
    shop.clock.move_by(timedelta(minutes=5))
    again = tell(shop, data={"stars": 5})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json() == {
        "id": "a1", "customer": "10042", "act": "review", "nothing": [], "balance": "60", "available": "60",
        "given": [{"rule": "review", "points": "10", "account": "base",
                   "starts_at": "2026-03-01T08:00:00Z", "expires_on": "2026-08-28"}],
    }  # fmt: skip
    assert tell(shop, data={"stars": 1}).json()["code"] == "conflict"
    assert shop.events().count("review") == 1


def test_an_act_that_brings_nothing_says_why(shop: Shop) -> None:
    shop.register()
    tell(shop)
    [nothing] = tell(shop, "a2").json()["nothing"]
    assert (nothing["rule"], nothing["reason"]) == ("review", "limit")
    assert nothing["detail"] == "the rule 'review' gives 1 per 7 days to one customer"
    [nothing] = tell(shop, "a3", "profile").json()["nothing"]
    assert nothing["detail"] == "still missing in the profile: name, phone"


@pytest.mark.parametrize(
    ("sent", "status", "code", "field"),
    [
        ({"customer": "nobody"}, 404, "unknown_customer", "customer"),
        ({"act": "revue"}, 422, "unknown_act", "act"),
        ({"at": "2026-03-03T10:00:00+02:00"}, 422, "in_the_future", "at"),
        ({"act": "referral"}, 422, "unknown_friend", "friend"),
        ({"act": "referral", "friend": "10042"}, 409, "self_referral", "friend"),
        ({"points": 5}, 422, "invalid", "points"),
    ],
)
def test_a_wrong_act_is_a_problem(
    shop: Shop, sent: dict[str, Any], status: int, code: str, field: str
) -> None:
    shop.register()
    answer = shop.till.post("/api/v1/events", json={"id": "a", "customer": "10042", "act": "review", **sent})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert problem["errors"][0]["field"] == field
    assert shop.events() == ["registered", "bonus_accrued"]


def test_a_friend_names_the_inviter_and_both_are_rewarded(shop: Shop) -> None:
    shop.register(card="KV1")
    code = shop.till.post("/api/v1/customers/10042/referral-code").json()["code"]
    assert shop.till.post("/api/v1/customers/10042/referral-code").json()["code"] == code
    friend = shop.register("20", referred_by=f"{code[:4]}-{code[4:]}").json()
    assert (friend["balance"], friend["warnings"]) == ("80", [])
    shop.buy(customer="20")
    give_what_is_due(shop.database, shop.services.program, shop.clock.now())
    assert balance(shop) == "150"
    assert shop.register("21", referred_by="KV1").json()["warnings"] == []


def test_an_inviter_who_is_not_known_is_a_warning_and_a_wrong_one_a_problem(shop: Shop) -> None:
    shop.register()
    [warning] = shop.register("20", referred_by="nobody").json()["warnings"]
    assert warning.startswith("referred_by: no customer 'nobody'")
    answer = shop.register("21", referred_by="21")
    assert (answer.status_code, answer.json()["code"]) == (409, "self_referral")
    assert shop.till.get("/api/v1/customers/21").status_code == 404
    shop.register("22", referred_by="10042")
    answer = shop.register("10042", referred_by="22")
    assert (answer.status_code, answer.json()["code"]) == (409, "circular_referral")


def test_the_code_of_somebody_unknown_is_not_made(shop: Shop) -> None:
    assert shop.till.post("/api/v1/customers/nobody/referral-code").status_code == 404


def test_the_friends_of_a_customer_are_listed_a_page_at_a_time(shop: Shop) -> None:
    shop.register()
    for name in ("20", "21", "22"):
        shop.register(name, referred_by="10042")
    shop.register("23")
    shop.buy(customer="21")
    first = shop.till.get("/api/v1/customers/10042/friends?limit=2").json()
    assert [(it["customer"], it["purchases"]) for it in first["items"]] == [("22", 0), ("21", 1)]
    rest = shop.till.get(f"/api/v1/customers/10042/friends?after={first['next']}").json()
    assert ([it["customer"] for it in rest["items"]], rest["next"]) == (["20"], None)
    assert shop.till.get("/api/v1/customers/23/friends").json() == {"items": [], "next": None}


def test_friends_follow_a_merger_and_are_nobodys_who_is_not_there(shop: Shop) -> None:
    shop.register()
    shop.register("20", referred_by="10042")
    shop.register("30")
    merging = {"duplicate": "10042", "author": "maria", "reason": "the same phone"}
    admin = shop.with_key("admin", "office")
    answer = admin.post("/api/v1/customers/30/merge", json=merging)
    assert answer.status_code < 300, answer.text
    for name in ("10042", "30"):
        [friend] = shop.till.get(f"/api/v1/customers/{name}/friends").json()["items"]
        assert friend["customer"] == "20"
    assert shop.till.get("/api/v1/customers/nobody/friends").status_code == 404
    assert shop.till.get("/api/v1/customers/30/friends?after=zzz").json()["code"] == "wrong_cursor"
