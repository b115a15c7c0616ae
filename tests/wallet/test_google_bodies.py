"""What Google is told a card says: bodies that its own schema accepts, for the example and for any card."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wallet.cards import Guest
from tests.wallet.conftest import NOW
from tests.wallet.google import Google, google_schema, without_nulls
from tests.wallet.servers import Seen
from wallet.design import Card, Code, Colours, Face, GoogleCard, Link, Place, Shown
from wallet.google import batch
from wallet.google.account import Account
from wallet.google.bodies import (
    GoogleIssuer,
    class_id,
    loyalty_class,
    loyalty_object,
    news,
    object_id,
    void_object,
)  # fmt: skip
from wallet.google.calls import Call
from wallet.google.client import without_nothing
from wallet.google.links import save_link

ISSUER = GoogleIssuer(
    "3388000000022000000", "https://loyalty.example/cards/loyalty", "https://loyalty.example/google",
    locale="uk",
)  # fmt: skip


def written(body: dict[str, Any]) -> dict[str, Any]:
    """A body as it is inserted."""
    inserted: dict[str, Any] = without_nothing(body)
    return inserted


def phrased(guest: Guest, card: Card, *locales: str) -> Face:
    """The card in several languages at once."""
    from wallet.design import resolve

    free = card.model_copy(update={"language": "phone"})
    return resolve(free, guest, guest.tier, guest.locale, guest.places, locales=locales)


class TestTheClass:
    """Everybody's part of the card."""

    def test_it_is_what_googles_schema_asks_for(self, card: Card, guest: Guest) -> None:
        body = written(loyalty_class(ISSUER, "loyalty", card, guest.face(), hero="hero.png"))
        google_schema("LoyaltyClass", whole=True).validate(body)
        assert body["id"] == "3388000000022000000.loyalty-silver-uk"
        assert body["hexBackgroundColor"] == "#1f3b2d"
        assert (body["rewardsTierLabel"], body["rewardsTier"]) == ("Рівень", "Срібло")
        assert body["reviewStatus"] == "UNDER_REVIEW"
        assert body["programLogo"]["sourceUri"]["uri"] == "https://loyalty.example/cards/loyalty/logo.png"
        assert body["heroImage"]["sourceUri"]["uri"] == "https://loyalty.example/cards/loyalty/hero.png"
        rows = body["classTemplateInfo"]["cardTemplateOverride"]["cardRowTemplateInfos"]
        assert [next(iter(row)) for row in rows] == ["twoItems", "oneItem", "oneItem"]
        assert not any(name.startswith("localized") for name in body)

    def test_smart_tap_is_switched_on_where_somebody_may_read_it(self, card: Card, guest: Guest) -> None:
        issuer = GoogleIssuer("1", "https://x.example", smart_tap_issuers=["2"])
        body = written(loyalty_class(issuer, "loyalty", card, guest.face(), hero=None))
        google_schema("LoyaltyClass", whole=True).validate(body)
        assert (body["enableSmartTap"], body["redemptionIssuers"]) == (True, ["2"])
        assert "heroImage" not in body

    def test_one_class_speaks_the_languages_of_all_phones_whoever_it_was_made_for(
        self, card: Card, guest: Guest
    ) -> None:
        ukrainian = phrased(guest, card, "uk", "en")
        guest.locale = "en"
        bodies = [
            written(loyalty_class(ISSUER, "loyalty", card, face, hero=None))
            for face in (ukrainian, phrased(guest, card, "uk", "en"))
        ]
        assert bodies[0] == bodies[1]
        google_schema("LoyaltyClass", whole=True).validate(bodies[0])
        assert bodies[0]["id"] == "3388000000022000000.loyalty-silver"
        assert bodies[0]["localizedRewardsTierLabel"] == {
            "defaultValue": {"language": "uk", "value": "Рівень"},
            "translatedValues": [{"language": "en", "value": "Level"}],
        }
        assert "localizedIssuerName" not in bodies[0], "the same in every language"


