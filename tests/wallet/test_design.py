"""What stands on the card, for whom, and when it counts as changed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Problem
from core.source import load
from tests.wallet.cards import EXAMPLE, Guest, designed, load_card
from wallet.design import Card, GoogleCard, Link, Place, nearest, resolve, say


def test_the_example_card_says_the_customers_facts_in_the_customers_language() -> None:
    ukrainian, english = Guest().face(), Guest(locale="en").face()
    assert [(it.label, it.value) for it in ukrainian.front] == [
        ("Бонуси", "1\u00a0250"),
        ("Рівень", "Срібло"),
        ("До наступного", "7\u00a0400\u00a0₴"),
        ("Згорає", "500 до 15 березня"),
    ]
    assert [it.label for it in english.front] == ["Bonuses", "Level", "To the next", "Expiring"]
    assert english.front[-1].value == "500 by 15 March"
    assert english.front[0].change_message == "You now have %@"
    assert (ukrainian.organisation, ukrainian.account, ukrainian.holder) == (
        "Kavarnia",
        "KV20261234",
        "Олена Коваль",
    )


def test_a_field_whose_condition_does_not_hold_is_not_on_the_card() -> None:
    face = Guest(expiring=Decimal(0), missing=None).face()
    assert [it.key for it in face.front] == ["balance", "tier"]


def test_a_field_without_a_value_is_not_on_the_card() -> None:
    assert Guest().face().back[0].key == "terms"
    assert Guest(terms="").face().back == ()


def test_a_tier_lays_its_colours_over_those_of_the_card() -> None:
    silver, gold = Guest().face().colours, Guest(tier="gold").face().colours
    assert (silver.background, gold.background) == ("#1f3b2d", "#6b4f1d")
    assert gold.text == silver.text


@pytest.mark.parametrize(
    ("locale", "text"),
    [("uk", "Бонуси"), ("uk-UA", "Бонуси"), ("uk_UA", "Бонуси"), ("en", "Bonuses"), ("pl", "Бонуси")],
)
def test_a_locale_without_a_text_of_its_own_gets_its_languages_or_the_first(locale: str, text: str) -> None:
    assert say({"uk": "Бонуси", "en": "Bonuses"}, locale) == text


CHANGES: dict[str, Callable[[Guest], None]] = {
    "the balance": lambda guest: setattr(guest, "balance", Decimal(1251)),
    "the tier": lambda guest: setattr(guest, "tier", "gold"),
    "what expires": lambda guest: setattr(guest, "expiring", Decimal(0)),
    "the card's number": lambda guest: setattr(guest, "card", "KV1"),
    "the terms": lambda guest: setattr(guest, "terms", "Нові правила."),
    "the language": lambda guest: setattr(guest, "locale", "en"),
    "a store near by": lambda guest: guest.places.append(Place(50.45, 30.52, "Хрещатик")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_digest_changes_with_everything_that_the_card_shows(change: Callable[[Guest], None]) -> None:
    guest = Guest()
    before = guest.face().digest()
    assert guest.face().digest() == before
    change(guest)
    assert guest.face().digest() != before


def test_the_digest_changes_with_the_pictures() -> None:
    assert Guest().face(digest="one").digest() != Guest().face(digest="two").digest()


def test_what_only_google_is_told_is_no_change_of_the_pass() -> None:
    face = Guest().face()
    for other in (
        replace(face, holder="Інша"), replace(face, smart_tap="1"), replace(face, google_artwork="hero"),
        replace(face, program_name="Картка"), replace(face, google=GoogleCard(points="tier")),
    ):  # fmt: skip
        assert other.digest() == face.digest()
        assert other.google_digest() != face.google_digest()


def test_of_a_card_without_anything_newer_the_digest_of_schema_0004_is_known() -> None:
    """Kept by every pass that was not marked since: taken from that version."""
    plain = designed(
        links=[], expires=None, google={}, by_tier={}, about="Картка", barcode={"message": "1"},
        front={"header": [{"key": "balance", "label": "Бонуси", "value": "{{ balance | number }}"}]}, back=[],
        near={"stores": 3}, nfc=None,
    )  # fmt: skip
    face = Guest(places=[Place(50.45, 30.52, "Хрещатик")]).face(plain, "abc")
    assert face.digest_before_0005() == "0ab62a2cb9fd46566227e5594f34a2db"
    assert replace(face, expires=datetime(2027, 1, 1, tzinfo=UTC)).digest_before_0005() == ""


def test_another_wording_of_a_change_message_alone_is_no_change() -> None:
    face = Guest().face()
    balance, tier = face.header
    assert replace(face, header=(replace(balance, change_message="Маєте %@"), tier)).digest() == face.digest()


def test_the_notice_changes_only_with_values_that_are_announced() -> None:
    before = Guest().face().notice()
    assert Guest(terms="Нові правила.").face().notice() == before
    assert Guest(balance=Decimal(1)).face().notice() != before
    assert Guest(tier="gold").face().notice() != before


def test_a_message_on_the_card_stands_first_on_its_back_and_is_announced() -> None:
    face = Guest().face()
    told = face.with_news("Новини", "Завтра кава за наш рахунок")
    assert (told.back[0].value, told.back[0].change_message) == ("Завтра кава за наш рахунок", "%@")
    assert told.digest() != face.digest()
    assert told.notice() != face.notice()


def test_every_template_and_condition_can_be_checked_beforehand(card: Card) -> None:
    templates = dict(card.templates())
    assert templates["front.header.0.value"] == "{{ balance | number }}"
    assert templates["barcode.message"] == "{{ customer.card }}"
    assert templates["front.auxiliary.0.value.en"].endswith("{{ expiring.on | day }}")
    assert (templates["nfc.message"], templates["links.0.uri"]) == (
        "{{ customer.card }}",
        "{{ program.url }}",
    )
    assert dict(card.near_texts())["near.text.en"] == "{{ store.name }}: your coffee is near"
    assert dict(card.conditions()) == {
        "front.secondary.0.when": "tier.missing",
        "front.auxiliary.0.when": "expiring.amount",
    }


def test_locales_of_the_program_that_the_card_lacks_are_named(card: Card) -> None:
    assert list(card.missing(["uk", "en"])) == []
    assert ("front.header.0.label", "pl") in list(card.missing(["uk", "pl"]))


FAULTS = {
    "an unknown key": ("colours:", "colors:", "colors"),
    "a colour by name": ('"#1f3b2d"', "green", "expected a colour, got 'green'"),
    "a change message without its value": ('"Тепер у вас %@"', '"Нові бонуси"', "notify lacks %@"),
    "a key twice": ("key: next", "key: tier", "two fields have the key 'tier'"),
    "a key with capitals": ("key: next", "key: Next", "expected a short name, got 'Next'"),
    "a kept key": ("key: next", "key: news", "kept for messages"),
    "too many stores": ("stores: 10", "stores: 11", "near.stores"),
    "a key of a link and a field": ("key: site", "key: terms", "two fields have the key 'terms'"),
    "a link without an address": ("{{ program.url }}", "kavarnia", "expected an address, got 'kavarnia'"),
    "an expiry that is no day": ("near:", "expires: soon\nnear:", "expected a date, got 'soon'"),
    "a language of nobody": ("near:", "language: both\nnear:", "write phone or customer"),
    "an unknown part of nfc": ("nfc: ", "nfc: {mesage: x} #", "nfc.mesage"),
    "an unknown barcode": ("kind: qr", "kind: ean", "barcode.kind"),
}


@pytest.mark.parametrize(("before", "after", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_a_mistake_in_a_card_is_named_with_its_place(before: str, after: str, said: str) -> None:
    text = (EXAMPLE / "cards" / "loyalty.yaml").read_text(encoding="utf-8")
    assert before in text
    problems: list[Problem] = []
    document = load(text.replace(before, after, 1), "cards/loyalty.yaml", problems)
    assert document is not None
    document.validate(Card, problems)
    assert any(said in str(problem) for problem in problems), problems
    assert all(problem.line > 0 for problem in problems)


def test_five_fields_do_not_fit_below_the_strip() -> None:
    text = (EXAMPLE / "cards" / "loyalty.yaml").read_text(encoding="utf-8")
    more = "".join(f"\n    - {{key: more{n}, label: More, value: more}}" for n in range(3))
    problems: list[Problem] = []
    document = load(
        text.replace("\n  auxiliary:", f"{more}\n  auxiliary:", 1), "cards/loyalty.yaml", problems
    )
    assert document is not None
    assert document.validate(Card, problems) is None
    assert "at most four fields together" in str(problems[0])


def test_only_as_many_stores_as_the_card_says_are_on_it() -> None:
    stores = [Place(50.0 + step / 100, 30.0) for step in range(20)]
    assert len(Guest(places=stores).face().places) == 10
    assert Guest(places=stores).face(designed(near=None)).places == ()


def test_near_a_store_the_lock_screen_says_its_name_in_the_customers_language() -> None:
    stores = [Place(50.45, 30.52, "Хрещатик")]
    said = [Guest(places=stores, locale=locale).face().places[0].text for locale in ("uk", "en")]
    assert said == ["Хрещатик: ваша кава поруч", "Хрещатик: your coffee is near"]
    assert Guest(places=stores).face(designed(near={"stores": 1})).places[0].text == "Хрещатик"


def test_links_have_a_name_in_the_customers_language_and_none_leads_nowhere() -> None:
    telegram = {"key": "telegram", "label": "Telegram", "uri": "{{ customer.name if False }}"}
    links = [{"key": "site", "label": {"uk": "Сайт", "en": "Site"}, "uri": "{{ program.url }}"}, telegram]
    assert Guest(locale="en").face(designed(links=links)).links == (
        Link("site", "Site", "https://kavarnia.example"),
    )


@pytest.mark.parametrize("given", ["2026-03-15", "{{ expiring.on }}"])
def test_a_card_ends_with_its_last_day_in_the_programs_zone(given: str) -> None:
    card = designed(expires=given)
    face = resolve(card, Guest(), "silver", "uk", zone=ZoneInfo("Europe/Kyiv"))
    assert face.expires == datetime(2026, 3, 15, 21, 59, 59, tzinfo=UTC)
    endless = Guest(expiring=Decimal(0)).face(designed(expires="{{ expiring.on }}"))
    assert endless.expires is None


def test_a_last_day_so_far_off_that_it_means_never_is_none() -> None:
    assert Guest().face(designed(expires="9999-12-31")).expires is None
    assert Guest().face(designed(expires="2199-12-31")).expires is not None


def test_readers_are_told_one_value_or_each_its_own() -> None:
    both = Guest().face()
    assert (both.nfc, both.smart_tap, both.authenticate) == ("KV20261234", "KV20261234", False)
    each = Guest().face(designed(nfc={"message": "A", "smart_tap": "G", "authenticate": True}))
    assert (each.nfc, each.smart_tap, each.authenticate) == ("A", "G", True)


def test_a_card_of_the_phones_language_is_there_in_every_language_of_the_program() -> None:
    face = resolve(designed(language="phone"), Guest(), "silver", "uk", locales=["uk", "en"])
    [english] = face.others
    assert (face.locale, english.locale, english.header[0].label) == ("uk", "en", "Bonuses")
    told = face.with_news({"uk": "Новини", "en": "News"}, "Кава за наш рахунок")
    assert (told.back[0].label, told.others[0].back[0].label) == ("Новини", "News")
    assert replace(face, others=()).digest() != face.digest()


def test_a_card_speaks_the_customers_language_alone_unless_it_says_otherwise() -> None:
    assert resolve(load_card(), Guest(), "silver", "uk", locales=["uk", "en"]).others == ()


def test_an_emptied_card_says_nothing_of_its_holder() -> None:
    face = resolve(
        designed(language="phone", expires="2026-03-15"), Guest(), "gold", "uk", locales=["uk", "en"]
    )
    empty = replace(face.emptied(), tier=None)
    assert not any(word in repr(empty) for word in ("KV20261234", "Олена", "1\\xa0250", "kavarnia.example/p"))
    assert [it.front for it in (empty, *empty.others)] == [(), ()]


def test_what_one_wallet_alone_knows_stands_in_its_own_part() -> None:
    apple = {"logo_text": {"uk": "Кав'ярня"}, "sharing": False, "apps": [123456789]}
    google = {"points": "balance", "modules": ["terms"], "program_name": {"uk": "Бонуси Kavarnia"}}
    face = Guest().face(designed(apple=apple, google=google))
    assert (face.logo_text, face.sharing, face.apps) == ("Кав'ярня", False, (123456789,))
    assert (face.google.points, face.google.modules) == ("balance", ("terms",))
    assert (face.program_name, Guest().face(designed(google={})).program_name) == (
        "Бонуси Kavarnia",
        "Kavarnia",
    )
    assert list(designed(google=google).google.named()) == [("points", "balance"), ("modules.0", "terms")]


@given(st.integers(-80, 80), st.integers(-179, 179))
def test_the_closest_stores_come_first(latitude: int, longitude: int) -> None:
    here = Place(latitude, longitude)
    stores = [Place(latitude + step / 10, longitude - step / 10, str(step)) for step in (3, 1, 2)]
    assert [store.text for store in nearest(stores, here)] == ["1", "2", "3"]
