"""Google Wallet: bodies that its own schema accepts, and a client that finds out what exists."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jwt
import pytest

from core.clock import MovableClock
from core.db import Database
from core.errors import EnvironmentFault
from tests.wallet.cards import Guest
from tests.wallet.conftest import NOW, NewCustomer
from tests.wallet.servers import Google, google_schema, running
from tests.wallet.shop import Shop
from wallet import updates
from wallet.apple.package import Packager
from wallet.design import Card, Place
from wallet.google.account import Account, account_for, load
from wallet.google.bodies import GoogleIssuer, class_id, loyalty_class, loyalty_object, object_id
from wallet.google.client import Outcome, Wallet, Written, wallet_for
from wallet.google.links import save_link
from wallet.google.settings import GoogleSettings
from wallet.live import GoogleCards, google_round
from wallet.updates import COALESCE

ISSUER = GoogleIssuer(
    "3388000000022000000", "https://loyalty.example/cards/loyalty", "https://loyalty.example/google"
)


def test_the_class_is_what_googles_schema_asks_for(card: Card, guest: Guest) -> None:
    body = loyalty_class(ISSUER, "loyalty", card, guest.face(), hero=True)
    google_schema("LoyaltyClass", whole=True).validate(body)
    assert body["id"] == "3388000000022000000.loyalty-silver-uk"
    assert body["hexBackgroundColor"] == "#1f3b2d"
    assert (body["rewardsTierLabel"], body["rewardsTier"]) == ("Рівень", "Silver")
    assert body["reviewStatus"] == "UNDER_REVIEW"
    assert body["programLogo"]["sourceUri"]["uri"] == "https://loyalty.example/cards/loyalty/logo.png"
    rows = body["classTemplateInfo"]["cardTemplateOverride"]["cardRowTemplateInfos"]
    assert [next(iter(row)) for row in rows] == ["twoItems", "oneItem", "oneItem"]


def test_smart_tap_is_switched_on_where_somebody_may_read_it(card: Card, guest: Guest) -> None:
    issuer = GoogleIssuer("1", "https://x.example", smart_tap_issuers=["2"])
    body = loyalty_class(issuer, "loyalty", card, guest.face(), hero=False)
    google_schema("LoyaltyClass", whole=True).validate(body)
    assert (body["enableSmartTap"], body["redemptionIssuers"]) == (True, ["2"])
    assert "heroImage" not in body


def test_the_object_says_what_the_card_says(guest: Guest) -> None:
    guest.places = [Place(50.45, 30.52, "Хрещатик")]
    body = loyalty_object(ISSUER, "loyalty", guest.face(), "abc", notify=True)
    google_schema("LoyaltyObject", whole=True).validate(body)
    assert body == {
        "id": "3388000000022000000.abc",
        "classId": "3388000000022000000.loyalty-silver-uk",
        "state": "ACTIVE",
        "accountId": "KV20261234",
        "accountName": "Олена Коваль",
        "loyaltyPoints": {"label": "Бонуси", "balance": {"string": "1\u00a0250"}},
        "barcode": {"type": "QR_CODE", "value": "KV20261234", "alternateText": "KV20261234"},
        "textModulesData": [
            {"id": "next", "header": "До наступного", "body": "7\u00a0400\u00a0₴"},
            {"id": "expiring", "header": "Згорає", "body": "500 до 15 березня"},
            {"id": "terms", "header": "Правила", "body": "1 бонус = 1 грн."},
            {"id": "unsubscribe", "header": "Повідомлення", "body": "https://kavarnia.example/p/abc"},
        ],
        "merchantLocations": [{"latitude": 50.45, "longitude": 30.52}],
        "smartTapRedemptionValue": "KV20261234",
        "notifyPreference": "NOTIFY_ON_UPDATE",
    }


def test_what_is_gone_from_the_card_is_gone_from_the_object(guest: Guest) -> None:
    guest.expiring, guest.name, guest.missing = Decimal(0), "", None
    body = loyalty_object(ISSUER, "loyalty", guest.face(), "abc")
    assert body["accountName"] == ""
    assert body["merchantLocations"] == []
    assert [module["id"] for module in body["textModulesData"]] == ["terms", "unsubscribe"]
    assert "notifyPreference" not in body


def test_a_voided_card_is_inactive(guest: Guest) -> None:
    assert loyalty_object(ISSUER, "loyalty", guest.face(), "abc", voided=True)["state"] == "INACTIVE"


def test_ids_hold_only_what_google_allows(guest: Guest) -> None:
    guest.tier = "золотий рівень"
    assert class_id("1", "my.card", guest.face()) == "1.my_card-_-uk"
    assert object_id("1", "a.b c") == "1.a_b_c"


@pytest.fixture(scope="session")
def account_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("google")
    account_for(GoogleSettings(), folder)
    return folder / "service-account.json"


@pytest.fixture
def account(account_file: Path) -> Account:
    return load(account_file)


class TestTheSaveLink:
    """`https://pay.google.com/gp/v/save/…`."""

    def test_it_holds_ids_only_and_is_signed_by_the_account(self, account: Account) -> None:
        link = save_link(account, "1.abc", "1.loyalty-gold-uk", NOW, ("https://kavarnia.example",))
        token = link.removeprefix("https://pay.google.com/gp/v/save/")
        assert len(token) <= 1800
        claims = jwt.decode(
            token, account.key.public_key(), ["RS256"], audience="google", options={"verify_iat": False}
        )
        assert claims == {
            "iss": account.email,
            "aud": "google",
            "typ": "savetowallet",
            "iat": int(NOW.timestamp()),
            "origins": ["https://kavarnia.example"],
            "payload": {"loyaltyObjects": [{"id": "1.abc", "classId": "1.loyalty-gold-uk"}]},
        }

    def test_one_that_google_would_cut_is_not_made(self, account: Account) -> None:
        with pytest.raises(ValueError, match="shorten"):
            save_link(account, "1." + "a" * 1500, "1.b", NOW)


class TestTheAccount:
    """The service account's key file."""

    def test_a_throw_away_key_is_made_once_and_readable_by_its_owner_only(self, tmp_path: Path) -> None:
        one, other = (account_for(GoogleSettings(), tmp_path) for _ in range(2))
        assert one.info == other.info
        assert (tmp_path / "service-account.json").stat().st_mode & 0o077 == 0

    def test_the_api_needs_a_real_account(self, tmp_path: Path) -> None:
        with pytest.raises(EnvironmentFault, match="TIDINGS_GOOGLE_SERVICE_ACCOUNT is not set"):
            account_for(GoogleSettings(transport="api"), tmp_path)

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"client_email": "a", "private_key": "b"}'])
    def test_a_file_that_is_no_account_is_named(self, content: str, tmp_path: Path) -> None:
        (tmp_path / "key.json").write_text(content)
        with pytest.raises(EnvironmentFault, match="is not a service account's JSON key"):
            load(tmp_path / "key.json")

    def test_a_file_that_is_missing_is_named(self) -> None:
        with pytest.raises(EnvironmentFault, match=r"there is no file nowhere\.json"):
            load(Path("nowhere.json"))


