"""A card that follows the phone's language: the texts that differ, and how they are spelled."""

from dataclasses import replace
from io import BytesIO
from zipfile import ZipFile

from tests.wallet.cards import Guest, designed
from tests.wallet.conftest import NOW
from wallet.apple.package import Packager
from wallet.apple.strings import differences, translations
from wallet.design import Face, Place, Shown, resolve


def followed(guest: Guest) -> Face:
    """The example's card in Ukrainian, and beside it in English."""
    card = designed(language="phone")
    stores = [Place(50.45, 30.52, "Хрещатик")]
    return resolve(card, guest, guest.tier, "uk", stores, "", locales=("uk", "en"))


def test_only_texts_that_differ_are_translated(guest: Guest) -> None:
    face = followed(guest)
    (other,) = face.others
    found = differences(face, other)
    assert found["Бонуси"] == "Bonuses"
    assert found["500 до 15 березня"] == "500 by 15 March"
    assert found["Тепер у вас %@"] == "You now have %@"
    assert found["Картка лояльності Kavarnia"] == "Kavarnia loyalty card"
    assert found["Срібло"] == "Silver"
    assert not {"Kavarnia", "KV20261234", "1\u00a0250"} & set(found)


def test_a_link_is_translated_with_its_address(guest: Guest) -> None:
    face = followed(guest)
    found = differences(face, face.others[0])
    at = "https://kavarnia.example/p/abc"
    assert found[f'<a href="{at}">Повідомлення</a>'] == f'<a href="{at}">Messages</a>'
    assert at not in found


def test_a_pass_has_a_folder_for_each_language_and_lists_it(packager: Packager, guest: Guest) -> None:
    face = followed(guest)
    with ZipFile(BytesIO(packager.build(face, "0" * 32, "1" * 32, NOW))) as archive:
        assert '"Бонуси" = "Bonuses";' in archive.read("en.lproj/pass.strings").decode().splitlines()
        own = archive.read("uk.lproj/pass.strings").decode()
        manifest = archive.read("manifest.json").decode()
    assert own == '"Картка лояльності Kavarnia" = "Картка лояльності Kavarnia";\n'
    assert '"en.lproj/pass.strings":"' in manifest
    assert '"uk.lproj/pass.strings":"' in manifest


def test_a_card_in_the_customers_own_language_has_no_folders(guest: Guest) -> None:
    assert translations(guest.face()) == []


def said(back: str, english: str, locale: str = "en") -> str:
    """The file of a card with one more text."""
    bare = Guest().face()
    own = replace(bare, back=(Shown("terms", "", back),))
    other = replace(own, locale=locale, back=(Shown("terms", "", english),))
    return dict(translations(replace(own, others=(other,))))[f"{locale}.lproj/pass.strings"].decode()


def test_quotes_backslashes_and_lines_are_escaped() -> None:
    assert said('«Кава»\n"2 = 1"', 'C:\\coffee\r\n\t"2 = 1"') == (
        '"«Кава»\\n\\"2 = 1\\"" = "C:\\\\coffee\\r\\n\\t\\"2 = 1\\"";\n'
    )


def test_a_locale_with_a_region_is_spelled_as_apple_does() -> None:
    own = replace(Guest().face(), locale="pt_BR")
    files = dict(translations(replace(own, others=(replace(own, locale="en"),))))
    assert set(files) == {"pt-BR.lproj/pass.strings", "en.lproj/pass.strings"}


def test_a_text_that_would_need_two_translations_keeps_its_own_language() -> None:
    one, two = Shown("a", "", "5"), Shown("b", "", "5")
    own = replace(Guest().face(), back=(one, two))
    other = replace(own, back=(replace(one, value="five"), replace(two, value="5 pieces")))
    assert differences(own, other) == {}
    assert differences(own, replace(own, back=(one, replace(two, value="5 pieces")))) == {}
