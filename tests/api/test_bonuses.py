"""What a customer has, and why."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from campaigns.rules_of import BUNDLE
from core.customers.profiles import CUSTOMER
from core.ledger.book import Book
from core.program.lifetime import Life
from tests.api.shop import Shop, make_live
from tests.contracts.test_trigger_ranges import fill
from tests.support.plans import plans
from tidings.api.sentences import Told, sentence
from tidings.customer_view import read


def command(shop: Shop, who: str = "10042") -> dict[str, Any]:
    """What `tidings customer` says in JSON."""
    with shop.database.read() as connection:
        found = read(connection, shop.services.program, who, shop.clock.now(), shop.services.links)
    return found.as_json()


def test_a_balance_tells_what_there_is_and_when_it_ends(shop: Shop) -> None:
    shop.register()
    shop.buy(total="100")
    balance = shop.till.get("/api/v1/customers/10042/balance").json()
    assert balance == {
        "customer": "10042", "total": "53", "available": "53", "active": "53", "pending": "0", "debt": "0",
        "held": "0", "accounts": [{"account": "base", "active": "53", "pending": "0"}],
        "expiring": [{"amount": "50", "on": "2026-03-31"}, {"amount": "3", "on": "2026-08-28"}],
    }  # fmt: skip


def test_what_is_over_is_not_offered(shop: Shop) -> None:
    shop.register()
    shop.clock.move_by(timedelta(days=60))
    balance = shop.till.get("/api/v1/customers/10042/balance").json()
    assert (balance["total"], balance["available"], balance["expiring"]) == ("0", "0", [])
    [lot] = shop.till.get("/api/v1/customers/10042/lots").json()["items"]
    assert lot["state"] == "expired"


def test_until_it_is_written_off_nobody_is_told_what_is_over_as_if_they_had_it(shop: Shop) -> None:
    shop.register()
    shop.clock.move_by(timedelta(days=60))
    told = {
        "profile": shop.till.get("/api/v1/customers/10042").json()["balance"],
        "seller": shop.till.get("/api/v1/till/customer?id=10042").json()["balance"],
        "page": shop.till.get("/api/v1/customers/10042/page").json()["balance"],
    }
    assert told == dict.fromkeys(told, "0")
    cart = {"customer": "10042", "lines": [{"sku": "a", "total": "100"}]}
    assert shop.till.post("/api/v1/till/quote", json=cart).json()["available"] == "0"
    for own in ("", "/page"):
        assert shop.till.get(f"/api/v1/customers/10042{own}").json()["lots"] == []
    assert command(shop)["lots"] == []
    assert command(shop)["balance"] == {"available": "0", "total": "0"}


def test_a_household_sees_its_common_bonuses(shop: Shop) -> None:
    shop.register("1")
    shop.register("2")
    with shop.database.write() as connection:
        member = update(CUSTOMER).where(CUSTOMER.c.external_id == "2")
        connection.execute(member.values(household_id=shop.id_of("1")))
    one, other = (shop.till.get(f"/api/v1/customers/{it}/balance").json() for it in ("1", "2"))
    assert other == {**one, "customer": "2"}
    assert shop.till.get("/api/v1/customers/2").json()["balance"] == "50"


def test_the_command_tells_of_a_member_what_the_household_has(shop: Shop) -> None:
    shop.register("1")
    shop.register("2")
    assert shop.till.post("/api/v1/households/1/members", json={"customer": "2"}).status_code == 200
    assert command(shop, "2")["balance"] == {"available": "100", "total": "100"}
    assert [it["remaining"] for it in command(shop, "2")["lots"]] == ["50", "50"]
    assert command(shop, "2")["entries"] == command(shop, "1")["entries"]


def test_the_command_tells_of_all_bonuses_however_many_lots_they_lie_in(shop: Shop) -> None:
    shop.register()
    with shop.database.write() as connection:
        book = Book(connection, shop.services.program, [shop.id_of()], shop.clock.now())
        for number in range(120):
            op = book.operation(shop.id_of(), "adjustment", f"gift:{number}", [number], shop.clock.now())
            book.accrue(op, 100, reason="adjustment", life=Life(shop.clock.now(), None, None))
        book.close()
    balance = shop.till.get("/api/v1/customers/10042/balance").json()
    assert command(shop)["balance"] == {"available": balance["available"], "total": balance["total"]}
    assert balance["total"] == "170"


def test_what_is_on_hold_is_available_to_nobody_who_asks(shop: Shop) -> None:
    shop.register()
    cart = {"id": "R1", "customer": "10042", "pay_points": "20", "lines": [{"sku": "a", "total": "100"}]}
    assert shop.till.post("/api/v1/till/holds", json=cart).status_code == 201
    assert shop.till.get("/api/v1/customers/10042/balance").json()["available"] == "30"
    assert command(shop)["balance"] == {"available": "30", "total": "50"}


def test_what_lives_for_ever_is_told_last(shop: Shop) -> None:
    gift = {
        "id": "g",
        "customer": "10042",
        "points": "5",
        "author": "maria",
        "reason": "g",
        "lasts": "forever",
    }
    shop.register()
    assert shop.till.post("/api/v1/adjustments", json=gift).status_code == 201
    shop.buy(total="100")
    profile = shop.till.get("/api/v1/customers/10042").json()
    assert [it["remaining"] for it in profile["lots"]] == ["50", "3", "5"]
    assert [it["remaining"] for it in command(shop)["lots"]] == ["50", "3", "5"]


def test_lots_are_shown_open_or_all_the_newest_first(shop: Shop) -> None:
    shop.register()
    shop.buy(total="400")
    shop.buy("R2", total="200", pay_points="50")
    opened = shop.till.get("/api/v1/customers/10042/lots").json()["items"]
    assert [(it["reason"], it["remaining"], it["receipt"]) for it in opened] == [
        ("purchase", "4.5", "R2"), ("purchase", "12", "R1"),
    ]  # fmt: skip
    everything = shop.till.get("/api/v1/customers/10042/lots?which=all").json()["items"]
    assert [(it["reason"], it["state"]) for it in everything][-1] == ("welcome", "used")


@pytest.mark.parametrize("shown", ["page", "lots", "lots?which=all"])
def test_lots_of_one_customer_are_shown_without_reading_those_of_others(shop: Shop, shown: str) -> None:
    shop.register()
    shop.buy(total="400")
    fill(shop.database, shop.clock.now())
    with plans(shop.database, "lot") as found:
        assert shop.till.get(f"/api/v1/customers/10042/{shown}").status_code == 200
    assert found
    assert not [it for it in found if re.search(r"SCAN lot\b|lot_expiring|Seq Scan on lot\b", it)]


def test_history_tells_why(shop: Shop) -> None:
    shop.register()
    shop.buy(total="100", pay_points="20")
    entries = shop.till.get("/api/v1/customers/10042/history").json()["items"]
    assert [it["sentence"] for it in entries] == [
        "+2.4: earned on receipt R1 by the rule base",
        "-20: spent on receipt R1",
        "+50: granted by the rule welcome",
    ]
    assert [it["rule"] for it in entries] == ["base", None, "welcome"]
    assert all(it["program_version"] == 1 for it in entries)


def test_an_entry_names_the_version_of_the_history_that_brought_its_rules(shop: Shop) -> None:
    shop.register()
    shop.buy("of-1")
    late = (shop.clock.now() + timedelta(minutes=1)).isoformat()
    assert make_live(shop, "segments_at_most: 2", "segments_at_most: 3") == 2
    shop.buy("of-1-still")
    assert make_live(shop, "earn: 3%", "earn: 10%") == 3
    shop.buy("of-3")
    shop.buy("late", at=late)
    assert make_live(shop, "segments_at_most: 2", "segments_at_most: 1") == 4
    shop.buy("of-4")
    entries = shop.till.get("/api/v1/customers/10042/history").json()["items"]
    earned = {it["receipt"]: (it["program_version"], it["amount"]) for it in entries if it["receipt"]}
    # Version 2 changed no rules; version 4 brought the first ones back.
    assert earned == {
        "of-1": (1, "6"), "of-1-still": (1, "6"), "of-3": (3, "20"), "late": (1, "6"), "of-4": (4, "6"),
    }  # fmt: skip


def test_an_entry_by_files_that_were_applied_later_names_their_version(shop: Shop) -> None:
    shop.register()
    shop.buy("early")
    with shop.database.write() as connection:
        connection.execute(update(BUNDLE).values(applied_at=shop.clock.now() + timedelta(days=1)))
    entries = shop.till.get("/api/v1/customers/10042/history").json()["items"]
    assert {it["program_version"] for it in entries} == {1}


def test_an_entry_by_files_that_were_never_applied_names_no_version(shop: Shop) -> None:
    shop.register()
    with shop.database.write() as connection:
        connection.execute(update(BUNDLE).values(files={"program.yaml": "program: another"}))
    entries = shop.till.get("/api/v1/customers/10042/history").json()["items"]
    assert {it["program_version"] for it in entries} == {None}


def test_a_correction_names_what_it_corrects(shop: Shop) -> None:
    shop.register()
    shop.buy(total="100")
    shop.clock.move_by(timedelta(days=1))
    shop.till.post("/api/v1/receipts/R1/return")
    first = shop.till.get("/api/v1/customers/10042/history").json()["items"][0]
    assert (first["amount"], first["operation"], first["receipt"]) == ("-3", "return", "R1")
    assert first["corrects"] in ("purchase", None)


def test_what_a_return_gives_back_is_said_so(shop: Shop) -> None:
    shop.register()
    shop.buy(total="100", pay_points="20")
    shop.clock.move_by(timedelta(days=1))
    shop.till.post("/api/v1/receipts/R1/return")
    entries = shop.till.get("/api/v1/customers/10042/history").json()["items"]
    assert "+20: given back, receipt R1" in [it["sentence"] for it in entries]


def test_what_is_no_purchase_is_told_as_what_it_is(shop: Shop) -> None:
    shop.register()
    shop.register("10077")
    given = {"customer": "10042", "author": "maria", "reason": "goodwill"}
    for number, points in (("1", "40"), ("2", "-10")):
        shop.till.post("/api/v1/adjustments", json={"id": number, "points": points, **given})
    first = shop.till.get("/api/v1/customers/10042/history").json()["items"]
    assert {it["sentence"] for it in first if it["operation"] == "adjustment"} == {
        "+40: adjustment by maria: goodwill", "-10: adjustment by maria: goodwill",
    }  # fmt: skip
    shop.till.post("/api/v1/households/10042/members", json={"customer": "10077"})
    newest = shop.till.get("/api/v1/customers/10042/history").json()["items"][0]
    assert newest["sentence"] == "+50: brought to the account of the household by 10077"


def test_a_merging_names_the_profile_that_is_no_more(shop: Shop) -> None:
    for name in ("10042", "10077"):
        shop.register(name)
    joined = {"duplicate": "10077", "author": "maria", "reason": "the same phone"}
    shop.till.post("/api/v1/customers/10042/merge", json=joined)
    newest = shop.till.get("/api/v1/customers/10042/history").json()["items"][0]
    assert newest["sentence"] == "+50: moved from 10077, a profile of the same person when they were merged"


def test_a_transfer_names_the_other_side_and_a_merging_says_what_it_was() -> None:
    def said(amount: str, operation: str, kind: str = "accrual", other: str | None = None) -> str:
        return sentence(Told(amount, kind, operation, None, None, None, other=other))

    assert said("40", "transfer", other="10077") == "+40: transferred from 10077"
    assert said("-40", "transfer", "transfer", "10042") == "-40: transferred to 10042"
    assert said("570", "merge") == "+570: moved from a profile of the same person when they were merged"


def test_what_is_taken_back_is_not_told_as_if_it_happened() -> None:
    def said(amount: str, kind: str, operation: str, receipt: str | None = None) -> str:
        return sentence(Told(amount, kind, operation, receipt, None, operation))

    assert said("100", "expiry", "expiry") == "+100: not expired after all (corrects an earlier expiry)"
    assert said("-100", "expiry", "expiry") == "-100: expired (corrects an earlier expiry)"
    earned = "-3: not earned after all on receipt R1 (corrects an earlier purchase)"
    assert said("-3", "accrual", "purchase", "R1") == earned
    assert said("3", "accrual", "purchase", "R1") == "+3: earned on receipt R1 (corrects an earlier purchase)"


def test_history_is_read_page_by_page(shop: Shop) -> None:
    shop.register()
    for number in range(4):
        shop.buy(f"R{number}")
    seen, query = [], {"limit": "2"}
    while page := shop.till.get("/api/v1/customers/10042/history", params=query).json():
        seen += [it["entry"] for it in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 5


def test_a_receipt_is_shown_as_it_stands(shop: Shop) -> None:
    shop.register()
    shop.buy(total="100", pay_points="20", store="kyiv-1")
    receipt = shop.till.get("/api/v1/receipts/R1").json()
    assert (receipt["total"], receipt["paid_points"], receipt["earned"]) == ("100", "20", "2.4")
    assert (receipt["store"], receipt["returned_at"]) == ("kyiv-1", None)
    assert receipt["lines"] == [{
        "line": 1, "sku": "flat-white", "quantity": "1", "total": "100", "category": None, "brand": None,
        "discounted": False, "earned": "2.4", "paid_points": "20", "returned": "0",
        "kept_total": "100", "kept_paid_points": "20",
    }]  # fmt: skip
    assert shop.till.get("/api/v1/receipts/R9").json()["code"] == "unknown_receipt"


def test_some_units_of_a_line_are_returned(shop: Shop) -> None:
    shop.register()
    lines = [{"sku": "a", "quantity": "4", "total": "400"}]
    shop.buy(lines=lines)
    shop.clock.move_by(timedelta(days=1))
    body = {"id": "RT1", "lines": [{"sku": "a", "quantity": "1"}]}
    answer = shop.till.post("/api/v1/receipts/R1/return", json=body)
    assert (answer.status_code, answer.json()["taken_back"]) == (201, "3")
    assert shop.till.get("/api/v1/receipts/R1").json()["lines"][0]["returned"] == "1"
    both = {"lines": [{"sku": "a", "line": 1}]}
    assert shop.till.post("/api/v1/receipts/R1/return", json=both).json()["errors"][0]["field"] == "lines[0]"
    more = {"id": "RT2", "lines": [{"line": 1, "quantity": "4"}]}
    assert shop.till.post("/api/v1/receipts/R1/return", json=more).json()["code"] == "more_than_bought"
