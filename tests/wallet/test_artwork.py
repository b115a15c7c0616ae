"""Every size of every picture, from one original each."""

from io import BytesIO

import pytest
from PIL import Image

from core.errors import UserError
from tests.wallet.cards import artwork
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
    }


def test_a_card_without_a_strip_has_none() -> None:
    originals = artwork()._originals
    plain = Artwork({role: data for role, data in originals.items() if role != "strip"})
    assert not any(name.startswith("strip") for name in plain.apple)
    assert set(plain.google) == {"logo.png"}


def test_the_digest_is_that_of_the_originals() -> None:
    originals = artwork()._originals
    assert artwork().digest == Artwork(originals).digest
    assert Artwork({**originals, "strip": originals["icon"]}).digest != artwork().digest


def test_a_picture_that_is_not_there_is_named(card: Card) -> None:
    with pytest.raises(UserError, match=r"images.icon: there is no file cards/images/icon.png"):
        Artwork.of(card, lambda path: None)


def test_a_file_that_is_no_picture_is_named() -> None:
    with pytest.raises(UserError, match=r"images.icon is not a picture"):
        _ = Artwork({"icon": b"hello", "logo": b"hello"}).apple
