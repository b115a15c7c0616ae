"""Every size of every picture, from one original each."""

from binascii import crc32
from io import BytesIO

import pytest
from PIL import Image

from core.errors import UserError
from tests.wallet.cards import artwork, designed
from wallet.artwork import Artwork
from wallet.design import Card


def size(png: bytes) -> tuple[int, int]:
    with Image.open(BytesIO(png)) as picture:
        assert picture.format == "PNG"
        return picture.size


def test_apple_gets_three_scales_of_each(pictures: Artwork) -> None:
    sizes = {name: size(png) for name, png in pictures.apple.items()}
    assert (sizes["icon.png"], sizes["icon@3x.png"]) == ((29, 29), (87, 87))
    assert (sizes["strip.png"], sizes["strip@2x.png"], sizes["strip@3x.png"]) == (
        (375, 144),
        (750, 288),
        (1125, 432),
    )
    assert all(sizes[f"logo{at}.png"][0] <= 160 * scale for scale, at in ((1, ""), (2, "@2x"), (3, "@3x")))
    assert all(sizes[f"logo{at}.png"][1] <= 50 * scale for scale, at in ((1, ""), (2, "@2x"), (3, "@3x")))


def test_google_gets_a_square_logo_and_a_wide_picture(pictures: Artwork) -> None:
    assert {name: size(png) for name, png in pictures.google.items()} == {
        "logo.png": (660, 660),
        "hero.png": (1032, 336),
        pictures.google_hero("gold"): (1032, 336),
    }


def test_a_card_without_a_strip_has_none() -> None:
    originals = artwork()._originals
    plain = Artwork({role: data for role, data in originals.items() if role != "strip"})
    assert not any(name.startswith("strip") for name in plain.apple)
    assert set(plain.google) == {"logo.png"}


def test_the_digest_is_that_of_the_originals() -> None:
    originals = artwork()._originals
    plain = Artwork(originals)
    assert plain.digest == Artwork(originals).digest
    assert Artwork({**originals, "strip": originals["icon"]}).digest != plain.digest
    assert Artwork(originals, {"gold": originals["icon"]}).digest != plain.digest


def test_a_level_may_have_its_own_strip_and_shares_all_else(pictures: Artwork) -> None:
    gold = pictures.of_tier("gold")
    assert gold.apple["strip.png"] != pictures.apple["strip.png"]
    assert gold.apple["icon.png"] is pictures.apple["icon.png"]
    assert gold.google["hero.png"] == pictures.google[pictures.google_hero("gold") or ""]
    assert gold.digest != pictures.digest
    assert (pictures.of_tier("silver"), pictures.of_tier(None)) == (pictures, pictures)
    assert pictures.google_hero("silver") == "hero.png"


def test_google_may_have_pictures_of_its_own(pictures: Artwork) -> None:
    originals = artwork()._originals
    own = Artwork({**originals, "hero": originals["icon"], "google_logo": originals["logo"]})
    assert own.google["hero.png"] != pictures.google["hero.png"]
    assert own.google["logo.png"] != pictures.google["logo.png"]
    assert own.apple == Artwork(originals).apple


def test_a_picture_that_is_not_there_is_named(card: Card) -> None:
    with pytest.raises(UserError, match=r"images.icon: there is no file cards/images/icon.png"):
        Artwork.of(card, lambda path: None)


def test_a_file_that_is_no_picture_is_named() -> None:
    with pytest.raises(UserError, match=r"images.icon is not a picture"):
        _ = Artwork({"icon": b"hello", "logo": b"hello"}).apple


def test_grey_of_sixteen_bits_stays_grey() -> None:
    saved = BytesIO()
    Image.new("I;16", (200, 200), 32_768).save(saved, "PNG")
    icon = Artwork({"icon": saved.getvalue(), "logo": saved.getvalue()}).apple["icon.png"]
    assert Image.open(BytesIO(icon)).convert("RGB").getpixel((9, 9)) == (128, 128, 128)


def test_a_picture_that_is_damaged_or_of_absurd_size_is_named() -> None:
    whole = artwork()._originals["icon"]
    at = whole.index(b"IDAT") - 4
    damaged = whole[:at] + (100).to_bytes(4, "big") + whole[at + 4 :]
    with pytest.raises(UserError, match=r"images.icon is not a picture"):
        _ = Artwork({"icon": damaged, "logo": damaged}).apple
    at = whole.index(b"IHDR") + 4
    header = whole[at - 4 : at] + (20_000).to_bytes(4, "big") * 2 + whole[at + 8 : at + 13]
    absurd = whole[: at - 4] + header + crc32(header).to_bytes(4, "big") + whole[at + 17 :]
    with pytest.raises(UserError, match=r"images.icon has far too many pixels; make it smaller"):
        _ = Artwork({"icon": absurd, "logo": absurd}).apple


def test_a_pass_is_new_only_with_a_picture_that_it_carries() -> None:
    def of(**pictures: str) -> Artwork:
        look = {"gold": {"strip": pictures["gold"]}} if "gold" in pictures else {}
        google = {"hero": pictures["hero"]} if "hero" in pictures else {}
        return artwork(designed(by_tier=look, google=google))

    plain, googles, golden = of(), of(hero="images/strip-gold.png"), of(gold="images/strip-gold.png")
    assert len({it.digest for it in (plain, googles, golden)}) == 3
    assert plain.apple_digest == googles.apple_digest == golden.of_tier("silver").apple_digest
    assert golden.of_tier("gold").apple_digest != plain.apple_digest
    assert plain.google_digest == "" != googles.google_digest