Speak = Callable[[Callable[[Wallet], Awaitable[Any]]], Any]


@pytest.fixture
def google(account: Account) -> Google:
    return Google(public_key=account.key.public_key())


@pytest.fixture
def speak(google: Google, account: Account) -> Iterator[Speak]:
    """Runs something with a client of the local Google."""
    with running(google) as address:
        settings = GoogleSettings(
            transport="api", base_url=f"http://{address}/walletobjects/v1", requests_a_second=10_000
        )
        local = Account(account.email, account.key, {**account.info, "token_uri": f"http://{address}/token"})

        def run(task: Callable[[Wallet], Awaitable[Any]]) -> Any:
            async def whole() -> Any:
                wallet = wallet_for(settings, local, Path("unused"))
                try:
                    return await task(wallet)
                finally:
                    await wallet.close()

            return asyncio.run(whole())

        yield run


def cards(wallet: Wallet, card: Card) -> GoogleCards:
    return GoogleCards(wallet, ISSUER, "loyalty", card, hero=True)


class TestTheClient:
    """Requests over a real connection; the server checks every body by Google's schema."""

    def test_a_first_card_makes_its_class_and_its_object(
        self, google: Google, speak: Speak, card: Card, guest: Guest
    ) -> None:
        async def task(wallet: Wallet) -> Written:
            return await cards(wallet, card).write(guest.face(), "abc", exists=False)

        assert speak(task).outcome is Outcome.WRITTEN
        kind = "loyaltyClass/3388000000022000000.loyalty-silver-uk"
        assert google.requests() == [("PATCH", kind), ("POST", "loyaltyClass"), ("POST", "loyaltyObject")]

    def test_a_class_is_written_once_and_the_token_fetched_once(
        self, google: Google, speak: Speak, card: Card, guest: Guest
    ) -> None:
        async def task(wallet: Wallet) -> None:
            writer = cards(wallet, card)
            for serial in ("a", "b", "c"):
                await writer.write(guest.face(), serial, exists=False)

        speak(task)
        kinds = Counter(path.split("/")[0] for _, path in google.requests())
        assert kinds == {"loyaltyClass": 2, "loyaltyObject": 3}
        assert [it.path for it in google.seen].count("/token") == 1

    def test_an_object_that_is_there_already_is_patched(
        self, google: Google, speak: Speak, card: Card, guest: Guest
    ) -> None:
        async def task(wallet: Wallet) -> Written:
            await cards(wallet, card).write(guest.face(), "abc", exists=False)
            guest.balance = Decimal(9)
            return await cards(wallet, card).write(guest.face(), "abc", exists=False)

        assert speak(task).outcome is Outcome.WRITTEN
        assert google.kept["3388000000022000000.abc"]["loyaltyPoints"]["balance"] == {"string": "9"}
        assert [method for method, path in google.requests() if path.startswith("loyaltyObject")] == [
            "POST",
            "POST",
            "PATCH",
        ]

    def test_an_object_that_is_not_there_is_inserted(
        self, google: Google, speak: Speak, card: Card, guest: Guest
    ) -> None:
        async def task(wallet: Wallet) -> Written:
            return await cards(wallet, card).write(guest.face(), "abc", exists=True, notify=True)

        assert speak(task).outcome is Outcome.WRITTEN
        assert "notifyPreference" not in google.kept["3388000000022000000.abc"]

    @pytest.mark.parametrize(
        ("status", "content", "outcome"),
        [
            (400, {"error": {"status": "INVALID_ARGUMENT"}}, Outcome.REFUSED),
            (401, {"error": {"status": "UNAUTHENTICATED"}}, Outcome.CONFIGURATION),
            (403, {"error": {"errors": [{"reason": "permissionDenied"}]}}, Outcome.CONFIGURATION),
            (429, None, Outcome.RETRY),
            (500, {"error": "oops"}, Outcome.RETRY),
            (503, [], Outcome.RETRY),
        ],
    )
    def test_each_answer_has_its_meaning(
        self, google: Google, speak: Speak, status: int, content: object, outcome: Outcome
    ) -> None:
        google.failures = [(status, content)]
        result = speak(lambda wallet: wallet.save_object({"id": "1.a", "classId": "1.b"}, exists=True))
        assert result.outcome is outcome
        assert result.reason

    def test_over_the_days_quota_the_card_changes_silently(
        self, google: Google, speak: Speak, card: Card, guest: Guest
    ) -> None:
        async def task(wallet: Wallet) -> Written:
            writer = cards(wallet, card)
            await writer.write(guest.face(), "abc", exists=False)
            guest.balance = Decimal(9)
            google.failures = [(403, {"error": {"errors": [{"reason": "QuotaExceededException"}]}})]
            return await writer.write(guest.face(), "abc", exists=True, notify=True)

        assert speak(task).outcome is Outcome.QUOTA
        assert google.kept["3388000000022000000.abc"]["loyaltyPoints"]["balance"] == {"string": "9"}
        asked = [json.loads(it.body) for it in google.seen if it.path != "/token"]
        assert ["notifyPreference" in body for body in asked[-2:]] == [True, False]

    def test_a_message_over_the_quota_is_left_on_the_card_silently(
        self, google: Google, speak: Speak
    ) -> None:
        google.failures = [(429, {"error": {"status": "QuotaExceededException"}})]
        message = {"header": "Новини", "body": "Кава", "id": "news", "messageType": "TEXT_AND_NOTIFY"}
        assert speak(lambda wallet: wallet.add_message("1.abc", message)).outcome is Outcome.WRITTEN
        kinds = [json.loads(it.body)["message"]["messageType"] for it in google.seen if it.path != "/token"]
        assert kinds == ["TEXT_AND_NOTIFY", "TEXT"]

    def test_a_key_that_google_does_not_know_is_a_fault_of_ours(
        self, google: Google, speak: Speak, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(google, "_token", lambda request: (400, {"error": "invalid_grant"}))
        with pytest.raises(EnvironmentFault, match="does not accept the key"):
            speak(lambda wallet: wallet.save_object({"id": "1.a"}, exists=True))

    def test_nobody_there_is_a_reason_to_try_later(self, account: Account) -> None:
        async def task() -> Written:
            settings = GoogleSettings(transport="api", base_url="http://127.0.0.1:9")
            local = Account(account.email, account.key, {**account.info, "token_uri": "http://127.0.0.1:9/t"})
            wallet = wallet_for(settings, local, Path("unused"))
            try:
                return await wallet.save_object({"id": "1.a"}, exists=True)
            finally:
                await wallet.close()

        assert asyncio.run(task()).outcome is Outcome.RETRY


def test_without_an_account_bodies_are_written_into_a_folder(
    account: Account, card: Card, guest: Guest, tmp_path: Path
) -> None:
    async def task() -> Written:
        wallet = wallet_for(GoogleSettings(), account, tmp_path)
        await wallet.add_message("1.abc", {"header": "Новини", "body": "Кава"})
        return await cards(wallet, card).write(guest.face(), "abc", exists=False)

    assert asyncio.run(task()).outcome is Outcome.WRITTEN
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")}
    assert written == {
        "loyaltyClass/3388000000022000000.loyalty-silver-uk.json",
        "loyaltyObject/3388000000022000000.abc.json",
        "message/1.abc.json",
    }


class TestARound:
    """What a round leaves in the database."""

    @pytest.fixture
    def shop(
        self, database: Database, clock: MovableClock, packager: Packager, new_customer: NewCustomer
    ) -> Shop:
        return Shop(database, clock, packager, new_customer)

    def save(self, shop: Shop, card: Card, speak: Speak) -> int:
        """A customer whose card is in Google Wallet."""
        customer = shop.issue()
        face = shop.guests[customer].face()
        row = shop.row(customer)
        speak(lambda wallet: cards(wallet, card).write(face, row.serial, exists=False))
        with shop.database.write() as connection:
            name = object_id(ISSUER.issuer, row.serial)
            updates.google_written(connection, row, face, shop.clock.now(), object_id=name, notified=False)
        return customer

    def change(self, shop: Shop, customer: int, balance: int) -> None:
        shop.guests[customer].balance = Decimal(balance)
        shop.mark(customer)
        shop.clock.move_by(COALESCE)

    def round(self, shop: Shop, card: Card, speak: Speak) -> Counter[str]:
        result: Counter[str] = speak(
            lambda wallet: google_round(shop.database, cards(wallet, card), shop.faces, shop.clock)
        )
        return result

    def notified(self, google: Google) -> list[bool]:
        bodies = [json.loads(it.body) for it in google.seen if "/loyaltyObject/" in it.path]
        return ["notifyPreference" in body for body in bodies]

    def test_a_change_is_patched_and_told(self, shop: Shop, card: Card, google: Google, speak: Speak) -> None:
        customer = self.save(shop, card, speak)
        self.change(shop, customer, 9)
        assert self.round(shop, card, speak) == {"written": 1}
        row = shop.row(customer)
        assert google.kept[row.google_object_id]["loyaltyPoints"]["balance"] == {"string": "9"}
        assert row.google_digest == row.digest
        assert self.notified(google) == [True]
        assert self.round(shop, card, speak) == {}

    def test_a_change_that_nobody_asked_to_hear_of_is_silent(
        self, shop: Shop, card: Card, google: Google, speak: Speak
    ) -> None:
        customer = self.save(shop, card, speak)
        shop.guests[customer].terms = "Нові правила."
        self.change(shop, customer, 1250)
        assert self.round(shop, card, speak) == {"written": 1}
        assert self.notified(google) == [False]

    def test_the_fourth_change_of_a_day_is_silent_and_the_next_days_is_told(
        self, shop: Shop, card: Card, google: Google, speak: Speak
    ) -> None:
        customer = self.save(shop, card, speak)
        for balance in (1, 2, 3, 4):
            self.change(shop, customer, balance)
            assert self.round(shop, card, speak) == {"written": 1}
        shop.clock.move_by(timedelta(days=1))
        self.change(shop, customer, 5)
        self.round(shop, card, speak)
        assert self.notified(google) == [True, True, True, False, True]

    def test_what_google_could_not_take_is_tried_again(
        self, shop: Shop, card: Card, google: Google, speak: Speak
    ) -> None:
        customer = self.save(shop, card, speak)
        self.change(shop, customer, 9)
        google.failures = [(503, None)]
        assert self.round(shop, card, speak) == {"retry: HTTP 503": 1}
        assert self.round(shop, card, speak) == {}
        shop.clock.move_by(timedelta(seconds=30))
        assert self.round(shop, card, speak) == {"written": 1}
        assert shop.row(customer).google_digest == shop.row(customer).digest

    def test_a_rise_to_gold_moves_the_object_to_the_gold_class(
        self, shop: Shop, card: Card, google: Google, speak: Speak
    ) -> None:
        customer = self.save(shop, card, speak)
        shop.guests[customer].tier = "gold"
        self.change(shop, customer, 9)
        self.round(shop, card, speak)
        kind = google.kept[shop.row(customer).google_object_id]["classId"]
        assert google.kept[kind]["hexBackgroundColor"] == "#6b4f1d"

    def test_a_customer_whose_card_cannot_be_made_waits(self, shop: Shop, card: Card, speak: Speak) -> None:
        customer = self.save(shop, card, speak)
        self.change(shop, customer, 9)
        del shop.guests[customer]
        assert self.round(shop, card, speak) == {"refused: no card": 1}

    def test_a_change_that_is_marked_while_google_is_written_is_written_next(
        self, shop: Shop, card: Card, speak: Speak
    ) -> None:
        customer = self.save(shop, card, speak)
        before = shop.row(customer)
        self.change(shop, customer, 9)
        with shop.database.write() as connection:
            face = shop.guests[customer].face()
            name = before.google_object_id
            updates.google_written(connection, before, face, shop.clock.now(), object_id=name, notified=False)
        assert self.round(shop, card, speak) == {"written": 1}

    def test_a_change_that_was_not_marked_yet_is_not_written_over_and_over(
        self, shop: Shop, card: Card, speak: Speak
    ) -> None:
        customer = self.save(shop, card, speak)
        self.change(shop, customer, 9)
        shop.guests[customer].balance = Decimal(10)
        assert self.round(shop, card, speak) == {"written": 1}
        assert self.round(shop, card, speak) == {}
