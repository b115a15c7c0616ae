"""The pass as a file: what a phone checks before it shows it."""

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha1
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from tests.wallet.cards import Guest, artwork, designed
from tests.wallet.conftest import NOW, PASS_TYPE, TEAM
from tests.wallet.test_signature import verified
from wallet.apple.content import Issuer, pass_json, rgb
from wallet.apple.package import Packager
from wallet.apple.signature import Signer
from wallet.artwork import Artwork
from wallet.design import Card, Code, Place
from wallet.measure import FONTS

SERIAL, TOKEN = "0123456789abcdef", "secret-token-of-16-or-more"
FRONT = {
    "header": [
        {"key": "balance", "label": "Бонуси", "value": "{{ balance | number }}", "notify": "Тепер у вас %@"}
    ],
    "secondary": [
        {"key": "tier", "label": "Рівень", "value": "{{ tier.name | capitalize }}"},
        {
            "key": "next",
            "label": "До наступного",
            "value": "{{ tier.missing | money }}",
            "when": "tier.missing",
        },
    ],
}


def opened(content: bytes) -> dict[str, bytes]:
    with ZipFile(BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_manifest_has_the_hash_of_every_file_and_the_signature_is_over_it(
    packager: Packager, guest: Guest, chain: Path, tmp_path: Path
) -> None:
    files = opened(packager.build(guest.face(), SERIAL, TOKEN, NOW))
    assert verified(files["signature"], files["manifest.json"], chain, tmp_path) == files["manifest.json"]
    manifest = json.loads(files["manifest.json"])
    assert set(manifest) == set(files) - {"manifest.json", "signature"}
    assert all(sha1(files[name]).hexdigest() == digest for name, digest in manifest.items())


def test_the_same_card_is_the_same_file_to_the_byte(pictures: Artwork, signer: Signer, guest: Guest) -> None:
    issuer = Issuer(PASS_TYPE, TEAM)
    one, other = (
        Packager(issuer, pictures, signer).build(guest.face(), SERIAL, TOKEN, NOW) for _ in range(2)
    )
    assert one == other
    later = Packager(issuer, pictures, signer).build(guest.face(), SERIAL, TOKEN, NOW + timedelta(hours=1))
    assert opened(later)["signature"] != opened(one)["signature"]
    assert opened(later)["pass.json"] == opened(one)["pass.json"]


def test_a_tier_with_its_own_picture_wears_it(signer: Signer, guest: Guest) -> None:
    card = designed(by_tier={"gold": {"strip": "images/logo.png"}})
    packager = Packager(Issuer(PASS_TYPE, TEAM), artwork(card), signer)

    def strip() -> bytes:
        return opened(packager.build(guest.face(card), SERIAL, TOKEN, NOW))["strip.png"]

    silver, guest.tier = strip(), "gold"
    assert strip() != silver


def test_members_are_stored_with_a_fixed_time_and_nothing_strays_among_them(
    packager: Packager, guest: Guest
) -> None:
    with ZipFile(BytesIO(packager.build(guest.face(), SERIAL, TOKEN, NOW))) as archive:
        members = archive.infolist()
    assert {it.compress_type for it in members} == {ZIP_STORED}
    assert {it.date_time for it in members} == {(1980, 1, 1, 0, 0, 0)}
    pictures = {f"{name}{scale}.png" for name in ("icon", "logo", "strip") for scale in ("", "@2x", "@3x")}
    assert {it.filename for it in members} == pictures | {"pass.json", "manifest.json", "signature"}


def test_other_programs_read_the_archive(packager: Packager, guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "card.pkpass").write_bytes(packager.build(guest.face(), SERIAL, TOKEN, NOW))
    command = ["python3", "-m", "zipfile", "-t", str(tmp_path / "card.pkpass")]
    assert "Done testing" in subprocess.run(command, capture_output=True, check=True, text=True).stdout


def test_pass_json_holds_what_wallet_asks_for(packager: Packager, guest: Guest) -> None:
    guest.places = [Place(50.45, 30.52, "Kavarnia на Хрещатику")]
    link = {"key": "choices", "label": "Мої & ваші", "uri": "{{ links.preferences }}"}
    terms = {"key": "terms", "label": "Правила", "value": "{{ program.terms }}"}
    face = guest.face(designed(front=FRONT, links=[link], near={"stores": 10}, back=[terms]))
    content = json.loads(opened(packager.build(face, SERIAL, TOKEN, NOW))["pass.json"])
    assert content == {
        "formatVersion": 1,
        "passTypeIdentifier": PASS_TYPE,
        "teamIdentifier": TEAM,
        "serialNumber": SERIAL,
        "organizationName": "Kavarnia",
        "description": "Картка лояльності Kavarnia",
        "backgroundColor": "rgb(31, 59, 45)",
        "foregroundColor": "rgb(255, 255, 255)",
        "labelColor": "rgb(185, 211, 194)",
        "webServiceURL": "https://loyalty.example/wallet/apple",
        "authenticationToken": TOKEN,
        "storeCard": {
            "headerFields": [
                {
                    "key": "balance",
                    "label": "Бонуси",
                    "value": "1\u00a0250",
                    "changeMessage": "Тепер у вас %@",
                }
            ],
            "secondaryFields": [
                {"key": "tier", "label": "Рівень", "value": "Silver"},
                {"key": "next", "label": "До наступного", "value": "7\u00a0400\u00a0₴"},
            ],
            "backFields": [
                {"key": "terms", "label": "Правила", "value": "1 бонус = 1 грн."},
                {
                    "key": "link.choices",
                    "value": "https://kavarnia.example/p/abc",
                    "attributedValue": '<a href="https://kavarnia.example/p/abc">Мої &amp; ваші</a>',
                },
            ],
        },
        "barcodes": [
            {
                "format": "PKBarcodeFormatQR",
                "message": "KV20261234",
                "messageEncoding": "iso-8859-1",
                "altText": "KV20261234",
            }
        ],
        "locations": [{"latitude": 50.45, "longitude": 30.52, "relevantText": "Kavarnia на Хрещатику"}],
    }


def test_nfc_needs_the_tills_key_and_takes_64_bytes(guest: Guest) -> None:
    guest.card = "Я" * 40
    face = guest.face()
    assert "nfc" not in pass_json(Issuer(PASS_TYPE, TEAM), face, SERIAL, TOKEN)
    nfc = pass_json(Issuer(PASS_TYPE, TEAM, nfc_public_key="MDkw"), face, SERIAL, TOKEN)["nfc"]
    assert nfc == {"message": "Я" * 32, "encryptionPublicKey": "MDkw"}


def test_a_pass_without_a_web_service_carries_no_token(guest: Guest) -> None:
    content = pass_json(Issuer(PASS_TYPE, TEAM), guest.face(), SERIAL, TOKEN)
    assert "authenticationToken" not in content
    assert "webServiceURL" not in content


def test_a_voided_pass_says_so(guest: Guest) -> None:
    assert pass_json(Issuer(PASS_TYPE, TEAM), guest.face(), SERIAL, TOKEN, voided=True)["voided"] is True


def test_what_few_cards_have_is_written_where_they_have_it(guest: Guest) -> None:
    face = replace(
        guest.face(), expires=datetime(2026, 12, 31, 21, 59, 59, tzinfo=UTC), sharing=False, apps=(1, 2),
        logo_text="Kavarnia", authenticate=True,
    )  # fmt: skip
    content = pass_json(Issuer(PASS_TYPE, TEAM, nfc_public_key="MDkw"), face, SERIAL, TOKEN)
    assert content["expirationDate"] == "2026-12-31T21:59:59+00:00"
    assert content["sharingProhibited"] is True
    assert content["associatedStoreIdentifiers"] == [1, 2]
    assert content["logoText"] == "Kavarnia"
    assert content["nfc"]["requiresAuthentication"] is True
    plain = pass_json(Issuer(PASS_TYPE, TEAM), guest.face(), SERIAL, TOKEN)
    assert not {"expirationDate", "sharingProhibited", "associatedStoreIdentifiers", "voided"} & set(plain)


def test_an_emptied_card_still_makes_a_pass_that_knows_its_service(packager: Packager, guest: Guest) -> None:
    guest.places = [Place(50.45, 30.52, "Kavarnia")]
    files = opened(packager.build(guest.face().emptied(), SERIAL, TOKEN, NOW, voided=True))
    content = json.loads(files["pass.json"])
    assert (content["storeCard"], content["voided"]) == ({}, True)
    assert content["authenticationToken"] == TOKEN
    assert not {"barcodes", "locations", "nfc"} & set(content)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("qr", "PKBarcodeFormatQR"),
        ("pdf417", "PKBarcodeFormatPDF417"),
        ("aztec", "PKBarcodeFormatAztec"),
        ("code128", "PKBarcodeFormatCode128"),
    ],
)
def test_barcodes_have_apples_names(kind: str, written: str, card: Card, guest: Guest) -> None:
    assert card.barcode is not None
    other = card.model_copy(update={"barcode": card.barcode.model_copy(update={"kind": kind})})
    (code,) = pass_json(Issuer(PASS_TYPE, TEAM), guest.face(other), SERIAL, TOKEN)["barcodes"]
    assert code["format"] == written


