"""The stream of what happened, as another system reads it."""

from typing import Any

from tests.api.shop import Shop


def read(shop: Shop, after: str | None = None, **query: Any) -> Any:
    return shop.till.get("/api/v1/events", params={**query, **({"after": after} if after else {})}).json()


def test_a_reader_who_keeps_the_cursor_misses_nothing_and_sees_nothing_twice(shop: Shop) -> None:
    shop.register()
    first = read(shop, limit=1)
    assert [it["kind"] for it in first["items"]] == ["registered"]
    second = read(shop, first["next"])
    assert [it["kind"] for it in second["items"]] == ["bonus_accrued"]
    idle = read(shop, second["next"])
    assert (idle["items"], idle["next"]) == ([], second["next"])
    shop.buy()
    later = read(shop, idle["next"])["items"]
    assert {it["kind"] for it in later} == {"purchase", "bonus_accrued"}


def test_an_event_names_the_customer_and_whole_units(shop: Shop) -> None:
    shop.register()
    start = read(shop)["next"]
    shop.buy(total="170.50", store="kyiv-1")
    events = {it["kind"]: it for it in read(shop, start)["items"]}
    bought = events["purchase"]
    assert (bought["customer"], bought["subject"], bought["live"]) == ("10042", "R1", True)
    assert bought["data"] == {"total": "170.5", "store": "kyiv-1"}
    assert events["bonus_accrued"]["data"]["amount"] == "5.11"


def test_only_some_kinds_are_read(shop: Shop) -> None:
    shop.register()
    shop.buy()
    assert [it["kind"] for it in read(shop, kind=["purchase"])["items"]] == ["purchase"]


def test_a_reader_may_begin_with_now(shop: Shop) -> None:
    shop.register()
    begun = read(shop, "now")
    assert begun["items"] == []
    shop.register("10043")
    assert [it["customer"] for it in read(shop, begun["next"])["items"]] == ["10043"] * 2


def test_a_brought_friend_is_told_by_the_number_of_your_system(shop: Shop) -> None:
    shop.register("inviter")
    shop.register("friend", referred_by="inviter")
    [referred] = read(shop, kind=["referred"])["items"]
    assert (referred["customer"], referred["subject"]) == ("friend", "inviter")


def test_a_new_customer_s_event_says_how_they_came(shop: Shop) -> None:
    shop.register("10")
    shop.register("20", referred_by="10")
    shop.register("30", referred_by="nobody")
    joined = read(shop, kind=["registered"])["items"]
    assert [(it["customer"], it["data"]) for it in joined] == [
        ("10", {"source": "api"}), ("20", {"source": "referral"}), ("30", {"source": "api"})
    ]  # fmt: skip


def test_a_return_s_event_says_what_came_back_in_whole_units(shop: Shop) -> None:
    shop.register()
    shop.buy(total="170.50")
    start = read(shop)["next"]
    shop.till.post("/api/v1/receipts/R1/return")
    [happened] = read(shop, start, kind=["return"])["items"]
    assert happened["data"] == {
        "total": "170.5", "store": None, "returned": "170.5", "taken_back": "5.11", "given_back": "0"
    }  # fmt: skip


def test_how_the_ledger_names_its_lots_is_its_own_affair(shop: Shop) -> None:
    shop.register()
    shop.buy()
    [*_, given] = read(shop, kind=["bonus_accrued"])["items"]
    assert set(given["data"]) == {"amount", "reason", "starts_at", "expires_on"}


def test_what_the_shop_told_of_an_act_is_given_back_as_it_was_told(shop: Shop) -> None:
    shop.register()
    shop.register("somebody-else")
    told = {
        "order_id": shop.id_of("somebody-else"), "amount": 500, "total": 12_345, "slot": "evening",
        "stars": 5,
    }  # fmt: skip
    act = {"id": "review-1", "customer": "10042", "act": "review", "data": told}
    assert shop.till.post("/api/v1/events", json=act).status_code == 201
    [review] = read(shop, kind=["review"])["items"]
    assert (review["customer"], review["data"]) == ("10042", told)
