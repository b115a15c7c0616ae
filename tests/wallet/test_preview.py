"""The picture of the card: what is on it is what the pass says, it can be read, and it fits."""

import re
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.wallet.cards import Guest, artwork, designed, load_card
from tests.wallet.conftest import NOW
from wallet import preview
from wallet.apple.content import Issuer, pass_json
from wallet.artwork import Artwork
from wallet.design import Card, Face, Place, Shown
from wallet.google.bodies import GoogleIssuer, loyalty_class, loyalty_object
from wallet.measure import cut, fit, width_of, wrap
from wallet.preview import Canvas, Side, Status, Subject, WalletName, apple, google
from wallet.preview.contact import contact_sheet
from wallet.preview.contrast import contrasts, ratio
from wallet.preview.phone_words import phone_words
from wallet.preview.remarks import cut_off, remarks
from wallet.preview.themes import APPLE, GOOGLE

SVG = "{http://www.w3.org/2000/svg}"
KYIV = ZoneInfo("Europe/Kyiv")
NO_STRIP = {"icon": "images/icon.png", "logo": "images/logo.png"}
TEN = [{"key": f"rule{n}", "label": f"Правило {n}", "value": f"Пункт {n}. " * 30} for n in range(10)]


def subject(
    pictures: Artwork,
    guest: Guest | None = None,
    card: Card | None = None,
    face: Face | None = None,
    status: Status = "active",
) -> Subject:
    card = card or load_card()
    face = face or (guest or Guest()).face(card)
    return Subject(card, face, pictures, NOW, KYIV, status)


def texts(canvas: Canvas, *, phone: bool = False) -> list[str]:
    """What the card says on a picture, or what the phone itself says."""
    found = ET.fromstring(canvas.svg()).iter(f"{SVG}text")
    return [it.text or "" for it in found if (it.get("class") == "phone") == phone]


def sides(one: Subject, wallet: WalletName) -> list[str]:
    return [text for side in ("front", "back") for text in texts(preview.draw(one, wallet, side))]


def apple_says(face: Face) -> set[str]:
    """The texts of pass.json, labels of the front in capitals as iPhones write them."""
    card = pass_json(Issuer("pass.example", "TEAM"), face, "serial", "token")
    said = {card["organizationName"], card["description"], card["barcodes"][0]["altText"]}
    for row, fields in card["storeCard"].items():
        for field in fields:
            if link := field.get("attributedValue"):
                said.add(re.sub(r"<[^>]+>", "", link))
            else:
                said |= {field["label"].upper() if row != "backFields" else field["label"], field["value"]}
    return said


def google_says(card: Card, face: Face) -> set[str]:
    """The texts of the class and the object."""
    issuer = GoogleIssuer("3388000000000000000", "https://images.example")
    made = loyalty_class(issuer, "loyalty", card, face, hero="hero.png")
    body = loyalty_object(issuer, "loyalty", face, "serial")
    said = {made[name] for name in ("issuerName", "programName", "rewardsTier", "rewardsTierLabel")}
    said |= {body["accountName"], body["accountId"], body["barcode"]["alternateText"]}
    said |= {text for it in body["textModulesData"] for text in (it["header"], it["body"])}
    said |= {link["description"] for link in body["linksModuleData"]["uris"]}
    return said | {body["loyaltyPoints"]["label"], body["loyaltyPoints"]["balance"]["string"]}


@pytest.mark.parametrize("locale", ["uk", "en"])
def test_the_pictures_say_what_the_pass_and_the_google_object_say(locale: str, pictures: Artwork) -> None:
    one = subject(pictures, Guest(locale=locale))
    assert set(sides(one, "apple")) == apple_says(one.face)
    assert set(sides(one, "google")) == google_says(one.card, one.face)


def test_google_shows_the_fields_where_the_card_wants_them(pictures: Artwork) -> None:
    chosen = designed(google={"points": "expiring", "modules": ["next"], "program_name": "Клуб кави"})
    said = texts(preview.draw(subject(pictures, card=chosen), "google"))
    assert said[:2] == ["Kavarnia", "Клуб кави"]
    assert said.index("Згорає") < said.index("Рівень") < said.index("До наступного")


def test_the_details_tell_when_the_card_ends_in_the_phones_words(pictures: Artwork) -> None:
    one = subject(pictures, face=replace(Guest().face(), locale="de", expires=NOW))
    for wallet in preview.WALLETS:
        drawn = preview.draw(one, wallet, "back")
        assert "1. März 2026" in texts(drawn)
        assert "Gültig bis" in texts(drawn, phone=True)