def test_a_code_that_latin_1_cannot_spell_is_said_to_be_utf_8(card: Card, guest: Guest) -> None:
    guest.card = "КВ-1"
    (code,) = pass_json(Issuer(PASS_TYPE, TEAM), guest.face(), SERIAL, TOKEN)["barcodes"]
    assert code["messageEncoding"] == "utf-8"
    assert Code("qr", "КВ-1").message == code["message"]


def test_two_balances_make_two_passes_of_one_serial(packager: Packager, guest: Guest) -> None:
    first = opened(packager.build(guest.face(), SERIAL, TOKEN, NOW))
    guest.balance = Decimal(7)
    second = opened(packager.build(guest.face(), SERIAL, TOKEN, NOW))
    assert first["manifest.json"] != second["manifest.json"]
    assert first["logo.png"] == second["logo.png"]
    assert json.loads(second["pass.json"])["serialNumber"] == SERIAL


def test_colours_are_spelled_as_apple_does() -> None:
    assert rgb("#1f3b2d") == "rgb(31, 59, 45)"


def test_the_fonts_come_with_their_licence_and_stay_small() -> None:
    assert "SIL OPEN FONT LICENSE" in (FONTS / "LICENSE.txt").read_text()
    assert sum(path.stat().st_size for path in FONTS.iterdir()) < 400_000
