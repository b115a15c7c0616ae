"""A customer's card over the API: issued, looked at, issued anew for a lost phone, revoked; who is gone."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from httpx import Response

from core.errors import EnvironmentFault
from tests.api.shop import PUBLIC_URL, Shop
from tests.wallet.phone import Phone, contents, fields
from wallet.google import due
from wallet.google.due import Later

SECOND = timedelta(seconds=1)
REISSUE = {"author": "maria", "reason": "the phone was lost"}


def card(shop: Shop, method: str = "GET", path: str = "", customer: str = "10042", **body: Any) -> Response:
    address = f"/api/v1/customers/{customer}/card{path}"
    answer: Response = shop.till.request(method, address, json=body or None)
    return answer


def registered(shop: Shop, customer: str = "10042", number: str = "KV20261234") -> dict[str, Any]:
    return dict(shop.register(customer, name="Олена Коваль", locale="uk", card=number).json()["wallet_card"])


def downloaded(shop: Shop, links: dict[str, Any]) -> bytes:
    return bytes(shop.stranger.get(links["apple"].removeprefix(PUBLIC_URL)).content)


def beat(shop: Shop) -> None:
    """What happened reaches the wallets."""

    async def rounds() -> None:
        await shop.services.cards.beat()
        shop.clock.move_by(SECOND)
        await shop.services.cards.beat()
        await shop.services.cards.close()

    asyncio.run(rounds())


def google_object(shop: Shop, serial: str) -> dict[str, Any]:
    folder = shop.services.workspace.outbox / "google-wallet" / "loyaltyObject"
    [file] = folder.glob(f"*{serial}.json")
    return dict(json.loads(file.read_text("utf-8")))


def test_a_registration_answers_with_the_ways_to_the_card(shop: Shop) -> None:
    links = registered(shop)
    page = shop.services.links.card(shop.id_of())
    assert links == {
        "page": page, "short": shop.services.links.card_short(shop.id_of()),
        "apple": f"{page}/card.pkpass", "google": f"{page}/google",
    }  # fmt: skip
    assert shop.till.get("/api/v1/customers/10042").json()["wallet_card"] == links
    assert contents(downloaded(shop, links))["serialNumber"]


def test_issuing_is_done_once(shop: Shop) -> None:
    registered(shop)
    first, again = card(shop, "POST"), card(shop, "POST")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["state"] == "issued"


@pytest.mark.parametrize("path", ["", "/reissue"])
def test_a_card_made_by_hand_learns_of_what_was_recorded_before_its_time(shop: Shop, path: str) -> None:
    links, ahead = registered(shop), timedelta(minutes=2)
    if path:
        downloaded(shop, links)
    shop.buy(total="1000", at=(shop.clock.now() + ahead).isoformat())
    beat(shop)
    assert card(shop, "POST", path, **(REISSUE if path else {})).status_code == 201
    shop.clock.move_by(SECOND)
    phone = Phone(shop.stranger)
    phone.add(downloaded(shop, links))
    [serial] = phone.passes
    beat(shop)
    assert phone.shows(serial)["balance"] == "50"
    shop.clock.move_by(ahead)
    beat(shop)
    assert [it["push"] for it in card(shop).json()["devices"]] == ["unanswered"]
    phone.woken()
    assert phone.shows(serial)["balance"] == "80"


def test_the_status_says_what_is_on_the_card_and_who_carries_it(shop: Shop) -> None:
    links = registered(shop)
    assert card(shop).json()["state"] == "none"
    phone = Phone(shop.stranger)
    phone.add(downloaded(shop, links))
    shop.buy(total="1000")
    beat(shop)
    phone.woken()
    said = card(shop).json()
    assert (said["state"], said["barcode"], said["serial"]) == ("issued", "KV20261234", *phone.passes)
    assert {"place": "header", "label": "Бонуси", "value": "80"} in said["shows"]
    [device] = said["devices"]
    assert (device["push"], device["attempts"]) == ("answered", 0)
    assert "device-1" not in str(said)


def test_pushes_count_as_unasked_until_the_phone_asks(shop: Shop) -> None:
    phone = Phone(shop.stranger)
    phone.add(downloaded(shop, registered(shop)))

    def unasked() -> list[tuple[str, int]]:
        return [(it["push"], it["unasked"]) for it in card(shop).json()["devices"]]

    for number in (1, 2):
        shop.buy(f"R{number}")
        beat(shop)
        assert unasked() == [("unanswered", number)]
    phone.woken()
    assert unasked() == [("answered", 0)]


def test_a_lost_phones_pass_is_void_and_empty_and_the_new_one_is_another(shop: Shop) -> None:
    links = registered(shop)
    lost = Phone(shop.stranger, "lost", "aa11")
    lost.add(downloaded(shop, links))
    [old] = lost.passes
    answer = card(shop, "POST", "/reissue", **REISSUE)
    assert answer.status_code == 201
    new = contents(downloaded(shop, links))
    assert new["serialNumber"] == answer.json()["serial"] != old
    assert new["authenticationToken"] != lost.passes[old]["authenticationToken"]
    beat(shop)
    lost.woken()
    assert lost.passes[old]["voided"] is True
    assert fields(lost.passes[old]) == {}
    assert "barcodes" not in lost.passes[old]
    assert "Олена" not in str(lost.passes[old])
    assert "voided" not in new
    [replaced] = card(shop).json()["replaced"]
    assert (replaced["serial"], replaced["devices"], replaced["waiting"]) == (old, 1, False)


def test_the_old_object_at_google_becomes_inactive_and_empty(shop: Shop) -> None:
    links = registered(shop)
    shop.stranger.get(links["google"].removeprefix(PUBLIC_URL), follow_redirects=False)
    old = card(shop).json()["serial"]
    card(shop, "POST", "/reissue", **REISSUE)
    beat(shop)
    written = google_object(shop, old)
    assert written["state"] == "INACTIVE"
    assert "KV20261234" not in str(written)
    assert "Олена" not in str(written)


def test_an_object_that_google_refuses_is_not_called_written(shop: Shop) -> None:
    links = registered(shop)
    shop.stranger.get(links["google"].removeprefix(PUBLIC_URL), follow_redirects=False)
    before, now = card(shop).json(), shop.clock.now()
    assert before["google"]["state"] == "written"
    with shop.database.write() as connection:
        claimed = due.hold(connection, due.current(connection, before["serial"]), now)
        due.settle(connection, [], [Later(claimed, 0, None, None, "")], now)
    said = card(shop).json()["google"]
    assert (said["state"], said["try_at"]) == ("refused", None)


def test_a_new_number_makes_the_old_barcode_nobodys(shop: Shop) -> None:
    registered(shop)
    registered(shop, "10043", "KV20260000")
    taken = card(shop, "POST", "/reissue", card="KV20260000", **REISSUE)
    assert (taken.status_code, taken.json()["code"]) == (409, "card_taken")
    assert card(shop, "POST", "/reissue", **REISSUE).status_code == 201
    assert shop.till.post("/api/v1/identify", json={"code": "KV20261234"}).status_code == 200
    assert card(shop, "POST", "/reissue", card="KV20269999", **REISSUE).status_code == 201
    assert shop.till.post("/api/v1/identify", json={"code": "KV20261234"}).status_code == 404
    assert card(shop).json()["barcode"] == "KV20269999"


def test_who_reissued_and_why_is_kept(shop: Shop) -> None:
    registered(shop)
    card(shop, "POST", "/reissue", **REISSUE)
    card(shop, "DELETE")
    happened = shop.till.get("/api/v1/events").json()["items"]
    told = {it["kind"]: it["data"] for it in happened if it["kind"].startswith("card_re")}
    assert told == {"card_reissued": REISSUE, "card_revoked": {"author": "api", "reason": "revoked"}}


def test_a_repeated_reissue_under_its_key_makes_one_pass(shop: Shop) -> None:
    registered(shop)
    headers = {"Idempotency-Key": "lost-1"}
    address = "/api/v1/customers/10042/card/reissue"
    first, again = (shop.till.post(address, json=REISSUE, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert first.status_code == 201


def test_a_revoked_card_is_given_out_by_nothing_but_a_reissue(shop: Shop) -> None:
    links = registered(shop)
    phone = Phone(shop.stranger)
    phone.add(downloaded(shop, links))
    assert card(shop, "DELETE").json()["state"] == "revoked"
    assert card(shop, "DELETE").status_code == 200
    for address in (links["page"], links["apple"], links["google"]):
        answer = shop.stranger.get(address.removeprefix(PUBLIC_URL), follow_redirects=False)
        assert answer.status_code == 410
        assert "відкликано" in answer.text
    refused = card(shop, "POST")
    assert (refused.status_code, refused.json()["code"]) == (409, "card_revoked")
    beat(shop)
    phone.woken()
    assert [it["voided"] for it in phone.passes.values()] == [True]
    assert card(shop, "POST", "/reissue", **REISSUE).status_code == 201
    assert shop.stranger.get(links["apple"].removeprefix(PUBLIC_URL)).status_code == 200


def test_a_merged_duplicates_card_is_void_and_its_link_leads_to_the_survivors(shop: Shop) -> None:
    links, kept = registered(shop, "dup", "KV1"), registered(shop, "10042", "KV2")
    phone = Phone(shop.stranger)
    phone.add(downloaded(shop, links))
    body = {"duplicate": "dup", "author": "maria", "reason": "the same phone"}
    assert shop.till.post("/api/v1/customers/10042/merge", json=body).status_code == 201
    beat(shop)
    phone.woken()
    [there] = phone.passes.values()
    assert (there["voided"], fields(there)) == (True, {})
    own = contents(downloaded(shop, kept))
    assert contents(downloaded(shop, links))["serialNumber"] == own["serialNumber"] != there["serialNumber"]


def test_an_erased_persons_card_is_void_and_empty_in_both_wallets(shop: Shop) -> None:
    links = registered(shop)
    phone = Phone(shop.stranger)
    phone.add(downloaded(shop, links))
    shop.stranger.get(links["google"].removeprefix(PUBLIC_URL), follow_redirects=False)
    [serial] = phone.passes
    assert shop.till.delete("/api/v1/customers/10042").status_code == 200
    beat(shop)
    phone.woken()
    assert (phone.passes[serial]["voided"], fields(phone.passes[serial])) == (True, {})
    written = google_object(shop, serial)
    assert written["state"] == "INACTIVE"
    assert "KV20261234" not in str(written) + str(phone.passes)
    assert shop.stranger.get(links["page"].removeprefix(PUBLIC_URL)).status_code == 404


def test_a_key_needs_its_scope(shop: Shop) -> None:
    registered(shop)
    marketer = shop.with_key("marketer")
    assert marketer.get("/api/v1/customers/10042/card").status_code == 200
    assert marketer.post("/api/v1/customers/10042/card").status_code == 403


def test_while_the_database_is_away_nobody_is_asked_to_send_nonsense_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(content: bytes) -> int:
        return int(shop.stranger.post("/wallet/google/callback", content=content).status_code)

    def away(*_: object, **__: object) -> None:
        raise EnvironmentFault("the database cannot be used")

    links = registered(shop)
    phone = Phone(shop.stranger)
    phone.add(downloaded(shop, links))
    assert tell(b"nonsense") == 400
    monkeypatch.setattr(shop.database, "glance", away)
    monkeypatch.setattr(shop.database, "read", away)
    assert tell(b"nonsense") == 400
    kind, [serial] = phone.passes[next(iter(phone.passes))]["passTypeIdentifier"], phone.passes
    answer = shop.stranger.get(f"/wallet/apple/v1/passes/{kind}/{serial}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