@pytest.mark.parametrize("wallet", preview.WALLETS)
@pytest.mark.parametrize("side", ["front", "back"])
def test_what_customers_are_called_cannot_break_the_picture(
    wallet: WalletName, side: Side, guest: Guest, pictures: Artwork
) -> None:
    hostile = '<script>"&\x00\x0b</script> ]]>' + "Довге" * 100
    guest.name = guest.terms = guest.card = hostile
    drawn = preview.draw(subject(pictures, guest), wallet, side)
    assert ET.fromstring(drawn.svg()) is not None
    assert preview.png(drawn.svg(), 0.3).startswith(b"\x89PNG")


def test_a_tier_has_its_colour_and_its_picture(pictures: Artwork) -> None:
    gold, silver = (preview.draw(subject(pictures, Guest(tier=tier)), "apple") for tier in ("gold", "silver"))
    with Image.open(BytesIO(preview.png(gold.svg(), 1))) as opened:
        assert opened.convert("RGB").getpixel((30, 540)) == (0x6B, 0x4F, 0x1D)
    assert {name for name in gold.shared if name.startswith("picture")} != {
        name for name in silver.shared if name.startswith("picture")
    }


@pytest.mark.parametrize("wallet", preview.WALLETS)
def test_a_dark_phone_changes_its_own_colours_and_not_the_cards(
    wallet: WalletName, pictures: Artwork
) -> None:
    one = subject(pictures)
    light, dark = (preview.draw(one, wallet, "front", theme) for theme in preview.THEMES)
    card = {"apple": apple, "google": google}[wallet].face(one).content
    assert card in light.content
    assert card in dark.content
    back = [preview.draw(one, wallet, "back", theme).svg() for theme in preview.THEMES]
    assert light.content != dark.content
    assert back[0] != back[1]
    assert texts(light) == texts(dark)


@pytest.mark.parametrize("around", [*APPLE.values(), *GOOGLE.values()])
def test_what_the_phone_writes_can_be_read(around: Any) -> None:
    for ground in (around.sheet, around.group):
        for colour in (around.ink, around.soft, around.link, around.danger):
            assert ratio(colour, ground) >= 4.5
    assert ratio(around.ink, around.button) >= 4.5
    assert min(ratio(around.ink, around.notice), ratio(around.soft, around.notice)) >= 4.5


def test_the_details_grow_instead_of_dropping_fields(pictures: Artwork) -> None:
    long = subject(pictures, card=designed(back=TEN))
    for wallet in preview.WALLETS:
        drawn = preview.draw(long, wallet, "back")
        told = {text for text in texts(drawn) if text.startswith("Правило")}
        # Google takes ten fields beside points and level, and two of them stand on the front.
        assert len(told) == (10 if wallet == "apple" else 8)
        assert drawn.height > 1500
        assert preview.draw(long, wallet).height < drawn.height


def test_front_and_back_stand_side_by_side_as_high_as_each_other(pictures: Artwork) -> None:
    one = subject(pictures)
    sheet = preview.sheet(one, "google")
    assert sheet.width > 2 * preview.draw(one, "google").width
    assert {it.height for it in preview.screens(one, "google", "light", ("front", "back"))} == {sheet.height}


def test_a_message_of_many_short_lines_is_not_cut_off_where_they_are_one(pictures: Artwork) -> None:
    one = subject(pictures, face=Guest().face().with_news("Новини", "Кава\n\nЧай\nСік\nВода\nКакао"))
    for wallet in preview.WALLETS:
        lock = preview.draw(one, wallet, "lock")
        assert "Кава Чай Сік Вода Какао" in texts(lock)
        assert lock.cuts == []


def test_a_message_stands_on_the_back_and_on_the_lock_screen(pictures: Artwork) -> None:
    text = "Завтра кава за наш рахунок: покажіть картку на касі до полудня і оберіть напій. " * 3
    one = subject(pictures, face=Guest().face().with_news("Новини", text.strip()))
    for wallet in preview.WALLETS:
        assert not any("Завтра" in said for said in texts(preview.draw(one, wallet)))
        assert "Завтра кава за наш" in " ".join(texts(preview.draw(one, wallet, "back")))
        lock = preview.draw(one, wallet, "lock")
        assert " ".join(texts(lock)).endswith("…")
        assert [it.key for it in lock.cuts] == ["news"]
        assert "неділя, 1 березня" in texts(lock, phone=True)


def test_a_card_that_is_no_longer_good_says_so_and_its_code_fades(pictures: Artwork) -> None:
    void, over = (subject(pictures, status=status) for status in ("voided", "expired"))
    for one, said in ((void, "Ця картка вже недійсна"), (over, "Термін дії картки минув")):
        drawn = preview.draw(one, "apple")
        assert said in texts(drawn, phone=True)
        assert f'opacity="{apple.FADED}"' in drawn.svg()
    assert "KV20261234" not in sides(void, "google")  # a void object at Google is empty
    assert "KV20261234" in sides(over, "google")