class TestTheObject:
    """One customer's part of the card."""

    def test_it_says_what_the_card_says(self, guest: Guest) -> None:
        guest.places = [Place(50.45, 30.52, "Хрещатик")]
        body = written(loyalty_object(ISSUER, "loyalty", guest.face(), "abc"))
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
            ],
            "linksModuleData": {
                "uris": [
                    {"id": "site", "uri": "https://kavarnia.example", "description": "Меню і кав'ярні"},
                    {
                        "id": "unsubscribe",
                        "uri": "https://kavarnia.example/p/abc",
                        "description": "Повідомлення",
                    },
                ]
            },
            "merchantLocations": [{"latitude": 50.45, "longitude": 30.52}],
            "messages": [],
            "smartTapRedemptionValue": "KV20261234",
        }

    def test_the_card_may_say_which_fields_stand_where(self, guest: Guest, card: Card) -> None:
        named = GoogleCard(
            points="expiring", secondary_points="balance", tier="next", modules=("terms", "tier")
        )
        other = card.model_copy(update={"google": named})
        body = written(loyalty_object(ISSUER, "loyalty", guest.face(other), "abc"))
        google_schema("LoyaltyObject", whole=True).validate(body)
        assert body["loyaltyPoints"]["label"] == "Згорає"
        assert body["secondaryLoyaltyPoints"]["balance"] == {"string": "1\u00a0250"}
        assert [module["id"] for module in body["textModulesData"]] == ["terms", "tier"]
        kind = written(loyalty_class(ISSUER, "loyalty", other, guest.face(other), hero=None))
        assert kind["rewardsTierLabel"] == "До наступного"
        rows = kind["classTemplateInfo"]["cardTemplateOverride"]["cardRowTemplateInfos"]
        assert [next(iter(row)) for row in rows] == ["threeItems", "twoItems"]

    def test_what_is_gone_from_the_card_is_taken_from_the_object(self, guest: Guest) -> None:
        guest.expiring, guest.name, guest.missing, guest.card = Decimal(0), "", None, ""
        body = loyalty_object(ISSUER, "loyalty", replace(guest.face(), links=()), "abc")
        assert (body["accountName"], body["merchantLocations"], body["barcode"]) == ("", [], None)
        assert (body["smartTapRedemptionValue"], body["linksModuleData"], body["validTimeInterval"]) == (
            None,
            None,
            None,
        )
        assert [module["id"] for module in body["textModulesData"]] == ["terms"]
        assert "notifyPreference" not in body

    def test_links_its_end_and_its_stores_are_those_of_the_card(self, guest: Guest) -> None:
        end = datetime(2026, 12, 31, 21, 59, 59, tzinfo=UTC)
        places = tuple(Place(50.0 + it, 30.0) for it in range(12))
        face = replace(
            guest.face(), expires=end, places=places, links=(Link("shop", "Магазин", "https://k.example"),)
        )
        body = written(loyalty_object(ISSUER, "loyalty", face, "abc"))
        google_schema("LoyaltyObject", whole=True).validate(body)
        assert body["validTimeInterval"] == {"end": {"date": "2026-12-31T21:59:59+00:00"}}
        uris = [{"id": "shop", "uri": "https://k.example", "description": "Магазин"}]
        assert body["linksModuleData"] == {"uris": uris}
        assert len(body["merchantLocations"]) == 10

    def test_it_speaks_the_language_of_the_phone(self, guest: Guest, card: Card) -> None:
        body = written(loyalty_object(ISSUER, "loyalty", phrased(guest, card, "uk", "en"), "abc"))
        google_schema("LoyaltyObject", whole=True).validate(body)
        assert body["classId"] == "3388000000022000000.loyalty-silver"
        label = body["loyaltyPoints"]["localizedLabel"]
        assert label["defaultValue"] == {"language": "uk", "value": "Бонуси"}
        assert label["translatedValues"] == [{"language": "en", "value": "Bonuses"}]
        [expiring] = [it for it in body["textModulesData"] if it["id"] == "expiring"]
        assert expiring["localizedBody"]["translatedValues"] == [
            {"language": "en", "value": "500 by 15 March"}
        ]

    def test_a_pass_that_is_void_keeps_nothing_of_its_holder(self, guest: Guest) -> None:
        full = without_nulls(loyalty_object(ISSUER, "loyalty", guest.face(), "abc"))
        google = Google(kept={full["classId"]: {}, full["id"]: {**full, "messages": [{"id": "m"}]}})
        void = void_object(ISSUER, "abc")
        assert google._patch("loyaltyObject", void["id"], void)[0] == 200
        left = {key: value for key, value in google.kept[full["id"]].items() if value}
        assert left == {"id": full["id"], "classId": full["classId"], "state": "INACTIVE"}


def test_ids_hold_only_what_google_allows(guest: Guest) -> None:
    ids = []
    for guest.tier in ("золото", "срібло", "gold"):
        ids.append(class_id("1", "my.card", guest.face()))
    assert len(set(ids)) == 3, "levels in any letters have classes of their own"
    assert all(re.fullmatch(r"1\.[A-Za-z0-9._-]+", name) for name in [*ids, object_id("1", "a.b c")])
    assert class_id("1", "loyalty", guest.face()) == "1.loyalty-gold-uk"


class TestTheSaveLink:
    """`https://pay.google.com/gp/v/save/…`."""

    def test_it_holds_ids_only_and_is_signed_by_the_account(self, account: Account) -> None:
        link = save_link(account, "1.abc", "1.loyalty-gold-uk", NOW, ("https://kavarnia.example",))
        token = link.removeprefix("https://pay.google.com/gp/v/save/")
        assert len(token) <= 1800
        claims = jwt.decode(
            token, account.key.public_key(), ["RS256"], audience="google", options={"verify_iat": False}
        )
        saved = claims["payload"]["loyaltyObjects"][0]
        google_schema("LoyaltyObject", whole=False).validate(saved)
        assert claims == {
            "iss": account.email,
            "aud": "google",
            "typ": "savetowallet",
            "iat": int(NOW.timestamp()),
            "origins": ["https://kavarnia.example"],
            "payload": {"loyaltyObjects": [{"id": "1.abc", "classId": "1.loyalty-gold-uk"}]},
        }

    def test_the_longest_ids_that_a_program_may_have_fit(self, account: Account) -> None:
        name, tier = "c" * 100, "t" * 100
        link = save_link(account, f"{10**19}.{'a' * 64}", f"{10**19}.{name}-{tier}-zh_Hant_TW", NOW)
        assert len(link.rpartition("/")[2]) <= 1800

    def test_one_that_google_would_cut_is_not_made(self, account: Account) -> None:
        with pytest.raises(ValueError, match="shorten"):
            save_link(account, "1." + "a" * 1500, "1.b", NOW)


WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
KEYS = st.from_regex(r"[a-z][a-z0-9_-]{0,10}", fullmatch=True)
SHOWN = st.builds(Shown, KEYS, WORDS, WORDS.filter(bool), st.none() | st.just("%@"))
PLACES = st.builds(Place, st.floats(-90, 90), st.floats(-180, 180), WORDS)
CODES = st.builds(Code, st.sampled_from(["qr", "pdf417", "aztec", "code128"]), WORDS, WORDS)


@st.composite
def faces(draw: st.DrawFn) -> Face:
    """Any card, in one to three languages."""
    shown = draw(st.lists(SHOWN, max_size=14, unique_by=lambda it: it.key))
    google = GoogleCard(
        points=draw(st.none() | KEYS), secondary_points=draw(st.none() | KEYS), tier=draw(st.none() | KEYS),
        modules=draw(st.none() | st.lists(KEYS, max_size=12).map(tuple)),
    )  # fmt: skip
    links = st.lists(st.builds(Link, KEYS, WORDS, st.just("https://k.example")), max_size=4)

    def face(locale: str, others: tuple[Face, ...]) -> Face:
        words: dict[str, Any] = {
            name: draw(WORDS) for name in ("organisation", "about", "account", "holder", "program_name")
        }
        return Face(
            locale=locale, tier=tier, colours=Colours(), header=tuple(shown[:3]), primary=tuple(shown[3:4]),
            secondary=tuple(shown[4:6]), auxiliary=tuple(shown[6:8]), back=tuple(shown[8:]),
            barcode=draw(st.none() | CODES), places=tuple(draw(st.lists(PLACES, max_size=12))),
            nfc=draw(st.none() | WORDS), smart_tap=draw(st.none() | WORDS), artwork="",
            links=tuple(draw(links)), google=google, others=others,
            expires=draw(st.none() | st.datetimes(timezones=st.just(UTC))), **words,
        )  # fmt: skip

    tier = draw(st.none() | WORDS)
    others = draw(st.lists(st.sampled_from(["en", "pl"]), max_size=2, unique=True))
    return face("uk", tuple(face(locale, ()) for locale in others))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(face=faces(), texts=st.tuples(WORDS, WORDS, st.none() | WORDS))
def test_whatever_a_card_says_googles_schema_accepts_every_body(
    face: Face, texts: tuple[str, str, str | None], card: Card
) -> None:
    own = face.with_news({"uk": "Новини", "en": "News"}, texts[0])
    message = {**news(own, texts[1], texts[2], texts[0], face.expires), "messageType": "TEXT"}
    kind = loyalty_class(ISSUER, "loyalty", card.model_copy(update={"google": face.google}), face, hero=None)
    thing = loyalty_object(ISSUER, "loyalty", own, "abc", messages=[message])
    void = void_object(ISSUER, "abc")
    for body, name in ((kind, "LoyaltyClass"), (thing, "LoyaltyObject")):
        google_schema(name, whole=True).validate(written(body))
    google_schema("LoyaltyObject", whole=False).validate(without_nulls(void))
    google_schema("AddMessageRequest", whole=True).validate({"message": message})
    assert len(thing["textModulesData"]) <= 10
    assert len(thing["merchantLocations"]) <= 10
    google = Google(kept={kind["id"]: {}, thing["id"]: {}})
    path = f"loyaltyObject/{thing['id']}"
    calls = [
        Call("PATCH", f"loyaltyClass/{kind['id']}", kind), Call("PATCH", path, thing),
        Call("PATCH", path, void), Call("POST", f"{path}/addMessage", {"message": message}),
    ]  # fmt: skip
    answers = in_a_batch(google, calls)
    assert answers == [200, 200, 200, 200]
    assert [body for _, _, body in google.single] == [call.body for call in calls], "not a byte was lost"


def in_a_batch(google: Google, calls: list[Call]) -> list[int]:
    """The statuses, through both ends of a batch."""
    sent = batch.compose(calls, "https://walletobjects.googleapis.com/walletobjects/v1")
    headers = {"content-type": batch.CONTENT_TYPE, "authorization": "Bearer the-token"}
    status, content, *heads = google.answer(Seen("POST", "/batch", headers, sent, "1.1"))
    assert status == 200
    assert isinstance(content, bytes)
    return [it.status for it in batch.read(heads[0]["content-type"], content, len(calls))]
