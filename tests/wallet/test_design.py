"""What stands on the card, for whom, and when it counts as changed."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Problem
from core.source import load
from tests.wallet.cards import EXAMPLE, Guest, load_card
from wallet.design import Card, Place, nearest, say


def test_the_example_card_says_the_customers_facts_in_the_customers_language() -> None:
    ukrainian, english = Guest().face(), Guest(locale="en").face()
    assert [(it.label, it.value) for it in ukrainian.front] == [
        ("Бонуси", "1\u00a0250"),
        ("Рівень", "Silver"),
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
    assert [it.key for it in Guest(terms="").face().back] == ["unsubscribe"]


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


def test_another_wording_of_a_change_message_alone_is_no_change() -> None:
    face = Guest().face()
    (balance,) = face.header
    assert replace(face, header=(replace(balance, change_message="Маєте %@"),)).digest() == face.digest()


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
    assert dict(card.conditions()) == {
        "front.secondary.1.when": "tier.missing",
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
    "an unknown barcode": ("kind: qr", "kind: ean", "barcode.kind"),
}


@pytest.mark.parametrize(("before", "after", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_a_mistake_in_a_card_is_named_with_its_place(before: str, after: str, said: str) -> None:
    text = (EXAMPLE / "cards" / "loyalty.yaml").read_text(encoding="utf-8")
    assert before in text
    problems: list[Problem] = []
    document = load(text.replace(before, after, 1), "cards/loyalty.yaml", problems)
    assert document is not None
    assert document.validate(Card, problems) is None
    assert any(said in str(problem) for problem in problems), problems
    assert all(problem.line > 0 for problem in problems)


def test_five_fields_do_not_fit_below_the_strip() -> None:
    text = (EXAMPLE / "cards" / "loyalty.yaml").read_text(encoding="utf-8")
    more = "".join(f"\n    - {{key: more{n}, label: More, value: more}}" for n in range(2))
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
    far_away = load_card((EXAMPLE / "cards" / "loyalty.yaml").read_text().replace("near: {stores: 10}", ""))
    assert Guest(places=stores).face(far_away).places == ()


@given(st.integers(-80, 80), st.integers(-179, 179))
def test_the_closest_stores_come_first(latitude: int, longitude: int) -> None:
    here = Place(latitude, longitude)
    stores = [Place(latitude + step / 10, longitude - step / 10, str(step)) for step in (3, 1, 2)]
    assert [store.text for store in nearest(stores, here)] == ["1", "2", "3"]