def test_a_card_without_a_code_is_held_to_the_reader(pictures: Artwork) -> None:
    tapped = subject(pictures, card=designed(barcode=None))
    bare = subject(pictures, card=designed(barcode=None, nfc=None))
    for wallet in preview.WALLETS:
        assert "Піднесіть до зчитувача" in texts(preview.draw(tapped, wallet), phone=True)
        assert "Піднесіть до зчитувача" not in texts(preview.draw(bare, wallet), phone=True)
    assert not list(remarks(tapped))
    assert list(remarks(bare)) == ["no barcode and no nfc: a till cannot read this card; add barcode"]


def test_without_a_strip_the_row_moves_up(pictures: Artwork) -> None:
    card = designed(images=NO_STRIP, by_tier={})
    plain = subject(artwork(card), card=card)
    assert _place(preview.draw(plain, "apple"), "next") < _place(
        preview.draw(subject(pictures), "apple"), "next"
    )
    assert texts(preview.draw(plain, "google"))


def _place(canvas: Canvas, field: str) -> float:
    found = ET.fromstring(canvas.svg()).iter(f"{SVG}text")
    return next(float(it.attrib["y"]) for it in found if it.get("data-field") == field)


# --- what fits

LONG = {
    "header": [
        {"key": "balance", "label": "Bonuspunktestand", "value": "12.345,67"},
        {"key": "tier", "label": "Treuestufe", "value": "Goldmitgliedschaft"},
    ],
    "primary": [{"key": "saved", "label": "In diesem Jahr gespart", "value": "1.234.567,89 €"}],
    "secondary": [
        {"key": "next", "label": "Bis zur nächsten Treuestufe", "value": "7.400,00 €"},
        {"key": "coupon", "label": "Geburtstagsgutschein", "value": "Eine Kaffeespezialität gratis"},
    ],
    "auxiliary": [
        {"key": "expiring", "label": "Verfällt demnächst", "value": "500 am 15. September"},
        {"key": "store", "label": "Stammfiliale", "value": "Königsberger Straße"},
    ],
}


def test_what_the_phone_would_cut_off_is_seen_and_named(pictures: Artwork) -> None:
    one = subject(pictures, card=designed(front=LONG, apple={"logo_text": "Kaffeehausgesellschaft"}))
    drawn = preview.draw(one, "apple")
    cuts = {(it.key, it.whole): it.seen for it in drawn.cuts}
    assert cuts["coupon", "Eine Kaffeespezialität gratis"] in texts(drawn)
    assert cuts["logo_text", "Kaffeehausgesellschaft"] == ""  # header fields leave it no room at all
    assert all(seen.endswith("…") or not seen for seen in cuts.values())
    assert "coupon: 'Eine Kaffeespezialität gratis' is cut off" in list(cut_off([drawn]))
    assert not preview.draw(subject(pictures), "apple").cuts


LONG_CARD = designed(front=LONG)
LONG_FACE = Guest().face(LONG_CARD)
WORDS = st.text("абвґєїwWmiłßŻ 1.,₴", min_size=1, max_size=40).filter(lambda it: bool(it.strip()))


@settings(max_examples=40, deadline=None)
@given(said=st.lists(st.tuples(WORDS, WORDS), min_size=7, max_size=7))
def test_nothing_on_the_front_touches_or_leaves_the_card(
    said: list[tuple[str, str]], pictures: Artwork
) -> None:
    texts = iter(said)
    rows: Any = {
        row: tuple(Shown(field["key"], *next(texts)) for field in fields) for row, fields in LONG.items()
    }
    one = subject(pictures, card=LONG_CARD, face=replace(LONG_FACE, **rows))
    for canvas in (apple.face(one), google.face(one)):
        for line in _lines(canvas):
            assert line[0][0] >= 0
            assert line[-1][1] <= canvas.width
            assert all(right <= left for (_, right), (left, _) in pairwise(line)), line


