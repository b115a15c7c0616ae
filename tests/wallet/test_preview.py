"""The picture of the card: what is on it can be read, and it fits."""

import re
from io import BytesIO
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.wallet.cards import Guest
from wallet import preview
from wallet.artwork import Artwork
from wallet.design import Card
from wallet.preview import Side, WalletName
from wallet.preview.apple import shares
from wallet.preview.canvas import cut, fit, width_of, wrap
from wallet.preview.google import ink_on

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    return [it.text or "" for it in ET.fromstring(picture).iter(f"{SVG}text")]


@pytest.mark.parametrize("wallet", ["apple", "google"])
def test_the_front_shows_every_field_in_the_customers_language(
    wallet: WalletName, guest: Guest, pictures: Artwork
) -> None:
    said = texts(preview.svg(guest.face(), pictures, wallet))
    assert {"1\u00a0250", "Silver", "7\u00a0400\u00a0₴", "500 до 15 березня", "KV20261234"} <= set(said)
    assert {"бонуси", "рівень", "до наступного", "згорає"} <= {text.lower() for text in said}


@pytest.mark.parametrize("wallet", ["apple", "google"])
def test_the_back_shows_the_terms(wallet: WalletName, guest: Guest, pictures: Artwork) -> None:
    guest.terms = "Бонуси діють 180 днів. " * 12
    said = " ".join(texts(preview.svg(guest.face(), pictures, wallet, "back")))
    assert "Бонуси діють 180 днів." in said
    assert "https://kavarnia.example/p/abc" in said


@pytest.mark.parametrize("wallet", ["apple", "google"])
@pytest.mark.parametrize("side", ["front", "back"])
def test_what_customers_are_called_cannot_break_the_picture(
    wallet: WalletName, side: Side, guest: Guest, pictures: Artwork
) -> None:
    hostile = '<script>"&\x00\x0b</script> ]]>' + "Довге" * 400
    guest.name = guest.terms = guest.card = hostile
    assert preview.png(preview.svg(guest.face(), pictures, wallet, side), 1).startswith(b"\x89PNG")


def test_a_tier_has_its_colour(guest: Guest, pictures: Artwork) -> None:
    guest.tier = "gold"
    picture = preview.png(preview.svg(guest.face(), pictures), 1)
    with Image.open(BytesIO(picture)) as opened:
        assert opened.convert("RGB").getpixel((30, 470)) == (0x6B, 0x4F, 0x1D)


def test_front_and_back_stand_side_by_side(guest: Guest, pictures: Artwork) -> None:
    front = ET.fromstring(preview.svg(guest.face(), pictures))
    sheet = ET.fromstring(preview.sheet(guest.face(), pictures))
    assert float(sheet.attrib["width"]) > 2 * float(front.attrib["width"])


def test_the_picture_is_drawn_with_our_fonts_in_ukrainian_too(guest: Guest, pictures: Artwork) -> None:
    one, other = guest.face(), Guest(locale="en").face()
    assert preview.png(preview.svg(one, pictures), 1) != preview.png(preview.svg(other, pictures), 1)
    assert width_of("Бонуси ґєії ₴", 10) > width_of("Бонуси", 10) > 0


def test_the_code_on_the_picture_is_the_one_that_the_till_reads(guest: Guest, pictures: Artwork) -> None:
    import segno

    picture = preview.svg(guest.face(), pictures)
    (shape,) = [it.attrib["d"] for it in ET.fromstring(picture).iter(f"{SVG}path")]
    matrix = segno.make("KV20261234", error="m", micro=False).matrix
    side, dark = len(matrix), sum(map(sum, matrix))
    drawn = sum(float(wide) - 0.02 for wide in re.findall(r"h(\d[\d.]*)v", shape)) / (142 / side)
    assert round(drawn) == dark


@pytest.mark.parametrize("kind", ["pdf417", "aztec", "code128"])
@pytest.mark.parametrize("wallet", ["apple", "google"])
def test_other_codes_have_their_place(
    kind: str, wallet: WalletName, card: Card, guest: Guest, pictures: Artwork
) -> None:
    assert card.barcode is not None
    other = card.model_copy(update={"barcode": card.barcode.model_copy(update={"kind": kind})})
    said = texts(preview.svg(guest.face(other), pictures, wallet))
    assert any(text.lower().replace(" ", "") == kind for text in said)


def test_a_card_without_strip_and_code_is_still_a_card(card: Card, guest: Guest, pictures: Artwork) -> None:
    bare = card.model_copy(update={"barcode": None})
    plain = Artwork({role: data for role, data in pictures._originals.items() if role != "strip"})
    for wallet in ("apple", "google"):
        assert preview.png(preview.svg(guest.face(bare), plain, wallet), 1)


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
    rooms = shares(wanted, room)
    assert sum(rooms) <= room + 0.01
    if sum(wanted) <= room:
        assert all(got >= want for got, want in zip(rooms, wanted, strict=True))


def test_google_writes_dark_on_light() -> None:
    assert (ink_on("#1f3b2d"), ink_on("#f6e7d3")) == ("#ffffff", "#1f1f1f")