def _lines(canvas: Canvas) -> list[list[tuple[float, float]]]:
    """The left and right ends of texts that stand on one line."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for it in ET.fromstring(canvas.svg(alone=False)).iter(f"{SVG}text"):
        lines.setdefault(it.attrib["y"], []).append(_ends(it.attrib, it.text or ""))
    return [sorted(line) for line in lines.values()]


def _ends(given: Mapping[str, str], text: str) -> tuple[float, float]:
    weight: Any = int(given["font-weight"])
    wide = width_of(text, float(given["font-size"]), weight) + float(given.get("letter-spacing", 0)) * len(
        text
    )
    x = float(given["x"]) - {"start": 0, "middle": wide / 2, "end": wide}[given["text-anchor"]]
    return x, x + wide - 0.75


@given(st.text(max_size=80), st.floats(20, 300))
def test_a_text_is_never_wider_than_its_room(text: str, room: float) -> None:
    line, size = fit(text, 18, room)
    assert width_of(line, size) <= room + 0.01 or line == "…"
    assert 18 * 0.75 - 0.01 <= size <= 18


@given(st.text(max_size=300), st.floats(60, 300))
def test_lines_are_never_wider_than_their_room(text: str, room: float) -> None:
    lines = wrap(text, 14, room, 4)
    assert len(lines) <= 4
    assert all(width_of(line, 14) <= room + 0.01 or len(line) <= 1 for line in lines)


def test_a_text_that_is_too_long_ends_in_an_ellipsis() -> None:
    assert cut("Згорає 500 бонусів", 14, 80).endswith("…")
    assert cut("500", 14, 80) == "500"


@given(st.lists(st.floats(1, 400), min_size=1, max_size=4), st.floats(100, 400))
def test_fields_share_their_row_without_overlap(wanted: list[float], room: float) -> None:
    rooms = apple.shares(wanted, room)
    assert sum(rooms) <= room + 0.01
    if sum(wanted) <= room:
        assert all(got >= want for got, want in zip(rooms, wanted, strict=True))


# --- colours, words, sheets


def test_colours_that_cannot_be_told_apart_are_told(pictures: Artwork) -> None:
    assert (round(ratio("#ffffff", "#000000")), round(ratio("#777777", "#777777"))) == (21, 1)
    assert all(it.enough for it in contrasts(subject(pictures)))
    pale = designed(colours={"background": "#f6e7d3", "text": "#3b2a1a", "label": "#a98d6b"}, front=LONG)
    told = " ".join(remarks(subject(pictures, card=pale)))
    assert "colours.label: #a98d6b on #f6e7d3 has a contrast of 2.6:1; WCAG asks for 4.5:1" in told
    assert "colours.text over images.strip" in told


def test_a_logo_that_cannot_be_seen_and_letters_that_we_lack_are_told(pictures: Artwork) -> None:
    pale = designed(colours={"background": "#f6e7d3", "text": "#3b2a1a", "label": "#6b4f2a"})
    assert "images.logo: most of it cannot be told from #f6e7d3" in list(
        remarks(subject(pictures, card=pale))
    )
    told = subject(pictures, face=Guest().face().with_news("Новини", "Кава ☕ за наш рахунок 🎉"))
    assert "the pictures have no ☕ 🎉" in " ".join(cut_off([preview.draw(told, "apple", "back")]))


def test_google_writes_in_whichever_of_white_and_black_is_told_apart_better() -> None:
    assert (google.ink_on("#1f3b2d"), google.ink_on("#f6e7d3")) == ("#ffffff", "#1f1f1f")


def test_the_picture_is_drawn_with_our_fonts_in_every_language(pictures: Artwork) -> None:
    one = preview.draw(subject(pictures, Guest(locale="en")), "apple").svg()
    other = preview.draw(subject(pictures), "apple").svg()
    assert preview.png(one, 0.5) != preview.png(other, 0.5)
    assert width_of("Бонуси ґєії ₴", 10) > width_of("Бонуси", 10) > 0
    assert phone_words("uk-UA") == phone_words("uk") != phone_words("ja") == phone_words("en")


def test_pictures_are_carried_once_however_often_they_are_drawn(pictures: Artwork) -> None:
    one = subject(pictures)
    drawn: list[Canvas] = [preview.sheet(one, "apple", theme) for theme in preview.THEMES]
    sheet = contact_sheet("Kavarnia", ["light", "dark"], [("silver · uk", drawn)])
    assert {"Kavarnia", "light", "dark", "silver · uk"} <= set(texts(sheet, phone=True))
    assert sheet.svg().count("base64,") == len(
        {*drawn[0].shared} & {it for it in sheet.shared if "picture" in it}
    )


def test_a_card_that_knows_stores_may_be_suggested_on_the_lock_screen(pictures: Artwork) -> None:
    near = subject(pictures, Guest(places=[Place(50.45, 30.52, "Хрещатик")]))
    assert "Пропонувати на замкненому екрані" in texts(preview.draw(near, "apple", "back"), phone=True)
    far = texts(preview.draw(subject(pictures), "apple", "back"), phone=True)
    assert "Пропонувати на замкненому екрані" not in far
